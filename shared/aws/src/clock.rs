//! The clock, the dice, and whatever else must be new each time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::Timestamp;
use domain::api_key::ApiKey;
use domain::ids::{EndpointId, JobId, RetryId};
use domain::ports::{Clock, Dice, Fresh, Pause, PortError, PortResult};
use domain::schedule::Roll;
use domain::secret::Secret;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

impl Pause for SystemClock {
    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// The machine's clock and its dice together, for use cases that need both.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemChance;

impl Clock for SystemChance {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

impl Dice for SystemChance {
    /// Should the system have no randomness to give, the throw is 0: no jitter.
    fn roll(&self) -> Roll {
        Roll::from_random(getrandom::u64().unwrap_or_default())
    }
}

impl Fresh for SystemChance {
    fn endpoint_id(&self) -> PortResult<EndpointId> {
        new_endpoint_id()
    }

    fn retry_id(&self) -> PortResult<RetryId> {
        random().map(RetryId::from_random)
    }

    fn job_id(&self) -> PortResult<JobId> {
        random().map(JobId::from_random)
    }

    fn secret(&self) -> PortResult<Secret> {
        new_secret()
    }

    fn portal_token(&self) -> PortResult<ApiKey> {
        random().map(ApiKey::portal_token)
    }
}

/// A new endpoint's id.
///
/// # Errors
/// If the system has no randomness to give.
pub fn new_endpoint_id() -> PortResult<EndpointId> {
    random().map(EndpointId::from_random)
}

/// A new endpoint's secret.
///
/// # Errors
/// If the system has no randomness to give.
pub fn new_secret() -> PortResult<Secret> {
    random().map(Secret::from_random)
}

/// A new API key.
///
/// # Errors
/// If the system has no randomness to give.
pub fn new_api_key() -> PortResult<ApiKey> {
    random().map(ApiKey::from_random)
}

fn random<const N: usize>() -> PortResult<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| PortError::new("getrandom", e))?;
    Ok(bytes)
}
