//! The sweeper function: wires the use case to AWS.

use std::time::Duration;

use aws::dynamo::{Store, Table, Tables};
use aws::metrics::EmbeddedMetrics;
use aws::ses::PostOffice;
use aws::sqs::{Queue, QueueUrls, Queues};
use domain::Timestamp;
use domain::care::{Cared, Visit};
use domain::limits::AUDIT_RUN_S;
use domain::mail::Words;
use domain::ports::Clock;
use domain::settings::Lookup;
use domain::tell::Teller;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Serialize;
use sweeper::audit::{Audited, Auditor};
use sweeper::{Sweeper, Swept};

/// Kept free before the deadline, so that what is in work still ends.
const MARGIN: Duration = Duration::from_secs(20);

const QUEUES: [Queue; 6] =
    [Queue::Send, Queue::Retry, Queue::Events, Queue::EventsDlq, Queue::SendDlq, Queue::RetryDlq];

/// What a run answers.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    swept: Swept,
    endpoints: Cared,
    #[serde(skip_serializing_if = "Option::is_none")]
    audited: Option<Audited>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::logging::init();
    let environment = |name: &str| std::env::var(name).ok();
    let settings = Lookup::new(&environment);
    let config = aws::config::load()?;
    let tables = [Table::Events, Table::Deliveries, Table::Jobs, Table::Endpoints];
    let tables = Tables::from_settings(&settings, &tables)?;
    let retention = settings.retention()?;
    let metrics = EmbeddedMetrics::from_settings(&settings)?;
    let queues = QueueUrls::from_settings(&settings, &QUEUES)?;
    let sweeper = Sweeper {
        store: Store::new(&config, tables, retention),
        queues: Queues::new(&config, queues),
        bus: aws::eventbridge::EventBus::new(&config, settings.text("EVENT_BUS_NAME")?),
        clock: aws::clock::SystemClock,
        sqs_delay_max_s: settings.sqs_delay_max_s()?,
    };
    let (store, bus, clock) = (&sweeper.store, &sweeper.bus, &sweeper.clock);
    let metrics = &metrics;
    let auditor = &Auditor { store, clock, metrics, retention };
    let mails = PostOffice::from_settings(&config, &settings)?;
    let words = Words::from_settings(&settings)?;
    let teller = &Teller { store, bus, mails: mails.as_ref(), clock, words: &words };
    let sweeper = &sweeper;
    // What wakes it says nothing: any JSON will do.
    lambda_runtime::run(service_fn(|event: LambdaEvent<serde_json::Value>| async move {
        let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        let stop_at = Timestamp::from_millis(deadline) - MARGIN;
        let visit = teller.visit(Visit::Sweeper, stop_at);
        let (mut swept, endpoints) = futures::join!(sweeper.run(stop_at), visit);
        sweeper::log_visit(&endpoints);
        let enough = clock.now() + Duration::from_secs(AUDIT_RUN_S);
        let audited = auditor.run(stop_at.min(enough)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the audit goes on in the next run");
            swept.errors += 1;
            None
        });
        sweeper::log_run(&swept, metrics);
        Ok::<Report, lambda_runtime::Error>(Report { swept, endpoints, audited })
    }))
    .await
    .map_err(|error| anyhow::anyhow!("{error}"))
}
