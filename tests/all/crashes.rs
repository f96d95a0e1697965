//! Whole lives of a delivery with a death at each single call in turn, an outage of our own, and
//! copies at the same moment. Requests to the API and what follows from them have the same loops in
//! `api/`; ingest, sweeper, audit and daily in their own files.

use std::time::Duration;

use domain::delivery::{Delivery, FailedReason, Outcome, Status, Trigger};
use domain::endpoint::{DisabledReason, EndpointState};
use domain::wakeup::Lane;
use serde_json::json;
use tests::world::{Dice, World, answer};

use crate::api::client;

const EVENT: &str = r#"{"id":"a","account_id":"acct_42","event":"email.sent","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{"n":1.0}}"#;

fn world_with_event() -> World {
    let world = World::new();
    world.register("ep_1", &["*"]);
    world.accept(EVENT);
    world
}

/// A life: what endpoints answer, and what happens to the endpoint after the first attempt.
struct Life {
    name: &'static str,
    failures: usize,
    then: Option<EndpointState>,
    end: Status,
    posts: usize,
}

/// Lives a life to its end with at most one death, at the `point`-th call; true if there was one.
fn live(world: &World, life: &Life, point: Option<u32>) -> bool {
    let mut died = false;
    world.fuse().blow_at(point);
    for _ in 0..100 {
        if !world.step() {
            // Nothing is on its way: the sweeper's turn, once something may be overdue.
            let (due, now) = (world.only_delivery().due_at, world.state().now);
            world.pass_until(due.unwrap_or(now).max(now) + Duration::from_secs(121));
            world.sweep();
            world.send_due();
        }
        if world.fuse().is_blown() {
            died = true;
            world.fuse().blow_at(None);
        }
        let begun = !world.state().posts.is_empty();
        if let Some(state) = life.then.filter(|_| begun) {
            world.change(&"ep_1".parse().expect("valid"), |endpoint| endpoint.state = state);
        }
        let delivery = world.only_delivery();
        let idle = world.state().queued.is_empty() && world.state().schedules.is_empty();
        if !delivery.status.is_open() && delivery.due_at.is_none() && idle {
            break;
        }
    }
    died
}

#[test]
fn a_death_at_any_call_of_a_life_changes_nothing_of_its_end() {
    let at = World::new().state().now;
    let disabled = EndpointState::Disabled { reason: DisabledReason::Manual, at };
    let ended = |reason| Status::Failed(reason);
    for life in [
        Life { name: "success", failures: 0, then: None, end: Status::Succeeded, posts: 1 },
        Life { name: "third time", failures: 2, then: None, end: Status::Succeeded, posts: 3 },
        Life {
            name: "never",
            failures: 9,
            then: None,
            end: ended(FailedReason::Exhausted),
            posts: 5,
        },
        Life {
            name: "disabled",
            failures: 9,
            then: Some(disabled),
            end: ended(FailedReason::EndpointDisabled),
            posts: 1,
        },
        Life {
            name: "deleted",
            failures: 9,
            then: Some(EndpointState::Deleted { at }),
            end: ended(FailedReason::EndpointDeleted),
            posts: 1,
        },
    ] {
        let mut deaths = 0;
        for point in 0.. {
            let world = world_with_event();
            let failures = life.failures;
            world.answers(move |_, before| answer(if before < failures { 500 } else { 200 }));
            let died = live(&world, &life, Some(point));
            check(&world, &life, point);
            if !died {
                break;
            }
            deaths += 1;
        }
        assert!(deaths > 10, "{}: {deaths} deaths", life.name);
    }
}

fn check(world: &World, life: &Life, point: u32) {
    let delivery = world.only_delivery();
    let words = format!("{}, dead at {point}: {delivery:?}", life.name);
    let posts = world.state().posts.len();
    assert!((life.posts..=life.posts + 1).contains(&posts), "{posts} POSTs; {words}");
    assert_eq!((delivery.due_at, delivery.notice), (None, None), "{words}");
    // A POST whose answer was never recorded may have been the failure that counted.
    let lucky = life.failures > 0 && delivery.status == Status::Succeeded;
    assert!(delivery.status == life.end || lucky, "{words}");
    let failed = matches!(delivery.status, Status::Failed(_));
    let told = world.state().announced.iter().filter(|a| a.name == "delivery.failed").count();
    assert!(if failed { (1..=2).contains(&told) } else { told == 0 }, "told {told} times; {words}");
}

