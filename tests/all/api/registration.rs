//! Registering endpoints: what is refused, and what happens once.

use domain::limits::ENDPOINTS_PER_ACCOUNT;
use serde_json::{Value, json};
use tests::world::World;

use super::{client, created, pass, registration};

#[test]
fn an_account_key_needs_no_account_id() {
    let world = World::new();
    let client = client(&world, "account:acct_7");
    let mut body = registration("acct_7");
    body.as_object_mut().expect("an object").remove("account_id");
    assert_eq!(client.post("/v1/endpoints", &body).body["account_id"], "acct_7");
    let other = client.post("/v1/endpoints", &registration("acct_8"));
    assert_eq!(other.error(), (403, "insufficient_scope"));
}

#[test]
fn what_is_wrong_is_named() {
    let world = World::new();
    let client = client(&world, "operator");
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut body = registration("acct_1");
        change(&mut body);
        let reply = client.post("/v1/endpoints", &body);
        assert_eq!(reply.status, 400, "{body}");
        format!("{} {}", reply.body["error"], reply.body["field"]).replace('"', "")
    };
    for field in ["account_id", "url", "event_types", "alert_email"] {
        let missing = refused(&|body| drop(body.as_object_mut().map(|b| b.remove(field))));
        assert_eq!(missing, format!("missing_field {field}"));
        let wrong = refused(&|body| body[field] = json!(7));
        assert_eq!(wrong, format!("invalid_field {field}"));
    }
    assert_eq!(refused(&|b| b["urls"] = json!([])), "unknown_field urls");
    assert_eq!(refused(&|b| b["url"] = json!("http://127.0.0.1/")), "invalid_field url");
    assert_eq!(refused(&|b| b["product"] = json!("smtp")), "invalid_field product");
    assert_eq!(refused(&|b| b["headers"] = json!({"Host": "x"})), "invalid_field headers");
    assert_eq!(refused(&|b| b["headers"] = json!(["X"])), "invalid_field headers");
    for rate in [json!(0), json!(-1), json!(1.5), json!("5"), json!(10_001)] {
        let wrong = refused(&|b| b["max_per_second"] = rate.clone());
        assert_eq!(wrong, "invalid_field max_per_second");
    }
    for body in [json!([]), json!("x"), json!(null)] {
        assert_eq!(client.post("/v1/endpoints", &body).error(), (400, "invalid_json"));
    }
    assert_eq!(client.get("/v1/endpoints?acount_id=x").error(), (400, "unknown_field"));
    for query in ["limit=0", "limit=101", "limit=x", "limit=+5", "status=deleted", "cursor=x"] {
        let reply = client.get(&format!("/v1/endpoints?{query}"));
        assert_eq!(reply.error(), (400, "invalid_field"), "{query}");
    }
}

#[test]
fn a_name_outside_the_catalogue_is_taken_with_a_warning() {
    let world = World::new();
    let client = client(&world, "operator");
    let mut body = registration("acct_1");
    body["event_types"] = json!(["email.delivered", "fax.sent"]);
    let reply = client.post("/v1/endpoints", &body);
    assert_eq!((reply.status, reply.body["warnings"].as_array().map(Vec::len)), (201, Some(1)));
}

#[test]
fn an_account_has_so_many_and_no_more() {
    let world = World::new();
    let client = client(&world, "operator");
    for _ in 0..ENDPOINTS_PER_ACCOUNT {
        created(&client.post("/v1/endpoints", &registration("acct_1")));
    }
    let reply = client.post("/v1/endpoints", &registration("acct_1"));
    assert_eq!(reply.error(), (409, "endpoint_limit_reached"));
    let first = client.get("/v1/endpoints?limit=1").body["data"][0]["id"].clone();
    let path = format!("/v1/endpoints/{}", first.as_str().expect("an id"));
    assert_eq!(client.call("DELETE", &path, None, &[]).status, 204);
    created(&client.post("/v1/endpoints", &registration("acct_1")));
}

#[test]
fn sent_twice_with_one_idempotency_key_is_one_endpoint() {
    let world = World::new();
    let client = client(&world, "operator");
    let key = [("x-idempotency-key", "order-7")];
    let post =
        |body: &Value, key: &[(&str, &str)]| client.call("POST", "/v1/endpoints", Some(body), key);
    let body = registration("acct_1");
    let (first, again) = (post(&body, &key), post(&body, &key));
    assert_eq!((first.status, &first.body), (201, &again.body));
    assert_eq!(world.state().endpoints.len(), 1);
    let other = post(&registration("acct_2"), &key);
    assert_eq!(other.error(), (409, "idempotency_key_reused"));
    assert_ne!(created(&post(&body, &[("x-idempotency-key", "order-8")])), created(&first));
    let blank = post(&body, &[("x-idempotency-key", "a b")]);
    assert_eq!(blank.error(), (400, "invalid_field"));
    pass(&world, 86_400);
    assert_ne!(created(&post(&body, &key)), created(&first), "kept for a day");
}

#[test]
fn a_registration_killed_half_way_is_finished_by_its_repetition() {
    for point in 0.. {
        let world = World::new();
        let key = world.api_key("operator".parse().expect("a scope"));
        let request = api::http::Request {
            method: "POST".into(),
            path: "/v1/endpoints".into(),
            headers: [
                ("authorization".to_owned(), format!("Bearer {}", key.reveal())),
                ("x-idempotency-key".to_owned(), "once".to_owned()),
            ]
            .into(),
            body: registration("acct_1").to_string().into_bytes(),
            ..Default::default()
        };
        world.fuse().blow_at(Some(point));
        let first = tests::world::run(world.fuse(), world.api().handle(&request));
        world.fuse().blow_at(None);
        let again = tests::world::run(world.fuse(), world.api().handle(&request)).expect("whole");
        assert_eq!(again.status, 201);
        let state = world.state();
        assert_eq!((state.endpoints.len(), state.secrets.len()), (1, 1), "killed at {point}");
        let secret = state.secrets.values().next().expect("one").current.reveal().to_owned();
        assert!(again.body.contains(&secret), "the secret handed out is the one that signs");
        if first.is_some() {
            break;
        }
    }
}
