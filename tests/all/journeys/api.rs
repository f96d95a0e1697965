//! A customer's life with the API, over HTTP, on the real template.

use domain::envelope::{Product, derive_event_id_of};
use domain::ids::{AccountId, DeliveryId};
use domain::secret::Secret;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tests::stack::{ApiClient, Customer, Received, Reply, SHORT, Stack, until};

use super::event;

const ACCOUNT: &str = "acct_1";

struct Life {
    stack: Stack,
    customer: Customer,
    api: ApiClient,
    /// Relative to the API's address.
    endpoint: String,
    secret: String,
}

impl Life {
    async fn begin() -> Self {
        let stack = Stack::deploy("journey-api", &SHORT);
        let customer = Customer::start().await;
        let api = stack.client("account:acct_1").await;
        let registration = json!({
            "url": customer.url(), "event_types": ["email.*"], "alert_email": "ops@example.com",
        });
        let created = api.post("v1/endpoints", &registration).await;
        assert_eq!(created.status, 201, "{created:?}");
        let text = |name: &str| created.body[name].as_str().expect("text").to_owned();
        let endpoint = format!("v1/endpoints/{}", text("id"));
        Self { secret: text("secret"), stack, customer, api, endpoint }
    }

    /// Sends an event and waits until its delivery can be seen in the log.
    async fn send(&self, id: &str, status: &str) -> Value {
        self.stack.send(&event(id, ACCOUNT, r#"{"n":1.0}"#)).await;
        self.logged(id, status).await
    }

    async fn logged(&self, id: &str, status: &str) -> Value {
        let path = format!("{}/deliveries?status={status}", self.endpoint);
        until("the delivery in the log", || async {
            let page = self.api.get(&path).await;
            assert_eq!(page.status, 200, "{page:?}");
            let found = page.body["data"].as_array().expect("a list").iter();
            found.into_iter().find(|delivery| delivery["source_id"] == id).cloned()
        })
        .await
    }

    async fn post(&self, below: &str) -> Reply {
        self.api.post(&format!("{}{below}", self.endpoint), &json!({})).await
    }

    async fn last_received(&self, count: usize) -> Received {
        self.customer.received(count).await.remove(count - 1)
    }
}

/// Whether the standard header verifies with a secret, and whose Rackwave's own is.
fn verifies(received: &Received, secret: &str) -> bool {
    let mut headers = hyper::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, received.header(name).parse().expect("a value"));
    }
    let webhook = Webhook::new(secret).expect("a secret");
    webhook.verify(&received.body, &headers).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_registration_to_the_tombstone() {
    let life = Life::begin().await;
    let Life { stack, customer, api, endpoint, secret } = &life;
    assert!(Secret::parse(secret).is_ok());

    let delivered = life.send("first", "succeeded").await;
    assert!(verifies(&life.last_received(1).await, secret));
    let path = format!("v1/deliveries/{}", delivered["id"].as_str().expect("an id"));
    let detail = api.get(&path).await.body;
    assert_eq!(detail["payload"], json!(customer.so_far()[0].text()));
    assert_eq!(detail["headers"]["webhook-signature"], "<signed>");
    let id =
        derive_event_id_of(&AccountId::parse(ACCOUNT).expect("valid"), Product::Migosmtp, "first");
    let shown = api.get(&format!("v1/events/{id}")).await;
    assert_eq!((shown.status, &shown.body["deliveries"][0]["id"]), (200, &delivered["id"]));

    let patch = json!({"event_types": ["sms.*"]});
    let patched = api.call("PATCH", endpoint, Some(&patch), &[]).await;
    assert_eq!((patched.status, &patched.body["event_types"]), (200, &patch["event_types"]));
    let patch = json!({"event_types": ["*"], "description": "mine"});
    assert_eq!(api.call("PATCH", endpoint, Some(&patch), &[]).await.status, 200);

    assert_eq!(life.post("/disable").await.body["status"], "disabled");
    life.send("missed", "skipped").await;
    let enabled = life.post("/enable").await;
    assert_eq!((enabled.status, &enabled.body["status"]), (200, &json!("enabled")));
    assert_eq!(enabled.body["missed"]["skipped"], 1);
    assert_eq!(enabled.body["missed"]["failed"], 0);

    let rotated = life.post("/rotate-secret").await;
    let new = rotated.body["secret"].as_str().expect("a secret").to_owned();
    life.send("both", "succeeded").await;
    let both = life.last_received(2).await;
    assert!(verifies(&both, secret) && verifies(&both, &new), "either, during the overlap");
    let rackwave = both.header("X-Webhook-Signature").to_owned();
    assert_eq!(life.post("/rotate-secret").await.body["error"], "rotation_in_progress");
    assert_eq!(life.post("/rotate-secret/finish").await.status, 200);
    life.send("new", "succeeded").await;
    let after = life.last_received(3).await;
    assert!(verifies(&after, &new) && !verifies(&after, secret), "the new one alone");
    assert_eq!(both.text().len(), after.text().len());
    assert_ne!(rackwave, after.header("X-Webhook-Signature"), "another secret, another value");

    let payload = format!("v1/events/{id}/payload");
    assert_eq!(api.call("DELETE", &payload, None, &[]).await.status, 204);
    let erased = api.get(&format!("v1/events/{id}")).await.body;
    assert_eq!((erased.get("payload"), &erased["source_id"]), (None, &json!("first")));
    assert_eq!(erased["deliveries"][0]["attempts"][0].get("response_body"), None);

    assert_eq!(api.call("DELETE", endpoint, None, &[]).await.status, 204);
    assert_eq!(api.get(endpoint).await.status, 404);
    assert_eq!(api.get("v1/endpoints").await.body["data"], json!([]));
    stack.send(&event("late", ACCOUNT, "{}")).await;
    let report = api.get("v1/reports/messages").await;
    let totals = json!({"events": 4, "accepted": 4, "succeeded": 3, "failed": 0, "skipped": 1,
        "waiting": 0});
    assert_eq!(report.body["totals"], totals, "{:?}", report.body);
    let csv = api.call("GET", "v1/reports/messages", None, &[("accept", "text/csv")]).await;
    assert_eq!(csv.body.as_str().map(|text| text.lines().count()), Some(5));
    assert!(!stack.log("ApiFunction").contains("whsec_"), "no secret in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_is_shut_to_everybody_else() {
    let stack = Stack::deploy("journey-api-door", &[]);
    let operator = stack.client("operator").await;
    let nobody = ApiClient { url: operator.url.clone(), key: None };
    for path in ["v1/endpoints", "v1/event-types", "v1/reports/messages"] {
        let reply = nobody.get(path).await;
        let expected = (401, &json!("authentication_required"));
        assert_eq!((reply.status, &reply.body["error"]), expected, "{path}");
    }
    assert_eq!(nobody.get("v1").await.status, 404);
    let document = nobody.get("v1/openapi.json").await;
    assert_eq!((document.status, &document.body["openapi"]), (200, &json!("3.1.0")));
    let types = operator.get("v1/event-types").await;
    assert_eq!(types.status, 200);
    let left = types.headers.iter().find(|(name, _)| name == "x-ratelimit-remaining");
    assert_eq!(left.map(|(_, value)| value.as_str()), Some("599"));

    let link = json!({"account_id": ACCOUNT, "expires_in": 60});
    let link = operator.post("v1/portal-links", &link).await;
    let url = link.body["url"].as_str().expect("a link").to_owned();
    let (page, token) = url.split_once("#token=").expect("a token");
    assert_eq!(page, operator.url, "it leads to the function URL");
    let follower = ApiClient { url: page.into(), key: Some(token.into()) };
    assert_eq!(follower.get("v1/endpoints").await.body["data"], json!([]));
    assert_eq!(follower.post("v1/portal-links", &json!({})).await.status, 403);
    assert!(!stack.log("ApiFunction").contains(token), "no token in the log");

    // The other form of the address: the function's name as host.
    let (base, id) = operator.url.trim_end_matches('/').rsplit_once('/').expect("an id");
    let base = base.split("/_aws/").next().expect("a base");
    let by_host = ApiClient { url: format!("{base}/"), key: operator.key.clone() };
    let host = format!("{id}.lambda-url.us-east-1.localhost");
    let reply = by_host.call("GET", "v1/event-types", None, &[("host", &host)]).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let unknown = DeliveryId::parse("dlv_x_0_019ea1732b20_00112233445566778899aabbccddeeff");
    let path = format!("v1/deliveries/{}", unknown.expect("valid"));
    assert_eq!(operator.get(&path).await.status, 404);
}
