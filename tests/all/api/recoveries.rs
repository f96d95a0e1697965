//! Recover and cancel: many deliveries at a time, each once, at a rate, through crashes.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Timestamp;
use domain::delivery::{FailedReason, Status, Trigger};
use domain::endpoint::{DisabledReason, EndpointState};
use domain::ids::JobId;
use domain::job::JobState;
use serde_json::{Value, json};
use tests::world::{World, answer};

use super::{accept_at, client, pass};

/// A world with one endpoint and so many deliveries: by turns retrying, failed, skipped, cancelled,
/// succeeded and pending.
fn world_of(count: u64) -> World {
    let world = World::new();
    world.register("ep_one", &["*"]);
    let start = world.state().now;
    for nth in 0..count {
        let at = start + Duration::from_millis(10 * nth);
        let delivery = accept_at(&world, "acct_42", &format!("evt_{nth}"), at).remove(0);
        let mut state = world.state();
        let there = state.deliveries.get_mut(&delivery.id).expect("on record");
        there.status = match nth % 6 {
            0 => Status::Retrying,
            1 => Status::Failed(FailedReason::Exhausted),
            2 => Status::Skipped,
            3 => Status::Failed(FailedReason::Cancelled),
            4 => Status::Succeeded,
            _ => Status::Pending,
        };
        if there.status == Status::Retrying {
            there.scheduled_attempts = 1;
            there.next_attempt_at = Some(at + Duration::from_secs(28_800));
            there.gives_up_at = Some(at + Duration::from_secs(86_400));
            there.due_at = there.next_attempt_at;
        }
    }
    pass(&world, 10 * count / 1_000 + 1);
    world
}

fn window() -> Value {
    json!({"from": "2026-06-07T00:00:00Z", "to": "2026-06-08T00:00:00Z"})
}

fn with(fields: Value) -> Value {
    let mut body = window();
    body.as_object_mut().expect("one").extend(fields.as_object().expect("one").clone());
    body
}

/// Lets the world go on until the job is over; answers how often it was not.
#[track_caller]
fn until_over(world: &World, id: &str) -> Value {
    let operator = client(world, "operator");
    for _ in 0..2_000 {
        let job = operator.get(&format!("/v1/recoveries/{id}")).body;
        if job["status"] != "running" {
            return job;
        }
        pass(world, 1);
        let now = world.state().now;
        world.pass_until(now);
        // Twice: what a step sends for now is received at once.
        world.send_due();
        world.send_due();
    }
    panic!("it is never over");
}

fn posts_by_event(world: &World) -> BTreeMap<String, usize> {
    let mut posts = BTreeMap::new();
    for post in &world.state().posts {
        *posts.entry(post.header("webhook-id").to_owned()).or_default() += 1;
    }
    posts
}

#[test]
fn each_is_sent_again_once_and_counted() {
    let world = world_of(600);
    world.answers(|_, nth| answer(if nth % 3 == 0 { 500 } else { 200 }));
    let operator = client(&world, "operator");
    let recover = |body: &Value| operator.post("/v1/endpoints/ep_one/recover", body);
    let dry = recover(&with(json!({"dry_run": true})));
    assert_eq!((dry.status, &dry.body), (200, &json!({"total": 300})));
    let dry = recover(&with(json!({"dry_run": true, "status": ["failed", "skipped"]})));
    assert_eq!(dry.body, json!({"total": 200}));
    assert!(world.state().queued.is_empty(), "a dry run does nothing");

    let job = recover(&window());
    assert_eq!((job.status, &job.body["total"]), (202, &json!(300)), "{:?}", job.body);
    assert_eq!(recover(&window()).error(), (409, "recovery_in_progress"));
    let over = until_over(&world, job.body["id"].as_str().expect("an id"));
    assert_eq!(over["status"], "finished");
    let counts = ["total", "done", "succeeded", "failed"].map(|name| over[name].as_u64());
    assert_eq!(counts, [Some(300), Some(300), Some(200), Some(100)]);
    let posts = posts_by_event(&world);
    assert_eq!((posts.len(), posts.values().max()), (300, Some(&1)));
    let state = world.state();
    for delivery in state.deliveries.values() {
        assert!(delivery.open_retry.is_none());
        assert!(delivery.attempts.iter().all(|attempt| attempt.trigger == Trigger::Recover));
    }
    let told = state.announced.iter().filter(|a| a.name == "recovery.finished").count();
    assert_eq!(told, 1);
}

