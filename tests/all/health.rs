//! Endpoints' health in a world of memory: what the sender notes, whatever happens to it.

use std::time::Duration;

use domain::Timestamp;
use domain::delivery::Status;
use domain::endpoint::{DisabledReason, EndpointState};
use domain::health::Health;
use domain::ids::EndpointId;
use tests::world::{World, answer};

fn event(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","account_id":"acct_42","event":"email.sent","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{{}}}}"#
    )
}

/// A world with one endpoint that answers as told.
fn world(status: u16) -> (World, EndpointId) {
    let world = World::new();
    let id = world.register("ep_1", &["*"]);
    pass(&world, 60);
    world.answers(move |_, _| answer(status));
    (world, id)
}

fn pass(world: &World, seconds: u64) {
    let at = world.state().now + Duration::from_secs(seconds);
    world.pass_until(at);
}

fn health(world: &World) -> Health {
    world.state().endpoints[0].health
}

fn failing_since(world: &World) -> Option<Timestamp> {
    world.state().endpoints[0].failing_since()
}

fn count(world: &World, call: &str) -> usize {
    world.fuse().log().iter().filter(|each| **each == call).count()
}

const RECORD: &str = "endpoints.record_health";

#[test]
fn a_healthy_endpoint_costs_no_write() {
    let (world, _) = world(200);
    for nth in 0..20 {
        world.accept(&event(&format!("e{nth}")));
    }
    world.settle();
    assert_eq!((count(&world, RECORD), health(&world)), (0, Health::default()));
}

#[test]
fn fifty_failures_of_a_batch_cost_one_write() {
    let (world, _) = world(500);
    for nth in 0..50 {
        world.accept(&event(&format!("e{nth}")));
    }
    world.state().requests_take_time = false;
    let now = world.state().now;
    world.send_due();
    assert_eq!(count(&world, RECORD), 1);
    let expected =
        Health { last_failure_at: Some(now), failing_since: Some(now), ..Health::default() };
    assert_eq!(health(&world), expected);
}

#[test]
fn a_success_ends_it() {
    let (world, _) = world(500);
    world.accept(&event("a"));
    let began = world.state().now;
    world.step();
    assert_eq!(failing_since(&world), Some(began));
    world.answers(|_, _| answer(200));
    world.settle();
    assert_eq!(world.only_delivery().status, Status::Succeeded);
    assert_eq!(failing_since(&world), None);
    assert!(health(&world).last_success_at.is_some());
}

#[test]
fn an_attempt_under_way_while_it_was_enabled_says_nothing() {
    let (world, id) = world(500);
    world.accept(&event("a"));
    world.before("deliveries.commit", move |state| {
        let now = state.now + Duration::from_secs(1);
        let endpoint = state.endpoints.iter_mut().find(|e| e.id == id).expect("registered");
        let off = endpoint.disabled(now).expect("enabled");
        *endpoint = off.enabled(now).expect("disabled");
    });
    world.send_due();
    assert_eq!(world.only_delivery().status, Status::Retrying, "the attempt counts");
    assert_eq!(health(&world), Health::default(), "for the delivery alone");
    assert_eq!(count(&world, RECORD), 1, "it was tried, and lost its condition");
}

#[test]
fn a_success_that_was_faster_is_not_written_over() {
    let (world, _) = world(500);
    world.accept(&event("a"));
    world.step();
    world.accept(&event("b"));
    pass(&world, 100);
    let succeeded_at = world.state().now + Duration::from_secs(1);
    world.before(RECORD, move |state| {
        state.endpoints[0].health.last_success_at = Some(succeeded_at);
    });
    world.send_due();
    let health = health(&world);
    assert_eq!(health.last_success_at, Some(succeeded_at));
    assert_eq!(failing_since(&world), None, "{health:?}");
}

/// Killed at any call, or any call failing: in the end health is what it would have been.
#[test]
fn killed_between_any_two_calls_it_is_noted_all_the_same() {
    for (status, failing) in [(500, true), (200, false)] {
        for point in 0.. {
            let (world, _) = world(500);
            world.accept(&event("before"));
            world.step();
            pass(&world, 3_600);
            world.state().queued.clear();
            world.state().schedules.clear();
            world.answers(move |_, _| answer(status));
            world.accept(&event("now"));
            world.fuse().blow_at(Some(point));
            world.send_due();
            let killed = world.fuse().is_blown();
            let story = world.fuse().log();
            world.fuse().blow_at(None);
            pass(&world, 400);
            world.send_due();
            let endpoint = world.state().endpoints[0].clone();
            assert_eq!(endpoint.is_in_trouble(), failing, "killed at {point}: {story:?}");
            let noted = match failing {
                true => endpoint.health.last_failure_at,
                false => endpoint.health.last_success_at,
            };
            // A success an hour after the failure clears the record.
            let recent = noted.is_none_or(|at| world.state().now.since(at).as_secs() < 800);
            assert!(recent && noted.is_some() == failing, "killed at {point}: {story:?}");
            if !killed {
                assert!(point > 10, "the scenario has calls to be killed at");
                break;
            }
        }
    }
}

#[test]
fn a_health_write_that_fails_neither_loses_nor_delays_the_delivery() {
    let (world, _) = world(500);
    world.accept(&event("a"));
    world.fail_next(RECORD);
    world.send_due();
    let delivery = world.only_delivery();
    assert_eq!((delivery.status, delivery.attempts.len()), (Status::Retrying, 1));
    let queued = world.state().queued.len();
    assert_eq!(queued, 2, "the next attempt is arranged, and this wake-up comes again");
    assert_eq!(health(&world), Health::default());
    pass(&world, 360);
    world.state().queued.retain(|queued| queued.received > 0);
    let found = world.state().now;
    world.send_due();
    let since = failing_since(&world).expect("noted from the record");
    assert!((found..=world.state().now).contains(&since), "decision 0026: {since}");
    // Likewise for a success.
    let (world, _) = self::world(500);
    world.accept(&event("a"));
    world.step();
    world.answers(|_, _| answer(200));
    world.fail_next(RECORD);
    world.step();
    assert_eq!(world.only_delivery().status, Status::Succeeded);
    assert!(failing_since(&world).is_some());
    pass(&world, 360);
    world.send_due();
    assert_eq!(failing_since(&world), None);
}

#[test]
fn a_disabled_endpoint_has_no_health() {
    let (world, id) = world(500);
    world.accept(&event("a"));
    world.before("deliveries.commit", move |state| {
        let at = state.now;
        let endpoint = state.endpoints.iter_mut().find(|e| e.id == id).expect("registered");
        endpoint.state = EndpointState::Disabled { reason: DisabledReason::Manual, at };
    });
    world.send_due();
    assert_eq!(health(&world), Health::default());
}
