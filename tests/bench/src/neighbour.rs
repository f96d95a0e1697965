//! What endpoints that hang do to those that do not.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::ensure;
use cli::bar::Bar;
use local::Layout;

use crate::customer::{Customers, HANG, OK};
use crate::findings::{Budget, Cell, Findings, Table, column, written};
use crate::fleet::{Fleet, RETRY, SEND};
use crate::picture::{Curve, Drawing, Picture};
use crate::stand::Stand;
use crate::stats::percentile;
use crate::traffic::Traffic;

/// Events a second, both halves together.
const RATE: u64 = 20;
/// Long enough for the first time-outs, and for as long again after them.
const SECONDS: u64 = 75;
/// Seconds at the beginning that do not count: sandboxes are started then.
const WARM_UP_S: u64 = 3;
/// Endpoints, each of an account of its own, in each half.
const HALF: usize = 10;
/// p99 of the healthy half over that of the same run without hanging endpoints (issue 8).
const RATIO_AT_MOST: f64 = 1.2;
/// How long the last healthy ones may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the other half does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    Absent,
    Answer,
    Hang,
}

impl Others {
    fn words(self) -> &'static str {
        match self {
            Self::Absent => "the healthy half alone",
            Self::Answer => "the other half answers, too",
            Self::Hang => "the other half hangs",
        }
    }
}

/// The healthy half of a run.
struct Half {
    others: Others,
    /// Seconds since the beginning, and the milliseconds that an event then waited.
    waits: Vec<(f64, f64)>,
    later: u64,
    busiest: u64,
    started: u64,
}

/// Measures it.
///
/// # Errors
/// If something cannot be built or run, or a healthy endpoint does not get its events.
pub async fn run(layout: &Layout, bar: &mut Bar) -> anyhow::Result<Findings> {
    let mut findings = Findings::new(
        "neighbour",
        "Half the traffic goes to endpoints that hang for 30 s: what does the other half notice?",
    );
    let stand = Stand::start(layout, bar).await?;
    let mut halves = Vec::new();
    for others in [Others::Absent, Others::Answer, Others::Hang] {
        halves.push(healthy(stand.afresh(layout).await?, others, bar).await?);
    }
    let timeout_s = stand.function("sender")?.variables["REQUEST_TIMEOUT_SECONDS"].parse()?;
    show(&mut findings, &halves, timeout_s);
    reasons(&mut findings, &stand, timeout_s)?;
    Ok(findings)
}

async fn healthy(stand: Stand, others: Others, bar: &mut Bar) -> anyhow::Result<Half> {
    let customers = Customers::start(None).await?;
    let other_path = if others == Others::Hang { HANG } else { OK };
    let mut accounts = Vec::new();
    for nth in 0..HALF {
        for (half, path) in [("healthy", OK), ("other", other_path)] {
            let account = format!("acct_{half}_{nth}");
            if half == "healthy" || others != Others::Absent {
                stand.register(&account, customers.url(path)).await?;
                accounts.push(account);
            }
        }
    }
    let rate = if others == Others::Absent { RATE / 2 } else { RATE };
    let fleet = Fleet::start(stand, |_| {})?;
    let begun = Instant::now();
    let traffic = Traffic { accounts: &accounts, rate, seconds: SECONDS };
    let mut put = traffic.put(&fleet, others.words(), bar).await?;
    put.retain(|event| accounts[event.account].starts_with("acct_healthy"));
    let patience = tokio::time::Instant::now() + PATIENCE;
    let missing = || put.iter().filter(|event| event.waited_ms(&customers).is_none()).count();
    while missing() > 0 {
        let more = customers.wait_for(customers.count() + 1);
        let arrived = tokio::time::timeout_at(patience, more).await;
        ensure!(arrived.is_ok(), "{} events of the healthy half did not arrive", missing());
    }
    fleet.cloud.was_understood()?;
    let tally = fleet.tally();
    ensure!(tally.failed.load(Ordering::Relaxed) == 0, "something failed");
    let moment = |at: Instant| at.duration_since(begun).as_secs_f64();
    Ok(Half {
        others,
        waits: put
            .iter()
            .filter(|event| event.at >= begun + Duration::from_secs(WARM_UP_S))
            .filter_map(|event| Some((moment(event.at), event.waited_ms(&customers)?)))
            .collect(),
        later: tally.later.load(Ordering::Relaxed),
        busiest: tally.busiest.load(Ordering::Relaxed),
        started: tally.started.load(Ordering::Relaxed),
    })
}