#[test]
fn the_rate_is_kept() {
    let world = world_of(1_200);
    world.state().requests_take_time = false;
    let operator = client(&world, "operator");
    let job = operator.post("/v1/endpoints/ep_one/recover", &with(json!({"max_per_second": 7})));
    until_over(&world, job.body["id"].as_str().expect("an id"));
    let mut seconds: BTreeMap<i64, u32> = BTreeMap::new();
    for post in &world.state().posts {
        *seconds.entry(post.at.as_millis() / 1_000).or_default() += 1;
    }
    assert_eq!(seconds.values().sum::<u32>(), 600);
    assert!(seconds.values().all(|count| *count <= 7), "{seconds:?}");
}

/// 5,000 deliveries; the sender dies half-way at any of its calls, and somebody doubles messages.
#[test]
fn five_thousand_killed_half_way() {
    let world = world_of(9_998); // 5,000 of them can be recovered
    let operator = client(&world, "operator");
    let body = with(json!({"max_per_second": 100}));
    let job = operator.post("/v1/endpoints/ep_one/recover", &body);
    let id = job.body["id"].as_str().expect("an id").to_owned();
    let mut killed = 0;
    for round in 0..2_000 {
        let in_work = world.state().posts.len();
        if (1_000..4_000).contains(&in_work) && round % 3 == 0 {
            world.fuse().blow_at(Some(17 * round % 400));
        }
        // To the next message: one that was in work at a kill comes again after six minutes.
        let next = world.state().queued.iter().map(|queued| queued.at).min();
        let now = world.state().now + Duration::from_secs(1);
        world.pass_until(next.unwrap_or(now).max(now));
        world.send_due();
        killed += u32::from(world.fuse().is_blown());
        world.fuse().blow_at(None);
        if round % 100 == 0 {
            world.sweep();
        }
        let id = JobId::parse(&id).expect("valid");
        if world.state().jobs[&id].state != JobState::Running {
            break;
        }
    }
    assert!(killed > 3, "killed {killed} times");
    let over = operator.get(&format!("/v1/recoveries/{id}")).body;
    assert_eq!(over["status"], "finished", "{over}");
    assert_eq!((over["total"].as_u64(), over["succeeded"].as_u64()), (Some(5_000), Some(5_000)));
    let posts = posts_by_event(&world);
    assert_eq!(posts.len(), 5_000, "each at least once");
    let again = posts.values().filter(|count| **count > 1).count();
    // What a batch had POSTed and not committed when it was killed.
    assert!(again <= 50 * usize::try_from(killed).expect("few"), "{again} twice, {killed} kills");
    let state = world.state();
    let open = state.deliveries.values().filter(|d| d.status.is_problem()).count();
    let cancelled = Status::Failed(FailedReason::Cancelled);
    assert_eq!(open, state.deliveries.values().filter(|d| d.status == cancelled).count());
}

#[test]
fn after_a_cancellation_at_most_one_batch_starts() {
    let world = world_of(3_000);
    let operator = client(&world, "operator");
    let body = with(json!({"max_per_second": 100}));
    let job = operator.post("/v1/endpoints/ep_one/recover", &body);
    let id = job.body["id"].as_str().expect("an id");
    while world.state().posts.len() < 300 {
        pass(&world, 1);
        world.send_due();
    }
    let before = world.state().posts.len();
    let stopped = operator.post(&format!("/v1/recoveries/{id}/cancel"), &json!({}));
    assert_eq!((stopped.status, &stopped.body["status"]), (200, &json!("cancelled")));
    for _ in 0..200 {
        pass(&world, 60);
        world.send_due();
        world.sweep();
    }
    assert_eq!(world.state().posts.len(), before, "no batch was under way");
    assert!(world.state().deliveries.values().all(|d| d.open_retry.is_none()), "all closed");
    let told = world.state().announced.iter().filter(|a| a.name == "recovery.finished").count();
    assert_eq!(told, 1);
    assert_eq!(operator.post("/v1/endpoints/ep_one/recover", &window()).status, 202, "another");
}

