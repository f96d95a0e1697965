//! What every implementation of the store must do, whatever it is made of: one suite, run on the
//! memory version and on the AWS adapter. What the memory version is believed to do in the
//! histories, the real one has been seen doing here.

pub mod audits;
pub mod erasure;
pub mod health;
pub mod jobs;
pub mod management;
pub mod queues;
pub mod retries;

use std::time::Duration;

use domain::Timestamp;
use domain::api_key::ApiKeyRecord;
use domain::attempt::{Posted, Purpose, Settlement, end, settle};
use domain::delivery::{Answer, Change, Delivery, FailedReason, Notice, Outcome, Stage, Status};
use domain::endpoint::Endpoint;
use domain::envelope::parse_body;
use domain::event::Event;
use domain::ids::EndpointId;
use domain::ports::{Audits, Deliveries, DueEntry, EndpointHealth, Events, Pace, Stored};
use domain::schedule::Roll;

use crate::world::{RETENTION, START, World, documented_schedule};

/// Everything that the store must do. `record` is a key on record that nobody has used yet.
pub async fn store(
    store: &(impl api::Store + EndpointHealth + Pace + Audits),
    record: &ApiKeyRecord,
) {
    events(store).await;
    commits(store).await;
    claims(store).await;
    due(store).await;
    retries::retries(store).await;
    erasure::erasure(store).await;
    jobs::jobs(store).await;
    entering_due(store).await;
    audits::audits(store).await;
    management::registry(store).await;
    health::health(store).await;
    health::pace(store).await;
    health::spread(store).await;
    management::log(store).await;
    management::keys(store, record).await;
    management::memory(store).await;
    management::links(store).await;
}

/// A moment after the start of every world.
fn at(seconds: u64) -> Timestamp {
    Timestamp::parse(START).expect("valid") + Duration::from_secs(seconds)
}

fn endpoint(id: &str) -> Endpoint {
    let world = World::new();
    let id: EndpointId = world.register(id, &["*"]);
    let state = world.state();
    state.endpoints.iter().find(|e| e.id == id).expect("just registered").clone()
}

fn event(source_id: &str, data: &str, endpoints: &[Endpoint]) -> Event {
    let body = format!(
        r#"{{"id":"{source_id}","account_id":"acct_42","event":"email.sent","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00+00:00","data":{data}}}"#
    );
    let envelope = parse_body(&body).remove(0).verdict.expect("good");
    let trace = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned());
    Event::accept(envelope, endpoints, trace, RETENTION, at(0)).expect("wanted")
}

/// A new delivery on record.
async fn on_record(store: &impl Deliveries, source_id: &str) -> Delivery {
    let endpoints = [endpoint("ep_conformance")];
    let delivery = event(source_id, "{}", &endpoints).deliveries(&endpoints).remove(0);
    assert_eq!(store.create(&delivery).await, Ok(Status::Pending));
    delivery
}

async fn read(store: &impl Deliveries, delivery: &Delivery) -> Delivery {
    store.delivery(&delivery.id).await.expect("read").expect("on record")
}

/// What an attempt with this outcome changes.
fn attempted(delivery: &Delivery, outcome: Outcome, at: Timestamp) -> Change {
    let answer = Answer {
        outcome,
        http_status: Some(503),
        response_body: Some("Übung \u{fffd} <b>".into()),
        error: Some("it said no".into()),
        duration_ms: 1_234,
        first_byte_ms: Some(1_200),
        retry_after_s: None,
    };
    let number = delivery.attempt_count + 1;
    let url = "https://elsewhere.example.com/".into();
    let purpose = Purpose::Tier(delivery.scheduled_attempts);
    let posted = Posted { purpose, number, url, at, answer };
    match settle(delivery, &posted, &documented_schedule(), Roll::from_random(500), at) {
        Settlement::Commit(change) => *change,
        Settlement::OnRecord | Settlement::Drop => panic!("a first attempt is committed"),
    }
}

/// Events: one id, one event, whole and unchanged.
pub async fn events(store: &impl Events) {
    let endpoints = [endpoint("ep_one"), endpoint("ep_two")];
    let long = format!("{{\"text\":\"{}\",\"n\":[1.0,1e3,-0]}}", "wörd ".repeat(2_000));
    for (source_id, data) in [("plain", "{ \"a\" : 1.0 }"), ("long", long.as_str())] {
        let mut first = event(source_id, data, &endpoints);
        first.fan_out[1].skipped = true;
        assert_eq!(store.event(&first.id).await, Ok(None));
        assert_eq!(store.store(&first).await, Ok(Stored::New));
        assert_eq!(store.event(&first.id).await, Ok(Some(first.clone())));
        let other = event(source_id, "{\"other\":1}", &endpoints[..1]);
        let existing = Ok(Stored::Existing(Box::new(first.clone())));
        assert_eq!(store.store(&other).await, existing);
        assert_eq!(store.event(&first.id).await, Ok(Some(first)), "nothing changed");
    }
    let raced = event("raced", "{}", &endpoints);
    let racers = futures::future::join_all((0..8).map(|_| store.store(&raced))).await;
    let new = racers.iter().filter(|stored| **stored == Ok(Stored::New)).count();
    assert_eq!(new, 1, "exactly one is told that it is new");
}

