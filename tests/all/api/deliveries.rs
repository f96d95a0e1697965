//! The delivery log, one delivery, and events.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::delivery::{FailedReason, Status};
use domain::ids::DeliveryId;
use serde_json::json;
use tests::world::{World, answer};

use super::{accept_at, client, created, registration, walk};

const EVENT: &str = r#"{"id":"a","account_id":"acct_42","event":"email.sent","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{"n":1.0}}"#;

/// A world with `count` deliveries, a second apart, to one endpoint with some shards.
fn world_with(count: usize, shards: u16) -> (World, String) {
    let world = World::new();
    let id = world.register("ep_1", &["*"]);
    world.change(&id, |endpoint| endpoint.shards = shards);
    for nth in 0..count {
        let now = world.state().now + Duration::from_millis(250);
        world.state().now = now;
        accept_at(&world, "acct_42", &format!("e{nth}"), now);
    }
    (world, format!("/v1/endpoints/{id}/deliveries"))
}

fn set(world: &World, id: &DeliveryId, status: Status) {
    world.state().deliveries.get_mut(id).expect("there").status = status;
}

fn ids(world: &World) -> Vec<DeliveryId> {
    let state = world.state();
    let mut ids: Vec<_> = state.deliveries.values().map(|d| (d.created_at, d.id.clone())).collect();
    ids.sort();
    ids.into_iter().rev().map(|(_, id)| id).collect()
}

#[test]
fn ten_thousand_walk_without_gap_or_repeat_while_more_arrive() {
    for shards in [1, 4] {
        let (world, path) = world_with(10_000, shards);
        let expected: Vec<String> = ids(&world).iter().map(ToString::to_string).collect();
        let client = client(&world, "account:acct_42");
        let pages = walk(&client, &format!("{path}?limit=100"), |page| {
            let now = world.state().now + Duration::from_millis(1);
            world.state().now = now;
            accept_at(&world, "acct_42", &format!("late{page}"), now);
        });
        assert!(pages.len() <= 101, "{shards} shards");
        assert!(pages.concat() == expected, "{shards} shards: newest first, each once");
    }
}

#[test]
fn fifty_failed_among_ten_thousand_take_one_query() {
    let (world, path) = world_with(10_000, 4);
    let all = ids(&world);
    let failed: Vec<_> = all.iter().step_by(200).collect();
    failed.iter().for_each(|id| set(&world, id, Status::Failed(FailedReason::Exhausted)));
    let client = client(&world, "account:acct_42");
    world.fuse().blow_at(None);
    let reply = client.get(&format!("{path}?status=failed"));
    let queries = world.fuse().log().iter().filter(|call| **call == "deliveries.log").count();
    assert_eq!(queries, 1, "one look at each shard's index");
    let shown: Vec<&str> = reply.body["data"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|d| d["id"].as_str())
        .collect();
    assert_eq!(shown, failed.iter().map(|id| id.as_str()).collect::<Vec<_>>());
}

#[test]
fn filters_combine() {
    let (world, path) = world_with(400, 3);
    let all = ids(&world);
    for (nth, id) in all.iter().enumerate() {
        let status = match nth % 5 {
            0 => Status::Succeeded,
            1 => Status::Retrying,
            2 => Status::Failed(FailedReason::Cancelled),
            3 => Status::Skipped,
            _ => continue,
        };
        set(&world, id, status);
        if nth % 2 == 0 {
            world.state().deliveries.get_mut(id).expect("there").event = "sms.sent".into();
        }
    }
    let client = client(&world, "operator");
    let count =
        |query: &str| walk(&client, &format!("{path}?limit=7&{query}"), |_| {}).concat().len();
    assert_eq!(count("status=succeeded"), 80);
    assert_eq!(count("status=pending"), 80);
    assert_eq!(count("status=failed&status=skipped"), 160);
    assert_eq!(count("status=retrying&event=sms.sent"), 40);
    assert_eq!(count("event=sms.sent"), 160);
    let at = |nth: usize| world.state().deliveries[&all[nth]].created_at;
    assert_eq!(count(&format!("from={}&to={}", at(99), at(9))), 90);
    assert_eq!(count(&format!("from={}&to={}&status=failed", at(99), at(9))), 18);
    assert_eq!(count(&format!("from={}&to={}", at(9), at(99))), 0);
    for query in ["status=deleted", "event=A%20b", "from=yesterday", "from=1&from=2", "x=1"] {
        assert_eq!(client.get(&format!("{path}?{query}")).status, 400, "{query}");
    }
}

#[test]
fn a_rare_status_is_found_in_bounded_steps() {
    let (world, path) = world_with(3_000, 1);
    let all = ids(&world);
    set(&world, &all[2_999], Status::Succeeded);
    let client = client(&world, "operator");
    let pages = walk(&client, &format!("{path}?status=succeeded&limit=100"), |_| {});
    assert_eq!(pages.concat(), [all[2_999].to_string()]);
    assert!(pages.len() >= 3, "no page reads without end");
}

