//! How fast the sender is, against the least that a program could do.

mod client;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use cli::bar::Bar;
use local::Layout;

use crate::customer::{Customers, OK};
use crate::findings::{Cell, Findings, Table, column, written};
use crate::fleet::SEND;
use crate::payload::Payload;
use crate::picture::{Drawing, Picture};
use crate::sandbox::Sandbox;
use crate::stand::{Stand, acknowledged, sqs_event};
use crate::stats::median;
use client::{Client, Load, Tls};

/// Deliveries of each kind in a round.
const DELIVERIES: u64 = 2_000;
/// Each kind has its turn in each round, so that a slow moment of the machine meets all alike.
const ROUNDS: u64 = 5;
const ACCOUNT: &str = "acct_throughput";
/// Memory at which Lambda gives a function one whole processor, MB.
const ONE_CPU_MB: f64 = 1_769.0;

/// Deliveries made, the time they took, and the time on a processor.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    deliveries: u64,
    took: Duration,
    cpu: Duration,
}

impl Run {
    fn per_second(self) -> f64 {
        number(self.deliveries) / self.took.as_secs_f64()
    }

    fn cpu_s_per_10_000(self) -> f64 {
        self.cpu.as_secs_f64() / number(self.deliveries) * 1e4
    }
}

/// Runs of one kind, by their medians.
struct Kind {
    name: &'static str,
    per_second: f64,
    cpu_s: f64,
}

/// Measures it.
///
/// # Errors
/// If something cannot be built or run, or is not delivered.
pub async fn run(layout: &Layout, bar: &mut Bar) -> anyhow::Result<Findings> {
    let mut findings = Findings::new(
        "throughput",
        "How many deliveries a second does one sender make, and how far is that from the least that \
         a program could do?",
    );
    let mut stand = Stand::start(layout, bar).await?;
    let tls = Tls::new()?;
    let plain = Customers::start(None).await?;
    let encrypted = Customers::start(Some(tls.server())).await?;
    stand.register(ACCOUNT, plain.url(OK)).await?;
    let payload = Payload { bytes: 2_048, compresses: true };
    let accepted = stand.accept(ACCOUNT, &payload, 0..DELIVERIES * ROUNDS, bar).await?;
    let ingest = Run { deliveries: DELIVERIES * ROUNDS, took: accepted.took, cpu: accepted.cpu };
    let mut sender = Sandbox::start(&stand.function("sender")?).await?;
    let load = |url| Load::new(ACCOUNT, &payload, DELIVERIES, url, &tls).map(Arc::new);
    let (load, tls_load) = (load(plain.url(OK))?, load(encrypted.url(OK))?);
    let clients = [
        (Client::Raw { keep_alive: true }, &load),
        (Client::Raw { keep_alive: false }, &load),
        (Client::Product, &load),
        (Client::Raw { keep_alive: true }, &tls_load),
        (Client::Raw { keep_alive: false }, &tls_load),
        (Client::Product, &tls_load),
    ];
    let mut runs: Vec<Vec<Run>> = clients.iter().map(|_| Vec::new()).collect();
    let mut whole = Vec::new();
    let mut wake_ups = accepted.wake_ups;
    let before: u64 = stand.cloud.calls().values().sum();
    for round in 0..ROUNDS {
        bar.draw(round, ROUNDS, "rounds");
        let batch: Vec<String> = wake_ups.drain(..usize::try_from(DELIVERIES)?).collect();
        whole.push(deliver(&mut sender, &batch).await?);
        for ((client, load), runs) in clients.iter().zip(&mut runs) {
            let (client, load) = (*client, (*load).clone());
            runs.push(tokio::task::spawn_blocking(move || client.run(&load)).await??);
        }
    }
    let calls: u64 = stand.cloud.calls().values().sum::<u64>() - before;
    stand.cloud.was_understood()?;
    let succeeded = stand.cloud.count("DeliveriesTable", "status", "succeeded");
    ensure!(u64::try_from(succeeded)? == DELIVERIES * ROUNDS, "{succeeded} succeeded");
    let names = ["bare client", "bare client", "the product's client"];
    let kinds: Vec<Kind> =
        names.iter().cycle().zip(&runs).map(|(name, runs)| kind(name, runs)).collect();
    let whole = kind("the whole sender", &whole);
    tables(&mut findings, &kinds, &whole, ingest)?;
    reasons(&mut findings, &stand, &kinds, &whole, number(calls) / number(DELIVERIES * ROUNDS))?;
    Ok(findings)
}

/// All of them in batches of ten, one after the other, as one sandbox gets them.
async fn deliver(sender: &mut Sandbox, wake_ups: &[String]) -> anyhow::Result<Run> {
    let events: Vec<String> =
        wake_ups.chunks(10).map(|ten| sqs_event(SEND, ten).to_string()).collect();
    let (begun, before) = (Instant::now(), sender.cpu()?);
    for event in events {
        acknowledged(&sender.invoke(event).await?)?;
    }
    let cpu = sender.cpu()?.saturating_sub(before);
    Ok(Run { deliveries: u64::try_from(wake_ups.len())?, took: begun.elapsed(), cpu })
}

