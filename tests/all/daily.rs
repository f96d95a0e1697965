//! Sweeper and daily looking after endpoints, in a world of memory.

use std::time::Duration;

use domain::delivery::{FailedReason, Status};
use domain::endpoint::{DisabledReason, Endpoint, EndpointState};
use domain::health::Health;
use domain::ids::EndpointId;
use domain::metric::Metric;
use tests::world::{DISABLE_AFTER, World, answer};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

fn event(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","account_id":"acct_42","event":"email.sent","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{{}}}}"#
    )
}

fn pass(world: &World, seconds: u64) {
    let at = world.state().now + Duration::from_secs(seconds);
    world.pass_until(at);
}

fn endpoint(world: &World) -> Endpoint {
    world.state().endpoints[0].clone()
}

/// A world whose endpoint has been failing for so many seconds, the last time just now.
fn failing_for(seconds: u64) -> World {
    let world = World::new();
    let id = world.register("ep_1", &["*"]);
    pass(&world, 60);
    let since = world.state().now;
    pass(&world, seconds);
    let now = world.state().now;
    fail(&world, &id, since, now);
    world
}

fn fail(world: &World, id: &EndpointId, since: domain::Timestamp, last: domain::Timestamp) {
    world.change(id, |endpoint| {
        endpoint.health =
            Health { failing_since: Some(since), last_failure_at: Some(last), ..endpoint.health };
    });
}

fn subjects(world: &World) -> Vec<String> {
    world.state().mails.iter().map(|mail| mail.subject.clone()).collect()
}

fn announced(world: &World) -> Vec<&'static str> {
    world.state().announced.iter().map(|announcement| announcement.name).collect()
}

const LATE: u64 = DISABLE_AFTER.as_secs() + HOUR;
const DISABLED: &str = "Webhook endpoint 1.example.com has been disabled";

/// A whole week, from the first failure to the end, with the real sender, sweeper and daily.
#[test]
fn a_week_of_failures_from_alert_to_enable() {
    let world = World::new();
    let id = world.register("ep_1", &["*"]);
    pass(&world, 60);
    world.answers(|_, _| answer(500));
    let mut nth = 0;
    for hour in 0..8 * 24 {
        if endpoint(&world).state == EndpointState::Enabled {
            world.accept(&event(&format!("e{nth}")));
            nth += 1;
        }
        let next = world.state().now + Duration::from_secs(HOUR);
        while world.state().queued.iter().any(|queued| queued.at < next) {
            let at = world.state().queued.iter().map(|queued| queued.at).min();
            world.pass_until(at.expect("one is waiting"));
            world.send_due();
        }
        world.pass_until(next);
        world.send_due();
        world.tend();
        if hour % 24 == 23 {
            world.daily().expect("not killed").expect("nothing is left undone");
        }
    }
    let disabled = endpoint(&world);
    let EndpointState::Disabled { reason: DisabledReason::Failing, at } = disabled.state else {
        panic!("{:?}", disabled.state);
    };
    assert_eq!(
        subjects(&world),
        [
            "Webhook endpoint 1.example.com is failing",
            "Webhook endpoint 1.example.com will be disabled soon",
            DISABLED,
        ]
    );
    let mail = world.state().mails[2].clone();
    let failed = "Most frequent failure: It answered with status 500. (946 of 946 attempts)";
    assert!(mail.text.contains(failed), "{}", mail.text);
    assert!(mail.html.contains("status 500"), "an example: {}", mail.html);
    let failures = |name: &&&str| **name != "delivery.failed";
    let told = announced(&world);
    assert_eq!(
        told.iter().filter(failures).collect::<Vec<_>>(),
        [&"endpoint.failing", &"endpoint.disabled"]
    );

    // What waits ends; what is new is skipped.
    world.accept(&event("late"));
    world.settle();
    let count = |wanted: fn(Status) -> bool| {
        world.state().deliveries.values().filter(|d| wanted(d.status)).count()
    };
    assert!(count(|s| s == Status::Failed(FailedReason::EndpointDisabled)) > 0);
    assert_eq!(count(|s| s == Status::Skipped), 1);
    assert_eq!(count(|s| s.is_open() && s != Status::Retrying), 0);

    // Enabled again; one failure right after does not disable it.
    let now = world.state().now;
    world.change(&id, |endpoint| *endpoint = endpoint.enabled(now).expect("disabled"));
    world.accept(&event("again"));
    world.send_due();
    pass(&world, HOUR);
    world.tend();
    world.daily().expect("not killed").expect("done");
    assert_eq!(endpoint(&world).state, EndpointState::Enabled);
    assert!(announced(&world).contains(&"endpoint.enabled"));
    assert!(at < now);
}

