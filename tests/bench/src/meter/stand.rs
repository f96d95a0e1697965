//! The real template on the emulator, with the pollers of its queues played by hand: which batches
//! they form is an assumption of a scenario, and nothing that an emulator could tell.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use aws_config::SdkConfig;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use domain::endpoint::Endpoint;
use domain::ports::Clock;
use local::{Emulator, Layout, StackSpec};
use serde_json::{Value, json};
use tests::stack::{Customer, Stack, emulator};

use super::capacity::Schema;
use super::counting::{Call, Counter, Schemas};
use crate::artefact::Artefacts;
use crate::sandbox::{Function, Sandbox};
use crate::template::Template;

/// Messages that SQS hands out at once.
const RECEIVE: usize = 10;

/// The stack, and what its functions run with.
pub struct Stand {
    /// The stack.
    pub stack: Stack,
    /// As it stands in the file.
    pub template: Template,
    sqs: aws_sdk_sqs::Client,
    config: SdkConfig,
    schemas: Schemas,
    artefacts: Artefacts,
    layout: Layout,
}

/// A function at work, and the endpoint that counts what it asks of AWS.
pub struct Worker {
    /// Its name, such as `sender`.
    pub name: &'static str,
    /// MiB.
    pub memory_mib: f64,
    sandbox: Sandbox,
    log: PathBuf,
    counter: Counter,
}

/// What a function has left behind.
pub struct Ended {
    /// What it wrote, line by line.
    pub lines: Vec<String>,
    /// Seconds of a processor that it used, start included.
    pub cpu_s: f64,
}

impl Worker {
    /// What it asked since the last time.
    pub fn calls(&self) -> anyhow::Result<Vec<Call>> {
        self.counter.take()
    }