fn kind(name: &'static str, runs: &[Run]) -> Kind {
    let of =
        |what: fn(Run) -> f64| median(&runs.iter().map(|run| what(*run)).collect::<Vec<f64>>());
    Kind { name, per_second: of(Run::per_second), cpu_s: of(Run::cpu_s_per_10_000) }
}

fn tables(
    findings: &mut Findings,
    kinds: &[Kind],
    whole: &Kind,
    ingest: Run,
) -> anyhow::Result<()> {
    let (http, tls) = (&kinds[..3], kinds.get(3..6).context("six kinds")?);
    let row = |kind: &Kind, scheme: &str, kept: bool, limit: &Kind| {
        vec![
            Cell::from(kind.name),
            scheme.into(),
            if kept { "kept" } else { "one per request" }.into(),
            kind.per_second.into(),
            (kind.per_second / limit.per_second).into(),
            kind.cpu_s.into(),
            (kind.cpu_s / limit.cpu_s).into(),
        ]
    };
    findings.tables.push(Table {
        title: format!(
            "{DELIVERIES} deliveries of 2 KB in each of {ROUNDS} rounds, ten at once; medians. Ratios \
             are to the bare client with a connection per request."
        ),
        columns: vec![
            column("what", 0),
            column("to", 0),
            column("connections", 0),
            column("per second", 0),
            column("ratio", 2),
            column("CPU s per 10,000", 2),
            column("ratio", 2),
        ],
        rows: vec![
            row(&http[0], "http", true, &http[1]),
            row(&http[1], "http", false, &http[1]),
            row(&http[2], "http", false, &http[1]),
            row(whole, "http", false, &http[1]),
            row(&tls[0], "TLS", true, &tls[1]),
            row(&tls[1], "TLS", false, &tls[1]),
            row(&tls[2], "TLS", false, &tls[1]),
        ],
    });
    findings.tables.push(Table {
        title: "Ingest, on the way there: messages of ten events, batches of ten messages."
            .to_owned(),
        columns: vec![column("events per second", 0), column("CPU s per 10,000", 2)],
        rows: vec![vec![ingest.per_second().into(), ingest.cpu_s_per_10_000().into()]],
    });
    let bar = |kind: &Kind, words: &str| (format!("{}, {words}", kind.name), kind.cpu_s);
    findings.pictures.push(Picture {
        file: "throughput".to_owned(),
        title: "Processor time of 10,000 deliveries".to_owned(),
        unit: "s".to_owned(),
        limit: None,
        drawing: Drawing::Bars(vec![
            bar(&http[0], "http, kept"),
            bar(&http[1], "http"),
            bar(&http[2], "http"),
            bar(whole, "http"),
            bar(&tls[0], "TLS, kept"),
            bar(&tls[1], "TLS"),
            bar(&tls[2], "TLS"),
        ]),
    });
    Ok(())
}

fn reasons(
    findings: &mut Findings,
    stand: &Stand,
    kinds: &[Kind],
    whole: &Kind,
    calls: f64,
) -> anyhow::Result<()> {
    findings.say(format!(
        "The bare client signs the same bodies with the same two signatures and POSTs them with \
         hyper, and does nothing else: the least that a sender could do. The product opens one \
         connection per request (`infra/decisions/0007-own-client.md`): frozen sandboxes leave dead \
         connections behind, and every certificate is judged anew; so its measure is the bare client \
         that does the same, and the kept connections show what that decision costs. The whole sender \
         is the release binary as a process of its own, handed ten wake-ups at a time over a runtime \
         API, with {} calls to the stub of AWS per delivery beside the POST; the clients run in this \
         program, each on one thread.",
        written(calls, 2)
    ));
    findings.say(
        "Deliveries per second share the machine's processors with receiver and stub; processor time \
         is that of the client's thread, or of the sender's process, alone, and travels better.",
    );
    let with_tls = whole.cpu_s + kinds[5].cpu_s - kinds[2].cpu_s;
    let share = number(stand.template.memory_mb("sender")?) / ONE_CPU_MB;
    let concurrency = stand.template.source("sender", SEND)?.concurrency;
    let per_second = 1e4 / with_tls * share;
    findings.say(format!(
        "*Calculated, not measured*: over TLS the whole sender would take {} s per 10,000 (its own \
         figure and the difference that TLS makes to its client). A function with {} MB has {} of a \
         processor on Lambda, so that a processor like this one's would let a sandbox make {} deliveries \
         a second, and the {concurrency} that the template allows {}, were endpoints to answer at once.",
        written(with_tls, 2),
        stand.template.memory_mb("sender")?,
        written(share, 2),
        written(per_second, 0),
        written(per_second * number(u64::try_from(concurrency)?), 0),
    ));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}
