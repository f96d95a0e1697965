//! Erasing a payload: what goes, what ends, what stays; with attempts under way, killed anywhere.

use domain::delivery::{FailedReason, Status};
use domain::erasure::{Erasing, next};
use domain::ids::EventId;
use domain::wakeup::Lane;
use serde_json::{Value, json};
use tests::world::{State, World, answer};

use super::{Client, client};

const HUSH: &str = "hush-hush";
const CANCELLED: Status = Status::Failed(FailedReason::Cancelled);

fn body(source_id: &str) -> String {
    crate::journeys::event(source_id, "acct_42", &format!(r#"{{"text":"{HUSH}"}}"#))
}

/// Three endpoints: one that has answered well, one that has failed, one that nobody has called.
fn world() -> (World, Client, EventId) {
    let world = World::new();
    for id in ["ep_good", "ep_bad", "ep_waiting"] {
        world.register(id, &["*"]);
    }
    world.answers(|post, _| {
        let status = if post.request.url.contains("good") { 200 } else { 500 };
        let text = Some(format!("you said {HUSH}"));
        domain::delivery::Answer { response_body: text, ..answer(status) }
    });
    world.accept(&body("a"));
    world.send_some(Lane::Send, 0, |queued| !queued.body.contains("dlv_waiting"));
    let client = client(&world, "account:acct_42");
    let id = world.state().events.keys().next().expect("one").clone();
    (world, client, id)
}

fn erase(client: &Client, id: &EventId) -> super::Reply {
    client.call("DELETE", &format!("/v1/events/{id}/payload"), None, &[])
}

fn statuses(world: &World) -> Vec<Status> {
    world.state().deliveries.values().map(|delivery| delivery.status).collect()
}

#[track_caller]
fn nothing_is_left(world: &World, words: &str) {
    let state = world.state();
    let records = format!("{:?}{:?}", state.events, state.deliveries);
    assert!(!records.contains(HUSH), "{words}: {records}");
    assert!(state.deliveries.values().all(|d| !d.status.is_open()), "{words}: {records}");
}

#[test]
fn what_goes_and_what_stays() {
    let (world, client, id) = world();
    assert_eq!(statuses(&world), [Status::Retrying, Status::Succeeded, Status::Pending]);
    let path = format!("/v1/events/{id}");
    let before = client.get(&path).body;
    let hash = world.state().events[&id].content_hash.clone();
    assert!(before.to_string().contains(HUSH));
    for _ in 0..2 {
        let reply = erase(&client, &id);
        assert_eq!((reply.status, &reply.body), (204, &Value::Null));
        nothing_is_left(&world, "erased");
    }
    assert_eq!(statuses(&world), [CANCELLED, Status::Succeeded, CANCELLED]);
    let after = client.get(&path).body;
    assert_eq!(after.get("payload"), None);
    assert!(after["payload_erased_at"].is_string());
    for field in ["id", "source_id", "event", "platform_id", "timestamp", "accepted_at"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(world.state().events[&id].content_hash, hash);
    for delivery in after["deliveries"].as_array().expect("a list") {
        let shown = client.get(&format!("/v1/deliveries/{}", delivery["id"].as_str().expect("id")));
        assert_eq!(shown.status, 200);
        for field in ["payload", "headers", "curl"] {
            assert_eq!(shown.body.get(field), None, "{field}");
        }
    }
    let attempt = &after["deliveries"][0]["attempts"][0];
    assert_eq!((&attempt["outcome"], &attempt["http_status"]), (&json!("succeeded"), &json!(200)));
}

#[test]
fn nothing_more_is_sent_and_the_end_is_announced() {
    let (world, client, id) = world();
    let posts = world.state().posts.len();
    assert_eq!(erase(&client, &id).status, 204);
    world.settle();
    world.sweep();
    let state = world.state();
    assert_eq!(state.posts.len(), posts);
    assert!(state.queued.is_empty() && state.schedules.is_empty());
    let reasons: Vec<&Value> = state.announced.iter().map(|a| &a.detail["reason"]).collect();
    assert_eq!(reasons, ["cancelled", "cancelled"]);
    assert!(state.deliveries.values().all(|d| d.due_at.is_none() && d.notice.is_none()));
}

/// All that the API does, in one moment.
fn erase_at_once(state: &mut State) {
    let now = state.now;
    for delivery in state.deliveries.values_mut() {
        loop {
            match next(delivery, now) {
                Erasing::End(change) => delivery.apply(&change),
                Erasing::Answers => delivery.erase(now),
                Erasing::Done => break,
            }
        }
    }
    state.events.values_mut().for_each(|event| event.erase(now));
}

#[test]
fn attempts_that_are_under_way_bring_nothing_back() {
    for status in [200, 500] {
        for call in [
            "deliveries.delivery",
            "endpoints.endpoint",
            "events.event",
            "secrets.secrets",
            "deliveries.commit",
        ] {
            let world = World::new();
            world.register("ep_1", &["*"]);
            world.answers(move |_, _| answer(status));
            world.accept(&body("a"));
            world.before(call, erase_at_once);
            world.send_due();
            let words = format!("{status}, erased before {call}");
            assert!(world.fuse().log().contains(&call), "{words}");
            nothing_is_left(&world, &words);
            let delivery = world.only_delivery();
            assert!(delivery.attempts.iter().all(|a| a.answer.response_body.is_none()), "{words}");
            let posted = ["deliveries.commit", "secrets.secrets"].contains(&call);
            let expected = if posted && status == 200 { Status::Succeeded } else { CANCELLED };
            assert_eq!(delivery.status, expected, "{words}");
            world.settle();
            assert!(world.state().posts.len() <= 1, "{words}");
        }
    }
}

#[test]
fn killed_anywhere_it_is_mended_by_repeating() {
    for point in 0.. {
        let (world, client, id) = world();
        let request = api::http::Request {
            method: "DELETE".into(),
            path: format!("/v1/events/{id}/payload"),
            headers: [("authorization".into(), format!("Bearer {}", client.key))].into(),
            ..api::http::Request::default()
        };
        world.fuse().blow_at(Some(point));
        let reply = tests::world::run(world.fuse(), world.api().handle(&request));
        let story = world.fuse().log();
        world.fuse().blow_at(None);
        if let Some(reply) = reply {
            assert_eq!(reply.status, 204);
            assert!(point > 20, "the scenario has calls to be killed at");
            return;
        }
        // What was cancelled is announced, whatever becomes of the rest.
        world.settle();
        assert_eq!(erase(&client, &id).status, 204, "killed at {point}: {story:?}");
        nothing_is_left(&world, &format!("killed at {point}: {story:?}"));
    }
}

#[test]
fn an_event_that_is_still_being_accepted_is_not_erased_by_half() {
    let world = World::new();
    world.register("ep_1", &["*"]);
    world.fuse().blow_at(Some(4)); // stored, but no delivery yet
    assert_eq!(world.ingest_batch(&[&body("a")], 1), None);
    world.fuse().blow_at(None);
    let id = world.state().events.keys().next().expect("stored").clone();
    let client = client(&world, "account:acct_42");
    let refused = erase(&client, &id);
    assert_eq!(refused.error(), (409, "conflict"));
    let message = refused.body["message"].as_str().expect("a sentence");
    assert!(message.starts_with("a delivery of this event is not on record"), "{message}");
    assert_eq!(world.ingest_batch(&[&body("a")], 2), Some(Vec::new()));
    assert_eq!(erase(&client, &id).status, 204);
    world.settle();
    assert!(world.state().posts.is_empty());
    nothing_is_left(&world, "erased");
}

#[test]
fn a_delivery_without_a_payload_is_ended_by_the_sender() {
    let world = World::new();
    world.register("ep_1", &["*"]);
    world.accept(&body("a"));
    let now = world.state().now;
    world.state().events.values_mut().for_each(|event| event.erase(now));
    world.settle();
    assert_eq!(world.only_delivery().status, CANCELLED);
    assert!(world.state().posts.is_empty() && world.state().queued.is_empty());
}

#[test]
fn sent_again_it_stays_erased() {
    let (world, client, id) = world();
    assert_eq!(erase(&client, &id).status, 204);
    let posts = world.state().posts.len();
    world.accept(&body("a"));
    world.accept(&body("a").replace(HUSH, "another"));
    world.settle();
    let state = world.state();
    assert_eq!((state.posts.len(), state.events.len(), state.deliveries.len()), (posts, 1, 3));
    let codes: Vec<String> = state.rejected.iter().map(|r| format!("{:?}", r.rejection)).collect();
    assert_eq!(codes.len(), 1, "other content under its id is still refused: {codes:?}");
    assert!(!state.events[&id].has_payload());
}

#[test]
fn whose_payload_it_is() {
    let (world, _, id) = world();
    let not_found = (404, "not_found");
    assert_eq!(erase(&client(&world, "account:acct_1"), &id).error(), not_found);
    assert_eq!(erase(&client(&world, "product:telnxo"), &id).error(), not_found);
    let follower = client(&world, "portal:acct_42");
    assert_eq!(erase(&follower, &id).error(), (403, "insufficient_scope"));
    assert!(world.state().events[&id].has_payload());
    assert_eq!(erase(&client(&world, "product:migosmtp"), &id).status, 204);
    let unknown = EventId::parse("evt_00112233445566778899aabbccddeeff").expect("valid");
    assert_eq!(erase(&client(&world, "operator"), &unknown).error(), not_found);
    assert_eq!(erase(&client(&world, "operator"), &id).status, 204);
}
