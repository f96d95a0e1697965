use std::time::Duration;

use super::*;
use crate::attempt::tests::{NOW, WAITS, delivery, posted, schedule, secs};
use crate::attempt::{Purpose, Settlement, end, settle};
use crate::delivery::{FailedReason, Notice};
use crate::endpoint::DisabledReason;
use crate::ids::JobId;
use crate::schedule::Roll;
use crate::sweep::{Sweep, sweep};
use crate::wakeup::{Call, WakeUp};

const WILLING: Leave =
    Leave { endpoint: Some(EndpointState::Enabled), job_runs: true, payload: true };
const STATUSES: [Status; 7] = [
    Status::Pending,
    Status::Retrying,
    Status::Succeeded,
    Status::Failed(FailedReason::Exhausted),
    Status::Failed(FailedReason::EndpointDisabled),
    Status::Failed(FailedReason::Cancelled),
    Status::Skipped,
];

fn id() -> RetryId {
    RetryId::from_random([5; 16])
}

/// A delivery with a retry opened now.
fn opened(status: Status) -> Delivery {
    let mut delivery = delivery(status, 2);
    delivery.next_attempt_at = (status == Status::Retrying).then_some(NOW + secs(7_200));
    delivery.open_retry = Some(open(id(), RetryBy::Manual, NOW));
    delivery.due_at = Some(NOW);
    delivery
}

fn call(delivery: &Delivery) -> RetryCall {
    let (delivery_id, retry_id) = (delivery.id.clone(), id());
    RetryCall { delivery_id, retry_id, by: RetryBy::Manual, is_copy: false }
}

#[track_caller]
fn check(delivery: &Delivery, call: &RetryCall, received: u32, expected: &RetryDecision) {
    assert_eq!(decide_retry(delivery, call, received, WILLING, &WAITS, NOW), *expected);
}

#[test]
fn whatever_the_status_a_retry_is_made_once() {
    for status in STATUSES {
        let delivery = opened(status);
        let copy = RetryCall { is_copy: true, ..call(&delivery) };
        check(&delivery, &call(&delivery), 1, &RetryDecision::Post { claim: false });
        check(&delivery, &call(&delivery), 2, &RetryDecision::Post { claim: true });
        check(&delivery, &copy, 1, &RetryDecision::Post { claim: true });
        let other = RetryCall { retry_id: RetryId::from_random([6; 16]), ..copy.clone() };
        check(&delivery, &other, 1, &RetryDecision::Nothing(Idle::Committed));
        let mut made = delivery.clone();
        made.open_retry = None;
        check(&made, &copy, 3, &RetryDecision::Nothing(Idle::Committed));
    }
}

#[test]
fn a_live_claim_is_waited_for_and_a_late_one_claims() {
    let mut busy = opened(Status::Retrying);
    busy.busy_until = Some(NOW + secs(50)); // the schedule's claim is another matter
    check(&busy, &call(&busy), 1, &RetryDecision::Post { claim: false });
    busy.open_retry.as_mut().expect("open").busy_until = Some(NOW + secs(9));
    check(&busy, &call(&busy), 1, &RetryDecision::Later(NOW + secs(9)));
    for (late_s, claim) in [(85, false), (86, true)] {
        let mut late = opened(Status::Skipped);
        late.open_retry.as_mut().expect("open").opened_at = NOW - secs(late_s);
        check(&late, &call(&late), 1, &RetryDecision::Post { claim });
    }
}

#[test]
fn what_may_not_be_made_is_closed() {
    let disabled = EndpointState::Disabled { reason: DisabledReason::Manual, at: NOW };
    for leave in [
        Leave { endpoint: Some(disabled), ..WILLING },
        Leave { endpoint: Some(EndpointState::Deleted { at: NOW }), ..WILLING },
        Leave { endpoint: None, ..WILLING },
        Leave { job_runs: false, ..WILLING },
        Leave { payload: false, ..WILLING },
    ] {
        let delivery = opened(Status::Retrying);
        let RetryDecision::Close(change) =
            decide_retry(&delivery, &call(&delivery), 1, leave, &WAITS, NOW)
        else {
            panic!("{leave:?}")
        };
        let mut after = delivery.clone();
        after.apply(&change);
        let mut expected = delivery;
        expected.open_retry = None;
        expected.due_at = expected.next_attempt_at;
        assert_eq!(after, expected);
    }
}

