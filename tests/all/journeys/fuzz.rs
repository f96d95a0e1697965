//! The API against its own OpenAPI document, by a tool that makes up requests; see
//! `tests/fuzz/run.py`, which does it for longer by hand.

use std::collections::BTreeSet;
use std::process::Command;

use api::route::ROUTES;
use domain::delivery::Status;
use local::Layout;
use serde_json::Value;
use tests::stack::{Customer, Stack, python, until};

use super::{event, event_id};

/// Each may make 600 calls a minute.
const KEYS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_what_its_document_says_whatever_is_sent() {
    let stack = Stack::deploy("journey-fuzz", &[]);
    let customer = Customer::start().await;
    customer.answers(|nth| (if nth == 0 { 503 } else { 200 }, b"answer".to_vec()));
    stack.register(&customer, "acct_1", |_| {}).await;
    for id in ["failing", "good"] {
        let body = event(id, "acct_1", "{}");
        stack.send(&body).await;
        until("its first attempt", || async {
            let delivery = stack.deliveries(&event_id(&body)).await.pop();
            delivery.filter(|delivery| delivery.status != Status::Pending)
        })
        .await;
    }
    let mut keys = Vec::new();
    for _ in 0..KEYS {
        let client = stack.client("operator").await;
        keys.push(client.key.expect("a key"));
    }
    let url = stack.client("operator").await.url;
    let output = Command::new(python().python())
        .current_dir(Layout::of_this_clone().root())
        .args(["tests/fuzz/run.py", "--api", &url])
        .env("WEBHOOKS_KEYS", keys.join(","))
        .output()
        .expect("Python runs");
    let (text, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.contains("No issues found"), "{text}");
    let reached = reached(&stack.log("ApiFunction"));
    let missed: Vec<&str> =
        ROUTES.iter().map(|entry| entry.path).filter(|path| !reached.contains(*path)).collect();
    assert_eq!(missed, [""; 0], "nothing was found behind these: {text}");
    assert!(!stack.log("ApiFunction").contains("panicked"), "no panic behind any answer");
}

/// The paths that were answered well at least once.
fn reached(log: &str) -> BTreeSet<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let good = lines.filter(|line| line["status"].as_u64().is_some_and(|s| s < 300));
    good.filter_map(|line| Some(line["route"].as_str()?.to_owned())).collect()
}
