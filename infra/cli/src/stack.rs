//! The stack that a command works on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use aws::dynamo::{Store, Table, Tables};
use aws::sqs::{Queue, QueueUrls, Queues};
use domain::target::TargetRules;
use serde::Deserialize;

/// Points at another description than the nearest `.local/stack.json`.
const STACK_FILE: &str = "WEBHOOKS_STACK_FILE";
const RETENTION: Duration = Duration::from_secs(30 * 86_400);

/// A running stack, as `cargo local` describes it.
#[derive(Deserialize)]
pub struct Stack {
    endpoint_url: String,
    region: String,
    /// Where the delivery-log page is, if the stack has one.
    pub api_url: Option<String>,
    /// Opens the API.
    pub operator_key: Option<String>,
    outputs: BTreeMap<String, String>,
    /// The folder that the description stands in.
    #[serde(skip)]
    home: PathBuf,
}

impl Stack {
    /// The local stack of the clone that the command runs in.
    pub fn local() -> anyhow::Result<Self> {
        let path =
            path().context("no local stack is running here; start one with `cargo local`")?;
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mut stack: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} does not describe a stack", path.display()))?;
        stack.home = path.parent().map(PathBuf::from).unwrap_or_default();
        stack.answers().with_context(|| {
            format!(
                "the stack that {} describes is gone; `cargo local` starts a new one",
                path.display()
            )
        })?;
        Ok(stack)
    }

    /// Whether anybody listens there: a refused connection is a clearer answer than a time-out.
    fn answers(&self) -> std::io::Result<()> {
        let address = self.endpoint_url.trim_start_matches("http://").trim_end_matches('/');
        std::net::TcpStream::connect(address).map(|_| ())
    }

    /// An output of the stack.
    pub fn output(&self, name: &str) -> anyhow::Result<String> {
        self.outputs.get(name).cloned().with_context(|| format!("the stack has no output {name}"))
    }

    /// Everything a function has logged, as far as it is kept; empty if it has not run yet.
    pub fn log(&self, function: &str) -> anyhow::Result<String> {
        let path = self.home.join("logs").join(format!("{}.log", self.output(function)?));
        match std::fs::read(&path) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Its tables.
    pub fn store(&self) -> anyhow::Result<Store> {
        let tables = [
            (Table::Endpoints, "EndpointsTable"),
            (Table::EndpointSecrets, "EndpointSecretsTable"),
            (Table::Events, "EventsTable"),
            (Table::Deliveries, "DeliveriesTable"),
            (Table::ApiKeys, "ApiKeysTable"),
            (Table::Jobs, "JobsTable"),
        ];
        let named = tables.into_iter().map(|(table, output)| Ok((table, self.output(output)?)));
        let tables = Tables::new(named.collect::<anyhow::Result<Vec<_>>>()?);
        Ok(Store::new(&self.config(), tables, RETENTION))
    }

    /// Its queues.
    pub fn queues(&self) -> anyhow::Result<Queues> {
        let queues = [
            (Queue::Events, "EventsQueueUrl"),
            (Queue::Send, "SendQueueUrl"),
            (Queue::Retry, "RetryQueueUrl"),
            (Queue::Rejected, "RejectedQueueUrl"),
            (Queue::EventsDlq, "EventsDlqUrl"),
            (Queue::SendDlq, "SendDlqUrl"),
            (Queue::RetryDlq, "RetryDlqUrl"),
        ];
        let named = queues.into_iter().map(|(queue, output)| Ok((queue, self.output(output)?)));
        let urls = QueueUrls::new(named.collect::<anyhow::Result<Vec<_>>>()?);
        Ok(Queues::new(&self.config(), urls))
    }

    /// What URLs it takes.
    pub fn target_rules(&self) -> TargetRules {
        TargetRules::InsecureForLocal
    }

    fn config(&self) -> aws_config::SdkConfig {
        aws::config::emulator(&self.endpoint_url, &self.region)
    }
}

fn path() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(STACK_FILE) {
        return Some(path.into());
    }
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|folder| folder.join(".local/stack.json")).find(|path| path.is_file())
}