/// Nothing of ours runs for 30 hours: the schedule shifts, and still has all its attempts.
#[test]
fn after_an_outage_of_thirty_hours_there_are_still_five_attempts() {
    for begun in [false, true] {
        let world = world_with_event();
        world.answers(|_, _| answer(500));
        if begun {
            world.step();
        }
        let after = world.state().now + Duration::from_secs(30 * 3_600);
        world.pass_until(after);
        let life = Life {
            name: "outage",
            failures: 9,
            then: None,
            end: Status::Failed(FailedReason::Exhausted),
            posts: 5,
        };
        live(&world, &life, None);
        let delivery = world.only_delivery();
        assert_eq!(delivery.status, life.end);
        assert_eq!(delivery.attempts.len(), 5, "{delivery:?}");
        let waits: Vec<u64> =
            delivery.attempts.windows(2).map(|w| w[1].at.since(w[0].at).as_secs()).collect();
        for (wait, least) in waits.iter().zip([300, 1_800, 7_200, 28_800]) {
            assert!(*wait >= least, "{waits:?}");
        }
    }
}

/// Two copies of one wake-up in work at the same moment, their calls in every order there is.
#[test]
fn two_copies_at_once_leave_one_attempt_or_an_explained_second() {
    let mut seen = [0, 0];
    for seed in 0..500 {
        let world = world_with_event();
        world.state().requests_take_time = false;
        world.answers(move |_, before| {
            answer(if before == usize::from(seed % 2 == 0) { 200 } else { 500 })
        });
        let body = world.state().queued[0].body.clone();
        let now = world.state().now;
        world.push(Lane::Send, &body, now);
        let first = world.take(Lane::Send, |queued| queued.id.ends_with("-1"));
        let second = world.take(Lane::Send, |_| true);
        assert_eq!((first.len(), second.len()), (1, 1));
        let mut turns = Dice::new(seed);
        world.send_side_by_side([(first, 0), (second, 0)], || turns.chance(500));
        let delivery = world.only_delivery();
        let outcomes: Vec<Outcome> =
            delivery.attempts.iter().map(|attempt| attempt.answer.outcome).collect();
        let posts = world.state().posts.len();
        assert!(posts <= 2);
        match outcomes.as_slice() {
            [_] => seen[0] += 1,
            // The other's failure was on record already when this success came.
            [Outcome::HttpStatus, Outcome::Succeeded] => seen[1] += 1,
            other => panic!("seed {seed}: {other:?}"),
        }
        let succeeded = outcomes.contains(&Outcome::Succeeded);
        assert_eq!(succeeded, delivery.status == Status::Succeeded, "seed {seed}");
        assert!(succeeded || posts == 1, "a success is never lost: seed {seed}");
        assert!(delivery.attempts.iter().all(|a| a.trigger == Trigger::Schedule));
    }
    assert!(seen.iter().all(|times| *times > 10), "both were seen: {seen:?}");
}

#[test]
fn a_schedule_that_fires_after_a_retry_succeeded_does_nothing() {
    let world = world_with_event();
    world.answers(|_, before| answer(if before < 2 { 500 } else { 200 }));
    world.step();
    world.step();
    let waiting: Delivery = world.only_delivery();
    assert_eq!((waiting.status, waiting.attempts.len()), (Status::Retrying, 2));
    assert_eq!(world.state().schedules.len(), 1, "half an hour is Scheduler's");
    let path = format!("/v1/deliveries/{}/retry", waiting.id);
    assert_eq!(client(&world, "operator").post(&path, &json!({})).status, 202);
    world.send_due();
    assert_eq!(world.only_delivery().status, Status::Succeeded);
    world.settle();
    assert!(world.state().schedules.is_empty(), "it has fired");
    assert_eq!(world.state().posts.len(), 3);
    assert_eq!(world.only_delivery().attempts.len(), 3);
}
