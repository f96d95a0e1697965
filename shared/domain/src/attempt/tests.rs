use std::time::Duration;

use super::*;
use crate::endpoint::DisabledReason;
use crate::ids::{AccountId, DeliveryId, EventId};

pub(crate) const NOW: Timestamp = Timestamp::from_const(1_800_000_000_000);

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A delivery with `scheduled` failed attempts, whose next is due now.
pub(crate) fn delivery(status: Status, scheduled: Tier) -> Delivery {
    let id = "dlv_abc_0_019ea1732b20_00112233445566778899aabbccddeeff";
    Delivery {
        id: DeliveryId::parse(id).expect("valid"),
        account_id: AccountId::parse("acct_42").expect("valid"),
        event_id: EventId::parse("evt_00112233445566778899aabbccddeeff").expect("valid"),
        source_id: None,
        event: "email.sent".into(),
        url: None,
        status,
        created_at: NOW,
        attempts: Vec::new(),
        attempt_count: scheduled.into(),
        scheduled_attempts: scheduled,
        next_attempt_at: (status == Status::Retrying).then_some(NOW),
        gives_up_at: (scheduled > 0).then_some(NOW + secs(3_600)),
        busy_until: None,
        due_at: (status == Status::Retrying).then_some(NOW),
        back_off_s: None,
        notice: None,
        open_retry: None,
        job_id: None,
        erased_at: None,
    }
}

pub(crate) const WAITS: Waits =
    Waits { sqs_delay_max_s: 900, request_timeout: Duration::from_secs(30) };
const ENABLED: Option<EndpointState> = Some(EndpointState::Enabled);

fn wake_up(tier: Tier, origin: Origin) -> WakeUp {
    WakeUp { delivery_id: delivery(Status::Pending, 0).id, tier, origin }
}

#[track_caller]
fn check(delivery: &Delivery, wake_up: &WakeUp, received: u32, expected: &Decision) {
    assert_eq!(decide(delivery, wake_up, received, ENABLED, &WAITS, NOW), *expected);
}

#[test]
fn a_fresh_wake_up_posts_and_one_that_may_be_a_copy_claims() {
    let pending = delivery(Status::Pending, 0);
    check(&pending, &wake_up(0, Origin::Fresh), 1, &Decision::Post { claim: false });
    check(&pending, &wake_up(0, Origin::Fresh), 2, &Decision::Post { claim: true });
    check(&pending, &wake_up(0, Origin::Copy), 1, &Decision::Post { claim: true });
    check(&pending, &wake_up(0, Origin::Hop), 1, &Decision::Post { claim: true });
}

#[test]
fn a_late_fresh_wake_up_claims_before_a_copy_can_come() {
    let fresh = |tier| wake_up(tier, Origin::Fresh);
    let post = |claim| Decision::Post { claim };
    let mut pending = delivery(Status::Pending, 0);
    pending.created_at = NOW - secs(60);
    check(&pending, &fresh(0), 1, &post(false));
    pending.created_at = NOW - secs(61);
    check(&pending, &fresh(0), 1, &post(true));
    let mut retrying = delivery(Status::Retrying, 1);
    for (late_s, claim) in [(0, false), (85, false), (86, true)] {
        retrying.due_at = Some(NOW - secs(late_s));
        check(&retrying, &fresh(1), 1, &post(claim));
    }
    // The sweeper has moved the entry and sent a copy.
    retrying.due_at = Some(NOW + secs(300));
    retrying.back_off_s = Some(300);
    check(&retrying, &fresh(1), 1, &post(true));
    retrying.back_off_s = None;
    // Where delays are short the sweeper's grace is shorter than a request.
    let quick = Waits { sqs_delay_max_s: 3, ..WAITS };
    retrying.due_at = Some(NOW);
    assert_eq!(decide(&retrying, &fresh(1), 1, ENABLED, &quick, NOW), post(true));
}

#[test]
fn nothing_is_posted_once_it_is_over() {
    for status in [Status::Succeeded, Status::Failed(FailedReason::Exhausted), Status::Skipped] {
        for tier in 0..6 {
            let nothing = Decision::Nothing(Idle::Final);
            check(&delivery(status, 2), &wake_up(tier, Origin::Copy), 3, &nothing);
        }
    }
}

