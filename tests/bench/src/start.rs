//! From process start to the first poll, and to the first answer.

use std::time::Duration;

use anyhow::Context;
use cli::bar::Bar;
use local::Layout;
use serde_json::{Value, json};

use crate::artefact::FUNCTIONS;
use crate::findings::{Budget, Cell, Findings, Table, column};
use crate::fleet::{EVENTS, SEND};
use crate::payload::Payload;
use crate::picture::{Drawing, Picture};
use crate::sandbox::{Function, Sandbox};
use crate::stand::{Stand, sqs_event};
use crate::stats::{median, percentile};

/// Starts of each function.
const RUNS: u64 = 60;
/// From process start to the first poll (design 5).
const FIRST_POLL_AT_MOST_MS: f64 = 10.0;
/// Of a zipped artefact (design 5).
const ZIPPED_AT_MOST_MB: f64 = 4.0;
const ACCOUNT: &str = "acct_start";

/// One start, in milliseconds and MiB.
struct Start {
    poll_ms: f64,
    poll_cpu_ms: f64,
    answer_ms: f64,
    poll_mib: f64,
    answer_mib: f64,
}

/// Measures it.
///
/// # Errors
/// If a function cannot be built or run.
pub async fn run(layout: &Layout, bar: &mut Bar) -> anyhow::Result<Findings> {
    let mut findings = Findings::new(
        "start",
        "How long from process start to the first poll, and to the first answer; how large is it?",
    );
    let mut stand = Stand::start(layout, bar).await?;
    let customers = crate::customer::Customers::start(None).await?;
    stand.register(ACCOUNT, customers.url(crate::customer::OK)).await?;
    let payload = Payload { bytes: 2_048, compresses: true };
    let mut wake_ups = stand.accept(ACCOUNT, &payload, 0..RUNS, bar).await?.wake_ups;
    let functions: Vec<Function> =
        FUNCTIONS.into_iter().map(|name| stand.function(name)).collect::<Result<_, _>>()?;
    let mut starts: Vec<Vec<Start>> = FUNCTIONS.iter().map(|_| Vec::new()).collect();
    for nth in 0..RUNS {
        // One after the other, so that a slow moment of the machine meets all alike.
        for (function, starts) in functions.iter().zip(&mut starts) {
            let event = match function.name {
                "ingest" => sqs_event(EVENTS, &[payload.event(ACCOUNT, RUNS + nth)]),
                "sender" => sqs_event(SEND, &[wake_ups.pop_front().context("a wake-up")?]),
                "api" => get("/v1/openapi.json"),
                _ => json!({}),
            };
            starts.push(start(function, &event).await?);
        }
        bar.draw(nth + 1, RUNS, "starts of each function");
    }
    stand.cloud.was_understood()?;
    tables(&mut findings, &stand, &starts)?;
    reasons(&mut findings);
    Ok(findings)
}

async fn start(function: &Function, event: &Value) -> anyhow::Result<Start> {
    let event = event.to_string();
    let mut sandbox = Sandbox::start(function).await?;
    let polled = sandbox.first_poll().await.with_context(|| function.name)?;
    let (cpu, idle) = (sandbox.cpu()?, sandbox.memory()?);
    let before = sandbox.age();
    sandbox.invoke(event).await.with_context(|| function.name)?;
    // What was looked up between poll and event is not the function's.
    let answered = polled + sandbox.age().saturating_sub(before);
    Ok(Start {
        poll_ms: ms(polled),
        poll_cpu_ms: ms(cpu),
        answer_ms: ms(answered),
        poll_mib: mib(idle.resident_kib),
        answer_mib: mib(sandbox.memory()?.peak_kib),
    })
}

/// A call of the function URL.
fn get(path: &str) -> Value {
    json!({
        "version": "2.0", "rawPath": path, "rawQueryString": "", "headers": {},
        "requestContext": {
            "domainName": "bench.lambda-url.us-east-1.on.aws", "http": {"method": "GET", "path": path},
        },
        "isBase64Encoded": false,
    })
}

fn tables(findings: &mut Findings, stand: &Stand, all: &[Vec<Start>]) -> anyhow::Result<()> {
    let (mut times, mut sizes, mut bars) = (Vec::new(), Vec::new(), Vec::new());
    for (function, starts) in FUNCTIONS.into_iter().zip(all) {
        let of = |what: fn(&Start) -> f64| starts.iter().map(what).collect::<Vec<f64>>();
        let polls = of(|start| start.poll_ms);
        let answers = of(|start| start.answer_ms);
        times.push(vec![
            Cell::from(function),
            median(&polls).into(),
            percentile(&polls, 0.95).into(),
            median(&of(|start| start.poll_cpu_ms)).into(),
            median(&answers).into(),
            percentile(&answers, 0.95).into(),
        ]);
        let (plain, zipped) = stand.artefacts().sizes(function)?;
        sizes.push(vec![
            Cell::from(function),
            megabytes(plain).into(),
            megabytes(zipped).into(),
            median(&of(|start| start.poll_mib)).into(),
            median(&of(|start| start.answer_mib)).into(),
        ]);
        bars.push((function.to_owned(), median(&polls)));
        let budget = |what: &str, found, at_most, unit: &str| Budget {
            what: format!("{function}, {what}"),
            found,
            at_most,
            unit: unit.to_owned(),
        };
        findings.budgets.extend([
            budget("first poll, median", median(&polls), FIRST_POLL_AT_MOST_MS, "ms"),
            budget("zipped", megabytes(zipped), ZIPPED_AT_MOST_MB, "MB"),
        ]);
    }
    findings.tables.push(Table {
        title: format!("Milliseconds from process start; {RUNS} starts of each function."),
        columns: vec![
            column("function", 0),
            column("first poll, median", 2),
            column("p95", 2),
            column("of it CPU", 2),
            column("first answer, median", 2),
            column("p95", 2),
        ],
        rows: times,
    });
    findings.tables.push(Table {
        title: "Size of the artefact, and memory.".to_owned(),
        columns: vec![
            column("function", 0),
            column("MB", 2),
            column("zipped MB", 2),
            column("MiB at first poll", 1),
            column("MiB after first answer", 1),
        ],
        rows: sizes,
    });
    findings.pictures.push(Picture {
        file: "start".to_owned(),
        title: "Process start to first poll, median".to_owned(),
        unit: "ms".to_owned(),
        limit: Some(FIRST_POLL_AT_MOST_MS),
        drawing: Drawing::Bars(bars),
    });
    Ok(())
}

fn reasons(findings: &mut Findings) {
    findings.say(
        "The clock starts before the process is made and stops when its first request reaches a \
         runtime API on loopback. The functions are the release binaries for this machine, with the \
         variables of `template.yaml`; their calls go to a stub of AWS that answers at once, so the \
         first answer shows our share of a cold start: the SDK's first connections and the first \
         event, neither AWS's latency nor Lambda's own start of a sandbox. First events: ingest \
         accepts one, the sender delivers one to loopback, sweeper and daily find nothing to do, \
         the API answers with its document.",
    );
    findings.say(
        "Of the time to the first poll, the part on a processor is what the program costs; the \
         rest is the system's start of a process, and waiting where others are at work.",
    );
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1_024.0
}

#[expect(clippy::cast_precision_loss, reason = "files are far smaller than 2^53 bytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
