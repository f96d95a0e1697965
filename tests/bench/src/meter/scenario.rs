//! What is metered: some traffic, and how the pollers cut it into batches.

use std::time::Duration;

use anyhow::{Context, ensure};
use aws_sdk_sqs::types::Message;
use domain::delivery::{Change, Delivery, Settles, Status};
use domain::ids::DeliveryId;
use domain::ports::Deliveries;
use serde_json::json;
use tests::stack::Customer;

use super::data::{Data, event};
use super::stand::{Stand, Worker, batch};
use super::tally::{Invocation, Tally, requests_of};

/// A little world.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// Events.
    pub events: usize,
    /// Events in a message of the producer.
    pub in_a_message: usize,
    /// Messages in an invocation of ingest.
    pub messages: usize,
    /// Endpoints that get each event.
    pub endpoints: usize,
    /// Bytes of an event.
    pub bytes: usize,
    /// What its data is like.
    pub data: Data,
    /// What the endpoints do.
    pub answers: Answers,
}

/// What endpoints do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// 200, with a few words.
    Well,
    /// 503 to the first request of all, then 200.
    OnceBadly,
    /// 503 to everything.
    Badly,
}

const EVENTS: &str = "EventsQueueUrl";
/// The scenario that the budgets of design section 5 are about.
pub const HEALTHY: Scenario = Scenario {
    name: "healthy",
    events: 100,
    in_a_message: 10,
    messages: 10,
    endpoints: 1,
    bytes: 2_048,
    data: Data::Records,
    answers: Answers::Well,
};

impl Scenario {
    fn deliveries(&self) -> usize {
        self.events * self.endpoints
    }

    fn posts(&self) -> usize {
        match self.answers {
            Answers::Well => self.deliveries(),
            Answers::OnceBadly => self.deliveries() + 1,
            Answers::Badly => self.deliveries() * usize::from(domain::limits::SCHEDULED_ATTEMPTS),
        }
    }

