//! The stack that a command works on.

mod ages;
mod local;
mod on_aws;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use aws::dynamo::{Store, Tables};
use aws::sqs::{QueueUrls, Queues};
use aws_config::SdkConfig;
use clap::Args;

pub use ages::Age;
use on_aws::Logs;

const RETENTION: Duration = Duration::from_secs(30 * 86_400);

/// Which stack a command works on.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Which stack (the local one unless said otherwise)")]
pub struct Target {
    /// A stack on AWS, by its name in CloudFormation. Credentials and region are found as the AWS
    /// CLI finds them.
    #[arg(long, global = true, value_name = "NAME")]
    stack: Option<String>,
    /// Its region, if not the usual one.
    #[arg(long, global = true, value_name = "REGION")]
    region: Option<String>,
    /// A profile of the AWS CLI's configuration.
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// Where the API's key stands, for commands that call the API; otherwise it is taken from
    /// WEBHOOKS_API_KEY. Never an argument: those can be seen by everybody on the machine.
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl Target {
    /// Finds the stack.
    pub async fn open(&self) -> anyhow::Result<Stack> {
        match &self.stack {
            Some(name) => on_aws::open(name, self).await,
            None => self.open_local(),
        }
    }

    /// The local stack; for what makes no sense on another one.
    pub fn only_local(&self) -> anyhow::Result<Stack> {
        ensure!(self.stack.is_none(), "this is for the local stack alone");
        self.open_local()
    }

    fn open_local(&self) -> anyhow::Result<Stack> {
        let meant = self.region.is_some() || self.profile.is_some() || self.key_file.is_some();
        ensure!(!meant, "--region, --profile and --key-file are for --stack NAME");
        local::open()
    }
}

/// A running stack.
pub struct Stack {
    config: SdkConfig,
    outputs: BTreeMap<String, String>,
    api_url: Option<String>,
    key: Key,
    logs: Logs,
}

/// What opens the API.
enum Key {
    Known(String),
    /// There is none, and this is how to have one.
    Missing(&'static str),
}

impl Stack {
    /// An output of the stack.
    pub fn output(&self, name: &str) -> anyhow::Result<String> {
        self.outputs.get(name).cloned().with_context(|| format!("the stack has no output {name}"))
    }

    /// Where its API and its page are, if it has them; ends in a slash.
    pub fn api_url(&self) -> Option<&str> {
        self.api_url.as_deref()
    }

    /// The key for the API.
    pub fn key(&self) -> anyhow::Result<&str> {
        match &self.key {
            Key::Known(key) => Ok(key),
            Key::Missing(why) => Err(anyhow::anyhow!(*why)),
        }
    }

    /// The lines of a function's log with a word in them, oldest first, as far as they are kept
    /// and not older than `within`.
    pub async fn log(
        &self,
        function: Function,
        word: &str,
        within: Duration,
    ) -> anyhow::Result<String> {
        match &self.logs {
            Logs::Files(folder) => local::log(folder, &self.output(function.output())?, word),
            Logs::CloudWatch { stack } => {
                on_aws::log(&self.config, stack, function, word, within).await
            }
        }
    }

    /// Its tables.
    pub fn store(&self) -> anyhow::Result<Store> {
        let tables = Tables::from_outputs(|name| self.output(name))?;
        Ok(Store::new(&self.config, tables, RETENTION))
    }

    /// Its queues.
    pub fn queues(&self) -> anyhow::Result<Queues> {
        let urls = QueueUrls::from_outputs(|name| self.output(name))?;
        Ok(Queues::new(&self.config, urls))
    }
}

/// A function whose log is read.
#[derive(Debug, Clone, Copy)]
pub enum Function {
    Ingest,
    Sweeper,
    Daily,
}

impl Function {
    fn output(self) -> &'static str {
        match self {
            Function::Ingest => "IngestFunction",
            Function::Sweeper => "SweeperFunction",
            Function::Daily => "DailyFunction",
        }
    }

    /// The last part of its log group's name.
    fn log(self) -> &'static str {
        match self {
            Function::Ingest => "ingest",
            Function::Sweeper => "sweeper",
            Function::Daily => "daily",
        }
    }
}
