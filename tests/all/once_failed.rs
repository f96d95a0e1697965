//! What the simulator once found, told again in so many words. A seed does not keep a history: the
//! next kind of fault shifts all draws. These do, and `tests/mutants` takes each mend back and
//! wants a seed of today to notice.

use std::time::Duration;

use domain::delivery::Status;
use domain::wakeup::{Call, Lane, Origin};
use tests::world::{Dice, World, answer};

use crate::journeys::event;

fn world() -> World {
    let world = World::new();
    world.register("ep_1", &["*"]);
    world.state().requests_take_time = false;
    world.accept(&event("a", "acct_42", "{}"));
    world
}

fn pass(world: &World, seconds: u64) {
    let at = world.state().now + Duration::from_secs(seconds);
    world.pass_until(at);
}

/// Everything in a lane, each message to a sender of its own, their calls in some order.
fn side_by_side(world: &World, lane: Lane, seed: u64) {
    let mut nth = 0;
    let first = world.take(lane, |_| {
        nth += 1;
        nth == 1
    });
    let second = world.take(lane, |_| true);
    assert_eq!((first.len(), second.len()), (1, 1), "two copies are about");
    let mut turns = Dice::new(seed);
    world.send_side_by_side([(first, 0), (second, 0)], || turns.chance(500));
    world.settle();
}

/// Decision 0006. Without any fault: a product sends an event twice, our senders are late by
/// minutes, and both wake-ups are taken up at once. Both were POSTed.
#[test]
fn a_late_fresh_wake_up_beside_the_copy_of_an_event_sent_twice() {
    for seed in 0..100 {
        let world = world();
        pass(&world, 1);
        world.accept(&event("a", "acct_42", "{}"));
        pass(&world, 600);
        side_by_side(&world, Lane::Send, seed);
        assert_eq!(world.state().posts.len(), 1, "{seed}");
        assert_eq!(world.only_delivery().status, Status::Succeeded);
    }
}

/// Decision 0006. The sweeper had moved the entry; the fresh wake-up for the second attempt came
/// late, and beside the sweeper's copy. Both were POSTed.
#[test]
fn a_late_fresh_wake_up_beside_the_sweepers_copy() {
    for seed in 0..100 {
        let world = world();
        world.answers(|_, before| answer(if before == 0 { 500 } else { 200 }));
        world.send_due();
        let late = world.state().now + Duration::from_secs(500);
        world.state().queued[0].at = late;
        pass(&world, 300 + 121);
        assert_eq!(world.sweep().expect("alive").woken, 1);
        pass(&world, 100);
        side_by_side(&world, Lane::Retry, seed);
        assert_eq!(world.state().posts.len(), 2, "{seed}");
        assert_eq!(world.only_delivery().status, Status::Succeeded);
    }
}

/// Decision 0020. Two ingests accepted one event within a millisecond; each took the stored one for
/// its own, and sent a fresh wake-up.
#[test]
fn two_ingests_of_one_event_within_a_millisecond() {
    let world = world();
    world.accept(&event("a", "acct_42", "{}"));
    let origins: Vec<Origin> = (world.state().queued.iter())
        .map(|queued| match Call::parse(&queued.body) {
            Ok(Call::Scheduled(wake_up)) => wake_up.origin,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(origins, [Origin::Fresh, Origin::Copy]);
}

/// Decision 0009. A failure of the schedule was committed while a retry was opened, and took it out
/// of `due`: had its wake-up been lost, nobody would have made it.
#[test]
fn a_retry_opened_while_an_attempt_is_under_way_stays_in_due() {
    let world = world();
    world.answers(|_, _| answer(500));
    world.before("deliveries.commit", |state| {
        let now = state.now;
        let delivery = state.deliveries.values_mut().next().expect("accepted");
        let id = domain::ids::RetryId::from_random([7; 16]);
        let retry = domain::retry::open(id, domain::delivery::RetryBy::Manual, now);
        (delivery.open_retry, delivery.due_at) = (Some(retry), Some(now));
    });
    world.send_due();
    let delivery = world.only_delivery();
    assert_eq!(delivery.status, Status::Retrying);
    let opened_at = delivery.open_retry.as_ref().map(|retry| retry.opened_at);
    assert!(opened_at.is_some() && delivery.due_at == opened_at, "{delivery:?}");
}
