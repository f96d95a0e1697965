//! The daily function: wires the use case to AWS.

use std::time::Duration;

use aws::dynamo::{Store, Table, Tables};
use aws::metrics::EmbeddedMetrics;
use aws::ses::PostOffice;
use domain::Timestamp;
use domain::mail::Words;
use domain::settings::Lookup;
use domain::tell::Teller;
use lambda_runtime::{LambdaEvent, service_fn};

/// Kept free before the deadline, so that what is in work still ends.
const MARGIN: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::logging::init();
    let environment = |name: &str| std::env::var(name).ok();
    let settings = Lookup::new(&environment);
    let config = aws::config::load()?;
    let tables = Tables::from_settings(&settings, &[Table::Endpoints, Table::Deliveries])?;
    let store = Store::new(&config, tables, Duration::ZERO);
    let bus = aws::eventbridge::EventBus::new(&config, settings.text("EVENT_BUS_NAME")?);
    let mails = PostOffice::from_settings(&config, &settings)?;
    let words = Words::from_settings(&settings)?;
    let clock = aws::clock::SystemClock;
    let teller =
        Teller { store: &store, bus: &bus, mails: mails.as_ref(), clock: &clock, words: &words };
    let (teller, metrics) = (&teller, &EmbeddedMetrics::from_settings(&settings)?);
    // What wakes it says nothing: any JSON will do.
    lambda_runtime::run(service_fn(|event: LambdaEvent<serde_json::Value>| async move {
        let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        let done = daily::run(teller, metrics, Timestamp::from_millis(deadline) - MARGIN).await;
        done.map_err(lambda_runtime::Error::from)
    }))
    .await
    .map_err(|error| anyhow::anyhow!("{error}"))
}
