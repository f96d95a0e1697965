//! What the sender needs to keep to an endpoint's rate together with all other senders.

use std::future::Future;
use std::time::Duration;

use super::{CallWindow, EndpointKey, PortResult};
use crate::Timestamp;

/// A line in which requests that must wait take places, some time apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose line.
    pub name: String,
    /// No place is before this.
    pub from: Timestamp,
    /// From one place to the next; at least a millisecond.
    pub apart: Duration,
}

/// How fast endpoints are called, counted over all senders.
pub trait Pace: Sync {
    /// Counts a request within a stretch of time: true, or, if that would be above the limit, false
    /// and nothing is counted. MUST be atomic.
    fn count_request(&self, window: &CallWindow) -> impl Future<Output = PortResult<bool>> + Send;

    /// Takes the next place of a line: `from`, or [`Line::apart`] after the place given last if
    /// that is later. MUST be atomic: no place is given twice.
    fn take_place(&self, line: &Line) -> impl Future<Output = PortResult<Timestamp>> + Send;

    /// Gives an endpoint `more` partitions if it has `had`. False if it has another number, or is
    /// not there. MUST NOT change anything else about it.
    fn spread(
        &self,
        whose: &EndpointKey,
        had: u16,
        more: u16,
    ) -> impl Future<Output = PortResult<bool>> + Send;
}
