//! The ingest function: wires the use case to AWS.

use std::time::Duration;

use aws::batch::{BatchFailures, SqsBatch, SqsMessage};
use aws::dynamo::{Store, Table, Tables};
use aws::sqs::{Queue, QueueUrls, Queues};
use domain::Timestamp;
use domain::ports::Clock;
use domain::settings::Lookup;
use ingest::{Ingest, Message};
use lambda_runtime::{LambdaEvent, service_fn};

/// Kept free before the deadline: what is in work then still ends, and the answer arrives.
const MARGIN: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::logging::init();
    let environment = |name: &str| std::env::var(name).ok();
    let settings = Lookup::new(&environment);
    let config = aws::config::load()?;
    let tables =
        Tables::from_settings(&settings, &[Table::Endpoints, Table::Events, Table::Deliveries])?;
    let queues =
        QueueUrls::from_settings(&settings, &[Queue::Send, Queue::Retry, Queue::Rejected])?;
    let retention = settings.retention()?;
    let ingest = Ingest {
        store: Store::new(&config, tables, retention),
        queues: Queues::new(&config, queues),
        bus: aws::eventbridge::EventBus::new(&config, settings.text("EVENT_BUS_NAME")?),
        clock: aws::clock::SystemClock,
        retention,
    };
    let ingest = &ingest;
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsBatch>| async move {
        let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        let stop_at = Timestamp::from_millis(deadline) - MARGIN;
        let messages: Vec<Message> = event.payload.records.into_iter().map(message).collect();
        tracing::info!(messages = messages.len(), now = %ingest.clock.now(), "batch");
        let again: BatchFailures = ingest.handle(&messages, stop_at).await.into_iter().collect();
        Ok::<_, lambda_runtime::Error>(again)
    }))
    .await
    .map_err(|error| anyhow::anyhow!("{error}"))
}

fn message(record: SqsMessage) -> Message {
    Message {
        received: record.received(),
        traceparent: record.attribute("traceparent").map(str::to_owned),
        sender: record.sender().map(str::to_owned),
        id: record.message_id,
        body: record.body,
    }
}
