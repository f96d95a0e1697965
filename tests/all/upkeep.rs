//! Draining and holding back, in a world of memory.

use std::time::Duration;

use domain::delivery::Status;
use domain::ports::Dlq;
use domain::wakeup::{Lane, WakeUp};
use tests::world::{World, answer};

use crate::journeys::event;

const DAY_S: u64 = 86_400;

fn pass(world: &World, seconds: u64) {
    let at = world.state().now + Duration::from_secs(seconds);
    world.pass_until(at);
}

/// A world whose only delivery is pending, and whose only wake-up lies in `SendDlq`.
fn set_aside() -> World {
    let world = World::new();
    world.register("ep_1", &["*"]);
    world.accept(&event("a", "acct_42", "{}"));
    let now = world.state().now;
    let body = world.state().queued.remove(0).body;
    world.set_aside(Dlq::Send, &body, now);
    world
}

/// A world whose only delivery waits for its second attempt, is overdue, and has no wake-up.
fn overdue() -> World {
    let world = World::new();
    world.register("ep_1", &["*"]);
    world.accept(&event("a", "acct_42", "{}"));
    world.answers(|_, before| answer(if before == 0 { 500 } else { 200 }));
    world.step();
    world.state().queued.clear();
    pass(&world, 420);
    world
}

#[test]
fn a_first_attempt_whose_wake_up_was_set_aside_is_made() {
    let world = set_aside();
    let swept = world.sweep().expect("not killed");
    assert_eq!((swept.rescued, swept.drained, swept.woken), (1, 1, 0));
    assert_eq!(world.only_delivery().due_at, Some(world.state().now));
    pass(&world, 120);
    assert_eq!(world.sweep().expect("not killed").woken, 1);
    world.settle();
    let delivery = world.only_delivery();
    assert_eq!((delivery.status, delivery.due_at), (Status::Succeeded, None));
    assert_eq!(world.state().posts.len(), 1);
}

#[test]
fn killed_anywhere_a_dead_letter_is_not_lost() {
    for point in 0.. {
        let world = set_aside();
        world.fuse().blow_at(Some(point));
        world.sweep();
        let killed = world.fuse().is_blown();
        let story = world.fuse().log();
        world.fuse().blow_at(None);
        for _ in 0..4 {
            pass(&world, 121);
            world.sweep();
            world.settle();
        }
        assert_eq!(world.only_delivery().status, Status::Succeeded, "at {point}: {story:?}");
        assert!(world.state().dead.is_empty(), "at {point}: {story:?}");
        if !killed {
            return;
        }
    }
}

#[test]
fn who_is_in_due_keeps_place_and_back_off() {
    let world = overdue();
    assert_eq!(world.sweep().expect("not killed").woken, 1);
    let before = world.only_delivery();
    assert_eq!(before.back_off_s, Some(300));
    let letter = WakeUp::copy(before.id.clone(), 1).to_json();
    world.state().queued.clear();
    let now = world.state().now;
    world.set_aside(Dlq::Retry, &letter, now);
    let swept = world.sweep().expect("not killed");
    assert_eq!((swept.drained, swept.rescued, swept.woken), (1, 0, 0));
    assert_eq!(world.only_delivery(), before);
}

#[test]
fn nothing_is_left_to_do_for_what_is_final_or_gone() {
    let world = set_aside();
    let letter = world.state().dead[0].letter.body.clone();
    let now = world.state().now;
    world.push(Lane::Send, &letter, now);
    world.settle();
    let final_already = world.only_delivery();
    assert_eq!(final_already.status, Status::Succeeded);
    let other = letter.replace("dlv_1_", "dlv_2_");
    assert_ne!(other, letter);
    world.set_aside(Dlq::Retry, &other, now);
    let swept = world.sweep().expect("not killed");
    assert_eq!((swept.drained, swept.rescued), (2, 0));
    assert_eq!(world.only_delivery(), final_already);
}

