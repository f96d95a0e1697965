//! The stand that benchmarks run on: functions as the template sets them up, a stub of AWS, and
//! what the product itself has put into it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use aws::clock::{SystemClock, new_secret};
use aws::dynamo::{Store, Table, Tables};
use cli::bar::Bar;
use domain::endpoint::register::Registration;
use domain::ids::EndpointId;
use domain::ports::{Clock, Registry};
use domain::secret::SigningSecrets;
use domain::target::TargetRules;
use local::Layout;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::artefact::Artefacts;
use crate::cloud::{Cloud, Sent};
use crate::fleet::EVENTS;
use crate::payload::Payload;
use crate::sandbox::{Function, Sandbox};
use crate::template::Template;

/// Events in one message, as a product that batches sends them.
const EVENTS_PER_MESSAGE: usize = 10;

/// What a run needs.
pub struct Stand {
    /// The real one.
    pub template: Template,
    /// Where the functions' calls go.
    pub cloud: Cloud,
    /// What was sent to queues.
    pub sent: mpsc::UnboundedReceiver<Sent>,
    artefacts: Arc<Artefacts>,
    store: Store,
}

/// What ingest made of events.
pub struct Accepted {
    /// Bodies of the wake-ups it sent.
    pub wake_ups: VecDeque<String>,
    /// Time it took.
    pub took: Duration,
    /// Time on a processor.
    pub cpu: Duration,
}

impl Stand {
    /// Builds the functions and starts the stub.
    ///
    /// # Errors
    /// If the build fails or nothing can be started.
    pub async fn start(layout: &Layout, bar: &mut Bar) -> anyhow::Result<Self> {
        bar.say("building the functions (minutes, the first time)");
        let artefacts = Arc::new(Artefacts::build(layout)?);
        Self::with(layout, artefacts).await
    }

    async fn with(layout: &Layout, artefacts: Arc<Artefacts>) -> anyhow::Result<Self> {
        let template = Template::read(layout)?;
        let (cloud, sent) = Cloud::start(&template).await?;
        let config = aws::config::emulator(&cloud.url(), "us-east-1");
        let tables = [
            (Table::Endpoints, "EndpointsTable".to_owned()),
            (Table::EndpointSecrets, "EndpointSecretsTable".to_owned()),
        ];
        let store = Store::new(&config, Tables::new(tables), Duration::ZERO);
        Ok(Self { template, cloud, sent, artefacts, store })
    }

    /// The same, with an empty stub.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn afresh(&self, layout: &Layout) -> anyhow::Result<Self> {
        Self::with(layout, self.artefacts.clone()).await
    }

    /// A function as the template sets it up.
    ///
    /// # Errors
    /// If the template does not know it.
    pub fn function(&self, name: &'static str) -> anyhow::Result<Function> {
        let url = self.cloud.url();
        let mut variables = self.template.variables(name, &url)?;
        variables.insert("AWS_ENDPOINT_URL".to_owned(), url);
        let timeout = Duration::from_secs(self.template.timeout_s(name)?);
        Ok(Function { name, program: self.artefacts.path(name), variables, timeout })
    }

    /// The binaries.
    pub fn artefacts(&self) -> &Artefacts {
        &self.artefacts
    }

    /// Registers an endpoint that gets every event of its account.
    ///
    /// # Errors
    /// If the product does not take it.
    pub async fn register(&self, account: &str, url: String) -> anyhow::Result<EndpointId> {
        let id = aws::clock::new_endpoint_id().map_err(|e| anyhow::anyhow!("{e}"))?;
        let wanted = Registration {
            account_id: account.to_owned(),
            url,
            event_types: vec!["*".to_owned()],
            alert_email: "owner@example.com".to_owned(),
            ..Registration::default()
        };
        let now = SystemClock.now();
        let endpoint = wanted.check(id, TargetRules::InsecureForLocal, now)?;
        let secrets = SigningSecrets { current: new_secret()?, previous: None };
        self.store.create_endpoint(&endpoint, &secrets).await?;
        Ok(endpoint.id)
    }

    /// Has ingest accept events of an account, in messages of ten and batches of ten messages.
    ///
    /// # Errors
    /// If it does not take all of them.
    pub async fn accept(
        &mut self,
        account: &str,
        payload: &Payload,
        events: std::ops::Range<u64>,
        bar: &mut Bar,
    ) -> anyhow::Result<Accepted> {
        let mut ingest = Sandbox::start(&self.function("ingest")?).await?;
        let whole = events.end - events.start;
        let bodies: Vec<String> = events.map(|nth| payload.event(account, nth)).collect();
        let per_message = if payload.bytes > 60_000 { 1 } else { EVENTS_PER_MESSAGE };
        let messages: Vec<String> =
            bodies.chunks(per_message).map(|events| format!("[{}]", events.join(","))).collect();
        let (begun, before) = (Instant::now(), ingest.cpu()?);
        let mut wake_ups = VecDeque::new();
        for batch in messages.chunks(10) {
            let answer = ingest.invoke(sqs_event(EVENTS, batch).to_string()).await?;
            acknowledged(&answer)?;
            while let Ok(sent) = self.sent.try_recv() {
                wake_ups.push_back(sent.body);
            }
            bar.draw(u64::try_from(wake_ups.len())?, whole, "events accepted");
        }
        ensure!(u64::try_from(wake_ups.len())? == whole, "{} of {whole} accepted", wake_ups.len());
        let cpu = ingest.cpu()?.saturating_sub(before);
        Ok(Accepted { wake_ups, took: begun.elapsed(), cpu })
    }
}

/// What Lambda hands over: messages received once, from this queue.
pub fn sqs_event(queue: &str, bodies: &[impl AsRef<str>]) -> Value {
    let record = |(nth, body): (usize, &_)| {
        json!({
            "messageId": format!("2e1424d4-f796-459a-8184-{nth:012}"),
            "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
            "body": AsRef::<str>::as_ref(body),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1523232000000",
                "SenderId": "123456789012",
                "ApproximateFirstReceiveTimestamp": "1523232000001",
            },
            "messageAttributes": {},
            "md5OfBody": "7b270e59b47ff90a553787216d55d91d",
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:us-east-1:123456789012:{queue}"),
            "awsRegion": "us-east-1",
        })
    };
    json!({"Records": bodies.iter().enumerate().map(record).collect::<Vec<Value>>()})
}

/// # Errors
/// If a message of the batch was not acknowledged.
pub fn acknowledged(answer: &[u8]) -> anyhow::Result<()> {
    let answer: Value = serde_json::from_slice(answer)?;
    let failures = answer["batchItemFailures"].as_array().context("no answer to a batch")?;
    ensure!(failures.is_empty(), "{} messages were not acknowledged", failures.len());
    Ok(())
}
