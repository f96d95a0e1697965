//! The delivery state machine: what a wake-up means ([`decide`]), and what a POST changes
//! ([`settle`]). Pure: the sender carries out what is decided here (design 3.2).

use std::time::Duration;

use crate::Timestamp;
use crate::delivery::{
    Answer, Attempt, Change, Delivery, FailedReason, Notice, Outcome, RetryBy, Settles, Status,
    Trigger,
};
use crate::endpoint::EndpointState;
use crate::ids::RetryId;
use crate::limits::{CLAIM_SLACK_S, COPY_DELAY_S, EARLY_MS, SILENT_AFTER_LEAST_S, SILENT_SHARE};
use crate::retry::retried;
use crate::schedule::{RetrySchedule, Roll, Tier};
use crate::sweep::grace;
use crate::wakeup::{Origin, WakeUp};

/// What the sender does with a wake-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// POST the scheduled attempt that is open. `claim` first if this wake-up may have company.
    Post {
        /// Whether a claim must be written before.
        claim: bool,
    },
    /// Not yet: send the wake-up again for this moment.
    Later(Timestamp),
    /// Its attempt is on record, but whoever recorded it may have died before arranging the next:
    /// arrange that one.
    Arrange {
        /// The tier that is open.
        tier: Tier,
        /// When it is due.
        at: Timestamp,
    },
    /// The endpoint is gone: end the delivery.
    End(FailedReason),
    /// Nothing to do; acknowledge.
    Nothing(Idle),
}

/// Why there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// The delivery is over.
    Final,
    /// The attempt is on record, and whoever recorded it goes on.
    Committed,
    /// Far too early, and the wake-up for the right moment exists elsewhere.
    FarTooEarly,
    /// A tier that is not open yet: nobody sends such a thing.
    Unknown,
}

/// How long things may take in a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// The longest wait left to SQS, in seconds. A wake-up that is no hop is sent again for waits
    /// up to this: for longer ones a schedule exists, or the sweeper finds the delivery in `due`.
    pub sqs_delay_max_s: u32,
    /// The longest a request may take.
    pub request_timeout: Duration,
}

impl Waits {
    /// The longest from the decision to POST until the attempt is committed; how long a claim
    /// holds.
    pub fn attempt(&self) -> Duration {
        self.request_timeout + Duration::from_secs(CLAIM_SLACK_S.into())
    }

    /// The longest that an endpoint may stay silent before it stands apart.
    pub fn patience(&self) -> Duration {
        (self.request_timeout / SILENT_SHARE).max(Duration::from_secs(SILENT_AFTER_LEAST_S))
    }

    /// When the first copy of the wake-up for the open tier can arrive: the sweeper's after its
    /// grace, ingest's after its delay.
    fn first_copy_at(&self, delivery: &Delivery) -> Timestamp {
        let swept = delivery.due_at.map(|at| at + grace(self.sqs_delay_max_s));
        let sent_again = delivery.created_at + Duration::from_secs(COPY_DELAY_S.into());
        match (delivery.status, swept) {
            (Status::Pending, None) => sent_again,
            (Status::Pending, Some(swept)) => swept.min(sent_again),
            (_, swept) => swept.unwrap_or(sent_again),
        }
    }
}

/// Decides what a wake-up, received for the `received`-th time, asks for.
pub fn decide(
    delivery: &Delivery,
    wake_up: &WakeUp,
    received: u32,
    endpoint: Option<EndpointState>,
    waits: &Waits,
    now: Timestamp,
) -> Decision {
    if !delivery.status.is_open() {
        return Decision::Nothing(Idle::Final);
    }
    let open = delivery.scheduled_attempts;
    if wake_up.tier > open {
        return Decision::Nothing(Idle::Unknown);
    }
    if wake_up.tier < open {
        let at = delivery.next_attempt_at.filter(|_| received > 1 && wake_up.tier + 1 == open);
        return at
            .map_or(Decision::Nothing(Idle::Committed), |at| Decision::Arrange { tier: open, at });
    }
    if delivery.status == Status::Retrying && delivery.next_attempt_at.is_none() {
        return Decision::Nothing(Idle::Committed); // all attempts made; the sweeper ends it
    }
    if let Some(until) = delivery.live_claim(now) {
        return Decision::Later(until);
    }
    match endpoint {
        Some(EndpointState::Enabled) => {}
        Some(EndpointState::Disabled { .. }) => {
            return Decision::End(FailedReason::EndpointDisabled);
        }
        Some(EndpointState::Deleted { .. }) | None => {
            return Decision::End(FailedReason::EndpointDeleted);
        }
    }
    let early_ms = delivery.next_attempt_at.map_or(0, |at| at.as_millis() - now.as_millis());
    if early_ms > EARLY_MS {
        let repeat =
            wake_up.origin == Origin::Hop || early_ms <= i64::from(waits.sqs_delay_max_s) * 1_000;
        return match delivery.next_attempt_at.filter(|_| repeat) {
            Some(at) => Decision::Later(at),
            None => Decision::Nothing(Idle::FarTooEarly),
        };
    }
    // A fresh one that comes so late that a copy may arrive while its request is under way must
    // be seen by that copy, too.
    let woken_before = delivery.back_off_s.is_some();
    let has_company = woken_before || now + waits.attempt() > waits.first_copy_at(delivery);
    Decision::Post { claim: received > 1 || wake_up.origin != Origin::Fresh || has_company }
}

/// What a POST was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A scheduled attempt.
    Tier(Tier),
    /// A retry that somebody asked for.
    Retry(RetryId, RetryBy),
}

