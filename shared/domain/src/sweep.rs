//! What a delivery found in the `due` index needs (design 3.6).

use std::time::Duration;

use crate::Timestamp;
use crate::attempt::end;
use crate::delivery::{Change, Delivery, FailedReason, OpenRetry, Status};
use crate::limits::{BACK_OFF_FIRST_S, OVERDUE_GRACE_S, READINGS_APART_S};
use crate::retry::close;
use crate::wakeup::{Call, RetryCall, WakeUp};

/// What the sweeper does with an entry of `due`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sweep {
    /// Nothing yet.
    NotYet,
    /// A wake-up is overdue: move the entry to this moment, then send what is missing.
    Wake {
        /// A copy for the open tier, for the open retry, or for both.
        calls: Vec<Call>,
        /// Where the entry goes, so that a backlog is not fed.
        back_off_to: Timestamp,
        /// The wait this is, in seconds.
        back_off_s: u32,
    },
    /// All attempts made and the time is up: commit this.
    MarkExhausted(Box<Change>),
    /// A retry that nobody made: commit this.
    CloseRetry(Box<Change>),
    /// Over, but not announced yet: announce it, then take it out.
    Announce,
    /// Nothing left to do: take it out.
    TakeOut,
}

/// How long after its time a wake-up counts as overdue: never so short that SQS cannot have
/// brought it yet.
pub fn grace(sqs_delay_max_s: u32) -> Duration {
    let seconds = OVERDUE_GRACE_S.min(sqs_delay_max_s.saturating_mul(2));
    Duration::from_secs(u64::from(seconds))
}

/// How late an entry is, in seconds: what it is past its time, and the waits since it was first
/// woken in vain. At least that: waits of the longest back-off are counted once.
pub fn overdue_s(due_at: Timestamp, back_off_s: Option<u32>, now: Timestamp) -> u64 {
    let waits = std::iter::successors(back_off_s, |last| Some(last / 2));
    let waited: u64 = waits.take_while(|wait| *wait >= BACK_OFF_FIRST_S).map(u64::from).sum();
    now.since(due_at).as_secs() + waited
}

/// How far apart the sweeper's two readings of a queue are: 30 s, in proportion less where the
/// grace is shorter.
pub fn readings_apart(sqs_delay_max_s: u32) -> Duration {
    grace(sqs_delay_max_s) * READINGS_APART_S / OVERDUE_GRACE_S
}

/// Decides what a delivery in `due` needs.
pub fn sweep(delivery: &Delivery, grace: Duration, now: Timestamp) -> Sweep {
    let Some(due_at) = delivery.due_at else {
        return Sweep::NotYet;
    };
    if delivery.notice.is_some() {
        return Sweep::Announce;
    }
    let all_made = delivery.status == Status::Retrying && delivery.next_attempt_at.is_none();
    if all_made && delivery.gives_up_at.is_some_and(|at| at <= now) {
        return Sweep::MarkExhausted(Box::new(end(delivery, FailedReason::Exhausted, now)));
    }
    let retry = delivery.open_retry.as_ref();
    if retry.is_some_and(|retry| retry.closes_at() <= now) {
        return Sweep::CloseRetry(Box::new(close(delivery, now)));
    }
    if !delivery.status.is_open() && retry.is_none() {
        return Sweep::TakeOut;
    }
    let calls = overdue(delivery, due_at, grace, now);
    if calls.is_empty() {
        return Sweep::NotYet;
    }
    let back_off_s = delivery.next_back_off_s();
    let back_off_to = now + Duration::from_secs(u64::from(back_off_s));
    let closes_at = retry.map(OpenRetry::closes_at);
    let back_off_to = closes_at.map_or(back_off_to, |closes_at| back_off_to.min(closes_at));
    Sweep::Wake { calls, back_off_to, back_off_s }
}