/// Creating and committing.
pub async fn commits(store: &impl Deliveries) {
    let first = on_record(store, "commits").await;
    assert_eq!(read(store, &first).await, first);
    let failure = attempted(&first, Outcome::HttpStatus, at(1));
    assert_eq!(store.commit(&first.id, &first.stage(), &failure).await, Ok(true));
    let second = read(store, &first).await;
    assert_eq!(second.attempts, [failure.attempt.clone().expect("one was made")]);
    assert_eq!((second.status, second.scheduled_attempts), (Status::Retrying, 1));
    assert_eq!((second.next_attempt_at, second.due_at), (failure.next_attempt_at, failure.due_at));
    assert_eq!((second.attempt_count, &second.url), (1, &failure.url));
    assert_eq!(store.create(&first).await, Ok(Status::Retrying), "the record stands");
    assert_eq!(store.commit(&first.id, &first.stage(), &failure).await, Ok(false));
    assert_eq!(read(store, &first).await, second, "a lost condition changes nothing");

    let ended = end(&second, FailedReason::Cancelled, at(2));
    assert_eq!(store.commit(&first.id, &second.stage(), &ended).await, Ok(true));
    let third = read(store, &first).await;
    assert_eq!(third.status, Status::Failed(FailedReason::Cancelled));
    assert_eq!((third.next_attempt_at, third.notice), (None, Some(Notice::DeliveryFailed)));
    assert_eq!((third.attempts, third.url), (second.attempts, second.url), "kept");

    let raced = on_record(store, "raced").await;
    let change = attempted(&raced, Outcome::Succeeded, at(1));
    let stage = raced.stage();
    let commit = || store.commit(&raced.id, &stage, &change);
    let racers = futures::future::join_all((0..8).map(|_| commit())).await;
    assert_eq!(racers.iter().filter(|won| **won == Ok(true)).count(), 1);
    let done = read(store, &raced).await;
    assert_eq!((done.attempt_count, done.due_at), (1, None));
    let unknown = event("never stored", "{}", &[endpoint("ep_1")]).fan_out.remove(0).delivery_id;
    assert_eq!(store.delivery(&unknown).await, Ok(None));
    assert_eq!(store.commit(&unknown, &raced.stage(), &change).await, Ok(false), "none is made");
    assert_eq!(store.delivery(&unknown).await, Ok(None));
}

/// Claims: one at a time, for the open tier, until they run out or the commit clears them.
pub async fn claims(store: &impl Deliveries) {
    let delivery = on_record(store, "claims").await;
    let id = &delivery.id;
    let racers = (0..8).map(|_| store.claim(id, 0, at(40), at(5)));
    let won = futures::future::join_all(racers).await;
    assert_eq!(won.iter().filter(|won| **won == Ok(true)).count(), 1);
    assert_eq!(read(store, &delivery).await.busy_until, Some(at(40)));
    assert_eq!(store.claim(id, 0, at(79), at(39)).await, Ok(false), "it is live");
    assert_eq!(store.claim(id, 1, at(79), at(41)).await, Ok(false), "another tier");
    assert_eq!(store.claim(id, 0, at(80), at(40)).await, Ok(true), "it has run out");
    let failure = attempted(&delivery, Outcome::Timeout, at(50));
    assert_eq!(store.commit(id, &delivery.stage(), &failure).await, Ok(true));
    let second = read(store, &delivery).await;
    assert_eq!(second.busy_until, None, "the commit clears it");
    assert_eq!(store.claim(id, 0, at(99), at(60)).await, Ok(false), "that tier is over");
    assert_eq!(store.claim(id, 1, at(99), at(60)).await, Ok(true));
    let ended = end(&second, FailedReason::Cancelled, at(70));
    assert_eq!(store.commit(id, &second.stage(), &ended).await, Ok(true));
    assert_eq!(store.claim(id, 1, at(200), at(150)).await, Ok(false), "it is over");
}