/// A POST that was made, and what a commit needs to know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// What it was for.
    pub purpose: Purpose,
    /// Position among all attempts, as it was sent.
    pub number: u32,
    /// Where it went.
    pub url: String,
    /// When it began.
    pub at: Timestamp,
    /// What came of it.
    pub answer: Answer,
}

/// What becomes of a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Commit this, on condition that the delivery is still at the stage it was read at.
    Commit(Box<Change>),
    /// It is on record already: the commit worked, only its answer was lost.
    OnRecord,
    /// Somebody else's result stands; drop this one, and count it.
    Drop,
}

/// Decides what a POST changes on the delivery as it is now. Asked again, with what was re-read,
/// whenever the commit loses its condition; never asks to change a success into anything else.
pub fn settle(
    delivery: &Delivery,
    posted: &Posted,
    schedule: &RetrySchedule,
    roll: Roll,
    now: Timestamp,
) -> Settlement {
    if delivery.attempts.iter().any(|attempt| is_of(attempt, posted)) {
        return Settlement::OnRecord;
    }
    let tier = match &posted.purpose {
        Purpose::Retry(id, _) => {
            return Settlement::Commit(Box::new(retried(delivery, posted, id, now)));
        }
        Purpose::Tier(tier) => *tier,
    };
    let succeeded = posted.answer.outcome == Outcome::Succeeded;
    let is_open_tier = delivery.status.is_open() && delivery.scheduled_attempts == tier;
    match (succeeded, is_open_tier) {
        (true, _) if delivery.status == Status::Succeeded => Settlement::Drop,
        (true, _) => Settlement::Commit(Box::new(success(delivery, posted, tier))),
        (false, true) => {
            Settlement::Commit(Box::new(failure(delivery, posted, schedule, roll, now)))
        }
        (false, false) => Settlement::Drop,
    }
}

/// Whether an attempt on record is this POST. A copy may have begun in the same millisecond; it
/// had an answer of its own.
fn is_of(attempt: &Attempt, posted: &Posted) -> bool {
    let (theirs, ours) = (&attempt.answer, &posted.answer);
    (attempt.number, attempt.at, attempt.trigger)
        == (posted.number, posted.at, posted.purpose.trigger())
        && (theirs.outcome, theirs.http_status, theirs.duration_ms, theirs.first_byte_ms)
            == (ours.outcome, ours.http_status, ours.duration_ms, ours.first_byte_ms)
}

impl Purpose {
    /// Who wanted it.
    pub fn trigger(&self) -> Trigger {
        match self {
            Purpose::Tier(_) => Trigger::Schedule,
            Purpose::Retry(_, by) => by.trigger(),
        }
    }
}

fn success(delivery: &Delivery, posted: &Posted, tier: Tier) -> Change {
    Change {
        status: Status::Succeeded,
        scheduled_attempts: delivery.scheduled_attempts.max(tier + 1),
        settles: Settles::Tier,
        next_attempt_at: None,
        gives_up_at: delivery.gives_up_at,
        // An end that was written but not yet announced is still announced.
        due_at: delivery.due_with_retry(delivery.notice.and(delivery.due_at)),
        notice: delivery.notice,
        url: Some(posted.url.clone()),
        attempt: Some(recorded(delivery, posted)),
    }
}

fn failure(
    delivery: &Delivery,
    posted: &Posted,
    schedule: &RetrySchedule,
    roll: Roll,
    now: Timestamp,
) -> Change {
    let ended_at = posted.at + Duration::from_millis(posted.answer.duration_ms);
    let gives_up_at = delivery.gives_up_at.unwrap_or_else(|| schedule.gives_up_at(posted.at));
    let asked = posted.answer.retry_after_s.map(Duration::from_secs);
    let tier = delivery.scheduled_attempts;
    let next = schedule.next_attempt_at(tier, ended_at, gives_up_at, asked, roll);
    let over = next.is_none() && gives_up_at <= now;
    let status = if over { Status::Failed(FailedReason::Exhausted) } else { Status::Retrying };
    Change {
        status,
        scheduled_attempts: tier + 1,
        settles: Settles::Tier,
        next_attempt_at: next,
        gives_up_at: Some(gives_up_at),
        due_at: delivery.due_with_retry(Some(if over { now } else { next.unwrap_or(gives_up_at) })),
        notice: over.then_some(Notice::DeliveryFailed),
        url: Some(posted.url.clone()),
        attempt: Some(recorded(delivery, posted)),
    }
}

/// The attempt as it is put on record: without what was answered, if that was erased meanwhile.
pub(crate) fn recorded(delivery: &Delivery, posted: &Posted) -> Attempt {
    let mut answer = posted.answer.clone();
    answer.response_body.take_if(|_| delivery.erased_at.is_some());
    Attempt { number: posted.number, trigger: posted.purpose.trigger(), at: posted.at, answer }
}

/// Ends an open delivery without another attempt. A cancellation ends an open retry with it; after
/// any other end a person may still want it.
pub fn end(delivery: &Delivery, reason: FailedReason, now: Timestamp) -> Change {
    Change {
        attempt: None,
        url: None,
        status: Status::Failed(reason),
        scheduled_attempts: delivery.scheduled_attempts,
        settles: match reason {
            FailedReason::Cancelled => Settles::Both,
            FailedReason::Exhausted
            | FailedReason::EndpointDisabled
            | FailedReason::EndpointDeleted => Settles::Tier,
        },
        next_attempt_at: None,
        gives_up_at: delivery.gives_up_at,
        due_at: Some(now),
        notice: Some(Notice::DeliveryFailed),
    }
}

#[cfg(test)]
pub(crate) mod tests;
