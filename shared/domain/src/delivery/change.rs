//! What a commit writes.

use super::{Attempt, Notice, Status, Trigger};
use crate::Timestamp;
use crate::schedule::Tier;

/// What a commit writes. Everything named here is set, or removed where it is `None`; but a URL
/// that is `None` stays as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Appended to the attempts, and counted.
    pub attempt: Option<Attempt>,
    /// Where it went, if an attempt was made.
    pub url: Option<String>,
    /// The new status.
    pub status: Status,
    /// The scheduled attempts from now on.
    pub scheduled_attempts: Tier,
    /// What is over with it.
    pub settles: Settles,
    /// See [`super::Delivery::next_attempt_at`].
    pub next_attempt_at: Option<Timestamp>,
    /// See [`super::Delivery::gives_up_at`].
    pub gives_up_at: Option<Timestamp>,
    /// See [`super::Delivery::due_at`].
    pub due_at: Option<Timestamp>,
    /// See [`super::Delivery::notice`].
    pub notice: Option<Notice>,
}

impl Change {
    /// Whether the sweeper's back-off begins anew: a scheduled attempt was made, or nothing that
    /// it could wake is left.
    pub fn resets_back_off(&self) -> bool {
        let scheduled = self.attempt.as_ref().is_some_and(|a| a.trigger == Trigger::Schedule);
        scheduled || (self.settles.retry() && !self.status.is_open())
    }
}

/// What a change is the end of, and whose claim it therefore clears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settles {
    /// The open tier; an open retry stays as it was.
    Tier,
    /// The open retry; a claim on the open tier stays as it was.
    Retry,
    /// Both.
    Both,
    /// Neither: an attempt that is only put on record.
    Nothing,
}

impl Settles {
    /// Whether the claim on the open tier goes.
    pub fn tier(self) -> bool {
        matches!(self, Settles::Tier | Settles::Both)
    }

    /// Whether the open retry goes.
    pub fn retry(self) -> bool {
        matches!(self, Settles::Retry | Settles::Both)
    }
}
