//! Retry Now: on any status, one at a time, for as long as there is something to send.

use std::time::Duration;

use domain::delivery::{FailedReason, Status, Trigger};
use domain::endpoint::{DisabledReason, EndpointState};
use domain::wakeup::Lane;
use tests::world::{World, answer};

use super::{accept_at, client, pass};

/// A world with one endpoint, and one delivery of this status.
fn world_with(status: Status) -> (World, domain::delivery::Delivery) {
    let world = World::new();
    world.register("ep_one", &["*"]);
    let now = world.state().now;
    let delivery = accept_at(&world, "acct_42", "evt_1", now).remove(0);
    let mut state = world.state();
    let there = state.deliveries.get_mut(&delivery.id).expect("on record");
    there.status = status;
    if status == Status::Retrying {
        there.scheduled_attempts = 1;
        there.next_attempt_at = Some(now + Duration::from_secs(300));
        there.due_at = there.next_attempt_at;
        there.gives_up_at = Some(now + Duration::from_secs(86_400));
    }
    let delivery = there.clone();
    drop(state);
    (world, delivery)
}

#[test]
fn it_is_made_on_any_status() {
    for status in [
        Status::Pending,
        Status::Retrying,
        Status::Succeeded,
        Status::Failed(FailedReason::Exhausted),
        Status::Failed(FailedReason::Cancelled),
        Status::Skipped,
    ] {
        let (world, delivery) = world_with(status);
        let operator = client(&world, "operator");
        let path = format!("/v1/deliveries/{}/retry", delivery.id);
        let first = operator.call("POST", &path, None, &[]);
        assert_eq!(first.status, 202, "{:?}", first.body);
        assert_eq!(first.body["delivery_id"], delivery.id.as_str());
        assert_eq!(operator.call("POST", &path, None, &[]).error(), (409, "retry_in_progress"));
        assert_eq!(world.send_some(Lane::Send, 0, |_| true), 1, "it takes the fast lane");
        let after = world.only_delivery();
        assert_eq!(after.status, Status::Succeeded, "from {status:?}");
        assert_eq!(after.attempts.len(), 1);
        assert_eq!(after.attempts[0].trigger, Trigger::Manual);
        assert_eq!((after.open_retry, after.due_at), (None, None));
        let again = operator.call("POST", &path, None, &[]);
        assert_eq!(again.status, 202, "as often as one likes: {:?}", again.body);
        assert_ne!(again.body["retry_id"], first.body["retry_id"]);
    }
}

#[test]
fn a_failed_one_changes_nothing_but_the_record() {
    let (world, before) = world_with(Status::Retrying);
    world.answers(|_, _| answer(500));
    let path = format!("/v1/deliveries/{}/retry", before.id);
    assert_eq!(client(&world, "operator").call("POST", &path, None, &[]).status, 202);
    world.send_due();
    let after = world.only_delivery();
    assert_eq!((after.status, after.scheduled_attempts), (Status::Retrying, 1));
    assert_eq!((after.next_attempt_at, after.due_at), (before.next_attempt_at, before.due_at));
    assert_eq!(after.attempts.len(), 1);
    assert!(world.state().schedules.is_empty(), "the schedule has its own wake-up");
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let (world, delivery) = world_with(Status::Retrying);
    let operator = client(&world, "operator");
    let path = format!("/v1/deliveries/{}/retry", delivery.id);
    let retry = || operator.call("POST", &path, None, &[]).error().1.to_owned();
    let endpoint = delivery.id.endpoint().clone();
    let at = world.state().now;
    world.change(&endpoint, |e| {
        e.state = EndpointState::Disabled { reason: DisabledReason::Manual, at };
    });
    assert_eq!(retry(), "endpoint_disabled");
    world.change(&endpoint, |e| e.state = EndpointState::Deleted { at });
    assert_eq!(retry(), "endpoint_disabled");
    world.change(&endpoint, |e| e.state = EndpointState::Enabled);
    let events = std::mem::take(&mut world.state().events);
    assert_eq!(retry(), "payload_expired");
    world.state().events = events;
    let erase = |at| world.state().events.values_mut().for_each(|event| event.erased_at = at);
    erase(Some(at));
    assert_eq!(retry(), "payload_expired");
    erase(None);
    assert_eq!(world.only_delivery(), delivery, "none of these left a trace");
    pass(&world, 31 * 86_400);
    assert_eq!(retry(), "not_found", "it has expired");
}

#[test]
fn a_lost_wake_up_is_made_up_for_and_an_old_retry_closed() {
    let (world, delivery) = world_with(Status::Failed(FailedReason::Exhausted));
    let path = format!("/v1/deliveries/{}/retry", delivery.id);
    let operator = client(&world, "operator");
    assert_eq!(operator.call("POST", &path, None, &[]).status, 202);
    world.state().queued.clear();
    pass(&world, 119);
    assert_eq!(world.sweep().expect("alive").woken, 0);
    pass(&world, 1);
    assert_eq!(world.sweep().expect("alive").woken, 1);
    world.send_due();
    assert_eq!(world.only_delivery().status, Status::Succeeded);

    assert_eq!(operator.call("POST", &path, None, &[]).status, 202);
    world.state().queued.clear();
    pass(&world, 3_600);
    assert_eq!(world.sweep().expect("alive").retries_closed, 1);
    let closed = world.only_delivery();
    assert_eq!((closed.open_retry, closed.due_at, closed.attempts.len()), (None, None, 1));
}

/// Killed at any call of asking and making: the person may ask again, and the end is the same.
#[test]
fn killed_anywhere_it_is_made_or_can_be_asked_for_again() {
    for point in 0..60 {
        let (world, delivery) = world_with(Status::Skipped);
        let path = format!("/v1/deliveries/{}/retry", delivery.id);
        let request = api::http::Request {
            method: "POST".into(),
            path: path.clone(),
            query: String::new(),
            headers: [("authorization".to_owned(), bearer(&world))].into(),
            body: Vec::new(),
            domain: super::DOMAIN.into(),
        };
        world.fuse().blow_at(Some(point));
        let answered = tests::world::run(world.fuse(), world.api().handle(&request)).is_some();
        if answered {
            world.send_due();
        }
        let survived = !world.fuse().is_blown();
        world.fuse().blow_at(None);
        for _ in 0..20 {
            pass(&world, 400);
            world.sweep();
            world.send_due();
        }
        let after = world.only_delivery();
        assert_eq!((after.open_retry.as_ref(), after.due_at), (None, None), "at {point}");
        let made = after.status == Status::Succeeded;
        assert!(made || !answered, "answered and not made, killed at {point}");
        assert!(world.state().posts.len() <= 2, "at {point}");
        if survived {
            assert!(point > 10, "the loop has seen every call");
            return;
        }
    }
    panic!("it never ended by itself");
}

fn bearer(world: &World) -> String {
    format!("Bearer {}", world.api_key("operator".parse().expect("a scope")).reveal())
}