#[test]
fn how_far_a_large_one_is_can_be_seen_all_along() {
    let world = world_of(6_000);
    let operator = client(&world, "operator");
    let job = operator.post("/v1/endpoints/ep_one/recover", &with(json!({"max_per_second": 100})));
    let path = format!("/v1/recoveries/{}", job.body["id"].as_str().expect("an id"));
    let mut seen = Vec::new();
    while world.state().posts.len() < 1_500 {
        pass(&world, 1);
        world.send_due();
        let now = operator.get(&path).body;
        let posts = u64::try_from(world.state().posts.len()).expect("few");
        let done = now["succeeded"].as_u64().expect("a number");
        assert!(done <= posts && posts <= done + 200, "{posts} sent: {now}");
        seen.push(done);
    }
    assert!(seen.is_sorted() && seen.last() > Some(&1_000), "{seen:?}");
}

#[test]
fn a_recovery_with_nothing_left_to_stop_is_finished_however_it_ends() {
    let world = world_of(60);
    let operator = client(&world, "operator");
    let job = operator.post("/v1/endpoints/ep_one/recover", &window());
    let path = format!("/v1/recoveries/{}", job.body["id"].as_str().expect("an id"));
    let total = job.body["total"].clone();
    let mut shown = job.body;
    while shown["done"] != total {
        assert_eq!(shown["status"], "running", "its end is noticed only by counting");
        pass(&world, 1);
        world.send_due();
        shown = operator.get(&path).body;
    }
    let stopped = operator.post(&format!("{path}/cancel"), &json!({})).body;
    assert_eq!((&stopped["status"], &stopped["done"]), (&json!("finished"), &total), "{stopped}");
    assert_eq!(operator.get(&path).body, stopped);
}

/// A step that died in the middle of a page, which was then repeated, may have taken on more than
/// it noted. Whoever asks, or stops it, is not told of more done than there is.
#[test]
fn no_more_is_done_than_there_is_whoever_asks() {
    let world = world_of(60);
    world.answers(|_, _| answer(500));
    let operator = client(&world, "operator");
    let job = operator.post("/v1/endpoints/ep_one/recover", &window());
    let path = format!("/v1/recoveries/{}", job.body["id"].as_str().expect("an id"));
    while world.state().posts.len() < 30 {
        pass(&world, 1);
        world.send_due();
    }
    world.state().jobs.values_mut().for_each(|job| job.total = 28);
    let shown = operator.get(&path).body;
    assert_eq!((&shown["total"], &shown["failed"]), (&json!(30), &json!(30)), "{shown}");
    let stopped = operator.post(&format!("{path}/cancel"), &json!({})).body;
    assert_eq!((&stopped["status"], &stopped["total"]), (&json!("finished"), &json!(30)));
    let kept = world.state().jobs.values().map(|job| (job.total, job.done())).collect::<Vec<_>>();
    assert_eq!(kept, [(30, 30)]);
}

#[test]
fn a_dry_run_ends_while_somebody_waits_for_it() {
    let world = world_of(600);
    let operator = client(&world, "operator");
    let dry = with(json!({"dry_run": true}));
    let whole = operator.post("/v1/endpoints/ep_one/recover", &dry).body;
    assert_eq!(whole, json!({"total": 300}));
    // Tables so slow that the first page takes half a minute.
    world.before("deliveries.log", |state| state.now = state.now + Duration::from_secs(30));
    let part = operator.post("/v1/endpoints/ep_one/recover", &dry).body;
    assert_eq!(part["at_least"], true, "{part}");
    assert!(part["total"].as_u64() < Some(300) && part["total"].as_u64() > Some(0), "{part}");
}