fn settled(delivery: &Delivery, outcome: Outcome) -> Delivery {
    let purpose = Purpose::Retry(id(), RetryBy::Recover(JobId::from_random([1; 10])));
    let posted = Posted { purpose, ..posted(2, outcome) };
    let roll = Roll::from_random(0);
    let Settlement::Commit(change) = settle(delivery, &posted, &schedule(), roll, NOW) else {
        panic!("an attempt that was made is put on record")
    };
    let mut after = delivery.clone();
    after.apply(&change);
    assert_eq!(after.attempts.last().map(|a| a.trigger.as_str()), Some("recover"));
    assert_eq!(settle(&after, &posted, &schedule(), roll, NOW), Settlement::OnRecord);
    after
}

#[test]
fn a_failure_changes_neither_status_nor_schedule() {
    for status in STATUSES {
        let before = opened(status);
        let after = settled(&before, Outcome::HttpStatus);
        assert_eq!((after.status, after.scheduled_attempts), (status, 2));
        assert_eq!(
            (after.next_attempt_at, after.gives_up_at),
            (before.next_attempt_at, before.gives_up_at)
        );
        assert_eq!(after.open_retry, None);
        let due_at = match status {
            Status::Pending => Some(NOW),
            Status::Retrying => before.next_attempt_at,
            Status::Succeeded | Status::Failed(_) | Status::Skipped => None,
        };
        assert_eq!(after.due_at, due_at, "{status:?}");
    }
    let mut woken = opened(Status::Retrying);
    woken.back_off_s = Some(600);
    woken.busy_until = Some(NOW + secs(10));
    let after = settled(&woken, Outcome::HttpStatus);
    assert_eq!((after.due_at, after.back_off_s), (Some(NOW + secs(600)), Some(600)));
    assert_eq!(after.busy_until, woken.busy_until, "the schedule's claim stands");
}

#[test]
fn a_success_leaves_the_schedule_nothing_to_do() {
    for status in STATUSES {
        let after = settled(&opened(status), Outcome::Succeeded);
        assert_eq!((after.status, after.scheduled_attempts), (Status::Succeeded, 2));
        assert_eq!((after.next_attempt_at, after.due_at, after.open_retry), (None, None, None));
    }
    let mut unannounced = opened(Status::Failed(FailedReason::Exhausted));
    unannounced.notice = Some(Notice::DeliveryFailed);
    let after = settled(&unannounced, Outcome::Succeeded);
    assert_eq!((after.due_at, after.notice), (Some(NOW), Some(Notice::DeliveryFailed)));
}

#[test]
fn an_attempt_of_the_schedule_leaves_the_retry_open() {
    let retrying = opened(Status::Retrying);
    for outcome in [Outcome::Succeeded, Outcome::Timeout] {
        let roll = Roll::from_random(0);
        let Settlement::Commit(change) =
            settle(&retrying, &posted(2, outcome), &schedule(), roll, NOW)
        else {
            panic!("its tier is open")
        };
        let mut after = retrying.clone();
        after.apply(&change);
        assert_eq!(after.open_retry, retrying.open_retry);
        assert_eq!(after.due_at, Some(NOW), "the sweeper must find it");
    }
    let cancelled = end(&retrying, FailedReason::Cancelled, NOW);
    assert!(cancelled.settles.retry(), "a cancellation ends the retry, too");
    assert!(!end(&retrying, FailedReason::EndpointDisabled, NOW).settles.retry());
}

#[test]
fn the_sweeper_wakes_an_open_retry_and_closes_an_old_one() {
    let grace = secs(120);
    let later = |delivery: &Delivery, wait_s| sweep(delivery, grace, NOW + secs(wait_s));
    for status in STATUSES {
        let delivery = opened(status);
        assert_eq!(later(&delivery, 119), Sweep::NotYet);
        let Sweep::Wake { calls, back_off_to, .. } = later(&delivery, 120) else {
            panic!("{status:?}")
        };
        let copy = Call::Retry(RetryCall { is_copy: true, ..call(&delivery) });
        assert_eq!(calls.last(), Some(&copy));
        assert_eq!(calls.len(), if status == Status::Pending { 2 } else { 1 });
        assert_eq!(back_off_to, NOW + secs(420));
        assert!(matches!(later(&delivery, 3_600), Sweep::CloseRetry(_)));
    }
    // Overdue by its own schedule, too: both are woken; and never later than the retry's end.
    let mut both = opened(Status::Retrying);
    both.next_attempt_at = Some(NOW);
    both.back_off_s = Some(3_600);
    let Sweep::Wake { calls, back_off_to, .. } = later(&both, 300) else { panic!("overdue") };
    assert_eq!(calls[0], WakeUp::copy(both.id.clone(), 2).into());
    assert_eq!((calls.len(), back_off_to), (2, NOW + secs(3_600)));
    let early = later(&both, 119);
    assert_eq!(early, Sweep::NotYet);
    assert!(Duration::from_secs(crate::limits::RETRY_OPEN_S) > grace);
}
