//! A hundred deliveries at once, each with the largest payload, to endpoints that answer without
//! end.

use cli::bar::Bar;
use local::Layout;

use crate::customer::{Customers, ENDLESS};
use crate::findings::{Budget, Cell, Findings, Table, column};
use crate::fleet::SEND;
use crate::payload::Payload;
use crate::picture::{Drawing, Picture};
use crate::sandbox::Sandbox;
use crate::stand::{Stand, acknowledged, sqs_event};

/// Deliveries in one invocation: twice the largest batch of the template.
const AT_ONCE: u64 = 100;
/// The limit of the product (design 4.1): 256 KiB.
const EVENT_BYTES: usize = 262_144;
/// Of the sender's process (design 5).
const AT_MOST_MIB: f64 = 128.0;
const RUNS: u64 = 3;

/// Measures it.
///
/// # Errors
/// If the sender cannot be built or run, or does not deliver.
pub async fn run(layout: &Layout, bar: &mut Bar) -> anyhow::Result<Findings> {
    let mut findings = Findings::new(
        "memory",
        "How much memory do 100 deliveries at once need, each of 256 KiB, to endpoints that answer without end?",
    );
    let stand = Stand::start(layout, bar).await?;
    let cases =
        [("words", true, EVENT_BYTES), ("noise", false, EVENT_BYTES), ("words, 2 KB", true, 2_048)];
    let (mut rows, mut bars, mut most) = (Vec::new(), Vec::new(), 0.0_f64);
    for (name, compresses, bytes) in cases {
        let payload = Payload { bytes, compresses };
        let mut peaks = Vec::new();
        let mut idle = 0.0;
        for nth in 0..RUNS {
            let peak = deliver(layout, &stand, payload, bar).await?;
            idle = peak.idle_mib;
            peaks.push(peak.peak_mib);
            bar.draw(nth + 1, RUNS, name);
        }
        let peak = peaks.iter().copied().fold(0.0, f64::max);
        most = most.max(peak);
        rows.push(vec![Cell::from(name), idle.into(), peak.into()]);
        bars.push((name.to_owned(), peak));
    }
    findings.tables.push(Table {
        title: format!(
            "The sender's memory, {AT_ONCE} deliveries in one invocation; the most of {RUNS} runs."
        ),
        columns: vec![column("payload", 0), column("MiB at rest", 1), column("MiB at most", 1)],
        rows,
    });
    findings.budgets.push(Budget {
        what: "peak of the sender's process".to_owned(),
        found: most,
        at_most: AT_MOST_MIB,
        unit: "MiB".to_owned(),
    });
    findings.pictures.push(Picture {
        file: "memory".to_owned(),
        title: format!("Peak memory of {AT_ONCE} deliveries at once"),
        unit: "MiB".to_owned(),
        limit: Some(AT_MOST_MIB),
        drawing: Drawing::Bars(bars),
    });
    findings.say(
        "Ingest accepted a hundred events; the real sender is handed the wake-ups of all of them in \
         one invocation, twice as many as the template lets it have. Each endpoint answers 200 and \
         then sends without end; the sender keeps the first KiB and closes. Peak is the process's \
         `VmHWM`, binary and libraries included. Words compress in the store as mails do, noise \
         hardly does.",
    );
    Ok(findings)
}

struct Peak {
    idle_mib: f64,
    peak_mib: f64,
}

async fn deliver(
    layout: &Layout,
    stand: &Stand,
    payload: Payload,
    bar: &mut Bar,
) -> anyhow::Result<Peak> {
    const ACCOUNT: &str = "acct_memory";
    let mut stand = stand.afresh(layout).await?;
    let customers = Customers::start(None).await?;
    stand.register(ACCOUNT, customers.url(ENDLESS)).await?;
    let wake_ups = stand.accept(ACCOUNT, &payload, 0..AT_ONCE, bar).await?.wake_ups;
    let mut sender = Sandbox::start(&stand.function("sender")?).await?;
    sender.first_poll().await?;
    let idle = sender.memory()?.resident_kib;
    let wake_ups: Vec<String> = wake_ups.into_iter().collect();
    let answer = sender.invoke(sqs_event(SEND, &wake_ups).to_string()).await?;
    acknowledged(&answer)?;
    stand.cloud.was_understood()?;
    let succeeded = stand.cloud.count("DeliveriesTable", "status", "succeeded");
    anyhow::ensure!(u64::try_from(succeeded)? == AT_ONCE, "{succeeded} of {AT_ONCE} succeeded");
    Ok(Peak { idle_mib: mib(idle), peak_mib: mib(sender.memory()?.peak_kib) })
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1_024.0
}
