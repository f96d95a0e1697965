//! The sweeper function: wires the use case to AWS.

use std::time::Duration;

use aws::dynamo::{Store, Table, Tables};
use aws::sqs::{Queue, QueueUrls, Queues};
use domain::Timestamp;
use domain::settings::Lookup;
use lambda_runtime::{LambdaEvent, service_fn};
use sweeper::{Sweeper, Swept};

/// Kept free before the deadline, so that what is in work still ends.
const MARGIN: Duration = Duration::from_secs(20);

const QUEUES: [Queue; 6] =
    [Queue::Send, Queue::Retry, Queue::Events, Queue::EventsDlq, Queue::SendDlq, Queue::RetryDlq];

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::logging::init();
    let environment = |name: &str| std::env::var(name).ok();
    let settings = Lookup::new(&environment);
    let config = aws::config::load()?;
    let tables = Tables::from_settings(&settings, &[Table::Deliveries, Table::Jobs])?;
    let queues = QueueUrls::from_settings(&settings, &QUEUES)?;
    let sweeper = Sweeper {
        store: Store::new(&config, tables, Duration::ZERO),
        queues: Queues::new(&config, queues),
        bus: aws::eventbridge::EventBus::new(&config, settings.text("EVENT_BUS_NAME")?),
        clock: aws::clock::SystemClock,
        sqs_delay_max_s: settings.sqs_delay_max_s()?,
    };
    let sweeper = &sweeper;
    // What wakes it says nothing: any JSON will do.
    lambda_runtime::run(service_fn(|event: LambdaEvent<serde_json::Value>| async move {
        let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        let swept = sweeper.run(Timestamp::from_millis(deadline) - MARGIN).await;
        Ok::<Swept, lambda_runtime::Error>(swept)
    }))
    .await
    .map_err(|error| anyhow::anyhow!("{error}"))
}