impl Half {
    fn percentile(&self, share: f64) -> f64 {
        self.percentile_within(share, 0.0, f64::INFINITY)
    }

    fn percentile_within(&self, share: f64, from_s: f64, to_s: f64) -> f64 {
        let within = self.waits.iter().filter(|(at, _)| (from_s..to_s).contains(at));
        percentile(&within.map(|(_, wait)| *wait).collect::<Vec<f64>>(), share)
    }
}

fn show(findings: &mut Findings, halves: &[Half], timeout_s: f64) {
    // By then the first time-outs are on record, and ingest has read of them.
    let known_s = timeout_s + 2.0;
    let row = |half: &Half| {
        vec![
            Cell::from(half.others.words()),
            half.percentile(0.5).into(),
            half.percentile(0.95).into(),
            half.percentile(0.99).into(),
            half.percentile_within(0.99, 0.0, known_s).into(),
            half.percentile_within(0.99, known_s, f64::INFINITY).into(),
            number(half.busiest).into(),
            number(half.later).into(),
            number(half.started).into(),
        ]
    };
    findings.tables.push(Table {
        title: format!(
            "Milliseconds from queue to endpoint, healthy half; {RATE} events a second to {} endpoints, \
             {SECONDS} s.",
            2 * HALF
        ),
        columns: vec![
            column("run", 0),
            column("p50", 2),
            column("p95", 2),
            column("p99", 2),
            column("p99 before the first time-out", 2),
            column("p99 after it", 2),
            column("senders busy at most", 0),
            column("wake-ups through RetryQueue", 0),
            column("sandboxes started", 0),
        ],
        rows: halves.iter().map(row).collect(),
    });
    let p99 = |others| {
        let found = halves.iter().find(|half| half.others == others);
        found.map_or(f64::NAN, |half| half.percentile(0.99))
    };
    findings.budgets.push(Budget {
        what: "p99 with half of the endpoints hanging, over p99 with all answering".to_owned(),
        found: p99(Others::Hang) / p99(Others::Answer),
        at_most: RATIO_AT_MOST,
        unit: "times".to_owned(),
    });
    let curve = |half: &Half| {
        let points = (0..=100).map(f64::from);
        let points = points.map(|share| (share, half.percentile(share / 100.0))).collect();
        Curve { name: half.others.words().to_owned(), points }
    };
    findings.pictures.push(Picture {
        file: "neighbour".to_owned(),
        title: "Healthy endpoints: from queue to endpoint".to_owned(),
        unit: "ms".to_owned(),
        limit: None,
        drawing: Drawing::Curves {
            below: "% of events that were faster".to_owned(),
            lines: halves.iter().map(curve).collect(),
        },
    });
}

fn reasons(findings: &mut Findings, stand: &Stand, timeout_s: f64) -> anyhow::Result<()> {
    let (first, later) =
        (stand.template.source("sender", SEND)?, stand.template.source("sender", RETRY)?);
    findings.say(format!(
        "Real processes behind queues, with the template's own limits, not scaled down: {} senders of \
         {} wake-ups for first attempts, {} of {} for later ones, {timeout_s} s for an endpoint to \
         answer. Endpoints that hang take the request and never answer.",
        first.concurrency, first.batch_size, later.concurrency, later.batch_size
    ));
    let limit = number(u64::try_from(first.concurrency)?) / timeout_s;
    findings.say(format!(
        "*What the limits mean, calculated*: an event to an endpoint that hangs, and of which that is \
         not known yet, holds a sender for {timeout_s} s. {} senders last for {} such events a second. \
         From the first time-out on, an endpoint's first attempts go through RetryQueue, where up to {} \
         of them share one wait: {} senders last for {} a second.",
        first.concurrency,
        written(limit, 1),
        later.batch_size,
        later.concurrency,
        written(number(u64::try_from(later.concurrency * later.batch_size)?) / timeout_s, 0),
    ));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}