#[test]
fn a_cursor_belongs_to_its_list() {
    let (world, path) = world_with(20, 1);
    let client = client(&world, "operator");
    let cursor = client.get(&format!("{path}?limit=5")).body["next_cursor"].clone();
    let cursor = cursor.as_str().expect("more").to_owned();
    assert_eq!(client.get(&format!("{path}?limit=9&cursor={cursor}")).status, 200);
    let other = created(&client.post("/v1/endpoints", &registration("acct_42")));
    for path in [
        format!("{path}?status=failed&cursor={cursor}"),
        format!("/v1/endpoints/{other}/deliveries?cursor={cursor}"),
        format!("/v1/endpoints?cursor={cursor}"),
        format!("/v1/reports/messages?account_id=acct_42&cursor={cursor}"),
        format!("{path}?cursor={}", cursor.to_lowercase()),
        format!("{path}?cursor="),
        format!("{path}?cursor={}", "A".repeat(2_000)),
    ] {
        assert_eq!(client.get(&path).error(), (400, "invalid_field"), "{path}");
    }
}

#[test]
fn what_should_have_expired_is_not_shown() {
    let (world, path) = world_with(3, 1);
    let client = client(&world, "operator");
    let id = ids(&world)[2].clone();
    let event = world.state().deliveries[&id].event_id.clone();
    let shown = || {
        let log = client.get(&path).body["data"].as_array().map(Vec::len);
        let one = client.get(&format!("/v1/deliveries/{id}")).status;
        (log, one, client.get(&format!("/v1/events/{event}")).status)
    };
    assert_eq!(shown(), (Some(3), 200, 200));
    let created = world.state().deliveries[&id].created_at;
    world.state().now = created + tests::world::RETENTION + Duration::from_millis(1);
    assert_eq!(shown(), (Some(2), 404, 404));
}

#[test]
fn one_delivery_with_everything_about_it() {
    let world = World::new();
    let id = world.register("ep_1", &["*"]);
    world.change(&id, |endpoint| {
        let (name, value) = ("X-Tenant".to_owned(), "hush".to_owned());
        endpoint.headers.push(domain::endpoint::CustomHeader { name, value });
    });
    world.answers(|_, nth| answer(if nth == 0 { 500 } else { 200 }));
    world.accept(EVENT);
    world.settle();
    let client = client(&world, "account:acct_42");
    let delivery = world.only_delivery();
    let shown = client.get(&format!("/v1/deliveries/{}", delivery.id)).body;
    assert_eq!((&shown["status"], &shown["attempts_left"]), (&json!("succeeded"), &json!(0)));
    assert_eq!(shown["attempts"].as_array().map(Vec::len), Some(2));
    let posts = world.state().posts.clone();
    assert_eq!(shown["payload"], json!(*posts[1].request.body), "byte for byte");
    let headers = shown["headers"].as_object().expect("headers");
    let sent: BTreeSet<&str> = posts[1].request.headers.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(headers.keys().map(String::as_str).collect::<BTreeSet<_>>(), sent);
    for (name, value) in &posts[1].request.headers {
        let expected = match name.as_str() {
            "X-Webhook-Signature" | "webhook-signature" => "<signed>",
            "X-Tenant" => "<hidden>",
            _ => value,
        };
        assert_eq!(headers[name], json!(expected), "{name}");
    }
    assert!(shown["curl"].as_str().expect("a line").contains("$WEBHOOK_SECRET"));
    assert!(!shown.to_string().contains("hush") && !shown.to_string().contains("whsec_Bw"));
}

#[test]
fn an_event_with_all_its_deliveries() {
    let world = World::new();
    world.register("ep_1", &["*"]);
    world.register("ep_2", &["email.*"]);
    world.accept(EVENT);
    world.settle();
    let client = client(&world, "operator");
    let id = crate::journeys::event_id(EVENT);
    let shown = client.get(&format!("/v1/events/{id}")).body;
    assert_eq!(shown["deliveries"].as_array().map(Vec::len), Some(2));
    assert_eq!(shown["source_id"], "a");
    let query = "/v1/events?account_id=acct_42&product=migosmtp&source_id=";
    assert_eq!(client.get(&format!("{query}a")).body["data"], json!([shown]));
    assert_eq!(client.get(&format!("{query}b")).body["data"], json!([]));
    assert_eq!(
        client.get("/v1/events?product=migosmtp&source_id=a").error(),
        (400, "missing_field")
    );
    assert_eq!(client.get("/v1/events/evt_x").error(), (404, "not_found"));
    let types = client.get("/v1/event-types").body;
    assert_eq!(types["data"].as_array().map(Vec::len), Some(13));
}