    fn answer(&self, before: usize) -> (u16, Vec<u8>) {
        match self.answers {
            Answers::OnceBadly if before == 0 => (503, b"busy".to_vec()),
            Answers::Well | Answers::OnceBadly => (200, br#"{"received":true}"#.to_vec()),
            Answers::Badly => (503, b"Service Unavailable".to_vec()),
        }
    }

    /// The producer's messages.
    fn bodies(&self, account: &str) -> Vec<String> {
        let ids: Vec<u64> = (0..).take(self.events).collect();
        let body = |ids: &[u64]| {
            let one = |nth: &u64| event(self.data, self.bytes, account, *nth);
            match ids {
                [nth] => one(nth),
                many => format!("[{}]", many.iter().map(one).collect::<Vec<_>>().join(",")),
            }
        };
        ids.chunks(self.in_a_message).map(body).collect()
    }
}

/// Runs a scenario from its producer's first message to the last delivery's end.
pub async fn run(stand: &Stand, scenario: &Scenario) -> anyhow::Result<Tally> {
    let account = format!("acct_{}", scenario.name.replace(|c: char| !c.is_alphanumeric(), "_"));
    let customer = Customer::start().await;
    let shared = *scenario;
    customer.answers(move |before| shared.answer(before));
    stand.endpoints(&customer, &account, scenario.endpoints).await;
    let mut tally = Tally::new(scenario.deliveries());
    let ingest = stand.worker("ingest", "IngestFunction").await?;
    let sender = stand.worker("sender", "SenderFunction").await?;

    let bodies = scenario.bodies(&account);
    for body in &bodies {
        stand.stack.put(EVENTS, body).await;
        tally.sqs("producer", "SendMessage", requests_of(body.len()));
    }
    drain(stand, &ingest, (EVENTS, scenario.messages), &mut tally).await?;
    drain(
        stand,
        &sender,
        ("SendQueueUrl", stand.template.source("sender", "SendQueue")?.batch_size),
        &mut tally,
    )
    .await?;
    let all = later_attempts(stand, scenario, &sender, &mut tally).await?;

    let received = customer.received(scenario.posts()).await;
    ensure!(received.len() == scenario.posts(), "{} POSTs", received.len());
    tally.posts(&received);
    for delivery in &all {
        let ended = match scenario.answers {
            Answers::Well | Answers::OnceBadly => delivery.status == Status::Succeeded,
            Answers::Badly => matches!(delivery.status, Status::Failed(_)),
        };
        ensure!(ended, "{} is {:?}", delivery.id, delivery.status);
    }
    tally.ended(ingest)?;
    tally.ended(sender)?;
    stand.stack.purge("RetryQueueUrl").await;
    Ok(tally)
}

/// Hands everything on a queue to a function.
async fn drain(
    stand: &Stand,
    worker: &Worker,
    (queue, most): (&str, usize),
    tally: &mut Tally,
) -> anyhow::Result<()> {
    loop {
        let messages = stand.receive(queue, most).await?;
        if messages.is_empty() {
            return Ok(());
        }
        let answer = worker.invoke(&batch(&messages)).await?;
        let left = answer["batchItemFailures"].as_array().map_or(0, Vec::len);
        ensure!(left == 0, "{left} of {} come again: {answer}", messages.len());
        stand.delete(queue, &messages).await?;
        polled(queue, &messages, tally);
        tally.invocations.push(Invocation { function: worker.name, calls: worker.calls()? });
    }
}

/// What the pollers ask SQS for a batch: a receive and a delete for each ten.
fn polled(queue: &str, messages: &[Message], tally: &mut Tally) {
    for ten in messages.chunks(10) {
        let bytes = ten.iter().map(|message| message.body().map_or(0, str::len)).sum();
        let receive = requests_of(bytes);
        tally.sqs("poller", "ReceiveMessage", receive);
        tally.sqs("poller", "DeleteMessageBatch", 1.0);
        if queue != EVENTS {
            tally.polled_wake_ups += receive + 1.0;
        }
    }
}

/// Makes what waits due, as time would, until nothing waits; then the sweeper ends what has run
/// out. Answers all deliveries.
async fn later_attempts(
    stand: &Stand,
    scenario: &Scenario,
    sender: &Worker,
    tally: &mut Tally,
) -> anyhow::Result<Vec<Delivery>> {
    let ids = tally.delivery_ids()?;
    ensure!(ids.len() == scenario.deliveries(), "{} deliveries", ids.len());
    loop {
        let all = read(stand, &ids).await?;
        let waiting: Vec<&Delivery> =
            all.iter().filter(|delivery| delivery.next_attempt_at.is_some()).collect();
        if waiting.is_empty() {
            break;
        }
        for delivery in waiting {
            if delivery.scheduled_attempts > 1 {
                // Scheduler puts the wake-up on the queue; the first wait was an SQS delay.
                tally.sqs("scheduler", "SendMessage", 1.0);
            }
            stand.stack.make_due(&delivery.id).await;
        }
        let most = stand.template.source("sender", "RetryQueue")?.batch_size;
        drain(stand, sender, ("RetryQueueUrl", most), tally).await?;
    }
    if scenario.answers == Answers::Badly {
        give_up(stand, &ids, tally).await?;
    }
    read(stand, &ids).await
}

async fn read(stand: &Stand, ids: &[DeliveryId]) -> anyhow::Result<Vec<Delivery>> {
    let mut all = Vec::new();
    for id in ids {
        all.push(stand.stack.store.delivery(id).await?.context("a delivery is gone")?);
    }
    Ok(all)
}

/// Lets the 24 hours pass, and the sweeper come.
async fn give_up(stand: &Stand, ids: &[DeliveryId], tally: &mut Tally) -> anyhow::Result<()> {
    for delivery in read(stand, ids).await? {
        let over = stand.now() - Duration::from_secs(1);
        let change = Change {
            attempt: None,
            url: None,
            status: delivery.status,
            scheduled_attempts: delivery.scheduled_attempts,
            settles: Settles::Tier,
            next_attempt_at: None,
            gives_up_at: Some(over),
            due_at: Some(over),
            notice: None,
        };
        let stage = delivery.stage();
        ensure!(stand.stack.store.commit(&delivery.id, &stage, &change).await?, "a race");
    }
    let sweeper = stand.worker("sweeper", "SweeperFunction").await?;
    sweeper.invoke(&json!({})).await?;
    let calls = sweeper.calls()?;
    tally.invocations.push(Invocation { function: "sweeper", calls });
    tally.ended(sweeper)?;
    Ok(())
}
