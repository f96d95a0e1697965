//! The audit, in a world of memory: what nobody else would ever find is found, named, counted,
//! and delivered after all.

use std::time::Duration;

use domain::audit::{Finding, Stage};
use domain::delivery::Status;
use domain::ids::DeliveryId;
use domain::limits::AUDIT_AGE_S;
use domain::metric::Metric;
use tests::world::World;

use crate::journeys::event;

const DAY_S: u64 = 86_400;

fn pass(world: &World, seconds: u64) {
    let at = world.state().now + Duration::from_secs(seconds);
    world.pass_until(at);
}

/// A world with deliveries of these events, all of them made.
fn delivered(events: &[&str]) -> World {
    let world = World::new();
    world.register("ep_1", &["*"]);
    for id in events {
        world.accept(&event(id, "acct_42", "{}"));
    }
    world.settle();
    world
}

fn first_id(world: &World) -> DeliveryId {
    world.state().deliveries.keys().next().expect("there is one").clone()
}

/// Asks for an audit of all there is, as one in fifteen days would see it: past the queues.
fn ask(world: &World) {
    world.ask_for_an_audit();
    let mut state = world.state();
    let asked = state.audit.as_mut().expect("asked for");
    asked.started_at = asked.started_at + Duration::from_secs(AUDIT_AGE_S);
}

/// Runs the audit to its end, and sweeps until what it found is delivered.
#[track_caller]
fn check(world: &World, expected: &[Finding]) {
    ask(world);
    let audited = world.audit().expect("asked for");
    assert!(audited.finished);
    let audit = world.state().audit.clone().expect("on record");
    assert_eq!(audit.findings, expected);
    assert_eq!(audit.unexplained, expected.len() as u64);
    assert_eq!(world.state().metrics.last(), Some(&(Metric::Unexplained, audit.unexplained)));
    pass(world, 121);
    world.sweep();
    world.settle();
    let state = world.state();
    for entry in state.events.values().flat_map(|event| &event.fan_out) {
        let status = state.deliveries.get(&entry.delivery_id).map(|d| d.status);
        assert_eq!(status, Some(Status::Succeeded), "put back to work");
    }
    drop(state);
    ask(world);
    assert_eq!(world.audit().expect("asked for").unexplained, 0, "the next one finds nothing");
}

#[test]
fn nothing_is_unexplained_when_all_is_well() {
    check(&delivered(&["a", "b"]), &[]);
}

#[test]
fn a_delivery_that_was_deleted() {
    let world = delivered(&["a", "b"]);
    let id = first_id(&world);
    let gone = world.state().deliveries.remove(&id).expect("on record");
    check(&world, &[Finding::Missing { event: gone.event_id, delivery: id }]);
}

#[test]
fn a_first_attempt_whose_wake_up_and_dead_letter_are_gone() {
    let world = delivered(&["a"]);
    world.accept(&event("b", "acct_42", "{}"));
    let mut state = world.state();
    state.queued.clear();
    let pending = state.deliveries.values().find(|d| d.status == Status::Pending).cloned();
    drop(state);
    check(&world, &[Finding::Forgotten(pending.expect("just accepted").id)]);
}

#[test]
fn an_event_without_deliveries() {
    let world = delivered(&["a"]);
    world.accept(&event("b", "acct_42", "{}"));
    let mut state = world.state();
    state.queued.clear();
    let lost = state.deliveries.values().find(|d| d.status == Status::Pending).cloned();
    let lost = lost.expect("just accepted");
    state.deliveries.remove(&lost.id);
    drop(state);
    check(&world, &[Finding::Missing { event: lost.event_id, delivery: lost.id }]);
}

#[test]
fn one_that_waits_in_no_index() {
    let world = delivered(&["a"]);
    let id = first_id(&world);
    let mut state = world.state();
    let delivery = state.deliveries.get_mut(&id).expect("on record");
    let attempts = std::mem::take(&mut delivery.attempts);
    (delivery.attempt_count, delivery.scheduled_attempts) = (0, 0);
    (delivery.status, delivery.due_at) = (Status::Pending, None);
    assert_eq!(attempts.len(), 1);
    drop(state);
    check(&world, &[Finding::Forgotten(id)]);
}

#[test]
fn the_weekly_one_looks_at_what_no_queue_can_still_hold() {
    let world = World::new();
    world.register("ep_1", &["*"]);
    world.accept(&event("a", "acct_42", "{}"));
    world.state().queued.clear();
    let weekly = |world: &World| world.audit().map(|audited| audited.unexplained);
    assert_eq!(weekly(&world), Some(0), "its wake-up may be in a queue");
    assert_eq!(weekly(&world), None, "once a week");
    for _ in 0..2 {
        pass(&world, 7 * DAY_S);
        assert_eq!(weekly(&world), Some(0));
    }
    pass(&world, 7 * DAY_S);
    assert_eq!(weekly(&world), Some(1), "three weeks old, and nobody is about to send it");
    let told: Vec<u64> = world.state().metrics.iter().map(|(_, value)| *value).collect();
    assert_eq!(told, [0, 0, 0, 1]);
}

#[test]
fn a_younger_one_tells_the_alarm_nothing() {
    let world = delivered(&["a"]);
    world.accept(&event("b", "acct_42", "{}"));
    world.ask_for_an_audit();
    assert_eq!(world.audit().expect("asked for").unexplained, 1, "its wake-up is in a queue");
    assert!(world.state().metrics.is_empty());
}

#[test]
fn killed_anywhere_it_counts_and_mends_everything() {
    for point in 0.. {
        let world = delivered(&["a", "b", "c", "d"]);
        let ids: Vec<DeliveryId> = world.state().deliveries.keys().cloned().collect();
        world.state().deliveries.remove(&ids[0]);
        world.state().deliveries.remove(&ids[2]);
        world.accept(&event("e", "acct_42", "{}"));
        world.state().queued.clear();
        ask(&world);
        world.fuse().blow_at(Some(point));
        world.audit();
        let killed = world.fuse().is_blown();
        let story = world.fuse().log();
        world.fuse().blow_at(None);
        world.audit();
        let audit = world.state().audit.clone().expect("asked for");
        assert!(matches!(audit.stage, Stage::Finished(_)), "killed at {point}: {story:?}");
        assert_eq!(audit.unexplained, 3, "killed at {point}: {story:?}");
        assert_eq!(world.state().metrics.last(), Some(&(Metric::Unexplained, 3)));
        pass(&world, 121);
        world.sweep();
        world.settle();
        let state = world.state();
        assert_eq!(state.deliveries.len(), 5);
        assert!(state.deliveries.values().all(|d| d.status == Status::Succeeded), "{story:?}");
        drop(state);
        if !killed {
            return;
        }
    }
}

#[test]
fn two_runs_at_once_count_nothing_twice() {
    let world = delivered(&["a", "b"]);
    world.state().deliveries.clear();
    ask(&world);
    // The other run is faster, all the way.
    let other = world.clone();
    world.before("audits.scan_events", move |state| {
        let mut audit = state.audit.clone().expect("asked for");
        audit.found(vec![Finding::Unreadable("theirs".into())]);
        audit.revision += 1;
        state.audit = Some(audit);
        drop(other);
    });
    let audited = world.audit().expect("it began");
    assert!(!audited.finished, "the other one goes on");
    assert_eq!(world.state().audit.as_ref().map(|audit| audit.unexplained), Some(1));
    assert!(world.state().metrics.is_empty());
}
