//! What it costs to keep records: where they lie, and the weekly audit that reads them.

use anyhow::{Context, ensure};
use domain::audit::Audit;
use domain::limits::{AUDIT_AGE_S, AUDIT_EVERY_S};
use domain::ports::Audits;
use serde_json::json;

use super::prices::{self, KEPT_DAYS};
use super::stand::Stand;
use crate::findings::{Cell, Table, column};

const DAY_S: f64 = 86_400.0;

/// Read units of one audit, for each delivery.
pub struct Audited {
    /// For walking over its records.
    scanned: f64,
    /// For looking up what its event lists, once it is old enough.
    checked: f64,
}

/// Audits everything that a stand holds by now: so many deliveries.
///
/// # Errors
/// If the audit finds anything, or does not come to an end.
pub async fn audit(stand: &Stand, deliveries: f64) -> anyhow::Result<Audited> {
    let store = &stand.stack.store;
    let (latest, now) = (store.audit().await?, stand.now());
    let asked = Audit::begin(latest.as_ref(), Some(now), now);
    ensure!(store.save_audit(latest.as_ref(), &asked).await?, "somebody else audits");
    let sweeper = stand.worker("sweeper", "SweeperFunction").await?;
    sweeper.invoke(&json!({})).await?;
    let calls = sweeper.calls()?;
    sweeper.end()?;
    let audit = store.audit().await?.context("no audit")?;
    ensure!(audit.finished_at().is_some() && audit.unexplained == 0, "{audit:?}");
    let units = |operation: &str, target: &str| {
        let of = |call: &&super::counting::Call| {
            call.operation == operation && call.target.contains(target)
        };
        calls.iter().filter(of).map(|call| call.units.read).sum::<f64>() / deliveries
    };
    Ok(Audited { scanned: units("Scan", ""), checked: units("GetItem", "DeliveriesTable") })
}

impl Audited {
    /// Dollars for auditing the records of a million deliveries as long as they stay.
    fn dollars(&self) -> f64 {
        let [every, age] = [AUDIT_EVERY_S, AUDIT_AGE_S]
            .map(|seconds| u32::try_from(seconds).map_or(f64::MAX, f64::from) / DAY_S);
        let (scans, checks) = (KEPT_DAYS / every, (KEPT_DAYS - age).max(0.0) / every);
        (self.scanned * scans + self.checked * checks) * prices::READ_UNIT.0
    }

    /// Beside what storage costs.
    pub fn table(&self, storage: f64) -> Table {
        let row = |what: &str, dollars: f64| vec![Cell::from(what), dollars.into()];
        Table {
            title: "Keeping the records of a million deliveries, first scenario, for 30 days"
                .to_owned(),
            columns: vec![column("what", 0), column("$", 3)],
            rows: vec![
                row("storage of records and log", storage),
                row("weekly audits, which read all of them", self.dollars()),
            ],
        }
    }
}
