//! What becomes of events, on the real template.

use std::collections::BTreeSet;

use domain::delivery::Status;
use domain::ports::Events;
use tests::stack::{Customer, Stack, until};

use super::{event, event_id};

fn attribute(message: &aws_sdk_sqs::types::Message, name: &str) -> Option<String> {
    message.message_attributes.as_ref()?.get(name)?.string_value.clone()
}

/// A healthy endpoint of `acct_1`, and a stack with the documented parameters.
async fn healthy(name: &str) -> (Stack, Customer) {
    let stack = Stack::deploy(name, &[]);
    let customer = Customer::start().await;
    stack.register(&customer, "acct_1", |_| {}).await;
    (stack, customer)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_is_one_event() {
    let (stack, customer) = healthy("journey-one-event").await;
    let other = Customer::start().await;
    stack.register(&other, "acct_2", |_| {}).await;
    let first = event("a", "acct_1", "{}");
    stack.send(&first).await;
    customer.received(1).await;
    stack.send(&first).await;
    let conflict = event("a", "acct_1", r#"{"other":true}"#);
    let source = stack.send(&conflict).await;
    let refused = stack.rejected(1).await.remove(0);
    assert_eq!(attribute(&refused, "error_code").as_deref(), Some("event_id_conflict"));
    assert_eq!(attribute(&refused, "source_message_id"), Some(source));
    assert_eq!(refused.body.as_deref(), Some(conflict.as_str()));

    stack.send(&event("a", "acct_2", "{}")).await;
    other.received(1).await;
    stack.send(&first.replace("migosmtp", "telnxo")).await;
    customer.received(2).await;
    let nameless = event("x", "acct_1", r#"{"nameless":1}"#).replace(r#""id":"x","#, "");
    stack.send(&nameless).await;
    customer.received(3).await;
    stack.send(&format!("[{nameless},{nameless}]")).await;
    // What is sent last arrives after whatever would have come of the copies.
    stack.send(&event("last", "acct_1", "{}")).await;
    let posts = customer.received(4).await;
    let ids: BTreeSet<&str> = posts.iter().map(|post| post.header("webhook-id")).collect();
    assert_eq!((posts.len(), ids.len()), (4, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_bad_ones_among_a_hundred() {
    let (stack, customer) = healthy("journey-hundred").await;
    let mut elements: Vec<String> =
        (0..100).map(|n| event(&format!("e{n}"), "acct_1", &format!("{{\"n\":{n}}}"))).collect();
    elements[7] = "\"not an object\"".into();
    elements[42] = elements[42].replace("2026-06-07T09:39:00Z", "yesterday");
    elements[99] = elements[99].replace(r#""data""#, r#""priority":1,"data""#);
    let source = stack.send(&format!("[{}]", elements.join(" ,\n"))).await;
    let posts = customer.received(97).await;
    let arrived: BTreeSet<&str> = posts.iter().map(|post| post.header("webhook-id")).collect();
    let good = (0..100).filter(|n| ![7, 42, 99].contains(n));
    let sent: Vec<String> = good.map(|n| event_id(&elements[n]).to_string()).collect();
    assert_eq!(arrived, sent.iter().map(String::as_str).collect());

    let mut refused = stack.rejected(3).await;
    refused.sort_by_key(|r| attribute(r, "index").and_then(|i| i.parse::<u32>().ok()));
    let expected = [
        (7, "invalid_envelope", "object"),
        (42, "invalid_field", "timestamp"),
        (99, "unknown_field", "priority"),
    ];
    for (refused, (index, code, names)) in refused.iter().zip(expected) {
        assert_eq!(attribute(refused, "index"), Some(index.to_string()));
        assert_eq!(attribute(refused, "error_code").as_deref(), Some(code));
        assert_eq!(attribute(refused, "source_message_id").as_ref(), Some(&source));
        let message = attribute(refused, "error_message").unwrap_or_default();
        assert!(message.contains(names), "{message}");
        assert_eq!(refused.body.as_deref(), Some(elements[index].as_str()), "original bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_refused_as_a_whole() {
    let (stack, customer) = healthy("journey-refused").await;
    let many = format!("[{}]", vec![event("m", "acct_1", "{}"); 101].join(","));
    for (body, code) in [
        ("{\"id\":", "invalid_json"),
        ("17", "invalid_envelope"),
        ("[]", "invalid_envelope"),
        (&many, "batch_too_large"),
    ] {
        stack.send(body).await;
        let refused = stack.rejected(1).await.remove(0);
        assert_eq!(attribute(&refused, "error_code").as_deref(), Some(code), "{body:.40}");
        assert_eq!(attribute(&refused, "index"), None);
        assert_eq!(refused.body.as_deref(), Some(body));
    }
    assert!(customer.so_far().is_empty());
    // Told after it was refused.
    until("the line in the log", || async {
        stack.log("IngestFunction").contains("batch_too_large").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fan_out_by_account_and_subscription() {
    let (stack, first) = healthy("journey-fan-out").await;
    let (second, third) = (Customer::start().await, Customer::start().await);
    let email = |types: &'static str| {
        move |r: &mut domain::endpoint::register::Registration| r.event_types = vec![types.into()]
    };
    stack.register(&second, "acct_1", email("email.*")).await;
    stack.register(&third, "acct_1", email("email.delivered")).await;
    let (sms, stranger) = (Customer::start().await, Customer::start().await);
    stack.register(&sms, "acct_1", email("sms.*")).await;
    stack.register(&stranger, "acct_2", |_| {}).await;

    let body = event("a", "acct_1", "{}");
    stack.send(&body).await;
    for customer in [&first, &second, &third] {
        customer.received(1).await;
    }
    assert_eq!(stack.deliveries(&event_id(&body)).await.len(), 3);

    let unwanted = event("a", "acct_99", "{}");
    stack.send(&unwanted).await;
    let id = event_id(&unwanted);
    until("the event nobody wants is logged", || async {
        stack.log("IngestFunction").contains(id.as_str()).then_some(())
    })
    .await;
    assert_eq!(stack.store.event(&id).await.expect("read"), None, "nothing is stored");
    assert!(sms.so_far().is_empty() && stranger.so_far().is_empty());
    for delivery in stack.deliveries(&event_id(&body)).await {
        let done = |d: &domain::delivery::Delivery| d.status == Status::Succeeded;
        stack.delivery_when(&delivery.id, "succeeded", done).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_arrives_as_sent() {
    let (stack, customer) = healthy("journey-bytes").await;
    let data =
        "{ \"z\":1.0, \"a\" : [1e3,-0, 1E+2],\n\"u\":\"\\u00e9é\\/\\ud83d\\ude00😀\",\"n\":null }";
    stack.send(&event("a", "acct_1", data)).await;
    let post = customer.received(1).await.remove(0);
    let expected = format!(
        r#"{{"event":"email.delivered","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{data}}}"#
    );
    assert_eq!(post.text(), expected);
}