#[test]
fn what_waits_is_cancelled() {
    let world = world_of(600);
    let operator = client(&world, "operator");
    let cancel = |body: &Value| operator.post("/v1/endpoints/ep_one/cancel", body);
    let dry = cancel(&with(json!({"dry_run": true})));
    assert_eq!(dry.body, json!({"total": 200}), "pending and retrying");
    let other = cancel(&with(json!({"dry_run": true, "event": "sms.sent"})));
    assert_eq!(other.body, json!({"total": 0}));
    // The brake works on a disabled endpoint, too.
    let at = world.state().now;
    world.change(&"ep_one".parse().expect("valid"), |e| {
        e.state = EndpointState::Disabled { reason: DisabledReason::Manual, at };
    });
    assert_eq!(operator.post("/v1/endpoints/ep_one/recover", &window()).error().0, 409);
    let job = cancel(&window());
    assert_eq!(job.status, 202);
    let over = until_over(&world, job.body["id"].as_str().expect("an id"));
    assert_eq!(over["kind"], "cancel");
    let counts = ["total", "done", "succeeded", "failed"].map(|name| over[name].as_u64());
    assert_eq!(counts, [Some(200), Some(200), Some(200), Some(0)]);
    let state = world.state();
    assert!(state.deliveries.values().all(|d| !d.status.is_open() && d.due_at.is_none()));
    let told = state.announced.iter().filter(|a| a.name == "delivery.failed").count();
    assert_eq!(told, 200, "each is announced");
    assert!(state.posts.is_empty());
}

/// Dead at any call of any step, then woken by the sweeper: the same end.
#[test]
fn a_job_survives_a_death_at_any_call() {
    for task in ["recover", "cancel"] {
        for point in 0..3_000 {
            let world = world_of(12);
            let operator = client(&world, "operator");
            let job = operator.post(&format!("/v1/endpoints/ep_one/{task}"), &window());
            let id = job.body["id"].as_str().expect("an id");
            world.fuse().blow_at(Some(point));
            for _ in 0..10 {
                pass(&world, 1);
                world.send_due();
            }
            let survived = !world.fuse().is_blown();
            world.fuse().blow_at(None);
            for _ in 0..30 {
                pass(&world, 400);
                world.send_due();
                world.sweep();
            }
            let over = operator.get(&format!("/v1/recoveries/{id}")).body;
            let counts = ["status", "total", "done"].map(|name| over[name].clone());
            let expected = if task == "recover" { 6 } else { 4 };
            let end = [json!("finished"), json!(expected), json!(expected)];
            assert_eq!(counts, end, "{task}, killed at {point}");
            let state = world.state();
            let left = |d: &&domain::delivery::Delivery| d.open_retry.is_some();
            assert_eq!(state.deliveries.values().find(left), None, "killed at {point}");
            let told = state.announced.iter().filter(|a| a.name == "recovery.finished");
            assert!((1..=2).contains(&told.count()), "at least once, killed at {point}");
            drop(state);
            let posts = posts_by_event(&world);
            assert!(posts.values().all(|count| *count <= 2), "killed at {point}: {posts:?}");
            if survived {
                assert!(point > 30, "the loop has seen every call");
                break;
            }
        }
    }
}

#[test]
fn bad_wishes_are_refused_by_name() {
    let world = world_of(6);
    let operator = client(&world, "operator");
    for (fields, error, field) in [
        (json!({"from": null}), "invalid_field", "from"),
        (json!({"from": "yesterday"}), "invalid_field", "from"),
        (json!({"to": "2026-06-07T00:00:00Z"}), "invalid_field", "to"),
        (json!({"status": "pending"}), "invalid_field", "status"),
        (json!({"status": []}), "invalid_field", "status"),
        (json!({"status": ["failed", 7]}), "invalid_field", "status"),
        (json!({"max_per_second": 0}), "invalid_field", "max_per_second"),
        (json!({"max_per_second": 101}), "invalid_field", "max_per_second"),
        (json!({"dry_run": "yes"}), "invalid_field", "dry_run"),
        (json!({"event": "email.sent"}), "unknown_field", "event"),
    ] {
        let reply = operator.post("/v1/endpoints/ep_one/recover", &with(fields.clone()));
        assert_eq!(reply.error(), (400, error), "{fields}");
        assert_eq!(reply.body["field"], field, "{fields}");
    }
    let reply =
        operator.post("/v1/endpoints/ep_one/cancel", &json!({"from": "2026-06-07T00:00:00Z"}));
    assert_eq!((reply.error(), &reply.body["field"]), ((400, "missing_field"), &json!("to")));
    assert_eq!(operator.get("/v1/recoveries/rec_nothing").error(), (404, "not_found"));
    let _: Timestamp = world.state().now;
    assert!(world.state().jobs.is_empty());
}
