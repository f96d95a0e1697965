use std::time::Duration;

use domain::delivery::{Change, FailedReason, Settles};

use super::super::change::commit;
use super::super::size::{item_bytes, write_units};
use super::*;

const AT: &str = "2026-06-07T09:39:00.123Z";

fn moment(plus_ms: u64) -> Timestamp {
    Timestamp::parse(AT).expect("valid") + Duration::from_millis(plus_ms)
}

/// As long as ids are in production: 20 hex digits of endpoint id, one shard.
fn id() -> DeliveryId {
    let id = "dlv_0123456789abcdef0123_0_019ea1732b20_00112233445566778899aabbccddeeff";
    DeliveryId::parse(id).expect("valid")
}

pub(in super::super) fn delivery() -> Delivery {
    Delivery {
        id: id(),
        account_id: AccountId::parse("acct_00000042").expect("valid"),
        event_id: EventId::parse("evt_00112233445566778899aabbccddeeff").expect("valid"),
        source_id: Some("msg_8f3a2b1c9d4e7f0a/delivered".into()),
        event: "email.delivered".into(),
        url: Some("https://hooks.customer.example.com/webhooks/rackwave".into()),
        status: Status::Pending,
        created_at: moment(0),
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

pub(in super::super) fn attempt(number: u32, outcome: Outcome) -> Attempt {
    let succeeded = outcome == Outcome::Succeeded;
    Attempt {
        number,
        trigger: Trigger::Schedule,
        at: moment(u64::from(number)),
        answer: Answer {
            outcome,
            http_status: succeeded.then_some(200),
            response_body: succeeded.then(|| "y".repeat(199)),
            error: (!succeeded).then(|| "nothing listens".to_owned()),
            duration_ms: 12_345,
            first_byte_ms: succeeded.then_some(12_344),
            retry_after_s: None,
        },
    }
}

fn delivered() -> Delivery {
    Delivery {
        status: Status::Succeeded,
        attempts: vec![attempt(1, Outcome::Succeeded)],
        attempt_count: 1,
        scheduled_attempts: 1,
        ..delivery()
    }
}

fn retrying() -> Delivery {
    Delivery {
        status: Status::Retrying,
        attempts: vec![attempt(1, Outcome::ConnectionRefused)],
        attempt_count: 1,
        scheduled_attempts: 1,
        next_attempt_at: Some(moment(300_000)),
        gives_up_at: Some(moment(86_400_000)),
        busy_until: Some(moment(35_000)),
        due_at: Some(moment(300_000)),
        back_off_s: Some(300),
        ..delivery()
    }
}

fn failed() -> Delivery {
    Delivery {
        status: Status::Failed(FailedReason::Exhausted),
        due_at: Some(moment(5)),
        notice: Some(Notice::DeliveryFailed),
        ..retrying()
    }
}

fn skipped() -> Delivery {
    Delivery { status: Status::Skipped, source_id: None, url: None, ..delivery() }
}

#[test]
fn into_an_item_and_back() {
    for delivery in [delivery(), delivered(), retrying(), failed(), skipped()] {
        assert_eq!(from_item(&to_item(&delivery, moment(9))), Ok(delivery));
    }
}

/// The budget of design section 5: creating and committing such a delivery costs a unit each.
#[test]
fn a_delivery_that_succeeded_at_once_is_one_write_unit() {
    let item = to_item(&delivered(), moment(30 * 86_400_000));
    assert!(item_bytes(&item) < 1_024, "{} bytes", item_bytes(&item));
    assert_eq!(write_units(&to_item(&delivery(), moment(30 * 86_400_000))), 1);
}

#[test]
fn a_delivery_that_succeeds_at_once_never_enters_an_index() {
    for delivery in [delivery(), delivered()] {
        let item = to_item(&delivery, moment(9));
        for attribute in ["due_shard", "due_at", "problem"] {
            assert!(!item.contains_key(attribute), "{attribute}");
        }
    }
}

#[test]
fn what_must_be_found_is_in_the_indexes() {
    let item = to_item(&retrying(), moment(9));
    assert_eq!(item["due_shard"], text("7"), "0xff of 8");
    assert_eq!(item["due_at"], text("2026-06-07T09:44:00.123Z"));
    assert_eq!(item["problem"], item["partition"]);
    assert_eq!(to_item(&skipped(), moment(9))["problem"], text("ep_0123456789abcdef0123#0"));
}

#[test]
fn an_item_of_another_version_is_left_alone() {
    let mut item = to_item(&delivery(), moment(9));
    item.insert("version".into(), number(2));
    assert_eq!(from_item(&item), Err(Unreadable("version")));
}

fn change(number: u32) -> Change {
    Change {
        attempt: Some(attempt(number, Outcome::Succeeded)),
        url: Some("https://hooks.example.com/".into()),
        status: Status::Succeeded,
        scheduled_attempts: 1,
        settles: Settles::Tier,
        next_attempt_at: None,
        gives_up_at: None,
        due_at: None,
        notice: None,
    }
}

#[test]
fn attempts_above_the_limit_take_the_last_place() {
    let expression = |number| {
        let update = commit(&id(), &delivery().stage(), &change(number));
        format!("{update:?}")
    };
    assert!(expression(1).contains("list_append"));
    assert!(expression(50).contains("list_append"));
    assert!(expression(51).contains("#attempts[49] = :attempt"));
    assert!(!expression(51).contains("list_append"));
}
