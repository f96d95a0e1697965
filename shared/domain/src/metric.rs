//! Figures that alarms and dashboards look at, by name.

/// A figure. None of them says whose it is: one per endpoint would cost more than the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// What an audit found that nothing explains; once for each audit. Must be 0.
    Unexplained,
    /// A run of the sweeper came to its end. Their absence is what matters.
    Sweeps,
    /// By how much the most overdue delivery of a run was late.
    OldestOverdue,
    /// Deliveries woken by a run: their own wake-up was lost, or is late.
    Woken,
    /// Deliveries and jobs that a run left asleep, because their queue is behind.
    HeldBack,
    /// Shards that a run did not read to their end.
    UnfinishedShards,
    /// What a run could not deal with.
    SweepErrors,
    /// A wait became a chain of delays, because Scheduler could not be had; once for each link.
    Hops,
    /// A run of daily that left nothing undone. Their absence is what matters.
    DailyRuns,
    /// Endpoints that a run of daily disabled.
    EndpointsDisabled,
}

impl Metric {
    /// Its name, as alarms refer to it.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Unexplained => "Unexplained",
            Metric::Sweeps => "Sweeps",
            Metric::OldestOverdue => "OldestOverdue",
            Metric::Woken => "Woken",
            Metric::HeldBack => "HeldBack",
            Metric::UnfinishedShards => "UnfinishedShards",
            Metric::SweepErrors => "SweepErrors",
            Metric::Hops => "Hops",
            Metric::DailyRuns => "DailyRuns",
            Metric::EndpointsDisabled => "EndpointsDisabled",
        }
    }

    /// Its unit, as CloudWatch spells it.
    pub fn unit(self) -> &'static str {
        match self {
            Metric::OldestOverdue => "Seconds",
            Metric::Unexplained
            | Metric::Sweeps
            | Metric::Woken
            | Metric::HeldBack
            | Metric::UnfinishedShards
            | Metric::SweepErrors
            | Metric::Hops
            | Metric::DailyRuns
            | Metric::EndpointsDisabled => "Count",
        }
    }
}
