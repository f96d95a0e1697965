//! Endpoints: registered, changed, switched, rotated, deleted.

use std::time::Duration;

use domain::delivery::{FailedReason, Status};
use domain::endpoint::EndpointState;
use domain::secret::Secret;
use serde_json::{Value, json};
use tests::world::World;

use super::{Client, accept_at, client, created, pass, registration, walk};

fn one(scope: &str) -> (World, Client, String) {
    let world = World::new();
    let client = client(&world, scope);
    let id = created(&client.post("/v1/endpoints", &registration("acct_1")));
    (world, client, format!("/v1/endpoints/{id}"))
}

#[test]
fn registered_and_read() {
    let (_, client, path) = one("account:acct_1");
    let shown = client.get(&path);
    assert_eq!((shown.status, &shown.body["status"]), (200, &json!("enabled")));
    assert!(shown.body.get("secret").is_none(), "a secret is shown once");
    assert!(shown.body.get("warnings").is_none());
}

#[test]
fn an_edit_changes_what_is_given_and_null_clears() {
    let (world, client, path) = one("operator");
    pass(&world, 5);
    let patch = |body: Value| client.call("PATCH", &path, Some(&body), &[]);
    let reply = patch(json!({"description": "new", "headers": {"X-B": "2", "X-A": "1"}}));
    assert_eq!((reply.status, &reply.body["description"]), (200, &json!("new")));
    assert_eq!(reply.body["headers"], json!(["X-A", "X-B"]));
    assert_ne!(reply.body["updated_at"], reply.body["created_at"]);
    let reply = patch(json!({"description": null, "max_per_second": 9}));
    assert!(reply.body.get("description").is_none());
    assert_eq!(reply.body["headers"], json!(["X-A", "X-B"]), "what is not given stays");
    let before = reply.body["updated_at"].clone();
    assert_eq!(patch(json!({})).body["updated_at"], before, "nothing given, nothing changed");
    assert_eq!(patch(json!({"account_id": "acct_2"})).error(), (400, "unknown_field"));
    assert_eq!(patch(json!({"url": null})).error(), (400, "invalid_field"));
}

#[test]
fn hidden_header_values_do_not_follow_the_url() {
    let (world, client, path) = one("account:acct_1");
    let operator = self::client(&world, "operator");
    let followed = |body: &Value| operator.follow(body);
    let account = followed(&json!({"account_id": "acct_1", "expires_in": 60}));
    let id = path.rsplit('/').next().expect("an id");
    let link = json!({"account_id": "acct_1", "endpoint_id": id, "expires_in": 60});
    let endpoint = followed(&link);
    let patch = |client: &Client, body: Value| client.call("PATCH", &path, Some(&body), &[]);
    patch(&client, json!({"headers": {"Authorization": "Bearer s3cret"}}));
    let elsewhere = "https://evil.example/";
    for caller in [&client, &operator, &account, &endpoint] {
        let refused = patch(caller, json!({"url": elsewhere}));
        assert_eq!(refused.error(), (400, "invalid_field"));
        assert_eq!(refused.body["field"], "headers");
    }
    let kept = world.state().endpoints[0].clone();
    assert_ne!(kept.url, elsewhere);
    assert_eq!(patch(&endpoint, json!({"url": kept.url})).status, 200, "it is there already");
    let moved = patch(&endpoint, json!({"url": elsewhere, "headers": {}}));
    assert_eq!((moved.status, &moved.body["headers"]), (200, &json!([])));
    assert_eq!(world.state().endpoints[0].headers, []);
}

#[test]
fn of_two_changes_at_once_one_is_told() {
    for (method, below, body) in [
        ("PATCH", "", json!({"description": "mine"})),
        ("POST", "/disable", json!({})),
        ("DELETE", "", json!({})),
    ] {
        let (world, client, path) = one("operator");
        world.before("endpoints.replace", |state| {
            let endpoint = &mut state.endpoints[0];
            endpoint.updated_at = endpoint.updated_at + Duration::from_secs(1);
        });
        let reply = client.call(method, &format!("{path}{below}"), Some(&body), &[]);
        assert_eq!(reply.error(), (409, "conflict"), "{method} {below}");
        let again = client.call(method, &format!("{path}{below}"), Some(&body), &[]);
        assert!([200, 204].contains(&again.status), "{method} {below}");
    }
    let (world, client, path) = one("operator");
    let other = Secret::from_random([200; 24]);
    let there = other.clone();
    world.before("secrets.replace", move |state| {
        state.secrets.values_mut().for_each(|secrets| secrets.current = there.clone());
    });
    let reply = client.post(&format!("{path}/rotate-secret"), &json!({}));
    assert_eq!(reply.error(), (409, "conflict"));
    assert!(world.state().secrets.values().all(|secrets| secrets.current == other));
}

#[test]
fn disabled_then_enabled_with_what_it_missed() {
    let (world, client, path) = one("operator");
    let before = world.state().now;
    let open = accept_at(&world, "acct_1", "open", before).remove(0);
    pass(&world, 60);
    let off = client.post(&format!("{path}/disable"), &json!({}));
    assert_eq!((off.status, &off.body["disabled_reason"]), (200, &json!("manual")));
    assert_eq!(client.post(&format!("{path}/disable"), &json!({})).body, off.body);
    for nth in 0..250 {
        pass(&world, 1);
        let now = world.state().now;
        let skipped = accept_at(&world, "acct_1", &format!("s{nth}"), now).remove(0);
        assert_eq!(skipped.status, Status::Skipped);
    }
    let ended = Status::Failed(FailedReason::EndpointDisabled);
    world.state().deliveries.get_mut(&open.id).expect("there").status = ended;
    pass(&world, 60);
    let on = client.post(&format!("{path}/enable"), &json!({}));
    assert_eq!((on.status, &on.body["status"]), (200, &json!("enabled")));
    let now = world.state().now;
    let to = now + Duration::from_millis(1);
    let missed = json!({"skipped": 250, "failed": 1, "from": before, "to": to});
    assert_eq!(on.body["missed"], missed);
    let again = client.post(&format!("{path}/enable"), &json!({}));
    assert_eq!(again.body["missed"], json!({"skipped": 0, "failed": 0, "from": now, "to": now}));
}

