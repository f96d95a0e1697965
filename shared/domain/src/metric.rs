//! Figures that alarms and dashboards look at, by name.

/// A figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// What an audit found that nothing explains; once for each audit. Must be 0.
    Unexplained,
}

impl Metric {
    /// Its name, as alarms refer to it.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Unexplained => "Unexplained",
        }
    }

    /// Its unit, as CloudWatch spells it.
    pub fn unit(self) -> &'static str {
        match self {
            Metric::Unexplained => "Count",
        }
    }
}
