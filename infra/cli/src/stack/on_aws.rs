//! A stack on AWS: found by its name, with the caller's own rights.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use aws_config::SdkConfig;
use aws_sdk_cloudformation::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use domain::api_key::ApiKey;
use domain::ports::Clock as _;

use super::{Function, Key, Stack, Target};

/// Holds the key for the API.
const KEY: &str = "WEBHOOKS_API_KEY";
/// Where the API is reached, if not at the stack's own address: a name in front of it.
const URL: &str = "WEBHOOKS_API_URL";
const NO_KEY: &str = "this command calls the API and needs a key of it: set WEBHOOKS_API_KEY, or \
    name a file with --key-file; `webhooks keys create --scope operator` makes one";
/// Pages of a log that are read in one search: the search goes over everything in between.
const LOG_PAGES: usize = 1_000;

/// Where the functions' logs are.
pub enum Logs {
    /// Files of the local stack, in this folder.
    Files(PathBuf),
    /// Log groups, named after the stack.
    CloudWatch { stack: String },
}

/// Finds the stack, by its outputs in CloudFormation.
pub async fn open(name: &str, target: &Target) -> anyhow::Result<Stack> {
    let config = aws::config::load_profile(target.profile.as_deref(), target.region.clone()).await;
    ensure!(
        config.region().is_some(),
        "which region? Say --region, or set AWS_REGION or a region in the profile"
    );
    let outputs = outputs(&config, name).await?;
    let own_url = std::env::var(URL).ok().or_else(|| outputs.get("ApiUrl").cloned());
    Ok(Stack {
        api_url: own_url.map(|url| format!("{}/", url.trim_end_matches('/'))),
        key: key(target.key_file.as_deref())?,
        config,
        outputs,
        logs: Logs::CloudWatch { stack: name.to_owned() },
    })
}

async fn outputs(config: &SdkConfig, name: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let client = aws_sdk_cloudformation::Client::new(config);
    let answer = client.describe_stacks().stack_name(name).send().await;
    let region = config.region().map_or("-", |region| region.as_ref());
    let answer = answer.map_err(|error| match error.message() {
        Some(said) => anyhow::anyhow!("the stack {name} is not found in {region}: {said}"),
        None => anyhow::anyhow!(
            "the stack {name} is not found in {region}: {}",
            DisplayErrorContext(&error)
        ),
    })?;
    let stack = answer.stacks().first().with_context(|| format!("there is no stack {name}"))?;
    let output = |output: &aws_sdk_cloudformation::types::Output| {
        Some((output.output_key()?.to_owned(), output.output_value()?.to_owned()))
    };
    let outputs: BTreeMap<_, _> = stack.outputs().iter().filter_map(output).collect();
    ensure!(
        outputs.contains_key("EventsQueueUrl"),
        "the stack {name} is no webhook delivery: it has no output EventsQueueUrl"
    );
    Ok(outputs)
}

/// The key for the API, from a file or from the environment.
fn key(file: Option<&Path>) -> anyhow::Result<Key> {
    let (from, text) = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            (path.display().to_string(), text)
        }
        None => match std::env::var(KEY) {
            Ok(text) => (KEY.to_owned(), text),
            Err(_) => return Ok(Key::Missing(NO_KEY)),
        },
    };
    let key =
        ApiKey::parse(text.trim()).ok().with_context(|| format!("{from} holds no API key"))?;
    Ok(Key::Known(key.reveal().to_owned()))
}

/// The lines with a word in them.
pub async fn log(
    config: &SdkConfig,
    stack: &str,
    function: Function,
    word: &str,
    within: Duration,
) -> anyhow::Result<String> {
    let group = format!("/aws/lambda/{stack}-{}", function.log());
    let since = aws::clock::SystemClock.now() - within;
    let client = aws_sdk_cloudwatchlogs::Client::new(config);
    let mut pages = client
        .filter_log_events()
        .log_group_name(&group)
        .filter_pattern(format!("\"{word}\""))
        .start_time(since.as_millis())
        .into_paginator()
        .send();
    let mut found: Vec<FilteredLogEvent> = Vec::new();
    for _ in 0..LOG_PAGES {
        let Some(page) = pages.next().await else { break };
        let page = page.map_err(|error| {
            anyhow::anyhow!("the log {group} cannot be read: {}", DisplayErrorContext(&error))
        })?;
        found.extend(page.events.unwrap_or_default());
    }
    found.sort_by_key(FilteredLogEvent::timestamp);
    Ok(found.iter().filter_map(|event| event.message()).collect::<Vec<_>>().join("\n"))
}