#[test]
fn what_was_missed_is_all_of_it_however_much() {
    let (world, client, path) = one("operator");
    let before = world.state().now;
    let open = accept_at(&world, "acct_1", "open", before).remove(0);
    pass(&world, 60);
    client.post(&format!("{path}/disable"), &json!({}));
    for nth in 0..1_200 {
        pass(&world, 1);
        let now = world.state().now;
        accept_at(&world, "acct_1", &format!("s{nth}"), now);
    }
    let ended = Status::Failed(FailedReason::EndpointDisabled);
    world.state().deliveries.get_mut(&open.id).expect("there").status = ended;
    // Tables so slow that the first page takes half a minute.
    let enable = |slow: bool| {
        if slow {
            world.before("deliveries.log", |state| state.now = state.now + Duration::from_secs(30));
        }
        client.post(&format!("{path}/enable"), &json!({})).body["missed"].clone()
    };
    let part = enable(true);
    assert_eq!((&part["at_least"], &part["failed"]), (&json!(true), &json!(1)), "{part}");
    let counted = part["skipped"].as_u64().expect("a number");
    assert!((1..1_200).contains(&counted), "{part}");
    assert_eq!(part["from"], json!(before), "what is not counted is within its time, too");
    let range = json!({"from": part["from"], "to": part["to"], "dry_run": true});
    let all = client.post(&format!("{path}/recover"), &range).body;
    assert_eq!(all, json!({"total": 1_201}));

    // Enabled again, and counted to the end.
    client.post(&format!("{path}/disable"), &json!({}));
    assert_eq!(enable(false).get("at_least"), None);
}

#[test]
fn a_rotation_from_start_to_end() {
    let (world, client, path) = one("account:acct_1");
    let id = path.trim_start_matches("/v1/endpoints/").parse().expect("an id");
    let secrets = || world.state().secrets.get(&id).cloned().expect("there");
    let old = secrets().current;
    let rotated = client.post(&format!("{path}/rotate-secret"), &json!({}));
    assert_eq!(rotated.status, 200);
    let until = world.state().now + Duration::from_secs(86_400);
    assert_eq!(rotated.body["previous_valid_until"], json!(until));
    assert_eq!(rotated.body["secret"], json!(secrets().current.reveal()));
    assert_eq!(secrets().previous, Some((old, until)));
    let again = client.post(&format!("{path}/rotate-secret"), &json!({}));
    assert_eq!(again.error(), (409, "rotation_in_progress"));
    for _ in 0..2 {
        let finished = client.post(&format!("{path}/rotate-secret/finish"), &json!({}));
        assert_eq!((finished.status, secrets().previous), (200, None));
    }
    assert_eq!(client.post(&format!("{path}/rotate-secret"), &json!({})).status, 200);
}

#[test]
fn deleted_is_gone_and_leaves_a_tombstone() {
    let (world, client, path) = one("account:acct_1");
    let reply = client.call("DELETE", &path, None, &[]);
    assert_eq!((reply.status, reply.response.body.as_str()), (204, ""));
    for (method, below) in [
        ("GET", ""),
        ("DELETE", ""),
        ("PATCH", ""),
        ("GET", "/deliveries"),
        ("POST", "/enable"),
        ("POST", "/disable"),
        ("POST", "/rotate-secret"),
        ("POST", "/rotate-secret/finish"),
    ] {
        let reply = client.call(method, &format!("{path}{below}"), Some(&json!({})), &[]);
        assert_eq!(reply.error(), (404, "not_found"), "{method} {below}");
    }
    assert_eq!(client.get("/v1/endpoints").body["data"], json!([]));
    let state = world.state().endpoints[0].state;
    assert!(matches!(state, EndpointState::Deleted { .. }));
}

#[test]
fn lists_are_newest_first_and_filtered() {
    let world = World::new();
    let client = client(&world, "operator");
    let mut ids = Vec::new();
    for nth in 0..25 {
        pass(&world, nth % 2);
        let mut body = registration(["acct_1", "acct_2"][usize::from(nth % 5 == 0)]);
        if nth % 3 == 0 {
            body["product"] = json!("telnxo");
        }
        ids.push(created(&client.post("/v1/endpoints", &body)).to_string());
    }
    let pages = walk(&client, "/v1/endpoints?limit=4", |_| {});
    assert_eq!(pages.len(), 7);
    let mut all: Vec<String> = pages.concat();
    all.sort();
    ids.sort();
    assert_eq!(all, ids);
    let count =
        |query: &str| walk(&client, &format!("/v1/endpoints?{query}"), |_| {}).concat().len();
    assert_eq!(count("account_id=acct_2"), 5);
    assert_eq!(count("product=telnxo"), 9);
    assert_eq!((count("status=enabled"), count("status=disabled")), (25, 0));
    client.post(&format!("/v1/endpoints/{}/disable", ids[0]), &json!({}));
    assert_eq!((count("status=enabled"), count("status=disabled")), (24, 1));
}