#[test]
fn a_success_at_the_same_moment_wins() {
    let world = failing_for(LATE);
    let now = world.state().now;
    world.before("endpoints.record_health", move |state| {
        state.endpoints[0].health.last_success_at = Some(now);
    });
    assert_eq!(world.daily().expect("not killed").expect("done").disabled, 0);
    assert_eq!(endpoint(&world).state, EndpointState::Enabled);
    assert_eq!(subjects(&world), [] as [&str; 0]);
}

#[test]
fn an_enabling_at_the_same_moment_wins() {
    let world = failing_for(LATE);
    let now = world.state().now;
    world.before("endpoints.record_health", move |state| {
        let off = state.endpoints[0].disabled(now).expect("enabled");
        state.endpoints[0] = off.enabled(now).expect("disabled");
    });
    assert_eq!(world.daily().expect("not killed").expect("done").disabled, 0);
    assert_eq!(endpoint(&world).state, EndpointState::Enabled);
}

#[test]
fn a_mail_that_fails_is_tried_again_and_undoes_nothing() {
    let world = failing_for(LATE);
    world.fail_next("mails.send");
    let unfinished = world.daily().expect("not killed").expect_err("a mail is left");
    assert_eq!((unfinished.errors, unfinished.unfinished_shards), (1, 0));
    assert!(matches!(endpoint(&world).state, EndpointState::Disabled { .. }));
    assert_eq!(announced(&world), ["endpoint.disabled"], "the bus does not wait for the mail");
    pass(&world, DAY);
    let again = world.daily().expect("not killed").expect("done");
    assert_eq!((again.disabled, again.mailed, again.announced), (0, 1, 0));
    let told = [(Metric::EndpointsDisabled, 1), (Metric::DailyRuns, 1)];
    assert_eq!(world.state().metrics, told, "a run counts once it has left nothing undone");
    assert_eq!(subjects(&world), [DISABLED]);
    // One that can never be sent is given up after a week.
    let world = failing_for(LATE);
    world.fail_next("mails.send");
    world.daily();
    pass(&world, 8 * DAY);
    assert_eq!(world.daily().expect("not killed").expect("done").given_up, 1);
    assert!(endpoint(&world).notices.is_empty());
}

/// Killed at any call: the next runs bring about what the first would have, and a mail is doubled
/// only by a kill between its being taken and that being noted.
#[test]
fn killed_between_any_two_calls_it_comes_to_the_same() {
    for point in 0.. {
        let world = failing_for(LATE);
        world.fuse().blow_at(Some(point));
        world.daily();
        let killed = world.fuse().is_blown();
        let story = world.fuse().log();
        world.fuse().blow_at(None);
        // Its alert was sent long ago; the sweeper finishes what is pending, as daily does.
        let since = world.state().endpoints[0].health.failing_since;
        world.state().endpoints[0].health.alerted_for = since;
        pass(&world, 300);
        world.tend();
        pass(&world, 300);
        world.daily().expect("not killed").expect("done");
        let endpoint = endpoint(&world);
        let state = endpoint.state;
        assert!(matches!(state, EndpointState::Disabled { .. }), "{point}: {story:?}");
        assert!(endpoint.notices.is_empty(), "{point}: {story:?}");
        let between =
            killed && story.contains(&"mails.send") && !story.contains(&"endpoints.free_notices");
        let mails = subjects(&world);
        assert!(mails.iter().all(|subject| subject == DISABLED), "{mails:?}");
        assert!(
            mails.len() == 1 || (mails.len() == 2 && between),
            "{point}: {} mails, {story:?}",
            mails.len()
        );
        let mut told = announced(&world);
        told.dedup();
        assert_eq!(told, ["endpoint.disabled"], "{point}: {story:?}");
        let ids: Vec<String> = world.state().announced.iter().map(|a| a.id.clone()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "always with the same id");
        if !killed {
            assert!(point > 20, "the scenario has calls to be killed at");
            return;
        }
    }
}

