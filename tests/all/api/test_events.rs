//! Test events: what is sent, what is answered, what is kept, and how many there may be.

use domain::delivery::{Answer, Outcome};
use domain::endpoint::{DisabledReason, EndpointState};
use domain::health::Health;
use domain::limits::{TESTS_PER_ACCOUNT, TESTS_PER_MINUTE};
use serde_json::json;
use tests::world::{World, answer};

use super::{Client, Reply, client, created, pass, registration};

struct Shop {
    world: World,
    client: Client,
    path: String,
}

fn shop() -> Shop {
    let world = World::new();
    let client = client(&world, "account:acct_1");
    let id = created(&client.post("/v1/endpoints", &registration("acct_1")));
    Shop { world, client, path: format!("/v1/endpoints/{id}/test") }
}

impl Shop {
    fn test(&self, event: &str) -> Reply {
        self.client.post(&self.path, &json!({"event": event}))
    }
}

#[test]
fn the_attempt_alone_is_answered_and_nothing_is_stored() {
    let shop = shop();
    let reply = shop.test("email.delivered");
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let expected = json!({
        "number": 1, "trigger": "test", "at": reply.body["at"], "duration_ms": 40,
        "first_byte_ms": 39, "outcome": "succeeded", "http_status": 200,
        "response_body": "status 200",
    });
    assert_eq!(reply.body, expected);
    let state = shop.world.state();
    assert!(state.deliveries.is_empty() && state.events.is_empty() && state.queued.is_empty());
    assert!(state.announced.is_empty());
    let [post] = state.posts.as_slice() else { panic!("one POST: {:?}", state.posts) };
    assert_eq!(post.header("X-Webhook-Test"), "true");
    assert_eq!(post.header("X-Webhook-Event"), "email.delivered");
    assert_eq!(post.header("X-Webhook-Attempt"), "1");
    assert!(post.header("webhook-id").starts_with("evt_test_"), "{}", post.header("webhook-id"));
    assert!(post.header("X-Webhook-Signature").starts_with("sha256="));
    let body: serde_json::Value = serde_json::from_str(&post.request.body).expect("JSON");
    assert_eq!((&body["event"], &body["product"]), (&json!("email.delivered"), &json!("migosmtp")));
    assert!(body["data"]["message_id"].is_string());
}

#[test]
fn a_failure_is_an_answer() {
    let shop = shop();
    for (given, outcome) in [
        (answer(503), Outcome::HttpStatus),
        (
            Answer {
                outcome: Outcome::Timeout,
                http_status: None,
                response_body: None,
                error: Some("no answer within 30 s".into()),
                ..answer(200)
            },
            Outcome::Timeout,
        ),
    ] {
        shop.world.answers(move |_, _| given.clone());
        let reply = shop.test("email.opened");
        assert_eq!((reply.status, &reply.body["outcome"]), (200, &json!(outcome.as_str())));
        assert!(shop.world.state().deliveries.is_empty(), "and nothing is retried");
    }
}

