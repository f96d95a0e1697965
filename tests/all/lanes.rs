//! Lanes and rates (design 3.8): who waits for whom.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Timestamp;
use domain::delivery::Status;
use domain::wakeup::Lane;
use tests::world::{World, answer};

fn event(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","account_id":"acct_42","event":"email.sent","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{{}}}}"#
    )
}

fn pass(world: &World, seconds: u64) {
    let at = world.state().now + Duration::from_secs(seconds);
    world.pass_until(at);
}

/// Half an hour and more in which nobody is killed.
fn come_to_rest(world: &World) {
    for _ in 0..6 {
        pass(world, 420);
        world.sweep();
        world.settle();
    }
}

fn lanes(world: &World) -> Vec<Lane> {
    world.state().queued.iter().map(|queued| queued.lane).collect()
}

#[test]
fn first_attempts_of_an_endpoint_in_trouble_do_not_stand_among_others() {
    let world = World::new();
    world.register("ep_bad", &["*"]);
    pass(&world, 60);
    world.answers(|_, before| answer(if before == 0 { 500 } else { 200 }));
    world.accept(&event("a"));
    assert_eq!(lanes(&world), [Lane::Send], "nothing is known of it yet");
    world.send_due();
    world.state().queued.clear();
    world.register("ep_good", &["*"]);
    world.accept(&event("b"));
    let mut both = lanes(&world);
    both.sort();
    assert_eq!(both, [Lane::Send, Lane::Retry]);
    pass(&world, 100);
    world.send_due();
    world.accept(&event("c"));
    assert_eq!(lanes(&world), [Lane::Send, Lane::Send], "it answered");
}

/// A world whose endpoint wants so many requests a second.
fn limited(rate: u32) -> World {
    let world = World::new();
    let id = world.register("ep_slow", &["email.*"]);
    world.change(&id, |endpoint| endpoint.max_per_second = Some(rate));
    world.state().requests_take_time = false;
    world
}

/// Requests in each second of the clock, to endpoints whose name holds `host`.
fn per_second(world: &World, host: &str) -> BTreeMap<i64, u32> {
    let mut counts = BTreeMap::new();
    for post in world.state().posts.iter().filter(|post| post.request.url.contains(host)) {
        *counts.entry(post.at.as_secs()).or_default() += 1;
    }
    counts
}

#[test]
fn no_second_holds_more_than_the_endpoint_wants() {
    let world = limited(3);
    world.register("ep_quick", &["*"]);
    for nth in 0..40 {
        world.accept(&event(&format!("e{nth}")));
    }
    let began = world.state().now;
    world.send_due();
    let now = |host: &str| per_second(&world, host).values().sum::<u32>();
    assert_eq!((now("slow"), now("quick")), (3, 40), "nobody else waits");
    {
        let state = world.state();
        let waiting = state.deliveries.values().filter(|d| d.status == Status::Pending);
        let found: Vec<Option<Timestamp>> = waiting.map(|d| d.due_at).collect();
        assert_eq!(found.len(), 37);
        assert!(found.iter().all(|due_at| due_at.is_some_and(|at| at > began)), "{found:?}");
    }
    world.settle();
    let state = world.state();
    assert!(state.deliveries.values().all(|d| d.status == Status::Succeeded && d.due_at.is_none()));
    assert!(state.deliveries.values().all(|d| d.attempt_count == 1), "waiting is no attempt");
    drop(state);
    let counts = per_second(&world, "slow");
    assert!(counts.values().all(|count| *count <= 3), "{counts:?}");
    let took = world.state().now.since(began).as_secs();
    assert!((13..=20).contains(&took), "40 at 3 a second, in one line: {took} s");
}

#[test]
fn later_attempts_keep_to_the_rate_too() {
    let world = limited(2);
    world.answers(|_, before| answer(if before < 10 { 500 } else { 200 }));
    for nth in 0..10 {
        world.accept(&event(&format!("e{nth}")));
    }
    world.settle();
    let counts = per_second(&world, "slow");
    assert!(counts.values().all(|count| *count <= 2), "{counts:?}");
    let state = world.state();
    assert_eq!(state.posts.len(), 20);
    assert!(state.deliveries.values().all(|d| d.status == Status::Succeeded));
}

#[test]
fn a_long_line_reaches_beyond_sqs() {
    let world = limited(1);
    let now = world.state().now;
    world.state().lines.insert("line#ep_slow".into(), now + Duration::from_secs(3_000));
    world.accept(&event("a"));
    world.accept(&event("b"));
    world.send_due();
    assert_eq!(world.state().schedules.len(), 1, "the second waits by schedule");
    world.settle();
    let times: Vec<u64> =
        world.state().posts.iter().map(|post| post.at.since(now).as_secs()).collect();
    assert_eq!(times, [0, 3_000]);
}

/// Killed at any call: everything arrives, never too fast.
#[test]
fn killed_anywhere_nobody_is_forgotten_in_the_line() {
    for point in 0.. {
        let world = limited(1);
        world.accept(&event("a"));
        world.accept(&event("b"));
        world.fuse().blow_at(Some(point));
        world.send_due();
        let killed = world.fuse().is_blown();
        let story = world.fuse().log();
        world.fuse().blow_at(None);
        come_to_rest(&world);
        let done = world.state().deliveries.values().all(|d| d.status == Status::Succeeded);
        assert!(done, "killed at {point}: {story:?}");
        let counts = per_second(&world, "slow");
        assert!(counts.values().all(|count| *count == 1), "killed at {point}: {counts:?}");
        if !killed {
            assert!(point > 20, "the scenario has calls to be killed at");
            return;
        }
    }
}