/// Two runs of daily at once, in every order of their calls that a seed gives.
#[test]
fn two_at_once_come_to_the_same() {
    for seed in 0..300 {
        let world = failing_for(LATE);
        let words = tests::world::words();
        let stop_at = world.state().now + Duration::from_secs(DAY);
        let mut dice = tests::world::Dice::new(seed);
        let (first, second) = (world.teller(&words), world.teller(&words));
        let (a, b) = tests::world::run_side_by_side(
            world.fuse(),
            daily::run(&first, &world, stop_at),
            daily::run(&second, &world, stop_at),
            || dice.chance(500),
        );
        let (a, b) = (a.expect("not killed").expect("done"), b.expect("not killed").expect("done"));
        assert_eq!(a.disabled + b.disabled, 1, "seed {seed}");
        assert_eq!(subjects(&world), [DISABLED], "seed {seed}");
        assert_eq!(announced(&world), ["endpoint.disabled"], "seed {seed}");
        assert!(endpoint(&world).notices.is_empty());
    }
}

/// Thousands of failing endpoints: in pages, and in several runs if time runs out.
#[test]
fn thousands_of_failing_endpoints() {
    const MANY: usize = 3_000;
    let world = World::new();
    let ids: Vec<EndpointId> =
        (0..MANY).map(|nth| world.register(&format!("ep_{nth}"), &["*"])).collect();
    pass(&world, 60);
    let since = world.state().now;
    pass(&world, LATE);
    let now = world.state().now;
    {
        let mut state = world.state();
        for endpoint in &mut state.endpoints {
            endpoint.health = Health {
                failing_since: Some(since),
                last_failure_at: Some(now),
                ..Health::default()
            };
        }
    }
    // The first run is killed somewhere in the middle.
    world.fuse().blow_at(Some(9_999));
    assert_eq!(world.daily(), None);
    world.fuse().blow_at(None);
    let off = |e: &&Endpoint| matches!(e.state, EndpointState::Disabled { .. });
    let disabled = world.state().endpoints.iter().filter(off).count();
    assert!((1..MANY).contains(&disabled), "{disabled} by then");
    // The next has no time at all, and says so.
    let unfinished = world.daily_until(now).expect("not killed").expect_err("no time");
    assert!(unfinished.unfinished_shards > 0);
    pass(&world, 300);
    let done = world.daily().expect("not killed").expect("done");
    assert_eq!(done.disabled, u64::try_from(MANY - disabled).expect("fits"));
    assert_eq!(world.state().endpoints.iter().filter(off).count(), ids.len());
    assert_eq!(world.state().mails.len(), MANY);
    // What is told and over leaves the index.
    pass(&world, 300);
    assert_eq!(world.tend().expect("not killed").errors, 0);
    assert_eq!(world.tend().expect("not killed").seen, 0);
}

/// One alert and one "recovered" a streak, whoever is killed where.
#[test]
fn one_alert_a_streak_whoever_is_killed() {
    for point in 0.. {
        let world = failing_for(2 * HOUR);
        world.fuse().blow_at(Some(point));
        world.tend();
        let killed = world.fuse().is_blown();
        let story = world.fuse().log();
        world.fuse().blow_at(None);
        for _ in 0..3 {
            pass(&world, 300);
            world.tend();
        }
        let now = world.state().now;
        world.state().endpoints[0].health.last_success_at = Some(now);
        for _ in 0..3 {
            pass(&world, 300);
            world.tend();
        }
        let mut mails = subjects(&world);
        let sent = mails.len();
        mails.dedup();
        let expected = [
            "Webhook endpoint 1.example.com is failing",
            "Webhook endpoint 1.example.com works again",
        ];
        assert_eq!(mails, expected, "{point}: {story:?}");
        assert!(sent == 2 || (killed && sent == 3), "{point}: {story:?}");
        let mut told = announced(&world);
        told.dedup();
        assert_eq!(told, ["endpoint.failing", "endpoint.recovered"], "{point}: {story:?}");
        if !killed {
            return;
        }
    }
}