#[test]
fn names_beyond_the_catalogue_are_taken_others_are_not() {
    let shop = shop();
    assert_eq!(shop.test("order.shipped").status, 200);
    let post = shop.world.state().posts[0].clone();
    assert!(post.request.body.ends_with(r#""data":{}}"#), "{}", post.request.body);
    for bad in ["", "*", "email.*", "Email", "a b", &"x".repeat(129)] {
        assert_eq!(shop.test(bad).error(), (400, "invalid_field"), "{bad}");
    }
    let none = shop.client.post(&shop.path, &json!({}));
    assert_eq!(none.error(), (400, "missing_field"));
    for field in ["url", "headers", "data"] {
        let body = json!({"event": "a", field: "http://169.254.169.254/"});
        assert_eq!(shop.client.post(&shop.path, &body).error(), (400, "unknown_field"), "{field}");
    }
    assert_eq!(shop.world.state().posts.len(), 1);
}

#[test]
fn a_disabled_or_deleted_endpoint_gets_none() {
    let shop = shop();
    let endpoint = shop.path.trim_end_matches("/test").to_owned();
    shop.client.post(&format!("{endpoint}/disable"), &json!({}));
    assert_eq!(shop.test("a").error(), (409, "endpoint_disabled"));
    shop.client.post(&format!("{endpoint}/enable"), &json!({}));
    assert_eq!(shop.test("a").status, 200);
    shop.client.call("DELETE", &endpoint, None, &[]);
    assert_eq!(shop.test("a").error(), (404, "not_found"));
    assert_eq!(shop.world.state().posts.len(), 1);
}

#[test]
fn the_sender_looks_for_itself() {
    let shop = shop();
    let at = shop.world.state().now;
    for (state, expected) in [
        (
            EndpointState::Disabled { reason: DisabledReason::Failing, at },
            (409, "endpoint_disabled"),
        ),
        (EndpointState::Deleted { at }, (404, "not_found")),
    ] {
        let was = shop.world.state().endpoints[0].state;
        shop.world.before("sender.test", move |world| world.endpoints[0].state = state);
        assert_eq!(shop.test("a").error(), expected);
        shop.world.state().endpoints[0].state = was;
    }
    assert_eq!(shop.world.state().posts.len(), 0, "switched off meanwhile: nothing is sent");
}

#[test]
fn five_a_minute_for_an_endpoint() {
    let shop = shop();
    shop.world.state().requests_take_time = false;
    for nth in 0..TESTS_PER_MINUTE {
        assert_eq!(shop.test("a").status, 200, "{nth}");
    }
    pass(&shop.world, 15);
    let refused = shop.test("a");
    assert_eq!(refused.error(), (429, "rate_limited"));
    assert_eq!(refused.response.header("Retry-After"), Some("45"));
    let operator = client(&shop.world, "operator").post(&shop.path, &json!({"event": "a"}));
    assert_eq!(operator.error(), (429, "rate_limited"), "whoever asks");
    assert_eq!(shop.world.state().posts.len(), TESTS_PER_MINUTE as usize);
    pass(&shop.world, 45);
    assert_eq!(shop.test("a").status, 200);
}

#[test]
fn what_an_endpoint_is_refused_is_not_counted_for_its_account() {
    let shop = shop();
    shop.world.state().requests_take_time = false;
    for _ in 0..TESTS_PER_ACCOUNT + 5 {
        shop.test("a");
    }
    let message = shop.test("a").body["message"].clone();
    assert_eq!(message, "at most 5 test events a minute for an endpoint; wait");
    let id = created(&shop.client.post("/v1/endpoints", &registration("acct_1")));
    let reply = shop.client.post(&format!("/v1/endpoints/{id}/test"), &json!({"event": "a"}));
    assert_eq!(reply.status, 200, "the account has more");
}

#[test]
fn new_endpoints_do_not_make_for_more_than_an_accounts_share() {
    let shop = shop();
    shop.world.state().requests_take_time = false;
    let mut made = 0;
    for _ in 0..10 {
        let id = created(&shop.client.post("/v1/endpoints", &registration("acct_1")));
        let path = format!("/v1/endpoints/{id}");
        for _ in 0..TESTS_PER_MINUTE {
            let reply = shop.client.post(&format!("{path}/test"), &json!({"event": "a"}));
            made += u32::from(reply.status == 200);
        }
        shop.client.call("DELETE", &path, None, &[]);
    }
    assert_eq!(made, TESTS_PER_ACCOUNT);
    let refused = shop.test("a");
    assert_eq!(refused.error(), (429, "rate_limited"));
    let message = refused.body["message"].as_str().expect("a sentence");
    assert!(message.contains("30 test events a minute for all of an account"), "{message}");
    let other = client(&shop.world, "account:acct_2");
    let id = created(&other.post("/v1/endpoints", &registration("acct_2")));
    let reply = other.post(&format!("/v1/endpoints/{id}/test"), &json!({"event": "a"}));
    assert_eq!(reply.status, 200, "another account has its own");
}

#[test]
fn a_success_is_a_sign_of_health_and_a_failure_is_none_of_illness() {
    let shop = shop();
    pass(&shop.world, 1);
    let now = shop.world.state().now;
    let failing =
        Health { last_failure_at: Some(now), failing_since: Some(now), ..Health::default() };
    let health = || shop.world.state().endpoints[0].health;
    let is_failing = || shop.world.state().endpoints[0].failing_since().is_some();
    shop.world.answers(|_, nth| answer(if nth == 2 { 200 } else { 500 }));
    assert_eq!(shop.test("a").body["outcome"], "http_status");
    assert_eq!(health(), Health::default(), "a failed test counts for nothing");
    shop.world.state().endpoints[0].health = failing;
    pass(&shop.world, 1);
    assert_eq!(shop.test("a").body["outcome"], "http_status");
    assert_eq!(health(), failing);
    assert!(is_failing());
    assert_eq!(shop.test("a").body["outcome"], "succeeded");
    assert!(!is_failing(), "{:?}", health());
}
