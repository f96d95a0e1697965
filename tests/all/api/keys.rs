//! Keys, limits and what is no route.

use std::time::Duration;

use domain::limits::{API_BODY_BYTES, API_CALLS_PER_MINUTE};
use serde_json::json;
use tests::world::World;

use super::{call, client};

const LIST: &str = "/v1/endpoints?account_id=acct_1";

fn with_key(world: &World, authorization: &str) -> super::Reply {
    call(world, "GET", LIST, None, &[("authorization", authorization)])
}

#[test]
fn no_key_no_answer() {
    let world = World::new();
    let none = call(&world, "GET", LIST, None, &[]);
    assert_eq!(none.error(), (401, "authentication_required"));
    for header in ["", "Bearer", "Bearer ", "Basic dTpw", "rwk_0"] {
        assert_eq!(with_key(&world, header).error(), (401, "authentication_required"), "{header}");
    }
    let good = client(&world, "operator").key;
    let unknown = domain::api_key::ApiKey::from_random([9; 24]);
    assert_eq!(with_key(&world, &format!("Bearer {good}")).status, 200);
    assert_eq!(with_key(&world, &format!("bearer {good}")).status, 200);
    let unknown = with_key(&world, &format!("Bearer {}", unknown.reveal()));
    assert_eq!(unknown.error(), (401, "invalid_api_key"));
}

#[test]
fn a_malformed_key_costs_no_read() {
    let world = World::new();
    let good = client(&world, "operator").key;
    for bad in ["x", "rwk_", &good[..good.len() - 1], &good.replacen("01", "10", 1)] {
        world.fuse().blow_at(None);
        let reply = with_key(&world, &format!("Bearer {bad}"));
        assert_eq!(reply.error(), (401, "invalid_api_key"));
        assert_eq!(world.fuse().log(), [""; 0], "{bad}");
    }
}

#[test]
fn a_revoked_key_opens_nothing() {
    let world = World::new();
    let client = client(&world, "operator");
    assert_eq!(client.get(LIST).status, 200);
    {
        let mut state = world.state();
        let now = state.now;
        state.api_keys.values_mut().for_each(|key| key.revoked_at = Some(now));
    }
    assert_eq!(client.get(LIST).error(), (401, "invalid_api_key"));
}

#[test]
fn the_last_use_is_noted_once_an_hour() {
    let world = World::new();
    let client = client(&world, "operator");
    let used = || world.state().api_keys.values().next().and_then(|key| key.last_used_at);
    let began = world.state().now;
    for (after_s, noted_s) in [(0, 0), (60, 0), (3_599, 0), (3_600, 3_600), (7_000, 3_600)] {
        world.state().now = began + Duration::from_secs(after_s);
        assert_eq!(client.get(LIST).status, 200);
        assert_eq!(used(), Some(began + Duration::from_secs(noted_s)), "after {after_s} s");
    }
}

#[test]
fn too_many_calls_are_told_when_to_come_again() {
    let world = World::new();
    let (busy, other) = (client(&world, "operator"), client(&world, "operator"));
    let began = world.state().now;
    world.state().now = began + Duration::from_secs(15);
    let first = busy.get(LIST);
    assert_eq!(first.response.header("X-RateLimit-Limit"), Some("600"));
    assert_eq!(first.response.header("X-RateLimit-Remaining"), Some("599"));
    let reset = (began + Duration::from_secs(60)).as_secs().to_string();
    assert_eq!(first.response.header("X-RateLimit-Reset"), Some(reset.as_str()));
    for _ in 1..API_CALLS_PER_MINUTE {
        assert_eq!(busy.get(LIST).status, 200);
    }
    let refused = busy.get(LIST);
    assert_eq!(refused.error(), (429, "rate_limited"));
    assert_eq!(refused.response.header("Retry-After"), Some("45"));
    assert_eq!(refused.response.header("X-RateLimit-Remaining"), Some("0"));
    assert_eq!(refused.response.header("X-RateLimit-Reset"), Some(reset.as_str()));
    assert_eq!(other.get(LIST).status, 200, "one key's flood is its own");
    world.state().now = began + Duration::from_secs(60);
    assert_eq!(busy.get(LIST).status, 200);
}

#[test]
fn a_large_body_is_refused_before_anything_is_read() {
    let world = World::new();
    let body = json!("x".repeat(API_BODY_BYTES));
    let reply = call(&world, "POST", "/v1/endpoints", Some(&body), &[]);
    assert_eq!(reply.error(), (413, "body_too_large"));
    assert_eq!(world.fuse().log(), [""; 0]);
}

#[test]
fn what_is_no_route() {
    let world = World::new();
    for path in ["/page/", "/v1", "/v1/endpoints/", "/favicon.ico", "/v1/deliveries"] {
        assert_eq!(call(&world, "GET", path, None, &[]).error(), (404, "not_found"), "{path}");
    }
    let reply = call(&world, "PUT", "/v1/endpoints", None, &[]);
    assert_eq!(reply.error(), (405, "method_not_allowed"));
    assert_eq!(reply.response.header("Allow"), Some("POST, GET"));
    let document = call(&world, "GET", "/v1/openapi.json", None, &[]);
    assert_eq!((document.status, &document.body["openapi"]), (200, &json!("3.1.0")));
}

#[test]
fn a_cause_is_for_the_log() {
    let world = World::new();
    let client = client(&world, "operator");
    let id = super::created(&client.post("/v1/endpoints", &super::registration("acct_1")));
    world.state().secrets.clear();
    let reply = client.post(&format!("/v1/endpoints/{id}/rotate-secret"), &json!({}));
    assert_eq!(reply.error(), (500, "internal_error"));
    assert!(!reply.response.body.contains("secret"), "{}", reply.response.body);
}