/// Copies of the wake-ups that should have come by now.
fn overdue(delivery: &Delivery, due_at: Timestamp, grace: Duration, now: Timestamp) -> Vec<Call> {
    if due_at + grace > now {
        return Vec::new();
    }
    // An open retry has taken the entry for itself; the schedule's own time stands beside it.
    let scheduled_at = match (delivery.status, &delivery.open_retry) {
        (Status::Pending, None) => Some(due_at),
        (Status::Pending, Some(_)) => Some(delivery.created_at),
        (Status::Retrying, None) => delivery.next_attempt_at.and(Some(due_at)),
        (Status::Retrying, Some(_)) => delivery.next_attempt_at,
        (Status::Succeeded | Status::Failed(_) | Status::Skipped, _) => None,
    };
    let scheduled = scheduled_at
        .filter(|at| *at + grace <= now)
        .map(|_| WakeUp::copy(delivery.id.clone(), delivery.scheduled_attempts).into());
    let retry = delivery.open_retry.as_ref().map(|retry| {
        let (delivery_id, retry_id) = (delivery.id.clone(), retry.id.clone());
        Call::Retry(RetryCall { delivery_id, retry_id, by: retry.by.clone(), is_copy: true })
    });
    scheduled.into_iter().chain(retry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::tests::{NOW, delivery, secs};
    use crate::delivery::Notice;

    #[track_caller]
    fn check(expected: &Sweep, change: impl FnOnce(&mut Delivery)) {
        let mut entry = delivery(Status::Retrying, 2);
        entry.due_at = entry.next_attempt_at;
        change(&mut entry);
        assert_eq!(sweep(&entry, grace(900), NOW), *expected);
    }

    #[test]
    fn what_an_entry_needs() {
        let id = delivery(Status::Retrying, 2).id;
        let wake = |tier, back_off_s| Sweep::Wake {
            calls: vec![WakeUp::copy(id.clone(), tier).into()],
            back_off_to: NOW + secs(u64::from(back_off_s)),
            back_off_s,
        };
        check(&Sweep::NotYet, |d| d.due_at = Some(NOW - secs(119)));
        check(&wake(2, 300), |d| d.due_at = Some(NOW - secs(120)));
        check(&wake(2, 600), |d| {
            d.due_at = Some(NOW - secs(120));
            d.back_off_s = Some(300);
        });
        check(&wake(2, 3_600), |d| {
            d.due_at = Some(NOW - secs(120));
            d.back_off_s = Some(2_400);
        });
        check(&wake(0, 300), |d| {
            *d = delivery(Status::Pending, 0);
            d.due_at = Some(NOW - secs(500));
        });
        check(&Sweep::NotYet, |d| d.due_at = None);
    }

    #[test]
    fn the_end_has_no_grace() {
        let last = |d: &mut Delivery, gives_up_at| {
            *d = delivery(Status::Retrying, 5);
            d.next_attempt_at = None;
            d.gives_up_at = Some(gives_up_at);
            d.due_at = Some(gives_up_at);
        };
        check(&Sweep::NotYet, |d| last(d, NOW + secs(1)));
        let mut over = delivery(Status::Retrying, 5);
        last(&mut over, NOW);
        let Sweep::MarkExhausted(change) = sweep(&over, grace(900), NOW) else {
            panic!("it is over")
        };
        assert_eq!(change.status, Status::Failed(FailedReason::Exhausted));
        assert_eq!(change.notice, Some(Notice::DeliveryFailed));
        assert_eq!(change.due_at, Some(NOW), "it stays until it is announced");
    }

    #[test]
    fn what_is_over_is_announced_then_taken_out() {
        for status in [Status::Succeeded, Status::Failed(FailedReason::Cancelled), Status::Skipped]
        {
            check(&Sweep::TakeOut, |d| d.status = status);
        }
        check(&Sweep::Announce, |d| {
            d.status = Status::Failed(FailedReason::Exhausted);
            d.notice = Some(Notice::DeliveryFailed);
        });
    }

    #[test]
    fn waking_in_vain_adds_up() {
        let late = |back_off_s| overdue_s(NOW - secs(130), back_off_s, NOW);
        assert_eq!([None, Some(300), Some(1_200)].map(late), [130, 430, 130 + 300 + 600 + 1_200]);
        assert!(late(Some(3_600)) >= 130 + 3_600 + 1_800);
    }

    #[test]
    fn grace_shrinks_with_the_longest_delay() {
        assert_eq!((grace(900), grace(60), grace(3)), (secs(120), secs(120), secs(6)));
        let apart = [900, 3].map(readings_apart);
        assert_eq!(apart, [secs(30), Duration::from_millis(1_500)], "and so do the readings");
    }
}
