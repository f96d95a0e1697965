//! From process start to the first poll, and to the first answer.

use cli::bar::Bar;
use local::Layout;

use crate::artefact::{Artefacts, FUNCTIONS};
use crate::findings::{Budget, Cell, Findings, Table, column};

/// Of a zipped artefact, MB.
const ZIPPED_AT_MOST_MB: f64 = 4.0;

/// Measures it.
///
/// # Errors
/// If a function cannot be built or run.
pub async fn run(layout: &Layout, bar: &mut Bar) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("start", "How large is each function?");
    bar.say("building");
    let artefacts = Artefacts::build(layout)?;
    let mut rows = Vec::new();
    for function in FUNCTIONS {
        let (plain, zipped) = artefacts.sizes(function)?;
        rows.push(vec![Cell::from(function), megabytes(plain).into(), megabytes(zipped).into()]);
        findings.budgets.push(Budget {
            what: format!("{function}, zipped"),
            found: megabytes(zipped),
            at_most: ZIPPED_AT_MOST_MB,
            unit: "MB".to_owned(),
        });
    }
    findings.tables.push(Table {
        title: "Artefacts".to_owned(),
        columns: vec![column("function", 0), column("MB", 2), column("zipped MB", 2)],
        rows,
    });
    findings.say("Built with the release profile for this machine, zipped at the best level.");
    Ok(findings)
}

#[expect(clippy::cast_precision_loss, reason = "files are far smaller than 2^53 bytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
