//! Daily: warns owners of endpoints that have been failing for days, and disables those that have
//! failed for a week (design 3.7), then tells whoever must know.
//!
//! Nothing in here disables an endpoint whose last success lies within the time: the write is
//! conditional on everything the decision was made from.

use domain::Timestamp;
use domain::care::{Cared, Visit};
use domain::metric::Metric;
use domain::ports::{Bus, Clock, DeliveryLog, EndpointHealth, Endpoints, Mails, Metrics};
use domain::tell::Teller;

/// One run, or as much of it as fits before `stop_at`.
///
/// # Errors
/// If something was left undone. To be run again: what is done is not done twice.
pub async fn run<S, B, M, C>(
    teller: &Teller<'_, S, B, M, C>,
    metrics: &impl Metrics,
    stop_at: Timestamp,
) -> Result<Cared, Unfinished>
where
    S: Endpoints + EndpointHealth + DeliveryLog,
    B: Bus,
    M: Mails,
    C: Clock,
{
    let cared = teller.visit(Visit::Daily, stop_at).await;
    for trouble in &cared.troubles {
        tracing::error!(trouble, "not done yet");
    }
    tracing::info!(
        seen = cared.seen,
        warned = cared.warned,
        disabled = cared.disabled,
        announced = cared.announced,
        mailed = cared.mailed,
        given_up = cared.given_up,
        errors = cared.errors,
        unfinished_shards = cared.unfinished_shards,
        "judged"
    );
    if cared.disabled > 0 {
        metrics.tell(Metric::EndpointsDisabled, cared.disabled);
    }
    match (cared.errors, cared.unfinished_shards) {
        (0, 0) => {
            metrics.tell(Metric::DailyRuns, 1);
            Ok(cared)
        }
        (errors, unfinished_shards) => Err(Unfinished { errors, unfinished_shards }),
    }
}

/// Something was left undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished {
    /// Endpoints or mails that made trouble.
    pub errors: u64,
    /// Shards not read to their end.
    pub unfinished_shards: u64,
}

impl std::fmt::Display for Unfinished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} errors, {} shards not read to their end", self.errors, self.unfinished_shards)
    }
}

impl std::error::Error for Unfinished {}
