//! Does everything once that a function needs a permission for, and says what failed.

mod api;

use std::process::Command;
use std::time::Duration;

use domain::Timestamp;
use domain::delivery::{Change, Delivery, Settles, Status};
use domain::endpoint::Endpoint;
use domain::endpoint::register::Registration;
use domain::envelope::parse_body;
use domain::event::Event;
use domain::health::Health;
use domain::ids::EndpointId;
use domain::job::Job;
use domain::log::LogQuery;
use domain::ports::{
    Begun, Clock, Deliveries, DeliveryLog, EndpointHealth, Events, Jobs, Registry,
};
use domain::secret::SigningSecrets;
use domain::wakeup::WakeUp;
use local::Layout;
use serde_json::{Value, json};
use tests::stack::{Customer, Stack, emulator, python};

use crate::journeys::event;

/// A first wait by SQS, a second by Scheduler.
pub const PARAMETERS: [(&str, &str); 5] = [
    ("AlertSender", "webhooks@example.com"),
    ("RetryDelaysSeconds", "1,30,30,30"),
    ("GiveUpAfterSeconds", "200"),
    ("SqsDelayMaxSeconds", "1"),
    ("ProducerPrincipals", "arn:aws:iam::000000000000:user/producer"),
];
const PATIENCE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// Whether every part of a stack does its work.
pub async fn everything_works(stack: &Stack) -> Result<(), String> {
    let customer = Customer::start().await;
    customer.answers(|_| (500, Vec::new()));
    let (endpoint, _) = stack.register(&customer, "acct_1", |_| {}).await;
    producer_sends(stack)?;
    ingest_works(stack)?;
    endpoints_are_looked_after(stack, &endpoint).await?;
    trouble_has_its_lane(stack).await?;
    let retried = retried_by_schedule(stack, &endpoint).await;
    denied(stack)?;
    retried?;
    api::works(stack, &endpoint).await?;
    denied(stack)?;
    first_attempt_again(stack).await?;
    sender_announces(stack, &endpoint).await?;
    sweeper_works(stack, &endpoint).await?;
    audit_works(stack, &endpoint).await?;
    denied(stack)
}

fn now() -> Timestamp {
    aws::clock::SystemClock.now()
}

