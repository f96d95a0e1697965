//! Retries that somebody asked for (design 3.5): the original bytes again, at once, on any status.
//! A success makes the delivery succeeded and leaves nothing for the schedule to do; a failure
//! changes neither status nor schedule. Pure, like [`crate::attempt`].

use std::time::Duration;

use crate::Timestamp;
use crate::attempt::{Idle, Posted, Waits, recorded};
use crate::delivery::{Change, Delivery, OpenRetry, Outcome, RetryBy, Settles, Status};
use crate::endpoint::EndpointState;
use crate::ids::RetryId;
use crate::sweep::grace;
use crate::wakeup::RetryCall;

/// What the sender does with the wake-up of a retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryDecision {
    /// POST. `claim` first if this wake-up may have company.
    Post {
        /// Whether a claim must be written before.
        claim: bool,
    },
    /// Somebody is at it: send the wake-up again for this moment.
    Later(Timestamp),
    /// It cannot be made any more: commit this.
    Close(Box<Change>),
    /// Nothing to do; acknowledge.
    Nothing(Idle),
}

/// What there is to know, besides the delivery, about whether a retry may still be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leave {
    /// The endpoint's state; `None` if there is none.
    pub endpoint: Option<EndpointState>,
    /// Whether the recovery that asked for it goes on; true for a person's retry.
    pub job_runs: bool,
    /// Whether the payload is still there.
    pub payload: bool,
}

/// Decides what the wake-up of a retry, received for the `received`-th time, asks for.
pub fn decide_retry(
    delivery: &Delivery,
    call: &RetryCall,
    received: u32,
    leave: Leave,
    waits: &Waits,
    now: Timestamp,
) -> RetryDecision {
    let Some(retry) = delivery.open_retry.as_ref().filter(|retry| retry.id == call.retry_id) else {
        return RetryDecision::Nothing(Idle::Committed);
    };
    if let Some(until) = retry.busy_until.filter(|until| now < *until) {
        return RetryDecision::Later(until);
    }
    let enabled = leave.endpoint == Some(EndpointState::Enabled);
    if !(enabled && leave.job_runs && leave.payload) {
        return RetryDecision::Close(Box::new(close(delivery, now)));
    }
    // As for scheduled wake-ups: one that comes so late that the sweeper's copy may arrive while
    // its request is under way must be seen by that copy.
    let copy_at = retry.opened_at + grace(waits.sqs_delay_max_s);
    let has_company = delivery.back_off_s.is_some() || now + waits.attempt() > copy_at;
    RetryDecision::Post { claim: received > 1 || call.is_copy || has_company }
}

/// A retry as it is opened now.
pub fn open(id: RetryId, by: RetryBy, now: Timestamp) -> OpenRetry {
    OpenRetry { id, by, opened_at: now, busy_until: None }
}

/// Closes the open retry as not made.
pub fn close(delivery: &Delivery, now: Timestamp) -> Change {
    after(delivery, Settles::Retry, delivery.status, now)
}

/// What the POST of a retry changes: it is put on record whatever came between, and a success
/// makes the delivery succeeded.
pub(crate) fn retried(
    delivery: &Delivery,
    posted: &Posted,
    id: &RetryId,
    now: Timestamp,
) -> Change {
    let is_open = delivery.open_retry.as_ref().is_some_and(|retry| retry.id == *id);
    let status = match posted.answer.outcome == Outcome::Succeeded {
        true => Status::Succeeded,
        false => delivery.status,
    };
    let settles = match (is_open, status == Status::Succeeded) {
        (true, true) => Settles::Both,
        (true, false) => Settles::Retry,
        (false, _) => Settles::Nothing,
    };
    Change {
        attempt: Some(recorded(delivery, posted)),
        url: Some(posted.url.clone()),
        ..after(delivery, settles, status, now)
    }
}

/// The delivery with another status, the schedule as it was, and the place in `due` that follows.
fn after(delivery: &Delivery, settles: Settles, status: Status, now: Timestamp) -> Change {
    let scheduled = match status {
        // Whether its first wake-up is still about cannot be known: the sweeper will see.
        Status::Pending => Some(now),
        Status::Retrying => match delivery.back_off_s {
            Some(wait_s) => Some(now + Duration::from_secs(wait_s.into())),
            None => delivery.next_attempt_at.or(delivery.gives_up_at),
        },
        Status::Succeeded | Status::Failed(_) | Status::Skipped => {
            delivery.notice.map(|_| delivery.due_at.unwrap_or(now))
        }
    };
    let due_at = match settles.retry() {
        true => scheduled,
        false => delivery.due_with_retry(scheduled),
    };
    Change {
        attempt: None,
        url: None,
        status,
        scheduled_attempts: delivery.scheduled_attempts,
        settles,
        next_attempt_at: delivery.next_attempt_at.filter(|_| status.is_open()),
        gives_up_at: delivery.gives_up_at,
        due_at,
        notice: delivery.notice,
    }
}

#[cfg(test)]
mod tests;
