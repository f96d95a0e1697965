//! One event on its way to one endpoint.

mod attempt;
mod change;
mod status;

use crate::Timestamp;
use crate::event::{Event, FanOut};
use crate::ids::{AccountId, DeliveryId, EventId, JobId, RetryId};
use crate::limits::{BACK_OFF_FIRST_S, RETRY_OPEN_S};
use crate::schedule::Tier;

pub use attempt::{Answer, Attempt, Outcome, Trigger};
pub use change::{Change, Settles};
pub use status::{FailedReason, Status};

/// A delivery as it is on record: the truth about one event and one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Derived from endpoint, moment and event.
    pub id: DeliveryId,
    /// Whose it is.
    pub account_id: AccountId,
    /// The event.
    pub event_id: EventId,
    /// The product's own id for the event.
    pub source_id: Option<String>,
    /// The event's name.
    pub event: String,
    /// Where it went last, or would go.
    pub url: Option<String>,
    /// How far it is.
    pub status: Status,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// The attempts kept, oldest first.
    pub attempts: Vec<Attempt>,
    /// All attempts ever committed.
    pub attempt_count: u32,
    /// Scheduled attempts committed; the tier that is open.
    pub scheduled_attempts: Tier,
    /// When the open tier is due; `None` before the first attempt and after the last.
    pub next_attempt_at: Option<Timestamp>,
    /// First scheduled attempt plus the time to give up.
    pub gives_up_at: Option<Timestamp>,
    /// Until when somebody has claimed the open tier.
    pub busy_until: Option<Timestamp>,
    /// Its place in the `due` index, if it waits or must be finished.
    pub due_at: Option<Timestamp>,
    /// The sweeper's last wait before waking it again, in seconds.
    pub back_off_s: Option<u32>,
    /// What must still be announced.
    pub notice: Option<Notice>,
    /// The retry that was asked for and not made yet: one at a time.
    pub open_retry: Option<OpenRetry>,
    /// The recovery that took this delivery on last.
    pub job_id: Option<JobId>,
    /// When the answers on it were erased, together with the event's payload. None is kept after.
    pub erased_at: Option<Timestamp>,
}

/// A retry that somebody asked for (design 3.5). It is on record, and in `due`, before its wake-up
/// is sent; the commit of its attempt takes it away, so that a doubled wake-up finds nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRetry {
    /// Its name.
    pub id: RetryId,
    /// Who asked.
    pub by: RetryBy,
    /// When.
    pub opened_at: Timestamp,
    /// Until when somebody has claimed it.
    pub busy_until: Option<Timestamp>,
}

/// Who asked for a retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryBy {
    /// A person, for this delivery.
    Manual,
    /// A recovery, for many.
    Recover(JobId),
}

impl RetryBy {
    /// What stands beside the attempt.
    pub fn trigger(&self) -> Trigger {
        match self {
            RetryBy::Manual => Trigger::Manual,
            RetryBy::Recover(_) => Trigger::Recover,
        }
    }

    /// The recovery, if it is one.
    pub fn job(&self) -> Option<&JobId> {
        match self {
            RetryBy::Manual => None,
            RetryBy::Recover(job) => Some(job),
        }
    }
}

impl OpenRetry {
    /// When it is closed as not made, for want of anybody who makes it.
    pub fn closes_at(&self) -> Timestamp {
        self.opened_at + std::time::Duration::from_secs(RETRY_OPEN_S)
    }
}

impl Delivery {
    /// As it is first put on record, without attempts.
    pub(crate) fn new(event: &Event, entry: &FanOut, url: Option<String>) -> Self {
        Self {
            id: entry.delivery_id.clone(),
            account_id: event.envelope.account_id.clone(),
            event_id: event.id.clone(),
            source_id: event.envelope.source_id.clone(),
            event: event.envelope.event.clone(),
            url,
            status: if entry.skipped { Status::Skipped } else { Status::Pending },
            created_at: event.accepted_at,
            attempts: Vec::new(),
            attempt_count: 0,
            scheduled_attempts: 0,
            next_attempt_at: None,
            gives_up_at: None,
            busy_until: None,
            due_at: None,
            back_off_s: None,
            notice: None,
            open_retry: None,
            job_id: None,
            erased_at: None,
        }
    }

    /// As it is once `change` has been committed: what the store writes, said in one place for
    /// those who go on with the delivery without reading it again.
    pub fn apply(&mut self, change: &Change) {
        if let Some(attempt) = &change.attempt {
            self.attempts.push(attempt.clone());
            self.attempt_count = self.attempt_count.saturating_add(1);
        }
        if change.resets_back_off() {
            self.back_off_s = None;
        }
        if change.url.is_some() {
            self.url.clone_from(&change.url);
        }
        self.status = change.status;
        self.scheduled_attempts = change.scheduled_attempts;
        self.next_attempt_at = change.next_attempt_at;
        self.gives_up_at = change.gives_up_at;
        self.due_at = change.due_at;
        self.notice = change.notice;
        if change.settles.tier() {
            self.busy_until = None;
        }
        if change.settles.retry() {
            self.open_retry = None;
        }
    }

    /// What a commit must find unchanged.
    pub fn stage(&self) -> Stage {
        Stage {
            status: self.status,
            scheduled_attempts: self.scheduled_attempts,
            retry: self.open_retry.as_ref().map(|retry| retry.id.clone()),
            erased_at: self.erased_at,
        }
    }

    /// The delivery without what endpoints answered.
    pub fn erase(&mut self, at: Timestamp) {
        for attempt in &mut self.attempts {
            attempt.answer.response_body = None;
        }
        self.erased_at = Some(at);
    }

    /// Its place in `due` if the schedule wants it at `scheduled`: an open retry wants it, too.
    pub(crate) fn due_with_retry(&self, scheduled: Option<Timestamp>) -> Option<Timestamp> {
        let retry = self.open_retry.as_ref().map(|retry| retry.opened_at);
        scheduled.into_iter().chain(retry).min()
    }

    /// The claim on the open tier, if it is live.
    pub fn live_claim(&self, now: Timestamp) -> Option<Timestamp> {
        self.busy_until.filter(|until| now < *until)
    }

    /// The sweeper's next wait before it wakes this delivery again.
    pub fn next_back_off_s(&self) -> u32 {
        use crate::limits::BACK_OFF_MAX_S;
        self.back_off_s.map_or(BACK_OFF_FIRST_S, |last| last.saturating_mul(2).min(BACK_OFF_MAX_S))
    }
}

/// The part of a delivery that a commit is conditional on, and nothing else (design 3.2, decision
/// 0009 for the retry, 0016 for the erasure).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The status read.
    pub status: Status,
    /// The scheduled attempts read.
    pub scheduled_attempts: Tier,
    /// The open retry read.
    pub retry: Option<RetryId>,
    /// The erasure read.
    pub erased_at: Option<Timestamp>,
}

/// What must be announced about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// It failed for good.
    DeliveryFailed,
}

impl Notice {
    /// As it is written, and the event's name on the bus.
    pub fn as_str(self) -> &'static str {
        match self {
            Notice::DeliveryFailed => "delivery.failed",
        }
    }

    /// Reads the spelling of [`Notice::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        (text == Notice::DeliveryFailed.as_str()).then_some(Notice::DeliveryFailed)
    }
}