/// A producer of another principal, named in `ProducerPrincipals`.
fn producer_sends(stack: &Stack) -> Result<(), String> {
    let output = Command::new(python().python())
        .arg(Layout::of_this_clone().root().join("tests/template/producer.py"))
        .args(["--endpoint", emulator().endpoint_url(), "--user", "producer"])
        .args(["--queue", stack.output("EventsQueueUrl"), "--body", &event("p", "acct_9", "{}")])
        .output()
        .expect("Python runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("the producer: {errors}")) }
}

/// A batch handed to a function as Lambda would; all of it must be acknowledged.
fn invoke(stack: &Stack, function: &str, body: &str, received: u32) -> Result<(), String> {
    let record = json!({
        "messageId": "probe",
        "body": body,
        "attributes": {"ApproximateReceiveCount": received.to_string(), "SenderId": "AIDA"},
    });
    let batch = json!({"Records": [record]});
    let answer = emulator().invoke(stack.output(function), &batch).map_err(|e| e.to_string())?;
    let failures = answer["batchItemFailures"].as_array().map(Vec::len);
    if failures == Some(0) { Ok(()) } else { Err(format!("{function} of {body:.60}: {answer}")) }
}

fn ingest_works(stack: &Stack) -> Result<(), String> {
    invoke(stack, "IngestFunction", &format!("[{},17]", event("a", "acct_1", "{}")), 1)?;
    // Received before, and wanted by nobody: perhaps an earlier try stored it.
    invoke(stack, "IngestFunction", &event("b", "acct_2", "{}"), 2)
}

/// The first attempt for an endpoint that has been failing, and that wants one request a second.
async fn trouble_has_its_lane(stack: &Stack) -> Result<(), String> {
    let customer = Customer::start().await;
    let slow = |wanted: &mut Registration| wanted.max_per_second = Some(1);
    let (endpoint, _) = stack.register(&customer, "acct_5", slow).await;
    let moment = Some(now());
    let health = Health { last_failure_at: moment, failing_since: moment, ..Health::default() };
    let failing = Endpoint { health, ..endpoint.clone() };
    assert_eq!(stack.store.record_health(&endpoint, &failing).await, Ok(true));
    invoke(stack, "IngestFunction", &event("lane", "acct_5", "{}"), 1)?;
    seen(stack, "a first attempt in the lane of trouble", async || {
        Ok((!customer.so_far().is_empty()).then_some(()))
    })
    .await
}

/// One endpoint that has been failing for hours, one for more than a week.
async fn endpoints_are_looked_after(stack: &Stack, endpoint: &Endpoint) -> Result<(), String> {
    stack.verify("webhooks@example.com").await;
    let hour = Duration::from_secs(3_600);
    for (id, hours) in [("ep_alert", 2), ("ep_end", 24 * 8)] {
        let since = now() - hour * hours;
        let health = Health {
            failing_since: Some(since),
            last_failure_at: Some(now()),
            ..Health::default()
        };
        let id = EndpointId::parse(id).expect("valid");
        let failing = Endpoint { id, enabled_at: since - hour, health, ..endpoint.clone() };
        let current = aws::clock::new_secret().expect("random");
        let secrets = SigningSecrets { current, previous: None };
        stack.store.create_endpoint(&failing, &secrets).await.map_err(|e| e.to_string())?;
    }
    let judged = emulator().invoke(stack.output("DailyFunction"), &json!({}));
    let judged = judged.map_err(|e| e.to_string())?;
    let swept = emulator().invoke(stack.output("SweeperFunction"), &json!({}));
    let swept = swept.map_err(|e| e.to_string())?["endpoints"].clone();
    let figures = |of: &Value| ["mailed", "announced", "errors"].map(|name| of[name].as_u64());
    let one = [Some(1), Some(1), Some(0)];
    match (figures(&judged), figures(&swept)) {
        (daily, sweeper) if (daily, sweeper) == (one, one) => Ok(()),
        _ => Err(format!("judged: {judged}, tended: {swept}")),
    }
}

/// Looks until there is something to see, or a function was refused something.
async fn seen<T>(
    stack: &Stack,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>, String>,
) -> Result<T, String> {
    let looking = async {
        loop {
            denied(stack)?;
            if let Some(found) = look().await? {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_| Err(format!("not seen: {what}")))
}

/// The event of `ingest_works` is attempted, tried again after an SQS delay, then scheduled.
async fn retried_by_schedule(stack: &Stack, endpoint: &Endpoint) -> Result<(), String> {
    seen(stack, "a second attempt, and a schedule after it", async || {
        let page = stack.store.log(&LogQuery::newest(&endpoint.id, 1, 1)).await;
        let delivery = page.map_err(|e| e.to_string())?.items.pop();
        let twice = delivery.filter(|delivery| delivery.attempt_count == 2);
        let Some(delivery) = twice else { return Ok(None) };
        let scheduled = stack.is_scheduled(&WakeUp::fresh(delivery.id, 2)).await;
        Ok(scheduled.then_some(()))
    })
    .await
}

/// A delivery that is on record and in no queue.
async fn unsent(stack: &Stack, endpoint: &Endpoint, id: &str) -> Result<Delivery, String> {
    let envelope = parse_body(&event(id, "acct_1", "{}")).remove(0).verdict.expect("good");
    let endpoints = [endpoint.clone()];
    let event = Event::accept(envelope, &endpoints, None, HOUR, now()).expect("wanted");
    stack.store.store(&event).await.map_err(|e| e.to_string())?;
    let delivery = event.deliveries(&endpoints).remove(0);
    stack.store.create(&delivery).await.map_err(|e| e.to_string())?;
    Ok(delivery)
}

/// Somebody else's claim is live: the sender sends the wake-up again.
async fn first_attempt_again(stack: &Stack) -> Result<(), String> {
    let customer = Customer::start().await;
    let (healthy, _) = stack.register(&customer, "acct_1", |_| {}).await;
    let delivery = unsent(stack, &healthy, "claimed").await?;
    // Its end must be within SQS's reach.
    let until = now() + Duration::from_millis(950);
    assert_eq!(stack.store.claim(&delivery.id, 0, until, now()).await, Ok(true));
    let near = WakeUp::copy(delivery.id, 0);
    invoke(stack, "SenderFunction", &near.to_json(), 1)
}

/// The endpoint is gone: the sender ends the delivery and says so.
async fn sender_announces(stack: &Stack, endpoint: &Endpoint) -> Result<(), String> {
    let gone = Endpoint { id: EndpointId::parse("ep_gone").expect("valid"), ..endpoint.clone() };
    let delivery = unsent(stack, &gone, "gone").await?;
    invoke(stack, "SenderFunction", &WakeUp::fresh(delivery.id, 0).to_json(), 1)
}

/// An event whose delivery is gone is put to work by an audit.
async fn audit_works(stack: &Stack, endpoint: &Endpoint) -> Result<(), String> {
    let lost = unsent(stack, endpoint, "lost").await?;
    stack.delete_delivery(&lost.id).await;
    stack.audit().await;
    if stack.store.delivery(&lost.id).await.map_err(|e| e.to_string())?.is_none() {
        return Err("the audit repaired nothing".into());
    }
    Ok(())
}

/// One overdue first attempt, one overdue later one, one whose time is up, and dead letters.
async fn sweeper_works(stack: &Stack, endpoint: &Endpoint) -> Result<(), String> {
    let past = now() - HOUR;
    let stages = [
        (Status::Pending, 0, None),
        (Status::Retrying, 2, Some(past)),
        (Status::Retrying, 5, None),
    ];
    for (nth, (status, scheduled_attempts, next_attempt_at)) in stages.into_iter().enumerate() {
        let delivery = unsent(stack, endpoint, &format!("due-{nth}")).await?;
        let change = Change {
            attempt: None,
            url: None,
            status,
            scheduled_attempts,
            settles: Settles::Tier,
            next_attempt_at,
            gives_up_at: Some(past),
            due_at: Some(past),
            notice: None,
        };
        let written = stack.store.commit(&delivery.id, &delivery.stage(), &change).await;
        assert_eq!(written, Ok(true));
    }
    let delivery = unsent(stack, endpoint, "set-aside").await?;
    for queue in ["SendDlqUrl", "RetryDlqUrl"] {
        stack.put(queue, &WakeUp::copy(delivery.id.clone(), 0).to_json()).await;
    }
    let stalled = Job { wakes_at: past, ..tests::conformance::jobs::job(1, "ep_gone") };
    assert_eq!(stack.store.begin(&stalled).await, Ok(Begun::New));
    // In one run, unless a lane was not empty just then and is held back.
    let expected =
        [("woken", 2), ("exhausted", 1), ("drained", 2), ("rescued", 1), ("jobs_revived", 1)];
    let mut figures = expected.map(|_| 0);
    let swept = seen(stack, "one sweep that does it all", async || {
        let swept = stack.sweep();
        for (sum, (name, _)) in figures.iter_mut().zip(expected) {
            *sum += swept[name].as_u64().unwrap_or_default();
        }
        let trouble = swept["errors"] != 0;
        let all = figures == expected.map(|(_, figure)| figure);
        if trouble { Err(format!("swept: {swept}")) } else { Ok(all.then_some(())) }
    });
    let swept = swept.await;
    swept.map_err(|what| format!("{what}; {figures:?} of {expected:?}"))
}

/// A refusal in any function's log is a failure, whatever came of it.
pub fn denied(stack: &Stack) -> Result<(), String> {
    for function in
        ["IngestFunction", "SenderFunction", "SweeperFunction", "DailyFunction", "ApiFunction"]
    {
        let log = stack.log(function);
        if let Some(line) = log.lines().find(|line| line.contains("AccessDenied")) {
            return Err(line.to_owned());
        }
    }
    Ok(())
}
