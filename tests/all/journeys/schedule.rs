//! The schedule, in seconds, on the real template.

use std::time::Duration;

use domain::delivery::{Delivery, FailedReason, Status};
use domain::wakeup::WakeUp;
use tests::stack::{Customer, SHORT, Stack, until};

use super::{event, event_id};

#[tokio::test(flavor = "multi_thread")]
async fn five_posts_then_exhausted() {
    let stack = Stack::deploy("journey-five-posts", &SHORT);
    let customer = Customer::start().await;
    customer.answers(|_| (500, "x".repeat(5_000).into_bytes()));
    let (endpoint, _) = stack.register(&customer, "acct_1", |_| {}).await;
    let body = event("a", "acct_1", r#"{"n":1.0}"#);
    stack.send(&body).await;
    let delivery = stack.delivery_of(&event_id(&body), &endpoint.id).await;

    for tier in 2..5 {
        let schedule = WakeUp::fresh(delivery.id.clone(), tier);
        customer.received(usize::from(tier)).await;
        until("the next attempt is scheduled, by name", || async {
            stack.is_scheduled(&schedule).await.then_some(())
        })
        .await;
        customer.received(usize::from(tier) + 1).await;
        until("its schedule is gone", || async {
            (!stack.is_scheduled(&schedule).await).then_some(())
        })
        .await;
    }
    let posts = customer.received(5).await;
    let numbers: Vec<&str> = posts.iter().map(|post| post.header("X-Webhook-Attempt")).collect();
    assert_eq!(numbers, ["1", "2", "3", "4", "5"]);
    assert!(posts.iter().all(|post| post.body == posts[0].body), "identical bodies");
    assert!(posts.iter().all(|p| p.header("webhook-id") == delivery.event_id.as_str()));
    for post in &posts {
        let signed_at: u64 = post.header("X-Webhook-Timestamp").parse().expect("seconds");
        assert!(post.at.abs_diff(signed_at) <= 2, "a fresh timestamp on every attempt");
        assert_eq!(post.header("webhook-timestamp"), post.header("X-Webhook-Timestamp"));
    }
    let distinct: std::collections::BTreeSet<&str> =
        posts.iter().map(|post| post.header("X-Webhook-Timestamp")).collect();
    assert_eq!(distinct.len(), 5);

    let made = |d: &Delivery| d.attempt_count == 5;
    let waiting = stack.delivery_when(&delivery.id, "five attempts on record", made).await;
    assert_eq!((waiting.status, waiting.next_attempt_at), (Status::Retrying, None));
    let ended =
        stack.sweep_until(&delivery.id, "marked as failed", |d| d.status != Status::Retrying).await;
    assert_eq!(ended.status, Status::Failed(FailedReason::Exhausted));
    assert_eq!(ended.attempts.len(), 5);
    for attempt in &ended.attempts {
        assert_eq!(attempt.answer.http_status, Some(500));
        assert_eq!(attempt.answer.response_body.as_deref(), Some("x".repeat(1_024).as_str()));
    }
    let out = |d: &Delivery| d.due_at.is_none() && d.notice.is_none();
    stack.sweep_until(&delivery.id, "announced and out of the index", out).await;
    assert_eq!(customer.so_far().len(), 5, "no sixth");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_recovers() {
    let stack = Stack::deploy("journey-recovers", &SHORT);
    let customer = Customer::start().await;
    customer.answers(|before| (if before < 2 { 503 } else { 200 }, b"ok".to_vec()));
    let (endpoint, _) = stack.register(&customer, "acct_1", |_| {}).await;
    let body = event("a", "acct_1", "{}");
    stack.send(&body).await;
    customer.received(3).await;
    let id = stack.delivery_of(&event_id(&body), &endpoint.id).await.id;
    let done = |d: &Delivery| d.status == Status::Succeeded;
    let delivery = stack.delivery_when(&id, "succeeded", done).await;
    assert_eq!(delivery.attempts.len(), 3);
    assert_eq!((delivery.due_at, delivery.next_attempt_at), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_delay_by_default() {
    let stack = Stack::deploy("journey-defaults", &[]);
    let customer = Customer::start().await;
    customer.answers(|_| (500, Vec::new()));
    let (endpoint, _) = stack.register(&customer, "acct_1", |_| {}).await;
    let body = event("a", "acct_1", "{}");
    stack.send(&body).await;
    let mut id = stack.delivery_of(&event_id(&body), &endpoint.id).await.id;
    for (attempts, delay_s) in [(1, 300), (2, 1_800), (3, 7_200), (4, 28_800)] {
        let made = |d: &Delivery| d.attempt_count == attempts;
        let delivery = stack.delivery_when(&id, "an attempt on record", made).await;
        let last = delivery.attempts.last().expect("just counted");
        let ended = last.at + Duration::from_millis(last.answer.duration_ms);
        let waits = delivery.next_attempt_at.expect("waiting").since(ended).as_millis();
        let delay_ms = delay_s * 1_000;
        assert!((delay_ms..=delay_ms * 105 / 100).contains(&waits), "{waits} ms after {attempts}");
        id = delivery.id.clone();
        // Nobody waits for hours: the record is told that the attempt is due now.
        stack.make_due(&id).await;
    }
    customer.received(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_wake_up_is_found_by_the_sweeper() {
    let stack = Stack::deploy("journey-lost-wake-up", &SHORT);
    let customer = Customer::start().await;
    customer.answers(|before| (if before == 0 { 500 } else { 200 }, Vec::new()));
    let (endpoint, _) = stack.register(&customer, "acct_1", |_| {}).await;
    let body = event("a", "acct_1", "{}");
    stack.send(&body).await;
    let id = stack.delivery_of(&event_id(&body), &endpoint.id).await.id;
    stack.delivery_when(&id, "the first attempt on record", |d| d.attempt_count == 1).await;
    stack.purge("RetryQueueUrl").await;
    let done = |d: &Delivery| d.status == Status::Succeeded;
    let delivery = stack.sweep_until(&id, "succeeded after all", done).await;
    assert_eq!(delivery.attempts.len(), 2);
    assert_eq!(customer.so_far().len(), 2);
}
