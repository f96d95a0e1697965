//! One large customer's endpoint is down all day among healthy others: what of the outage's
//! calculation (`cargo run -p bench -- outage`) the code itself decides.

use std::time::Duration;

use domain::Timestamp;
use domain::delivery::{FailedReason, Status};
use domain::limits::SCHEDULED_ATTEMPTS;
use domain::wakeup::Lane;
use tests::world::{World, answer};

const FAILING: usize = 400;

fn event(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","account_id":"acct_42","event":"email.sent","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{{}}}}"#
    )
}

fn pass(world: &World, seconds: u64) {
    let at = world.state().now + Duration::from_secs(seconds);
    world.pass_until(at);
}

/// A world in which one endpoint answers 503, and three others are well.
fn world() -> World {
    let world = World::new();
    world.register("ep_down", &["email.sent"]);
    for name in ["ep_a", "ep_b", "ep_c"] {
        world.register(name, &["email.opened"]);
    }
    world.state().requests_take_time = false;
    world.answers(|post, _| answer(if post.request.url.contains("down") { 503 } else { 200 }));
    pass(&world, 60);
    world
}

fn healthy(id: &str) -> String {
    event(id).replace("email.sent", "email.opened")
}

/// A day and more, with the sweeper coming by.
fn a_day(world: &World) {
    for _ in 0..120 {
        world.settle();
        world.sweep().expect("not killed");
        pass(world, 900);
    }
}

/// Messages of a lane that can be or will be received: the failing endpoint's, and others'.
fn is_down(world: &World, lane: Lane) -> (usize, usize) {
    let state = world.state();
    let here = state.queued.iter().filter(|queued| queued.lane == lane);
    let (down, others): (Vec<_>, Vec<_>) =
        here.partition(|queued| queued.body.contains("dlv_down_"));
    (down.len(), others.len())
}

#[test]
fn the_healthy_never_wait_behind_it() {
    let world = world();
    world.accept(&event("first"));
    world.send_due();
    for nth in 0..FAILING {
        world.accept(&event(&format!("down{nth}")));
        if nth % 100 == 0 {
            world.accept(&healthy(&format!("well{nth}")));
        }
    }
    assert_eq!(is_down(&world, Lane::Send), (0, 12), "its first attempts stand elsewhere");
    assert_eq!(is_down(&world, Lane::Retry).1, 0, "and the others' do not stand there");
    let before = world.state().now;
    // The lane of the healthy moves alone, whatever becomes of the other.
    world.send_some(Lane::Send, 0, |_| true);
    let state = world.state();
    let well: Vec<_> =
        state.deliveries.values().filter(|d| d.id.endpoint().as_str() != "ep_down").collect();
    assert_eq!(well.len(), 12);
    assert!(well.iter().all(|d| d.status == Status::Succeeded && d.attempts[0].at == before));
}

#[test]
fn all_are_tried_five_times_and_none_is_given_up_before() {
    let world = world();
    for nth in 0..FAILING {
        world.accept(&event(&format!("down{nth}")));
    }
    a_day(&world);
    let state = world.state();
    assert_eq!(state.deliveries.len(), FAILING);
    for delivery in state.deliveries.values() {
        assert_eq!(delivery.status, Status::Failed(FailedReason::Exhausted));
        assert_eq!(delivery.attempts.len(), usize::from(SCHEDULED_ATTEMPTS));
        let first: Timestamp = delivery.attempts[0].at;
        let fifth = delivery.attempts[4].at.since(first);
        assert!(fifth >= Duration::from_secs(300 + 1_800 + 7_200 + 28_800), "{fifth:?}");
    }
}

/// While the lane is behind the sweeper adds nothing to it; what it left asleep is woken once the
/// lane has caught up.
#[test]
fn a_lane_that_is_behind_is_not_fed_and_loses_nothing() {
    let world = world();
    for nth in 0..FAILING {
        world.accept(&event(&format!("down{nth}")));
    }
    world.send_due();
    // The wake-ups of half of them are lost; the other half's lie there, and nobody comes.
    let mut kept = 0;
    world.state().queued.retain(|_| {
        kept += 1;
        kept % 2 == 0
    });
    pass(&world, 3_600);
    let waiting = is_down(&world, Lane::Retry).0;
    for _ in 0..5 {
        let swept = world.sweep().expect("not killed");
        assert_eq!(swept.woken, 0);
        assert!(swept.held_back > 0);
        pass(&world, 300);
    }
    assert_eq!(is_down(&world, Lane::Retry).0, waiting, "nothing was added");
    a_day(&world);
    let state = world.state();
    let ended = |d: &&domain::delivery::Delivery| d.attempts.len() == 5;
    assert_eq!(state.deliveries.values().filter(ended).count(), FAILING, "nothing was lost");
}
