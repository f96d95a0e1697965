//! What endpoints that hang do to those that do not.

mod scaling;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::ensure;
use cli::bar::Bar;
use domain::attempt::Waits;
use domain::limits::SQS_DELAY_MAX_S;
use local::Layout;

use crate::customer::{Customers, HANG, OK};
use crate::findings::{Budget, Cell, Findings, Table, column, written};
use crate::fleet::{Fleet, RETRY, SEND};
use crate::picture::{Curve, Drawing, Picture};
use crate::stand::Stand;
use crate::stats::percentile;
use crate::traffic::Traffic;

/// Events a second, both halves together. At each, far more than the senders of the template would
/// last for if an endpoint that hangs were known only by its first time-out.
const RATES: [u64; 2] = [20, 50];
/// Long enough for the first time-outs, and for as long again after them.
const SECONDS: u64 = 70;
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
    Answer,
    Hang,
}

impl Others {
    fn words(self) -> &'static str {
        match self {
            Self::Answer => "the other half answers",
            Self::Hang => "the other half hangs",
        }
    }
}

/// The healthy half of a run.
struct Half {
    others: Others,
    rate: u64,
    /// Seconds since the beginning, and the milliseconds that an event then waited.
    waits: Vec<(f64, f64)>,
    later: u64,
    busiest: u64,
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
    for rate in RATES {
        for others in [Others::Answer, Others::Hang] {
            halves.push(healthy(stand.afresh(layout).await?, others, rate, bar).await?);
        }
    }
    let timeout_s = stand.function("sender")?.variables["REQUEST_TIMEOUT_SECONDS"].parse()?;
    show(&mut findings, &halves, timeout_s);
    reasons(&mut findings, &stand, timeout_s)?;
    calculated(&mut findings, &stand, timeout_s)?;
    Ok(findings)
}

async fn healthy(stand: Stand, others: Others, rate: u64, bar: &mut Bar) -> anyhow::Result<Half> {
    let customers = Customers::start(None).await?;
    let other_path = if others == Others::Hang { HANG } else { OK };
    let mut accounts = Vec::new();
    for nth in 0..HALF {
        for (half, path) in [("healthy", OK), ("other", other_path)] {
            let account = format!("acct_{half}_{nth}");
            stand.register(&account, customers.url(path)).await?;
            accounts.push(account);
        }
    }
    let fleet = Fleet::start_warm(stand, bar).await?;
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
    let tally = fleet.end().await;
    ensure!(tally.failed.load(Ordering::Relaxed) == 0, "something failed");
    let moment = |at: Instant| at.duration_since(begun).as_secs_f64();
    Ok(Half {
        others,
        rate,
        waits: put
            .iter()
            .filter(|event| event.at >= begun + Duration::from_secs(WARM_UP_S))
            .filter_map(|event| Some((moment(event.at), event.waited_ms(&customers)?)))
            .collect(),
        later: tally.later.load(Ordering::Relaxed),
        busiest: tally.busiest.load(Ordering::Relaxed),
    })
}

impl Half {
    fn words(&self) -> String {
        format!("{} a second, {}", self.rate, self.others.words())
    }

    fn percentile(&self, share: f64) -> f64 {
        self.percentile_within(share, 0.0, f64::INFINITY)
    }

    fn percentile_within(&self, share: f64, from_s: f64, to_s: f64) -> f64 {
        let within = self.waits.iter().filter(|(at, _)| (from_s..to_s).contains(at));
        percentile(&within.map(|(_, wait)| *wait).collect::<Vec<f64>>(), share)
    }
}

