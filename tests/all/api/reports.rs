//! Reconciliation.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::delivery::{FailedReason, Status};
use serde_json::{Value, json};
use tests::world::World;

use super::{accept_at, client, walk};

/// 230 events to two endpoints, the second of which is deleted half-way.
fn world() -> World {
    let world = World::new();
    let first = world.register("ep_1", &["*"]);
    world.register("ep_2", &["*"]);
    world.change(&first, |endpoint| endpoint.shards = 3);
    let client = client(&world, "operator");
    for nth in 0..230 {
        if nth == 115 {
            assert_eq!(client.call("DELETE", "/v1/endpoints/ep_2", None, &[]).status, 204);
        }
        let now = world.state().now + Duration::from_secs(1);
        world.state().now = now;
        for (place, delivery) in
            accept_at(&world, "acct_42", &format!("e{nth}"), now).iter().enumerate()
        {
            let status = match (nth + place) % 4 {
                0 => Status::Succeeded,
                1 => Status::Failed(FailedReason::Exhausted),
                2 => Status::Skipped,
                _ => Status::Retrying,
            };
            world.state().deliveries.get_mut(&delivery.id).expect("there").status = status;
        }
    }
    world
}

#[test]
fn every_event_once_and_the_last_page_has_the_totals() {
    let world = world();
    let client = client(&world, "account:acct_42");
    let pages = walk(&client, "/v1/reports/messages?limit=30", |page| {
        let now = world.state().now + Duration::from_millis(1);
        world.state().now = now;
        accept_at(&world, "acct_42", &format!("late{page}"), now);
    });
    assert_eq!(pages.len(), 8);
    let ids: BTreeSet<String> = pages.concat().into_iter().collect();
    assert_eq!((ids.len(), pages.concat().len()), (230, 230));
}

fn last_totals(client: &super::Client, path: &str) -> (Value, usize) {
    let (mut cursor, mut deliveries) = (String::new(), 0);
    loop {
        let body = client.get(&format!("{path}{cursor}")).body;
        let events = body["data"].as_array().expect("a list");
        deliveries +=
            events.iter().filter_map(|e| e["deliveries"].as_array()).map(Vec::len).sum::<usize>();
        match body["next_cursor"].as_str() {
            None => return (body["totals"].clone(), deliveries),
            Some(next) => cursor = format!("&cursor={next}"),
        }
    }
}

#[test]
fn accepted_is_what_became_of_it() {
    let world = world();
    let client = client(&world, "operator");
    let path = "/v1/reports/messages?account_id=acct_42&limit=50";
    let (totals, deliveries) = last_totals(&client, path);
    let of = |name: &str| totals[name].as_u64().expect("a number");
    assert_eq!((of("events"), of("accepted")), (230, deliveries as u64));
    assert_eq!(deliveries, 230 + 115, "a tombstone's deliveries are in it");
    let sum = of("succeeded") + of("failed") + of("skipped") + of("waiting");
    assert_eq!(of("accepted"), sum);
    let state = world.state();
    let failed = state.deliveries.values().filter(|d| d.status.as_str() == "failed").count();
    assert_eq!(of("failed"), failed as u64);
}

#[test]
fn a_window_is_from_inclusive_to_exclusive() {
    let world = world();
    let client = client(&world, "operator");
    let mut at: Vec<_> = world.state().events.values().map(|e| e.accepted_at).collect();
    at.sort();
    let path = |from: usize, to: usize| {
        format!("/v1/reports/messages?account_id=acct_42&from={}&to={}", at[from], at[to])
    };
    assert_eq!(last_totals(&client, &path(10, 20)).0["events"], 10);
    assert_eq!(last_totals(&client, &path(20, 20)).0["events"], 0);
    assert_eq!(client.get("/v1/reports/messages").error(), (400, "missing_field"));
}

#[test]
fn as_csv() {
    let world = World::new();
    world.register("ep_1", &["*"]);
    let now = world.state().now;
    accept_at(&world, "acct_42", "=1+1", now);
    accept_at(&world, "acct_42", "plain", now + Duration::from_secs(1));
    world.state().now = now + Duration::from_secs(9);
    let client = client(&world, "operator");
    let path = "/v1/reports/messages?account_id=acct_42&limit=1";
    let csv = [("accept", "text/csv")];
    let first = client.call("GET", path, None, &csv);
    assert_eq!(first.response.header("Content-Type"), Some("text/csv; charset=utf-8"));
    assert_eq!(first.response.header("X-Report-Accepted"), Some("1"));
    assert!(first.response.body.contains(",\"plain\",email.delivered,dlv_"));
    let next = first.response.header("X-Next-Cursor").expect("more").to_owned();
    let second = client.call("GET", &format!("{path}&cursor={next}"), None, &csv);
    assert_eq!(second.response.body.lines().count(), 2);
    assert!(second.response.body.contains("\"'=1+1\""), "no formula");
    assert_eq!(second.response.header("X-Report-Waiting"), Some("2"));
    let both = client.get(&format!("{path}&cursor={next}"));
    assert_eq!(both.body["totals"]["waiting"], json!(2), "a cursor fits either form");
}
