//! The sender function: wires the use case to AWS.

use std::time::Duration;

use aws::batch::{BatchFailures, SqsMessage};
use aws::dynamo::{Store, Table, Tables};
use aws::sqs::{Queue, QueueUrls, Queues};
use domain::attempt::Waits;
use domain::settings::Lookup;
use domain::test_event::TestRequest;
use domain::wakeup::Lane;
use lambda_runtime::{LambdaEvent, service_fn};
use sender::{Message, Rules, Sender};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the function is invoked with: by its queues, or by the API.
#[derive(Deserialize)]
struct Input {
    #[serde(rename = "Records")]
    records: Option<Vec<SqsMessage>>,
    test: Option<Value>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Output {
    Batch(BatchFailures),
    Test(Value),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::logging::init();
    let environment = |name: &str| std::env::var(name).ok();
    let settings = Lookup::new(&environment);
    let config = aws::config::load()?;
    let tables = Tables::from_settings(
        &settings,
        &[
            Table::Endpoints,
            Table::EndpointSecrets,
            Table::Events,
            Table::Deliveries,
            Table::Jobs,
            Table::ApiState,
        ],
    )?;
    let queues = QueueUrls::from_settings(&settings, &[Queue::Send, Queue::Retry])?;
    let sender = Sender {
        store: Store::new(&config, tables, Duration::ZERO),
        queues: Queues::new(&config, queues),
        scheduler: aws::scheduler::Schedules::from_settings(&config, &settings)?,
        receiver: aws::receiver::HttpReceiver::new(settings.egress()?)?,
        bus: aws::eventbridge::EventBus::new(&config, settings.text("EVENT_BUS_NAME")?),
        chance: aws::clock::SystemChance,
        metrics: aws::metrics::EmbeddedMetrics::from_settings(&settings)?,
        rules: Rules {
            schedule: settings.schedule()?,
            health_step: domain::health::step(settings.disable_after()?),
            waits: Waits {
                sqs_delay_max_s: settings.sqs_delay_max_s()?,
                request_timeout: settings.request_timeout()?,
            },
        },
    };
    let sender = &sender;
    let send_queue_url = &settings.text(Queue::Send.variable())?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Input>| async move {
        let Some(records) = event.payload.records else {
            let wanted = TestRequest::parse(&json!({"test": event.payload.test}))?;
            return Ok::<_, lambda_runtime::Error>(Output::Test(
                sender.test(&wanted).await?.to_json(),
            ));
        };
        let messages: Vec<Message> =
            records.into_iter().map(|record| message(record, send_queue_url)).collect();
        Ok(Output::Batch(sender.handle(&messages).await.into_iter().collect()))
    }))
    .await
    .map_err(|error| anyhow::anyhow!("{error}"))
}

fn message(record: SqsMessage, send_queue_url: &str) -> Message {
    let lane = if record.is_from(send_queue_url) { Lane::Send } else { Lane::Retry };
    Message { received: record.received(), id: record.message_id, body: record.body, lane }
}