fn show(findings: &mut Findings, halves: &[Half], timeout_s: f64) {
    // By then all that hang are noted, and ingest has read of it.
    let known_s = patience(timeout_s).as_secs_f64() + 2.0;
    let row = |half: &Half| {
        vec![
            Cell::from(half.words()),
            half.percentile(0.5).into(),
            half.percentile(0.95).into(),
            half.percentile(0.99).into(),
            half.percentile_within(0.99, 0.0, known_s).into(),
            half.percentile_within(0.99, known_s, timeout_s).into(),
            half.percentile_within(0.99, timeout_s, f64::INFINITY).into(),
            number(half.busiest).into(),
            number(half.later).into(),
        ]
    };
    findings.tables.push(Table {
        title: format!(
            "Milliseconds from queue to endpoint, healthy half; {} endpoints in all, {SECONDS} s.",
            2 * HALF
        ),
        columns: vec![
            column("run", 0),
            column("p50", 2),
            column("p95", 2),
            column("p99", 2),
            column("p99 until silence is noted", 2),
            column("p99 from then to the first time-out", 2),
            column("p99 after it", 2),
            column("senders busy at most", 0),
            column("wake-ups through RetryQueue", 0),
        ],
        rows: halves.iter().map(row).collect(),
    });
    for pair in halves.chunks(2) {
        let [quiet, beside] = pair else { continue };
        findings.budgets.push(Budget {
            what: format!(
                "p99 with half of the endpoints hanging, over p99 with all answering, {} a second",
                beside.rate
            ),
            found: beside.percentile(0.99) / quiet.percentile(0.99),
            at_most: RATIO_AT_MOST,
            unit: "times".to_owned(),
        });
    }
    let curve = |half: &Half| {
        let points = (0..=100).map(f64::from);
        let points = points.map(|share| (share, half.percentile(share / 100.0))).collect();
        Curve { name: half.words(), points }
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
         answer. Endpoints that hang take the request and never answer. All sandboxes were started \
         before, so that what is seen is waiting for one another and no cold start (`start` has \
         those): on Lambda, sandboxes held by endpoints that hang make it start others, which the \
         healthy half meets, too.",
        first.concurrency, first.batch_size, later.concurrency, later.batch_size
    ));
    let silent_s = patience(timeout_s).as_secs_f64();
    let senders = number(u64::try_from(first.concurrency)?);
    findings.say(format!(
        "*What the limits mean, calculated*: an event to an endpoint that hangs holds a sender for \
         {timeout_s} s. After {} s without an answer the endpoint is noted as silent, and from then on its \
         first attempts go through RetryQueue, those that wait in SendQueue included \
         (`infra/decisions/0029-silence-is-noted.md`). So only what arrives in those seconds holds senders of \
         first attempts: {} of them last for {} such events a second, where they would last for {} if only the \
         time-out told. In RetryQueue up to {} share one wait: {} senders last for {} a second.",
        written(silent_s, 0),
        first.concurrency,
        written(senders / silent_s, 0),
        written(senders / timeout_s, 1),
        later.batch_size,
        later.concurrency,
        written(number(u64::try_from(later.concurrency * later.batch_size)?) / timeout_s, 0),
    ));
    Ok(())
}

/// How long the sender waits before it notes an endpoint that does not answer.
fn patience(timeout_s: f64) -> Duration {
    let request_timeout = Duration::from_secs_f64(timeout_s);
    Waits { request_timeout, sqs_delay_max_s: SQS_DELAY_MAX_S }.patience()
}

/// Lambda's and SQS's part, by what is documented of them.
fn calculated(findings: &mut Findings, stand: &Stand, timeout_s: f64) -> anyhow::Result<()> {
    let first = stand.template.source("sender", SEND)?;
    let timeout_ms = u64::try_from(Duration::from_secs_f64(timeout_s).as_millis())?;
    let known_ms = u64::try_from(patience(timeout_s).as_millis())?;
    let senders = u64::try_from(first.concurrency)?;
    let mut rows = Vec::new();
    for rate in [4, 20, 50, 100, 200, 400] {
        let case = |senders, fair| {
            let batch = first.batch_size;
            scaling::Case { rate, timeout_ms, known_ms, senders, batch, fair }.p99_ms()
        };
        rows.push(vec![
            number(rate).into(),
            case(senders, false).into(),
            case(senders, true).into(),
            case(1_000, false).into(),
            case(1_000, true).into(),
        ]);
    }
    findings.tables.push(Table {
        title: format!(
            "**Calculated, not measured**: milliseconds that 99 of 100 healthy events wait at most for a \
             sender in the first {timeout_s} s, by Lambda's documented scaling (5 batches at once, 300 more \
             a minute while messages are left), from rest; half of the events hang."
        ),
        columns: vec![
            column("events per second", 0),
            column(&format!("{senders} senders"), 0),
            column("the same, fair queue", 0),
            column("1,000 senders", 0),
            column("the same, fair queue", 0),
        ],
        rows,
    });
    findings.say(
        "The calculation knows what the measurement leaves out: Lambda does not start senders at will. \
         So batches grow, and share their waits, before the limit is reached. The queue is fair \
         (`MessageGroupId` is the endpoint's id): the right columns are those that hold, as far as SQS \
         tells noisy groups from quiet ones at once.",
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}