#[test]
fn what_is_not_understood_stays_and_is_counted() {
    let world = World::new();
    let now = world.state().now;
    world.set_aside(Dlq::Send, "no wake-up", now);
    world.set_aside(Dlq::Retry, r#"{"v":99,"kind":"scheduled"}"#, now);
    for _ in 0..2 {
        let swept = world.sweep().expect("not killed");
        assert_eq!((swept.unreadable, swept.drained, swept.errors), (2, 0, 0));
        pass(&world, 300);
    }
    assert_eq!(world.state().dead.len(), 2);
}

#[test]
fn an_event_set_aside_is_tried_again_after_a_day() {
    for point in 0.. {
        let world = World::new();
        let now = world.state().now;
        let old = event("old", "acct_42", "{}");
        world.set_aside(Dlq::Events, &old, now);
        pass(&world, DAY_S - 1);
        let later = world.state().now;
        world.set_aside(Dlq::Events, &event("young", "acct_42", "{}"), later);
        assert_eq!(world.sweep().expect("not killed").sent_back, 0, "a day is not over");
        pass(&world, 300);
        world.fuse().blow_at(Some(point));
        world.sweep();
        let killed = world.fuse().is_blown();
        world.fuse().blow_at(None);
        let is_there = |world: &World| {
            let state = world.state();
            let waiting = state.dead.iter().any(|dead| dead.letter.body == old);
            waiting || state.events_sent_back.iter().any(|letter| letter.body == old)
        };
        assert!(is_there(&world), "killed at {point}");
        pass(&world, 300);
        world.sweep();
        assert!(is_there(&world), "killed at {point}");
        assert!(world.state().dead.iter().all(|dead| dead.letter.body != old));
        assert_eq!(world.state().dead.len(), 1, "the young one stays");
        if !killed {
            assert_eq!(world.state().events_sent_back.len(), 1);
            return;
        }
    }
}

/// Other wake-ups that can be received, and that nobody receives.
fn backlog(world: &World, messages: usize) {
    let now = world.state().now;
    for _ in 0..messages {
        world.push(Lane::Retry, "waits", now);
    }
}

#[test]
fn a_queue_that_is_behind_is_not_fed() {
    let world = overdue();
    backlog(&world, 10);
    let before = world.only_delivery();
    let began = world.state().now;
    let swept = world.sweep().expect("not killed");
    assert_eq!((swept.held_back, swept.woken), (1, 0));
    assert_eq!(world.state().now, began + Duration::from_secs(30), "two readings");
    assert_eq!(world.only_delivery(), before, "it is left as it is");
    assert_eq!(world.state().queued.len(), 10);
    // Hours behind, and still nothing is added.
    for _ in 0..100 {
        pass(&world, 270);
        assert_eq!(world.sweep().expect("not killed").woken, 0);
    }
    assert_eq!(world.state().queued.len(), 10);
    world.state().queued.clear();
    assert_eq!(world.sweep().expect("not killed").woken, 1);
    world.settle();
    assert_eq!(world.only_delivery().status, Status::Succeeded);
}

#[test]
fn a_queue_that_catches_up_is_not_behind() {
    let world = overdue();
    backlog(&world, 10);
    world.before("pause", |state| drop(state.queued.pop()));
    let swept = world.sweep().expect("not killed");
    assert_eq!((swept.held_back, swept.woken), (0, 1));
}

#[test]
fn the_other_lane_and_everything_else_go_on() {
    let world = overdue();
    world.accept(&event("b", "acct_42", "{}"));
    world.state().queued.clear();
    let now = world.state().now;
    let second = world.state().deliveries.values().find(|d| d.status == Status::Pending).cloned();
    let second = second.expect("just accepted").id;
    world.state().deliveries.get_mut(&second).expect("on record").due_at = Some(now);
    pass(&world, 120);
    backlog(&world, 10);
    let swept = world.sweep().expect("not killed");
    assert_eq!((swept.held_back, swept.woken), (1, 1), "first attempts have a lane of their own");
    // The time of the waiting one runs out while its lane is behind.
    let mut state = world.state();
    let waiting = state.deliveries.values_mut().find(|d| d.status == Status::Retrying);
    let waiting = waiting.expect("still waiting");
    (waiting.scheduled_attempts, waiting.next_attempt_at) = (5, None);
    waiting.gives_up_at = Some(now);
    drop(state);
    let swept = world.sweep().expect("not killed");
    assert_eq!((swept.exhausted, swept.held_back), (1, 0));
}
