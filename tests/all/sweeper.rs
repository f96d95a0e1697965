//! The sweeper in a world of memory.

use std::time::Duration;

use domain::delivery::Status;
use domain::metric::Metric;
use tests::world::{World, answer};

const EVENT: &str = r#"{"id":"a","account_id":"acct_42","event":"email.sent","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{}}"#;

/// A world whose only delivery waits for its second attempt, and whose wake-up is lost.
fn forgotten() -> World {
    let world = World::new();
    world.register("ep_1", &["*"]);
    world.accept(EVENT);
    world.answers(|_, before| answer(if before == 0 { 500 } else { 200 }));
    world.step();
    world.state().queued.clear();
    world
}

fn pass(world: &World, seconds: u64) {
    let at = world.state().now + Duration::from_secs(seconds);
    world.pass_until(at);
}

#[test]
fn a_lost_wake_up_is_found_after_its_grace() {
    let world = forgotten();
    pass(&world, 300 + 119);
    assert_eq!(world.sweep().expect("not killed").woken, 0, "perhaps it is merely late");
    let told = std::mem::take(&mut world.state().metrics);
    assert_eq!(told, [(Metric::Sweeps, 1)], "nothing that is 0");
    pass(&world, 1);
    let swept = world.sweep().expect("not killed");
    assert_eq!((swept.woken, swept.oldest_overdue_s), (1, 120));
    let told = std::mem::take(&mut world.state().metrics);
    let figures = [Metric::Sweeps, Metric::OldestOverdue, Metric::Woken].into_iter();
    assert_eq!(told, figures.zip([1, 120, 1]).collect::<Vec<_>>(), "what alarms look at");
    world.settle();
    let delivery = world.only_delivery();
    assert_eq!((delivery.status, delivery.attempts.len()), (Status::Succeeded, 2));
}

#[test]
fn a_backlog_is_not_fed() {
    let world = forgotten();
    pass(&world, 420);
    let mut woken_at = Vec::new();
    for minute in 0..600 {
        if world.sweep().expect("not killed").woken == 1 {
            woken_at.push(minute);
            // In work for ever: what can be received would hold the next one back.
            let mut state = world.state();
            let far = state.now + Duration::from_secs(1_000_000);
            state.queued.iter_mut().for_each(|queued| queued.at = far);
        }
        pass(&world, 60);
    }
    // 300 s and its grace, 600 s and its grace, ... to an hour and its grace.
    assert_eq!(&woken_at[..6], [0, 7, 19, 41, 83, 145]);
    assert!(woken_at.windows(2).skip(4).all(|pair| pair[1] - pair[0] == 62));
    assert_eq!(world.state().queued.len(), woken_at.len());
    world.settle();
    assert_eq!(world.state().posts.len(), 2, "copies of one wake-up never multiply");
}

#[test]
fn killed_anywhere_it_is_found_again() {
    for point in 0.. {
        let world = forgotten();
        pass(&world, 420);
        world.fuse().blow_at(Some(point));
        world.sweep();
        let killed = world.fuse().is_blown();
        let story = world.fuse().log();
        world.fuse().blow_at(None);
        for _ in 0..3 {
            pass(&world, 420);
            world.sweep();
            world.settle();
        }
        let delivery = world.only_delivery();
        assert_eq!(delivery.status, Status::Succeeded, "killed at {point}: {story:?}");
        assert_eq!(world.state().posts.len(), 2, "killed at {point}: {story:?}");
        if !killed {
            return;
        }
    }
}

#[test]
fn a_quick_sweeper_does_not_post_beside_a_slow_request() {
    let world = forgotten();
    world.state().sqs_delay_max_s = 3;
    pass(&world, 301);
    let delivery = world.only_delivery();
    // The fresh wake-up is in work: it has claimed, and its request takes long.
    let wake_up = domain::wakeup::WakeUp::fresh(delivery.id.clone(), 1);
    let inner = world.clone();
    world.answers(move |_, _| {
        let mut slow = answer(500);
        slow.duration_ms = 30_000;
        slow
    });
    let now = world.state().now;
    world.push(domain::wakeup::Lane::Retry, &wake_up.to_json(), now);
    world.fuse().blow_at(Some(AFTER_THE_POST));
    world.send_due();
    assert!(world.fuse().is_blown());
    assert_eq!(inner.state().posts.len(), 2, "its request is under way");
    world.fuse().blow_at(None);
    // 30 s into the request (the clock moved with it), the grace of 6 s is long over.
    assert_eq!(world.sweep().expect("not killed").woken, 1, "the sweeper cannot know");
    world.state().queued.retain(|queued| queued.received == 0);
    world.send_due();
    assert_eq!(inner.state().posts.len(), 2, "its copy waits for the claim's end");
}

/// The point at which the POST of a claimed attempt has just been made: the delivery, the
/// endpoint, the claim, the secret and the event come before it, each with two points.
const AFTER_THE_POST: u32 = 5 * 2 + 1;
