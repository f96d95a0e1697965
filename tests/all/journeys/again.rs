//! An endpoint that was down, and what people do about it over HTTP: Retry Now, recover, cancel,
//! all by the real functions.

use serde_json::{Value, json};
use tests::stack::{ApiClient, Customer, Stack, until};

use super::event;

const ACCOUNT: &str = "acct_1";
/// Everything of a test.
const ALL: (&str, &str) = ("2026-01-01T00:00:00Z", "2100-01-01T00:00:00Z");

struct Case {
    stack: Stack,
    customer: Customer,
    api: ApiClient,
    endpoint: String,
}

impl Case {
    /// With the documented delays, so that what failed once waits until the test is over.
    async fn begin(name: &str) -> Self {
        let stack = Stack::deploy(name, &[]);
        let customer = Customer::start().await;
        let api = stack.client("account:acct_1").await;
        let (endpoint, _) = stack.register(&customer, ACCOUNT, |_| {}).await;
        Self { stack, customer, api, endpoint: endpoint.id.to_string() }
    }

    async fn send(&self, id: &str, status: &str) -> Value {
        self.stack.send(&event(id, ACCOUNT, "{}")).await;
        self.logged(id, status).await
    }

    async fn logged(&self, id: &str, status: &str) -> Value {
        let path = format!("v1/endpoints/{}/deliveries?status={status}", self.endpoint);
        until("the delivery in the log", || async {
            let page = self.api.get(&path).await.body;
            let found = page["data"].as_array().expect("a list").iter();
            found.into_iter().find(|delivery| delivery["source_id"] == id).cloned()
        })
        .await
    }

    /// A delivery once it has so many attempts.
    async fn attempted(&self, delivery: &Value, count: usize) -> Value {
        let path = format!("v1/deliveries/{}", text(delivery, "id"));
        until("another attempt", || async {
            let shown = self.api.get(&path).await.body;
            (shown["attempts"].as_array().map(Vec::len) == Some(count)).then_some(shown)
        })
        .await
    }

    async fn retry(&self, delivery: &Value) -> (u16, Value) {
        let path = format!("v1/deliveries/{}/retry", text(delivery, "id"));
        let reply = self.api.post(&path, &json!({})).await;
        (reply.status, reply.body)
    }

    async fn ask(&self, what: &str, more: Value) -> (u16, Value) {
        let mut body = json!({"from": ALL.0, "to": ALL.1});
        body.as_object_mut().expect("one").extend(more.as_object().expect("one").clone());
        let path = format!("v1/endpoints/{}/{what}", self.endpoint);
        let reply = self.api.post(&path, &body).await;
        (reply.status, reply.body)
    }

    async fn over(&self, job: &Value) -> Value {
        let path = format!("v1/recoveries/{}", text(job, "id"));
        until("the end of the job", || async {
            let job = self.api.get(&path).await.body;
            (job["status"] != "running").then_some(job)
        })
        .await
    }

