//! Over how many partitions an endpoint's deliveries are spread (design 4.4).
//!
//! A partition of the store takes 1,000 writes a second, and a delivery is two: an endpoint above
//! [`SHARD_PER_SECOND`] deliveries a second gets more of them. The rate is counted over all senders
//! from a sample, by the five minutes in which deliveries were accepted: so a backlog is no rate, and
//! an endpoint costs a write for every [`SHARD_SAMPLE`] deliveries. Whoever finds them full doubles the
//! partitions; the next batch sees that, and there is room for twice as many. Old deliveries
//! stay where they are, since their ids say where.

use std::time::Duration;

use crate::Timestamp;
use crate::delivery::Delivery;
use crate::endpoint::Endpoint;
use crate::ids::DeliveryId;
use crate::limits::{SHARD_PER_SECOND, SHARD_SAMPLE, SHARD_WINDOW_S, SHARDS_MAX};
use crate::ports::{CallWindow, EndpointKey, Pace, PortResult};

/// How long a count is kept.
const KEPT: Duration = Duration::from_secs(3_600);

/// Counts a delivery, if it is in the sample, and gives its endpoint more partitions if there are
/// more deliveries than its partitions take. Answers how many it has now, if they were doubled.
///
/// # Errors
/// If the store failed. Nothing depends on it: the next in the sample counts as well.
pub async fn count(
    pace: &impl Pace,
    endpoint: &Endpoint,
    delivery: &Delivery,
) -> PortResult<Option<u16>> {
    let more = endpoint.shards.saturating_mul(2);
    if !is_counted(&delivery.id) || more > SHARDS_MAX {
        return Ok(None);
    }
    if pace.count_request(&window(endpoint, delivery.created_at)).await? {
        return Ok(None);
    }
    let grown = pace.spread(&EndpointKey::of(endpoint), endpoint.shards, more).await?;
    Ok(grown.then_some(more))
}

/// Whether a delivery is in the sample: one in [`SHARD_SAMPLE`], the same ones for everybody.
fn is_counted(id: &DeliveryId) -> bool {
    id.sample().is_multiple_of(SHARD_SAMPLE)
}

/// Five minutes of the endpoint's, with room for what its partitions take.
fn window(endpoint: &Endpoint, accepted_at: Timestamp) -> CallWindow {
    let window = accepted_at.as_secs() / i64::from(SHARD_WINDOW_S);
    let sampled = SHARD_PER_SECOND * SHARD_WINDOW_S / u32::from(SHARD_SAMPLE);
    CallWindow {
        name: format!("spread#{}#{window}", endpoint.id),
        limit: sampled * u32::from(endpoint.shards.max(1)),
        expires_at: accepted_at + KEPT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{EndpointId, EventId, hash_fields};

    #[test]
    fn the_sample_is_one_in_so_many_in_every_shard() {
        let endpoint = EndpointId::parse("ep_abc").expect("valid");
        let mut counted = [0u32; 2];
        for nth in 0..400_000u32 {
            let event = EventId::from_digest(hash_fields(&[&nth.to_string()]));
            let id = DeliveryId::derive(&endpoint, 2, Timestamp::from_secs(1), &event);
            let shard = usize::from(id.partition().ends_with("#1"));
            counted[shard] += u32::from(is_counted(&id));
        }
        assert!(counted.iter().all(|count| count.abs_diff(195) < 50), "{counted:?}");
    }
}
