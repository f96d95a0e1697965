//! What the sweeper needs beyond the ports of the delivery path (design 3.6).

use std::future::Future;
use std::time::Duration;

use super::PortResult;
use crate::Timestamp;
use crate::audit::{Audit, AuditedDelivery, AuditedEvent};
use crate::metric::Metric;
use crate::wakeup::Lane;

/// A dead-letter queue: what its queue's reader failed at again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dlq {
    /// Events that ingest could not store.
    Events,
    /// Wake-ups of `SendQueue`.
    Send,
    /// Wake-ups of `RetryQueue`.
    Retry,
}

/// A message received from a dead-letter queue.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// SQS's id.
    pub id: String,
    /// What deletes it; another one each time it is received.
    pub receipt: String,
    /// As it was first sent.
    pub body: String,
    /// When it was first sent to the queue that it comes from.
    pub sent_at: Timestamp,
    /// Its message group: whose share of a fair queue it is.
    pub group: Option<String>,
    /// The one attribute of an event that is passed on.
    pub traceparent: Option<String>,
}

/// Leaves out the body: it may be a payload.
impl std::fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetter").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The dead-letter queues.
pub trait DeadLetters: Sync {
    /// Receives up to ten messages, which nobody else receives for
    /// [`crate::limits::DEAD_LETTER_HIDDEN_S`]. MAY miss some that are there: the next call may
    /// find them.
    fn receive(&self, queue: Dlq) -> impl Future<Output = PortResult<Vec<DeadLetter>>> + Send;

    /// Deletes messages received. MUST answer for each one, in the order given.
    fn delete(
        &self,
        queue: Dlq,
        letters: &[DeadLetter],
    ) -> impl Future<Output = Vec<PortResult<()>>> + Send;

    /// Sends copies of messages to the queue that they come from, with group and `traceparent`.
    /// MUST answer for each one, in the order given.
    fn send_back(
        &self,
        queue: Dlq,
        letters: &[DeadLetter],
    ) -> impl Future<Output = Vec<PortResult<()>>> + Send;
}

/// How far the queues of wake-ups are behind.
pub trait Backlog: Sync {
    /// Messages that could be received now, approximately: neither delayed nor in work.
    fn visible(&self, lane: Lane) -> impl Future<Output = PortResult<u64>> + Send;
}

/// Waiting.
pub trait Pause: Sync {
    /// Returns after this long.
    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// One page of everything there is, in no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned<T> {
    /// What could be read.
    pub items: Vec<T>,
    /// The keys of what could not.
    pub unreadable: Vec<String>,
    /// The place to go on after, if there may be more.
    pub next: Option<String>,
}

/// Audits, and what they read.
pub trait Audits: Sync {
    /// The latest audit.
    fn audit(&self) -> impl Future<Output = PortResult<Option<Audit>>> + Send;

    /// Writes an audit in place of the latest, with a revision one above it. MUST be atomic: true
    /// only if the latest is still `was`, by its revision.
    fn save_audit(
        &self,
        was: Option<&Audit>,
        now: &Audit,
    ) -> impl Future<Output = PortResult<bool>> + Send;

    /// One page of all events, expired ones perhaps included. MUST come to every event that is
    /// there from the first page to the last.
    fn scan_events(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = PortResult<Scanned<AuditedEvent>>> + Send;

    /// One page of all deliveries, likewise.
    fn scan_deliveries(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = PortResult<Scanned<AuditedDelivery>>> + Send;
}

/// Figures that alarms and dashboards look at.
pub trait Metrics: Sync {
    /// Tells a figure.
    fn tell(&self, metric: Metric, value: u64);
}