    async fn switch(&self, way: &str) -> Value {
        let path = format!("v1/endpoints/{}/{way}", self.endpoint);
        let reply = self.api.post(&path, &json!({})).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.body
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().expect(name)
}

fn counters(job: &Value) -> Value {
    let of = ["status", "total", "done", "succeeded", "failed"];
    of.into_iter().map(|name| job[name].clone()).collect()
}

fn last_attempt(delivery: &Value) -> &Value {
    delivery["attempts"].as_array().and_then(|all| all.last()).expect("an attempt")
}

#[tokio::test(flavor = "multi_thread")]
async fn down_up_and_sent_again() {
    let case = Case::begin("journey-again").await;
    let Case { stack, customer, .. } = &case;
    customer.answers(|_| (503, b"down".to_vec()));
    let first = case.send("first", "retrying").await;
    case.send("second", "retrying").await;

    // Retry Now while it is down: an attempt more, nothing else changes.
    let (status, asked) = case.retry(&first).await;
    assert_eq!((status, &asked["delivery_id"]), (202, &first["id"]), "{asked}");
    let again = case.attempted(&first, 2).await;
    assert_eq!(last_attempt(&again)["trigger"], "manual");
    for unchanged in ["status", "attempts_left", "next_attempt_at", "gives_up_at"] {
        assert_eq!(again[unchanged], first[unchanged], "{unchanged}");
    }

    // Disabled: what wakes up ends, what comes is skipped, and nothing is sent again.
    case.switch("disable").await;
    case.send("third", "skipped").await;
    stack.make_due(&text(&first, "id").parse().expect("an id")).await;
    assert_eq!(case.logged("first", "failed").await["reason"], "endpoint_disabled");
    let disabled = (409, "endpoint_disabled");
    let (status, refused) = case.retry(&first).await;
    assert_eq!((status, text(&refused, "error")), disabled);
    let (status, refused) = case.ask("recover", json!({})).await;
    assert_eq!((status, text(&refused, "error")), disabled);

    // Up again: everything that was missed, at the receiver's pace, each once.
    customer.answers(|_| (200, b"back".to_vec()));
    let missed = &case.switch("enable").await["missed"];
    assert_eq!((&missed["skipped"], &missed["failed"]), (&json!(1), &json!(1)), "{missed}");
    let dry = json!({"from": missed["from"], "to": missed["to"], "dry_run": true});
    assert_eq!(case.ask("recover", dry).await, (200, json!({"total": 3})));
    let only = json!({"status": ["failed", "skipped"], "dry_run": true});
    assert_eq!(case.ask("recover", only).await, (200, json!({"total": 2})));
    let before = customer.so_far().len();
    assert_eq!(before, 3, "two attempts and a retry");
    let (status, job) = case.ask("recover", json!({"max_per_second": 5})).await;
    assert_eq!((status, &job["kind"]), (202, &json!("recover")), "{job}");
    let job = case.over(&job).await;
    assert_eq!(counters(&job), json!(["finished", 3, 3, 3, 0]), "{job}");
    assert_eq!(customer.so_far().len(), before + 3, "each once");
    for id in ["first", "second", "third"] {
        let delivery = case.logged(id, "succeeded").await;
        assert_eq!(last_attempt(&delivery)["trigger"], "recover", "{delivery}");
    }
    assert_eq!(case.ask("recover", json!({"dry_run": true})).await, (200, json!({"total": 0})));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_by_mistake_is_cancelled() {
    let case = Case::begin("journey-cancel").await;
    let Case { customer, .. } = &case;
    customer.answers(|_| (503, b"down".to_vec()));
    let waiting = case.send("mistake", "retrying").await;
    let other = json!({"event": "email.opened", "dry_run": true});
    assert_eq!(case.ask("cancel", other).await, (200, json!({"total": 0})));
    let dry = json!({"event": "email.delivered", "dry_run": true});
    assert_eq!(case.ask("cancel", dry).await, (200, json!({"total": 1})));
    let (status, job) = case.ask("cancel", json!({})).await;
    assert_eq!((status, &job["kind"]), (202, &json!("cancel")), "{job}");
    let job = case.over(&job).await;
    assert_eq!(
        (&job["status"], &job["total"], &job["done"]),
        (&json!("finished"), &json!(1), &json!(1))
    );
    let cancelled = case.logged("mistake", "failed").await;
    assert_eq!(
        (&cancelled["reason"], &cancelled["attempts_left"]),
        (&json!("cancelled"), &json!(0))
    );

    // It was none after all: one click sends it, a recovery would not.
    customer.answers(|_| (204, Vec::new()));
    assert_eq!(case.ask("recover", json!({"dry_run": true})).await, (200, json!({"total": 0})));
    assert_eq!(case.retry(&waiting).await.0, 202);
    let delivered = case.logged("mistake", "succeeded").await;
    assert_eq!(last_attempt(&delivered)["trigger"], "manual");
    assert_eq!(delivered.get("reason"), None, "{delivered}");
    assert_eq!(customer.so_far().len(), 2);
}