/// A wake-up lost while its delivery waited in line is found by the sweeper, not before its place.
#[test]
fn the_sweeper_does_not_push_to_the_front() {
    let world = limited(1);
    let now = world.state().now;
    world.state().lines.insert("line#ep_slow".into(), now + Duration::from_secs(600));
    world.accept(&event("a"));
    world.accept(&event("b"));
    world.send_due();
    world.state().queued.clear();
    pass(&world, 500);
    assert_eq!(world.sweep().expect("not killed").woken, 0, "its place has not come");
    pass(&world, 221);
    assert_eq!(world.sweep().expect("not killed").woken, 1);
    world.settle();
    assert_eq!(world.state().posts.len(), 2);
}

/// An answer that takes so long.
fn after(seconds: u64) -> domain::delivery::Answer {
    domain::delivery::Answer { duration_ms: seconds * 1_000, ..answer(200) }
}

#[test]
fn an_endpoint_that_is_silent_stands_apart_before_it_is_known_to_fail() {
    for (seconds, apart) in [(3, false), (4, true)] {
        let world = World::new();
        let id = world.register("ep_silent", &["*"]);
        world.state().requests_take_time = false;
        world.answers(move |_, _| after(seconds));
        world.accept(&event("a"));
        let began = world.state().now;
        world.send_due();
        let until = world.state().endpoints[0].silent_until;
        assert_eq!(until, apart.then(|| began + Duration::from_secs(35)), "{seconds} s");
        world.accept(&event("b"));
        let lane = if apart { Lane::Retry } else { Lane::Send };
        assert_eq!(lanes(&world), [lane], "{seconds} s");
        world.state().queued.clear();
        pass(&world, 35);
        world.accept(&event("c"));
        assert_eq!(lanes(&world), [Lane::Send], "it answered after all: {seconds} s");
        world.change(&id, |endpoint| assert!(!endpoint.is_in_trouble(), "and does not fail"));
    }
}

#[test]
fn what_stands_among_first_attempts_already_moves() {
    let world = World::new();
    let id = world.register("ep_silent", &["*"]);
    world.register("ep_good", &["*"]);
    for nth in 0..5 {
        world.accept(&event(&format!("e{nth}")));
    }
    let now = world.state().now;
    world.change(&id, |endpoint| endpoint.silent_until = Some(now + Duration::from_secs(30)));
    assert_eq!(world.send_some(Lane::Send, 0, |_| true), 10);
    assert_eq!(world.state().posts.len(), 5, "to the other one");
    assert_eq!(lanes(&world), [Lane::Retry; 5]);
    world.fuse().blow_at(None); // and forget the calls so far
    assert_eq!(world.send_some(Lane::Retry, 0, |_| true), 5);
    let claims = world.fuse().log().iter().filter(|call| **call == "deliveries.claim").count();
    assert_eq!(claims, 5, "whoever moved them may be killed, and move them again");
    assert!(lanes(&world).is_empty(), "from there nothing moves again");
    let state = world.state();
    assert_eq!(state.posts.len(), 10);
    assert!(state.deliveries.values().all(|d| d.status == Status::Succeeded));
}

#[test]
fn a_batch_notes_a_silent_endpoint_once_and_a_failing_one_not_at_all() {
    let noted = |world: &World| {
        let log = world.fuse().log();
        log.iter().filter(|call| **call == "endpoints.note_silence").count()
    };
    let world = World::new();
    world.register("ep_silent", &["*"]);
    pass(&world, 60);
    world.state().requests_take_time = false;
    world.answers(|_, _| domain::delivery::Answer {
        outcome: domain::delivery::Outcome::Timeout,
        http_status: None,
        ..after(30)
    });
    for nth in 0..9 {
        world.accept(&event(&format!("e{nth}")));
    }
    world.fuse().blow_at(None); // and forget the calls so far
    world.send_due();
    assert_eq!(noted(&world), 1);
    pass(&world, 60);
    world.accept(&event("later"));
    assert_eq!(lanes(&world), [Lane::Retry; 10], "by now it is known to fail");
    world.fuse().blow_at(None);
    world.send_due();
    assert_eq!((world.state().posts.len(), noted(&world)), (10, 0));
}

/// Killed at any call of what a silent endpoint causes: everything arrives, and only a sender that
/// was killed after its POST makes a second one.
#[test]
fn killed_anywhere_nobody_is_lost_between_the_lanes() {
    for point in 0.. {
        let world = World::new();
        let id = world.register("ep_silent", &["*"]);
        world.state().requests_take_time = false;
        world.answers(|_, _| after(4));
        let now = world.state().now;
        ["a", "b", "c"].iter().for_each(|id| world.accept(&event(id)));
        world.state().queued[2].at = now + Duration::from_secs(2);
        world.change(&id, |endpoint| endpoint.silent_until = Some(now + Duration::from_secs(1)));
        world.fuse().blow_at(Some(point));
        world.send_due(); // two move to the other lane
        pass(&world, 2);
        world.send_due(); // one finds it silent
        let killed = world.fuse().is_blown();
        let story = world.fuse().log();
        world.fuse().blow_at(None);
        come_to_rest(&world);
        let state = world.state();
        let done = state.deliveries.values().filter(|d| d.status == Status::Succeeded).count();
        assert_eq!(done, 3, "killed at {point}: {story:?}");
        let extra = state.posts.len() - 3;
        assert!(extra <= usize::from(killed) * 2, "killed at {point}, {extra} extra: {story:?}");
        if !killed {
            assert!(point > 40, "the scenario has calls to be killed at");
            return;
        }
    }
}