    /// One invocation.
    pub async fn invoke(&self, event: &Value) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&self.sandbox.invoke(event.to_string()).await?)?)
    }

    /// Ends it. It writes before it answers: all is there.
    pub fn end(mut self) -> anyhow::Result<Ended> {
        let cpu_s = self.sandbox.cpu()?.as_secs_f64();
        drop(self.sandbox);
        let log = fs::read_to_string(&self.log)?;
        fs::remove_file(&self.log)?;
        let lines: Vec<String> = log.lines().map(str::to_owned).collect();
        let trouble = lines.iter().find(|line| line.contains(r#""level":"ERROR""#));
        ensure!(trouble.is_none(), "a function met trouble: {trouble:?}");
        Ok(Ended { lines, cpu_s })
    }
}

impl Stand {
    /// Builds the functions, deploys the template, and takes the emulator's pollers off the queues.
    pub async fn start(name: &str) -> anyhow::Result<Self> {
        let layout = Layout::of_this_clone();
        let artefacts = Artefacts::build(&layout)?;
        let folder = artefacts.path("");
        let stack = Stack::of(&StackSpec::new(&layout, name, folder));
        let config = aws::config::emulator(emulator().endpoint_url(), Emulator::REGION);
        let lambda = aws_sdk_lambda::Client::new(&config);
        for function in ["IngestFunction", "SenderFunction"] {
            let list = lambda.list_event_source_mappings().function_name(stack.output(function));
            for mapping in list.send().await?.event_source_mappings() {
                let id = mapping.uuid().context("a mapping without an id")?;
                lambda.delete_event_source_mapping().uuid(id).send().await?;
            }
        }
        let schemas = schemas(&config).await?;
        let sqs = aws_sdk_sqs::Client::new(&config);
        let template = Template::read(&layout)?;
        let stand = Self { stack, template, sqs, config, schemas, artefacts, layout };
        // A sweeper's first run audits; later ones are like each other.
        let sweeper = stand.worker("sweeper", "SweeperFunction").await?;
        sweeper.invoke(&json!({})).await?;
        sweeper.end()?;
        Ok(stand)
    }

    /// Starts a function, such as `sender` for `SenderFunction`, with the variables that it has in
    /// the stack.
    pub async fn worker(&self, name: &'static str, output: &str) -> anyhow::Result<Worker> {
        let in_stack = self.stack.output(output);
        let lambda = aws_sdk_lambda::Client::new(&self.config);
        let found = lambda.get_function_configuration().function_name(in_stack).send().await?;
        let variables = found.environment().and_then(|all| all.variables());
        let counter = Counter::start(emulator().endpoint_url(), self.schemas.clone()).await?;
        let aws = ("AWS_ENDPOINT_URL".to_owned(), counter.url());
        let function = Function {
            name,
            program: self.artefacts.path(name),
            variables: variables
                .context("no variables")?
                .clone()
                .into_iter()
                .chain([aws])
                .collect(),
            timeout: Duration::from_secs(self.template.timeout_s(name)?),
        };
        let folder = self.layout.state().join("bench");
        fs::create_dir_all(&folder)?;
        let log = folder.join(format!("{in_stack}-{}.log", std::process::id()));
        let sandbox = Sandbox::writing_to(&function, File::create(&log)?.into()).await?;
        let memory_mib = f64::from(found.memory_size().context("no memory size")?);
        Ok(Worker { name, memory_mib, sandbox, log, counter })
    }

    /// Registers as many endpoints of an account, all at the same customer's.
    pub async fn endpoints(
        &self,
        customer: &Customer,
        account: &str,
        count: usize,
    ) -> Vec<Endpoint> {
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(self.stack.register(customer, account, |_| {}).await.0);
        }
        all
    }

    /// Takes at most `most` messages off a queue, as often as it takes, as a poller does.
    pub async fn receive(&self, queue: &str, most: usize) -> anyhow::Result<Vec<Message>> {
        let mut all = Vec::new();
        while all.len() < most {
            let wanted = i32::try_from((most - all.len()).min(RECEIVE))?;
            let request = self.sqs.receive_message().queue_url(self.stack.output(queue));
            let answer = request
                .max_number_of_messages(wanted)
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .message_attribute_names("All")
                .send()
                .await?;
            let messages = answer.messages.unwrap_or_default();
            if messages.is_empty() {
                break;
            }
            all.extend(messages);
        }
        Ok(all)
    }

    /// Acknowledges messages.
    pub async fn delete(&self, queue: &str, messages: &[Message]) -> anyhow::Result<()> {
        for ten in messages.chunks(RECEIVE) {
            let entry = |(nth, message): (usize, &Message)| {
                let handle = message.receipt_handle.clone().unwrap_or_default();
                let entry = DeleteMessageBatchRequestEntry::builder().id(nth.to_string());
                entry.receipt_handle(handle).build()
            };
            let entries: Result<Vec<_>, _> = ten.iter().enumerate().map(entry).collect();
            let request = self.sqs.delete_message_batch().queue_url(self.stack.output(queue));
            request.set_entries(Some(entries?)).send().await?;
        }
        Ok(())
    }

    /// The moment.
    pub fn now(&self) -> domain::Timestamp {
        aws::clock::SystemClock.now()
    }
}

/// A batch as Lambda hands it to a function.
pub fn batch(messages: &[Message]) -> Value {
    let record = |message: &Message| {
        let attributes = message.attributes.iter().flatten();
        let attributes: serde_json::Map<String, Value> =
            attributes.map(|(name, value)| (name.as_str().to_owned(), json!(value))).collect();
        json!({
            "messageId": message.message_id, "receiptHandle": message.receipt_handle,
            "body": message.body, "attributes": attributes, "messageAttributes": {},
            "eventSource": "aws:sqs", "awsRegion": Emulator::REGION,
        })
    };
    json!({"Records": messages.iter().map(record).collect::<Vec<_>>()})
}

/// Keys and indexes of all tables there are.
async fn schemas(config: &SdkConfig) -> anyhow::Result<Schemas> {
    let dynamo = aws_sdk_dynamodb::Client::new(config);
    let mut schemas = HashMap::new();
    for name in dynamo.list_tables().send().await?.table_names() {
        let answer = dynamo.describe_table().table_name(name).send().await?;
        let table = answer.table().context("a table without a description")?;
        let names = |key: &[aws_sdk_dynamodb::types::KeySchemaElement]| {
            key.iter().map(|part| part.attribute_name.clone()).collect::<Vec<_>>()
        };
        let indexes = table.global_secondary_indexes().iter();
        let indexes = indexes
            .map(|index| {
                (index.index_name().unwrap_or_default().to_owned(), names(index.key_schema()))
            })
            .collect();
        schemas.insert(name.clone(), Schema { key: names(table.key_schema()), indexes });
    }
    Ok(schemas)
}