#[test]
fn a_stale_wake_up_arranges_the_next_if_its_first_holder_may_have_died() {
    let retrying = delivery(Status::Retrying, 2);
    let committed = Decision::Nothing(Idle::Committed);
    check(&retrying, &wake_up(1, Origin::Fresh), 1, &committed);
    check(&retrying, &wake_up(1, Origin::Fresh), 2, &Decision::Arrange { tier: 2, at: NOW });
    check(&retrying, &wake_up(0, Origin::Fresh), 2, &committed);
    check(&retrying, &wake_up(3, Origin::Fresh), 1, &Decision::Nothing(Idle::Unknown));
    let mut all_made = delivery(Status::Retrying, 5);
    all_made.next_attempt_at = None;
    check(&all_made, &wake_up(4, Origin::Fresh), 2, &committed);
    check(&all_made, &wake_up(5, Origin::Copy), 1, &committed);
}

#[test]
fn an_early_wake_up_comes_again() {
    let mut waiting = delivery(Status::Retrying, 1);
    let mut at = |ahead_ms| {
        waiting.next_attempt_at = Some(NOW + Duration::from_millis(ahead_ms));
        waiting.clone()
    };
    let (fresh, hop) = (wake_up(1, Origin::Fresh), wake_up(1, Origin::Hop));
    check(&at(2_000), &fresh, 1, &Decision::Post { claim: false });
    check(&at(2_001), &fresh, 1, &Decision::Later(NOW + Duration::from_millis(2_001)));
    check(&at(900_000), &fresh, 1, &Decision::Later(NOW + secs(900)));
    check(&at(900_001), &fresh, 1, &Decision::Nothing(Idle::FarTooEarly));
    check(&at(900_001), &hop, 1, &Decision::Later(NOW + Duration::from_millis(900_001)));
}

#[test]
fn a_live_claim_is_waited_for() {
    let mut claimed = delivery(Status::Pending, 0);
    claimed.busy_until = Some(NOW + secs(10));
    check(&claimed, &wake_up(0, Origin::Copy), 1, &Decision::Later(NOW + secs(10)));
    check(&claimed, &wake_up(0, Origin::Fresh), 1, &Decision::Later(NOW + secs(10)));
    claimed.busy_until = Some(NOW);
    check(&claimed, &wake_up(0, Origin::Copy), 1, &Decision::Post { claim: true });
}

#[test]
fn an_endpoint_that_is_gone_ends_it() {
    let at = NOW;
    let disabled = EndpointState::Disabled { reason: DisabledReason::Manual, at };
    for (endpoint, reason) in [
        (Some(disabled), FailedReason::EndpointDisabled),
        (Some(EndpointState::Deleted { at }), FailedReason::EndpointDeleted),
        (None, FailedReason::EndpointDeleted),
    ] {
        let pending = delivery(Status::Pending, 0);
        let decision = decide(&pending, &wake_up(0, Origin::Fresh), 1, endpoint, &WAITS, NOW);
        assert_eq!(decision, Decision::End(reason));
        let change = end(&pending, reason, NOW);
        assert_eq!(change.status, Status::Failed(reason));
        assert_eq!((change.due_at, change.notice), (Some(NOW), Some(Notice::DeliveryFailed)));
    }
}

pub(crate) fn schedule() -> RetrySchedule {
    RetrySchedule::new(&[300, 1_800, 7_200, 28_800], 86_400).expect("fits")
}

pub(crate) fn posted(tier: Tier, outcome: Outcome) -> Posted {
    let answer = Answer {
        outcome,
        http_status: None,
        response_body: None,
        error: None,
        duration_ms: 1_500,
        first_byte_ms: None,
        retry_after_s: None,
    };
    let (purpose, number) = (Purpose::Tier(tier), u32::from(tier) + 1);
    Posted { purpose, number, url: "https://h.example/".into(), at: NOW, answer }
}

fn settled(delivery: &Delivery, posted: &Posted) -> Option<Change> {
    match settle(delivery, posted, &schedule(), Roll::from_random(0), NOW + secs(2)) {
        Settlement::Commit(change) => Some(*change),
        Settlement::Drop => None,
        Settlement::OnRecord => panic!("nothing of it is on record yet"),
    }
}

