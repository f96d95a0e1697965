//! Erasing an event's payload, and what endpoints answered to it (design 4.3).
//!
//! Deliveries first, each in steps that are written one by one, the payload last: whoever repeats
//! an erasure that was cut off finds the event as long as anything is left to do. Attempts that
//! are under way meanwhile are put on record without their answer, since a commit knows whether
//! the answers were erased.

use crate::Timestamp;
use crate::attempt::end;
use crate::delivery::{Change, Delivery, FailedReason};
use crate::retry::close;

/// What a delivery needs next before the payload may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erasing {
    /// Commit this: what waits ends.
    End(Box<Change>),
    /// Erase its answers.
    Answers,
    /// Nothing.
    Done,
}

/// What an erasure does with a delivery as it was read at `now`.
pub fn next(delivery: &Delivery, now: Timestamp) -> Erasing {
    if delivery.status.is_open() {
        return Erasing::End(Box::new(end(delivery, FailedReason::Cancelled, now)));
    }
    if delivery.open_retry.is_some() {
        return Erasing::End(Box::new(close(delivery, now)));
    }
    match delivery.erased_at {
        None => Erasing::Answers,
        Some(_) => Erasing::Done,
    }
}
