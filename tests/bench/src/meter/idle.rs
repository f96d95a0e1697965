//! A month in which nothing happens, each dollar named.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde_json::{Value, json};

use super::bill::{GB, MILLION, waiting_ms};
use super::counting::Call;
use super::prices::{self, MONTH_DAYS};
use super::stand::{Ended, Stand};
use super::tally::{Invocation, number};
use crate::template::Template;

/// A line: what it is, how much of it, dollars a month.
pub struct Line {
    /// What is paid for.
    pub what: String,
    /// In words.
    pub quantity: String,
    /// A month.
    pub dollars: f64,
}

/// Conditions that a stack with default parameters, on AWS, does not meet.
const OFF: [&str; 5] =
    ["IsLocal", "HasProducers", "HasDashboard", "HasAlertSender", "HasCauseAlarms"];

/// Queues that functions are fed from: events, and two of wake-ups.
const FED_FROM: f64 = 3.0;

/// One run of a function when there is nothing to do.
struct Rest {
    function: &'static str,
    runs: f64,
    invocation: Invocation,
    ended: Ended,
    memory_mib: f64,
}

/// Everything that a month of idling costs.
pub async fn month(stand: &Stand) -> anyhow::Result<Vec<Line>> {
    let mut lines = standing(&stand.template)?;
    let rests = [
        run(stand, "sweeper", "SweeperFunction", MONTH_DAYS * 288.0).await?,
        run(stand, "daily", "DailyFunction", MONTH_DAYS).await?,
    ];
    lines.push(metrics(&rests)?);
    for rest in &rests {
        lines.push(working(rest));
    }
    lines.retain(|line| line.dollars > 0.0);
    Ok(lines)
}

fn standing(template: &Template) -> anyhow::Result<Vec<Line>> {
    let line = |what: &str, count: f64, unit: &str, price: f64| Line {
        what: what.to_owned(),
        quantity: format!("{count:.0} {unit}"),
        dollars: count * price,
    };
    let count = |kind| number(template.count(kind, &OFF));
    let queues = FED_FROM;
    let receives = queues * prices::IDLE_POLLS * MONTH_DAYS * 86_400.0 / prices::POLL_S;
    // DynamoDB asks for the key of a table in use every five minutes at most.
    let key_requests = MONTH_DAYS * 288.0;
    anyhow::ensure!(
        count("AWS::CloudWatch::CompositeAlarm") == 0.0,
        "composite alarms have a price"
    );
    Ok(vec![
        line("the key of the secrets", count("AWS::KMS::Key"), "key", prices::KEY),
        line("its use", key_requests, "requests", prices::KMS_REQUEST.0 / MILLION),
        line("alarms", count("AWS::CloudWatch::Alarm"), "alarms", prices::ALARM),
        line("dashboards", count("AWS::CloudWatch::Dashboard"), "dashboards", prices::DASHBOARD),
        line(
            "empty receives of the pollers",
            receives,
            "requests",
            prices::SQS_REQUEST.0 / MILLION,
        ),
        line(
            "of them on queues with groups",
            receives * 2.0 / queues,
            "requests",
            prices::SQS_GROUPED.0 / MILLION,
        ),
    ])
}

async fn run(stand: &Stand, binary: &'static str, output: &str, runs: f64) -> anyhow::Result<Rest> {
    let worker = stand.worker(binary, output).await?;
    worker.invoke(&json!({})).await?;
    let calls = worker.calls()?;
    let memory_mib = worker.memory_mib;
    let ended = worker.end()?;
    let invocation = Invocation { function: binary, calls };
    Ok(Rest { function: binary, runs, invocation, ended, memory_mib })
}

/// What a function asks for and writes when there is nothing to do.
fn working(rest: &Rest) -> Line {
    let Rest { function, runs, invocation, ended, memory_mib } = rest;
    let sum = |of: fn(&Call) -> f64| invocation.calls.iter().map(of).sum::<f64>();
    let sqs = sum(|call| if call.service == "SQS" { call.requests } else { 0.0 });
    let bytes: usize = ended.lines.iter().map(String::len).sum();
    let bytes = number(bytes) + number(ended.lines.len()) * prices::LINE_BYTES;
    let share = (memory_mib / prices::WHOLE_CPU_MIB).min(1.0);
    let seconds = (waiting_ms(invocation) + ended.cpu_s * 1_000.0 / share) / 1_000.0;
    let each = sum(|call| call.units.read) * prices::READ_UNIT.0
        + sum(|call| call.units.write + call.units.index_write) * prices::WRITE_UNIT.0
        + sqs * prices::SQS_REQUEST.0
        + prices::INVOCATION.0
        + seconds * memory_mib / 1_024.0 * prices::GB_SECOND.0
        + bytes * prices::LOG_GB / GB * MILLION;
    Line {
        what: format!("{function}: DynamoDB, SQS, Lambda, log"),
        quantity: format!("{runs:.0} runs of {} requests", invocation.calls.len()),
        dollars: runs * each / MILLION,
    }
}

/// Metrics are charged for the hours in which they came.
fn metrics(rests: &[Rest]) -> anyhow::Result<Line> {
    let mut hours: BTreeMap<String, f64> = BTreeMap::new();
    for rest in rests {
        for name in emitted(&rest.ended.lines)? {
            let a_month = MONTH_DAYS * 24.0;
            *hours.entry(name).or_default() += rest.runs.min(a_month) / a_month;
        }
    }
    let names: Vec<&str> = hours.keys().map(String::as_str).collect();
    Ok(Line {
        what: format!("custom metrics ({})", names.join(", ")),
        quantity: format!("{:.2} metric-months", hours.values().sum::<f64>()),
        dollars: hours.values().sum::<f64>() * prices::METRIC,
    })
}

/// The metrics in the lines of a log, by name.
fn emitted(lines: &[String]) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for line in lines.iter().filter(|line| line.contains("CloudWatchMetrics")) {
        let line: Value = serde_json::from_str(line)?;
        let directives = line["_aws"]["CloudWatchMetrics"].as_array().context("no directives")?;
        for metric in directives.iter().filter_map(|one| one["Metrics"].as_array()).flatten() {
            names.insert(metric["Name"].as_str().context("a metric without a name")?.to_owned());
        }
    }
    Ok(names)
}