/// The `due` index: who is in it, in which order, and how entries move and leave.
pub async fn due(store: &impl Deliveries) {
    let mut waiting = Vec::new();
    for nth in 0..40 {
        let delivery = on_record(store, &format!("due-{nth}")).await;
        let change = Change {
            due_at: Some(at(1_000 + nth % 7)),
            ..attempted(&delivery, Outcome::Dns, at(1))
        };
        assert_eq!(store.commit(&delivery.id, &delivery.stage(), &change).await, Ok(true));
        waiting.push(DueEntry { id: delivery.id, due_at: at(1_000 + nth % 7) });
    }
    on_record(store, "not due").await;
    let shard = waiting[0].id.due_shard();
    let mut expected: Vec<&DueEntry> = waiting
        .iter()
        .filter(|entry| entry.id.due_shard() == shard && entry.due_at <= at(1_004))
        .collect();
    expected.sort_by_key(|entry| entry.due_at);
    let mut found: Vec<DueEntry> = Vec::new();
    let mut after = None;
    for _ in 0..40 {
        let page = store.due(shard, at(1_004), after.as_ref(), 2).await.expect("read");
        assert!(page.entries.len() <= 2);
        found.extend(page.entries);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(found.is_sorted_by_key(|entry| entry.due_at));
    let ids = |mut entries: Vec<DueEntry>| {
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        entries
    };
    assert_eq!(ids(found), ids(expected.into_iter().cloned().collect()), "each once");
    moves_and_leaves(store, &waiting[0]).await;
}

async fn moves_and_leaves(store: &impl Deliveries, entry: &DueEntry) {
    let stale = DueEntry { due_at: at(5), ..entry.clone() };
    assert_eq!(store.back_off(&stale, at(3_000), 300).await, Ok(false));
    let racers = (0..8).map(|_| store.back_off(entry, at(3_000), 300));
    let won = futures::future::join_all(racers).await;
    assert_eq!(won.iter().filter(|won| **won == Ok(true)).count(), 1);
    let moved = store.delivery(&entry.id).await.expect("read").expect("on record");
    assert_eq!((moved.due_at, moved.back_off_s), (Some(at(3_000)), Some(300)));

    let other = Stage { scheduled_attempts: 9, ..moved.stage() };
    assert_eq!(store.put_off(&entry.id, &other, at(3_500)).await, Ok(false), "it has moved on");
    assert_eq!(store.put_off(&entry.id, &moved.stage(), at(3_500)).await, Ok(true));
    let later = store.delivery(&entry.id).await.expect("read").expect("on record");
    assert_eq!(later, Delivery { due_at: Some(at(3_500)), ..moved.clone() }, "nothing else");

    assert_eq!(store.take_out(&entry.id, None).await, Ok(false), "it still waits");
    let ended = end(&moved, FailedReason::Exhausted, at(4_000));
    assert_eq!(store.commit(&entry.id, &moved.stage(), &ended).await, Ok(true));
    assert_eq!(store.take_out(&entry.id, None).await, Ok(false), "its notice is pending");
    assert_eq!(store.take_out(&entry.id, Some(Notice::DeliveryFailed)).await, Ok(true));
    let out = store.delivery(&entry.id).await.expect("read").expect("on record");
    assert_eq!((out.due_at, out.notice), (None, None));
    assert_eq!(out.status, Status::Failed(FailedReason::Exhausted));
    assert_eq!(store.enter_due(&entry.id, at(5_000)).await, Ok(false), "it is final");
}

/// Entering `due`: only what is open, and stands in no place there.
pub async fn entering_due(store: &impl Deliveries) {
    let delivery = on_record(store, "enters").await;
    let id = &delivery.id;
    let racers = (0..8).map(|_| store.enter_due(id, at(7)));
    let won = futures::future::join_all(racers).await;
    assert_eq!(won.iter().filter(|won| **won == Ok(true)).count(), 1);
    assert_eq!(read(store, &delivery).await, Delivery { due_at: Some(at(7)), ..delivery.clone() });
    let page = store.due(id.due_shard(), at(7), None, 100).await.expect("read");
    assert!(page.entries.contains(&DueEntry { id: id.clone(), due_at: at(7) }));
    let entry = DueEntry { id: id.clone(), due_at: at(7) };
    assert_eq!(store.back_off(&entry, at(307), 300).await, Ok(true));
    assert_eq!(store.enter_due(id, at(9)).await, Ok(false), "it keeps its place");
    let moved = read(store, &delivery).await;
    assert_eq!((moved.due_at, moved.back_off_s), (Some(at(307)), Some(300)));
    let unknown = event("unheard of", "{}", &[endpoint("ep_1")]).fan_out.remove(0).delivery_id;
    assert_eq!(store.enter_due(&unknown, at(9)).await, Ok(false), "none is made");
    assert_eq!(store.delivery(&unknown).await, Ok(None));
}
