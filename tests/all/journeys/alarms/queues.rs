//! What lies on queues.

use tests::stack::{Cli, Customer, Verdict, until};

use super::{ACCOUNT, Watched, done, event, event_id};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_aside() {
    let watched = Watched::deploy("journey-alarms-aside");
    let stack = &watched.stack;
    let customer = Customer::start().await;
    let (endpoint, _) = stack.register(&customer, ACCOUNT, |_| {}).await;
    for queue in ["EventsQueueUrl", "SendQueueUrl", "RetryQueueUrl"] {
        stack.hand_out_again_after(queue, 0).await;
    }
    for name in ["EventsDlqAlarm", "SendDlqAlarm", "RetryDlqAlarm"] {
        assert_eq!(watched.by_aws(name).await, Verdict::Ok, "{name}");
    }
    let key = [("account_id", ACCOUNT.to_owned()), ("endpoint_id", endpoint.id.to_string())];

    // An endpoint that this version cannot read: its account's events cannot be stored.
    stack.set_version("EndpointsTable", &key, Some(2)).await;
    let body = event("unstorable", ACCOUNT, "{}");
    stack.send(&body).await;
    watched.becomes("EventsDlqAlarm", Verdict::Alarm).await;
    stack.set_version("EndpointsTable", &key, Some(1)).await;
    stack.hand_out_again_after("EventsQueueUrl", 360).await;
    let cli = Cli::of(stack).await;
    assert_eq!(cli.run(&["redrive", "--queue", "events", "--yes"]).status.code(), Some(0));
    let delivery = stack.delivery_of(&event_id(&body), &endpoint.id).await;
    stack.delivery_when(&delivery.id, "delivered", done).await;
    watched.becomes("EventsDlqAlarm", Verdict::Ok).await;

    // Wake-ups that this version cannot read.
    for (queue, name) in [("SendQueueUrl", "SendDlqAlarm"), ("RetryQueueUrl", "RetryDlqAlarm")] {
        stack.put(queue, r#"{"v":2}"#).await;
        watched.becomes(name, Verdict::Alarm).await;
        // A queue may hand a message over twice.
        until("an empty queue", || async {
            stack.purge(&queue.replace("Queue", "Dlq")).await;
            (watched.by_aws(name).await == Verdict::Ok).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_and_what_is_refused() {
    let watched = Watched::deploy("journey-alarms-waits");
    let stack = &watched.stack;
    let customer = Customer::start().await;
    let (endpoint, _) = stack.register(&customer, ACCOUNT, |_| {}).await;
    for name in ["EventsWaitAlarm", "FirstAttemptsWaitAlarm", "RejectedAlarm"] {
        assert_eq!(watched.by_aws(name).await, Verdict::Ok, "{name}, of an empty queue");
    }

    // Somebody switched off what takes events, and then what takes first attempts.
    stack.let_take("SenderFunction", "SendQueueUrl", false).await;
    stack.let_take("IngestFunction", "EventsQueueUrl", false).await;
    let body = event("waits", ACCOUNT, "{}");
    stack.send(&body).await;
    assert_eq!(watched.of_what_stays("EventsWaitAlarm", 3).await, Verdict::Ok, "10 minutes");
    assert_eq!(watched.of_what_stays("EventsWaitAlarm", 6).await, Verdict::Alarm, "25 minutes");
    stack.let_take("IngestFunction", "EventsQueueUrl", true).await;
    assert_eq!(watched.of_what_stays("FirstAttemptsWaitAlarm", 5).await, Verdict::Ok);
    assert_eq!(watched.of_what_stays("FirstAttemptsWaitAlarm", 11).await, Verdict::Alarm);
    watched.becomes("EventsWaitAlarm", Verdict::Ok).await;
    stack.let_take("SenderFunction", "SendQueueUrl", true).await;
    let delivery = stack.delivery_of(&event_id(&body), &endpoint.id).await;
    stack.delivery_when(&delivery.id, "delivered", done).await;

    stack.send("no event").await;
    assert_eq!(watched.of_what_stays("RejectedAlarm", 24).await, Verdict::Ok, "23 hours");
    assert_eq!(watched.of_what_stays("RejectedAlarm", 26).await, Verdict::Alarm, "25 hours");

    // What the sender fails at stays in flight; so many at once, and the queue stands still.
    stack.put("RetryQueueUrl", r#"{"v":2}"#).await;
    let alarm = &watched.alarms["RetryInFlightAlarm"];
    let (at, one) = until("a message in flight", || async {
        let told = stack.told_by_aws(alarm).await;
        told.into_iter().find(|(_, count)| *count > 0.0)
    })
    .await;
    assert_eq!(alarm.verdict(&[(at, one * 90_000.0)], at), Verdict::Ok);
    assert_eq!(alarm.verdict(&[(at, one * 90_001.0)], at), Verdict::Alarm);
}
