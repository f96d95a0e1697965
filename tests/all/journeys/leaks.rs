//! The functions' logs on the real template: JSON line by line, every attempt to be found by the
//! message it came from, and nothing in them that must stay secret.

use aws_sdk_sqs::types::MessageAttributeValue;
use domain::delivery::Status;
use serde_json::{Value, json};
use tests::stack::{Customer, SHORT, Stack, until};

use super::{event, event_id};
use crate::leaks::{ANSWER, HEADER, PAYLOAD, Unspeakable};

const ACCOUNT: &str = "acct_1";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const FUNCTIONS: [&str; 5] =
    ["IngestFunction", "SenderFunction", "SweeperFunction", "DailyFunction", "ApiFunction"];

/// Sends with a trace, as products do that have one; answers SQS's message id.
async fn traced(stack: &Stack, body: &str) -> String {
    let text = MessageAttributeValue::builder().data_type("String").string_value(TRACE);
    let sent = stack
        .sqs()
        .send_message()
        .queue_url(stack.output("EventsQueueUrl"))
        .message_body(body)
        .message_attributes("traceparent", text.build().expect("whole"));
    sent.send().await.expect("sent").message_id.expect("an id")
}

fn lines(stack: &Stack, function: &str) -> Vec<Value> {
    let log = stack.log(function);
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    log.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_tell_everything_but_what_is_secret() {
    let stack = Stack::deploy("journey-leaks", &SHORT);
    let customer = Customer::start().await;
    let api = stack.client("operator").await;
    let mut unspeakable = Unspeakable::new();
    unspeakable.add("a key", api.key.as_deref().expect("a key"));
    let registration = json!({"account_id": ACCOUNT, "url": customer.url(), "event_types": ["*"],
        "alert_email": "owner@example.com", "headers": {"X-Tenant": HEADER}});
    let endpoint = api.post("v1/endpoints", &registration).await.body;
    unspeakable.add("a secret", endpoint["secret"].as_str().expect("shown once"));
    let path = format!("v1/endpoints/{}", endpoint["id"].as_str().expect("an id"));
    let rotated = api.post(&format!("{path}/rotate-secret"), &json!({})).await.body;
    unspeakable.add("a secret", rotated["secret"].as_str().expect("shown once"));
    let link = json!({"account_id": ACCOUNT, "expires_in": 600});
    let link = api.post("v1/portal-links", &link).await.body;
    let token = link["url"].as_str().and_then(|url| url.split_once("#token=")).expect("a token").1;
    unspeakable.add("a token", token.split('&').next().expect("a token"));

    customer.answers(|before| (if before == 0 { 500 } else { 200 }, ANSWER.into()));
    let body = event("traced", ACCOUNT, &format!(r#"{{"p":"{PAYLOAD}"}}"#));
    let message = traced(&stack, &body).await;
    stack.send(&body.replace("email.delivered", PAYLOAD)).await;
    stack.send(&format!("{{\"{PAYLOAD}")).await;
    let received = customer.received(2).await;
    let delivery = until("delivered at the second attempt", || async {
        let all = stack.deliveries(&event_id(&body)).await;
        all.into_iter().find(|delivery| delivery.status == Status::Succeeded)
    })
    .await;
    let test = api.post(&format!("{path}/test"), &json!({"event": "email.delivered"})).await;
    assert_eq!(test.status, 200, "{test:?}");
    let retry = api.post(&format!("v1/deliveries/{}/retry", delivery.id), &json!({})).await;
    assert_eq!(retry.status, 202, "{retry:?}");
    for request in customer.received(4).await {
        unspeakable.signatures(|name| request.header(&name.to_lowercase()));
    }
    stack.rejected(2).await;
    stack.sweep();
    stack.daily();

    assert!(received.iter().all(|request| request.header("traceparent") == TRACE), "passed on");
    until("the retry's line", || async {
        let attempts = lines(&stack, "SenderFunction").into_iter();
        let ours = attempts.filter(|line| line["delivery_id"] == delivery.id.as_str());
        (ours.filter(|line| line["message"] == "attempt").count() == 3).then_some(())
    })
    .await;
    let accepted = lines(&stack, "IngestFunction").into_iter().find(|line| {
        line["message"] == "event accepted" && line["source_message_id"] == message.as_str()
    });
    let accepted = accepted.expect("the product's message is in the log");
    assert_eq!(accepted["event_id"], delivery.event_id.as_str(), "and leads to the delivery");
    for function in FUNCTIONS {
        let log = stack.log(function);
        assert!(!lines(&stack, function).is_empty(), "{function} has run");
        let found = unspeakable.found_in(&log);
        assert!(found.is_empty(), "{function}: {found:#?}");
    }
}
