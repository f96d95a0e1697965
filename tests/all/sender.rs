//! The sender in a world of memory: whole schedules in virtual time.

use domain::Timestamp;
use domain::delivery::{FailedReason, Status};
use domain::endpoint::EndpointState;
use domain::metric::Metric;
use domain::wakeup::Lane;
use tests::world::{Fault, START, World, answer};

const EVENT: &str = r#"{"id":"a","account_id":"acct_42","event":"email.sent","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{"n":1.0}}"#;

fn world_with_event() -> World {
    let world = World::new();
    world.register("ep_1", &["*"]);
    world.accept(EVENT);
    world
}

/// Seconds after the start.
fn after_start(at: Timestamp) -> f64 {
    at.since(Timestamp::parse(START).expect("valid")).as_secs_f64()
}

#[test]
fn five_posts_on_the_documented_schedule_then_the_end() {
    let world = world_with_event();
    world.answers(|_, _| answer(500));
    world.settle();
    let posts = world.state().posts.clone();
    let times: Vec<f64> = posts.iter().map(|post| after_start(post.at)).collect();
    // Each wait counts from the end of the attempt before (40 ms); schedules fire on full seconds.
    assert_eq!(times, [0.0, 300.04, 2_101.0, 9_302.0, 38_103.0]);
    let attempts: Vec<&str> = posts.iter().map(|post| post.header("X-Webhook-Attempt")).collect();
    assert_eq!(attempts, ["1", "2", "3", "4", "5"]);
    assert!(posts.iter().all(|post| post.request.body == posts[0].request.body));
    assert!(posts.iter().all(|post| post.header("webhook-id") == posts[0].header("webhook-id")));

    let waiting = world.only_delivery();
    assert_eq!((waiting.status, waiting.next_attempt_at), (Status::Retrying, None));
    assert_eq!(waiting.gives_up_at.map(after_start), Some(86_400.0));
    assert_eq!(waiting.due_at, waiting.gives_up_at);

    world.pass_until(waiting.gives_up_at.expect("just seen"));
    let swept = world.sweep().expect("not killed");
    assert_eq!((swept.exhausted, swept.woken), (1, 0));
    let ended = world.only_delivery();
    assert_eq!(ended.status, Status::Failed(FailedReason::Exhausted));
    assert_eq!((ended.attempts.len(), ended.due_at, ended.notice), (5, None, None));
    let state = world.state();
    assert_eq!(state.announced.iter().map(|a| a.name).collect::<Vec<_>>(), ["delivery.failed"]);
    assert_eq!(state.posts.len(), 5, "no sixth");
}

#[test]
fn a_receiver_that_recovers_ends_it() {
    let world = world_with_event();
    world.answers(|_, before| answer(if before < 2 { 503 } else { 204 }));
    world.settle();
    let delivery = world.only_delivery();
    assert_eq!((delivery.status, delivery.attempts.len()), (Status::Succeeded, 3));
    assert_eq!((delivery.due_at, delivery.next_attempt_at), (None, None));
    assert_eq!(world.state().schedules.len(), 0);
}

#[test]
fn a_delivery_that_succeeds_at_once_is_never_in_an_index() {
    let world = world_with_event();
    assert_eq!(world.only_delivery().due_at, None);
    world.settle();
    let delivery = world.only_delivery();
    assert_eq!((delivery.status, delivery.due_at), (Status::Succeeded, None));
    let calls = world.fuse().log();
    let writes = ["deliveries.create", "deliveries.commit", "deliveries.claim", "events.store"];
    let count = |call| calls.iter().filter(|c| **c == call).count();
    assert_eq!(writes.map(count), [1, 1, 0, 1], "{calls:?}");
}

#[test]
fn a_doubled_wake_up_after_the_commit_posts_nothing() {
    let world = world_with_event();
    let doubled = world.state().queued.clone();
    world.settle();
    world.state().queued = doubled;
    world.settle();
    assert_eq!(world.state().posts.len(), 1);
}

#[test]
fn killed_anywhere_it_ends_the_same_and_posts_at_most_once_more() {
    for point in 0.. {
        let world = world_with_event();
        world.answers(|_, before| answer(if before < 3 { 500 } else { 200 }));
        world.fuse().blow_at(Some(point));
        world.step();
        let killed = world.fuse().is_blown();
        let story = world.fuse().log();
        world.fuse().blow_at(None);
        world.settle();
        for _ in 0..40 {
            // What only the sweeper can find again.
            let later = world.state().now + std::time::Duration::from_secs(3_700);
            world.pass_until(later);
            world.sweep();
            world.settle();
        }
        let delivery = world.only_delivery();
        assert_eq!(delivery.status, Status::Succeeded, "killed at {point}: {story:?}");
        let posts = world.state().posts.len();
        assert!((4..=5).contains(&posts), "{posts} posts, killed at {point}: {story:?}");
        if !killed {
            assert!(point > 10, "the scenario has calls to be killed at");
            return;
        }
    }
}

#[test]
fn an_endpoint_disabled_meanwhile_ends_what_waits() {
    let world = world_with_event();
    world.answers(|_, _| answer(500));
    world.step();
    let at = world.state().now;
    let id = world.only_delivery().id.endpoint().clone();
    world.change(&id, |endpoint| endpoint.state = EndpointState::Deleted { at });
    world.settle();
    let delivery = world.only_delivery();
    assert_eq!(delivery.status, Status::Failed(FailedReason::EndpointDeleted));
    let state = world.state();
    assert_eq!(state.posts.len(), 1);
    assert_eq!(state.announced[0].detail["reason"], "endpoint_deleted");
}

#[test]
fn one_bad_message_leaves_the_others_alone() {
    let world = world_with_event();
    let now = world.state().now;
    world.push(Lane::Send, "{}", now);
    world.send_due();
    assert_eq!(world.only_delivery().status, Status::Succeeded);
    let left: Vec<String> = world.state().queued.iter().map(|q| q.body.clone()).collect();
    assert_eq!(left, ["{}"], "it stays on the queue");
}

#[test]
fn a_panic_is_that_records_alone() {
    let world = world_with_event();
    world.accept(&EVENT.replace("\"a\"", "\"b\""));
    world.answers(|_, before| {
        assert!(before > 0, "the first one panics");
        answer(200)
    });
    world.send_due();
    let state = world.state();
    let done = state.deliveries.values().filter(|d| d.status == Status::Succeeded).count();
    assert_eq!((done, state.queued.len()), (1, 1));
}

#[test]
fn a_hop_tries_the_scheduler_again() {
    let world = world_with_event();
    world.answers(|_, _| answer(500));
    world.step();
    world.state().faults.rates[Fault::Throttled] = 1_000;
    world.step();
    assert_eq!(world.only_delivery().scheduled_attempts, 2);
    assert_eq!(world.state().metrics, [(Metric::Hops, 1)], "every link is counted");
    world.state().faults.rates[Fault::Throttled] = 0;
    let Some(hop) = world.state().queued.pop() else { panic!("Scheduler was not to be had") };
    world.push(Lane::Retry, &hop.body, hop.at - std::time::Duration::from_secs(900));
    world.send_due();
    assert_eq!(world.state().schedules.len(), 1, "success ends its chain");
    assert!(world.state().queued.is_empty());
    assert_eq!(world.state().metrics.len(), 1);
}