#[test]
fn a_commit_whose_answer_was_lost_is_recognised() {
    let posted = posted(0, Outcome::Timeout);
    let mut after = delivery(Status::Retrying, 1);
    after.attempts.push(recorded(&after, &posted));
    let settlement = settle(&after, &posted, &schedule(), Roll::from_random(0), NOW);
    assert_eq!(settlement, Settlement::OnRecord);
    // A copy of the same millisecond with another answer is another POST.
    let mut copy = posted.clone();
    copy.answer.outcome = Outcome::Succeeded;
    let change = settled(&after, &copy).expect("a success is put on record");
    assert_eq!(change.status, Status::Succeeded);
}

#[test]
fn a_first_failure_starts_the_clock() {
    let change =
        settled(&delivery(Status::Pending, 0), &posted(0, Outcome::Timeout)).expect("kept");
    assert_eq!((change.status, change.scheduled_attempts), (Status::Retrying, 1));
    let next = NOW + Duration::from_millis(1_500) + secs(300);
    assert_eq!(change.next_attempt_at, Some(next), "counted from the end of the attempt");
    assert_eq!(change.due_at, Some(next));
    assert_eq!(change.gives_up_at, Some(NOW + secs(86_400)), "counted from its beginning");
    assert_eq!(change.attempt.expect("recorded").number, 1);
}

#[test]
fn a_later_failure_keeps_the_first_end() {
    let waiting = delivery(Status::Retrying, 2);
    let change = settled(&waiting, &posted(2, Outcome::Dns)).expect("kept");
    assert_eq!(change.gives_up_at, waiting.gives_up_at);
}

#[test]
fn after_the_last_failure_it_waits_for_its_end() {
    let mut last = delivery(Status::Retrying, 4);
    let change = settled(&last, &posted(4, Outcome::HttpStatus)).expect("kept");
    assert_eq!((change.status, change.scheduled_attempts), (Status::Retrying, 5));
    assert_eq!((change.next_attempt_at, change.due_at), (None, last.gives_up_at));
    assert_eq!(change.notice, None);

    last.gives_up_at = Some(NOW - secs(60));
    let late = settled(&last, &posted(4, Outcome::HttpStatus)).expect("kept");
    assert_eq!(late.status, Status::Failed(FailedReason::Exhausted), "our backlog: at once");
    assert_eq!(late.notice, Some(Notice::DeliveryFailed));
}

#[test]
fn late_attempts_before_the_last_never_end_it() {
    for tier in 0..4 {
        let mut late = delivery(Status::Retrying, tier);
        late.gives_up_at = Some(NOW - secs(60));
        let change = settled(&late, &posted(tier, Outcome::Timeout)).expect("kept");
        assert_eq!(change.status, Status::Retrying);
        assert!(change.next_attempt_at.is_some());
    }
}

#[test]
fn a_success_stands_whatever_came_between() {
    let success = |delivery: &Delivery| settled(delivery, &posted(1, Outcome::Succeeded));
    for (status, scheduled) in [
        (Status::Retrying, 1),
        (Status::Retrying, 3),
        (Status::Failed(FailedReason::Exhausted), 5),
        (Status::Failed(FailedReason::EndpointDisabled), 1),
    ] {
        let change = success(&delivery(status, scheduled)).expect("kept");
        assert_eq!(change.status, Status::Succeeded);
        assert_eq!(change.scheduled_attempts, scheduled.max(2));
        assert_eq!((change.next_attempt_at, change.due_at, change.notice), (None, None, None));
    }
    assert_eq!(success(&delivery(Status::Succeeded, 2)), None);
}

#[test]
fn a_failure_that_comes_too_late_is_dropped() {
    for (status, scheduled) in [
        (Status::Retrying, 2),
        (Status::Succeeded, 2),
        (Status::Succeeded, 1),
        (Status::Failed(FailedReason::Cancelled), 1),
    ] {
        assert_eq!(settled(&delivery(status, scheduled), &posted(1, Outcome::Timeout)), None);
    }
}

#[test]
fn patience_is_a_tenth_of_the_time_and_at_least_a_second() {
    for (timeout_s, patience_s) in [(30, 3), (20, 2), (5, 1), (1, 1)] {
        let request_timeout = Duration::from_secs(timeout_s);
        let waits = Waits { request_timeout, ..WAITS };
        assert_eq!(waits.patience().as_secs(), patience_s, "{timeout_s}");
    }
}
