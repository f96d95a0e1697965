//! Keeping to an endpoint's `max_per_second` (design 3.8).
//!
//! Promised: of requests begun within one second of the clock, all senders together make no more
//! than the endpoint wants (so in any second at most twice that, and as much as clocks differ).
//! What is over it takes a place in the endpoint's line and is woken for that; whoever comes to its
//! place and finds the second full after all, since wake-ups arrive late and in clusters, takes
//! another. An endpoint without a rate costs nothing; one with a rate a write for each request, and
//! two more for each that must wait.

use std::time::Duration;

use crate::Timestamp;
use crate::endpoint::Endpoint;
use crate::ports::{CallWindow, Line, Pace, PortResult};

const SECOND: Duration = Duration::from_secs(1);
/// How long a second's count is kept.
const KEPT: Duration = Duration::from_secs(600);

/// Takes part of the second for a request: `None` if it can be made now, else when to try again.
///
/// # Errors
/// If the store failed. The request is not made then: a rate is kept in trouble, too.
pub async fn take_turn(
    pace: &impl Pace,
    endpoint: &Endpoint,
    now: Timestamp,
) -> PortResult<Option<Timestamp>> {
    let Some(limit) = endpoint.max_per_second.filter(|limit| *limit > 0) else {
        return Ok(None);
    };
    let second = now.as_secs();
    let window = CallWindow {
        name: format!("rate#{}#{second}", endpoint.id),
        limit,
        expires_at: now + KEPT,
    };
    if pace.count_request(&window).await? {
        return Ok(None);
    }
    let line = Line {
        name: format!("line#{}", endpoint.id),
        from: Timestamp::from_secs(second.saturating_add(1)),
        apart: (SECOND / limit).max(Duration::from_millis(1)),
    };
    pace.take_place(&line).await.map(Some)
}
