//! The examples of the OpenAPI document are real answers: the calls are made here, in a world that
//! is the same every time, and compared with what the document shows. `UPDATE_EXAMPLES=1` writes
//! them anew.

use serde_json::{Map, Value, json};
use tests::world::{World, answer};

use super::{Client, client, document};

const FILE: &str = "functions/api/src/openapi/examples.json";

/// Makes calls and keeps the first answer of each operation and status.
struct Recorder {
    client: Client,
    examples: Map<String, Value>,
}

impl Recorder {
    fn call(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let reply = self.client.call(method, path, Some(body), &[]);
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        let id = document::operation(method, path).expect("documented")["operationId"].clone();
        let of_operation =
            self.examples.entry(id.as_str().expect("a name")).or_insert_with(|| json!({}));
        if reply.status < 300 && body != &json!({}) {
            of_operation["request"] = body.clone();
        }
        if reply.status != 204 {
            of_operation[reply.status.to_string()] = reply.body.clone();
        }
        reply.body
    }
}

fn record() -> Value {
    let world = World::new();
    world.answers(|_, nth| answer(if nth == 0 { 503 } else { 200 }));
    let mut recorder = Recorder { client: client(&world, "operator"), examples: Map::new() };
    let nothing = json!({});
    let registration = json!({
        "account_id": "acct_42", "url": "https://hooks.example.com/in",
        "event_types": ["email.*"], "alert_email": "ops@example.com", "product": "migosmtp",
        "headers": {"X-Tenant": "seven"},
    });
    let created = recorder.call("POST", "/v1/endpoints", &registration);
    let endpoint = format!("/v1/endpoints/{}", created["id"].as_str().expect("an id"));
    recorder.call("POST", "/v1/endpoints", &json!({"account_id": "acct_42"}));
    let below = |path: &str| format!("{endpoint}{path}");
    world.accept(&crate::journeys::event(
        "evt_123",
        "acct_42",
        r#"{"message_id":"msg_8f3a2b1c9d4e7f0a","to":"recipient@example.com"}"#,
    ));
    world.send_due();
    let delivery = world.only_delivery();
    recorder.call("GET", &below("/deliveries?status=retrying"), &nothing);
    recorder.call("GET", &format!("/v1/deliveries/{}", delivery.id), &nothing);
    recorder.call("GET", "/v1/deliveries/dlv_unknown", &nothing);
    recorder.call("GET", &format!("/v1/events/{}", delivery.event_id), &nothing);
    let retry = format!("/v1/deliveries/{}/retry", delivery.id);
    recorder.call("POST", &retry, &nothing);
    recorder.call("POST", &retry, &nothing);
    let mut window = json!({"from": "2026-06-07T00:00:00Z", "to": "2026-06-08T00:00:00Z"});
    let recovery = recorder.call("POST", &below("/recover"), &window);
    recorder.call("POST", &below("/recover"), &window);
    let recovery = format!("/v1/recoveries/{}", recovery["id"].as_str().expect("an id"));
    recorder.call("GET", &recovery, &nothing);
    recorder.call("POST", &format!("{recovery}/cancel"), &nothing);
    window["event"] = "email.delivered".into();
    window["dry_run"] = true.into();
    recorder.call("POST", &below("/cancel"), &window);
    let by_source = "/v1/events?account_id=acct_42&product=migosmtp&source_id=evt_123";
    recorder.call("GET", by_source, &nothing);
    recorder.call("GET", "/v1/event-types", &nothing);
    let link = json!({"account_id": "acct_42", "endpoint_id": created["id"], "expires_in": 3_600});
    recorder.call("POST", "/v1/portal-links", &link);
    recorder.call("GET", "/v1/reports/messages?account_id=acct_42", &nothing);
    recorder.call("GET", "/v1/endpoints?account_id=acct_42", &nothing);
    recorder.call("GET", &endpoint, &nothing);
    recorder.call("PATCH", &endpoint, &json!({"description": "Shop", "max_per_second": 20}));
    recorder.call("POST", &below("/rotate-secret"), &nothing);
    recorder.call("POST", &below("/rotate-secret"), &nothing);
    recorder.call("POST", &below("/rotate-secret/finish"), &nothing);
    let test = json!({"event": "email.delivered"});
    recorder.call("POST", &below("/test"), &test);
    recorder.call("POST", &below("/disable"), &nothing);
    recorder.call("POST", &below("/test"), &test);
    recorder.call("POST", &below("/enable"), &nothing);
    recorder.call("DELETE", &format!("/v1/events/{}/payload", delivery.event_id), &nothing);
    recorder.call("DELETE", &endpoint, &nothing);
    recorder.call("GET", &endpoint, &nothing);
    recorder.examples.into()
}

#[test]
fn the_documents_examples_are_real_answers() {
    let layout = local::Layout::of_this_clone();
    let path = layout.root().join(FILE);
    let real = record();
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        std::fs::write(&path, format!("{real:#}\n")).expect("written");
    }
    let shown: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("there")).expect("JSON");
    assert_eq!(shown, real, "run it with UPDATE_EXAMPLES=1, and look at the difference");
}
