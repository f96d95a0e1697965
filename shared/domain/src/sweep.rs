//! What a delivery found in the `due` index needs (design 3.6).

use std::time::Duration;

use crate::Timestamp;
use crate::attempt::end;
use crate::delivery::{Change, Delivery, FailedReason, Status};
use crate::limits::OVERDUE_GRACE_S;
use crate::schedule::Tier;

/// What the sweeper does with an entry of `due`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sweep {
    /// Nothing yet.
    NotYet,
    /// Its wake-up is overdue: move the entry to this moment, then wake it.
    Wake {
        /// The tier that is open.
        tier: Tier,
        /// Where the entry goes, so that a backlog is not fed.
        back_off_to: Timestamp,
        /// The wait this is, in seconds.
        back_off_s: u32,
    },
    /// All attempts made and the time is up: commit this.
    MarkExhausted(Box<Change>),
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

/// Decides what a delivery in `due` needs.
pub fn sweep(delivery: &Delivery, grace: Duration, now: Timestamp) -> Sweep {
    let Some(due_at) = delivery.due_at else {
        return Sweep::NotYet;
    };
    if delivery.notice.is_some() {
        return Sweep::Announce;
    }
    let all_made = delivery.next_attempt_at.is_none();
    match delivery.status {
        Status::Succeeded | Status::Failed(_) | Status::Skipped => Sweep::TakeOut,
        Status::Retrying if all_made => {
            let ended = delivery.gives_up_at.is_some_and(|at| at <= now);
            if ended {
                Sweep::MarkExhausted(Box::new(end(delivery, FailedReason::Exhausted, now)))
            } else {
                Sweep::NotYet
            }
        }
        Status::Pending | Status::Retrying if due_at + grace <= now => {
            let back_off_s = delivery.next_back_off_s();
            Sweep::Wake {
                tier: delivery.scheduled_attempts,
                back_off_to: now + Duration::from_secs(u64::from(back_off_s)),
                back_off_s,
            }
        }
        Status::Pending | Status::Retrying => Sweep::NotYet,
    }
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
        let wake = |tier, back_off_s| Sweep::Wake {
            tier,
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
        assert_eq!(change.stage.status, Status::Failed(FailedReason::Exhausted));
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
    fn grace_shrinks_with_the_longest_delay() {
        assert_eq!((grace(900), grace(60), grace(3)), (secs(120), secs(120), secs(6)));
    }
}
