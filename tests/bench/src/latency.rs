//! From the products' queue to the customer's endpoint, at a steady rate.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::ensure;
use cli::bar::Bar;
use local::Layout;

use crate::customer::{Customers, OK};
use crate::findings::{Cell, Findings, Table, column};
use crate::fleet::Fleet;
use crate::picture::{Curve, Drawing, Picture};
use crate::stand::Stand;
use crate::stats::percentile;
use crate::traffic::Traffic;

/// Events a second.
const RATE: u64 = 20;
const SECONDS: u64 = 60;
/// Seconds at the beginning that do not count: sandboxes are started then.
const WARM_UP_S: u64 = 3;
const ACCOUNTS: u64 = 10;
/// How long the last ones may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures it.
///
/// # Errors
/// If something cannot be built or run, or is not delivered.
pub async fn run(layout: &Layout, bar: &mut Bar) -> anyhow::Result<Findings> {
    let mut findings = Findings::new(
        "latency",
        "How long from the products' queue to the customer's endpoint, at 20 events a second?",
    );
    let stand = Stand::start(layout, bar).await?;
    let customers = Customers::start(None).await?;
    let accounts: Vec<String> = (0..ACCOUNTS).map(|nth| format!("acct_latency_{nth}")).collect();
    for account in &accounts {
        stand.register(account, customers.url(OK)).await?;
    }
    let fleet = Fleet::start(stand)?;
    let traffic = Traffic { accounts: &accounts, rate: RATE, seconds: SECONDS };
    let put = traffic.put(&fleet, "seconds", bar).await?;
    let all = customers.wait_for(RATE * SECONDS);
    ensure!(tokio::time::timeout(PATIENCE, all).await.is_ok(), "not all arrived");
    fleet.cloud.was_understood()?;
    let tally = fleet.end().await;
    ensure!(tally.failed.load(Ordering::Relaxed) == 0, "something failed");
    let counted = put.iter().skip(usize::try_from(RATE * WARM_UP_S)?);
    let waits: Vec<f64> = counted.filter_map(|event| event.waited_ms(&customers)).collect();
    show(&mut findings, &waits);
    Ok(findings)
}

fn show(findings: &mut Findings, waits: &[f64]) {
    findings.tables.push(Table {
        title: format!("Milliseconds of {} events, {RATE} a second.", waits.len()),
        columns: ["p50", "p95", "p99", "the slowest"].map(|name| column(name, 2)).into(),
        rows: vec![[0.5, 0.95, 0.99, 1.0].map(|share| Cell::from(percentile(waits, share))).into()],
    });
    let points = (0..=100).map(f64::from);
    let points = points.map(|share| (share, percentile(waits, share / 100.0))).collect();
    findings.pictures.push(Picture {
        file: "latency".to_owned(),
        title: "From queue to endpoint".to_owned(),
        unit: "ms".to_owned(),
        limit: None,
        drawing: Drawing::Curves {
            below: "% of events that were faster".to_owned(),
            lines: vec![Curve { name: format!("{RATE} events a second"), points }],
        },
    });
    findings.say(format!(
        "Each event is a message of its own. From putting it on the queue to the last byte of the POST \
         at the endpoint: ingest reads the endpoints, stores event and delivery, and wakes the sender; \
         the sender reads delivery, event, endpoint and secret, signs, connects and POSTs. Real \
         processes of both, batches and limits of the template, the stub of AWS answers at once, and \
         batches are handed over at once: this is our own share of the latency. On AWS come some seven calls \
         one after the other (a few milliseconds each within a region), the customer's network, and \
         twice the poller of a queue. The first {WARM_UP_S} seconds, in which sandboxes start, are left \
         out.",
    ));
}
