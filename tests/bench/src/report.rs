//! The report: what was found last, as one Markdown file with pictures beside it.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use local::Layout;

use crate::Benchmark;
use crate::findings::{Findings, Table, written};

/// Keeps findings for the report.
///
/// # Errors
/// If they cannot be written.
pub fn keep(layout: &Layout, findings: &Findings) -> anyhow::Result<()> {
    let file = kept(layout, &findings.benchmark);
    fs::create_dir_all(file.parent().unwrap_or(&file))?;
    let text = serde_json::to_string_pretty(findings)?;
    fs::write(&file, text).with_context(|| format!("writing {}", file.display()))
}

/// Writes report and pictures into `tests/bench`, and answers where.
///
/// # Errors
/// If a benchmark was never run, or something cannot be written.
pub fn write(layout: &Layout) -> anyhow::Result<PathBuf> {
    let folder = layout.root().join("tests/bench");
    let mut all = Vec::new();
    for benchmark in Benchmark::ALL {
        let file = kept(layout, benchmark.name());
        let text = fs::read_to_string(&file).with_context(|| {
            format!("`{}` was not run yet: no {}", benchmark.name(), file.display())
        })?;
        all.push(serde_json::from_str::<Findings>(&text)?);
    }
    for picture in all.iter().flat_map(|findings| &findings.pictures) {
        fs::write(folder.join(format!("{}.svg", picture.file)), picture.svg())?;
    }
    let report = folder.join("REPORT.md");
    fs::write(&report, markdown(&all))?;
    Ok(report)
}

fn kept(layout: &Layout, benchmark: &str) -> PathBuf {
    layout.state().join("bench").join(format!("{benchmark}.json"))
}

fn markdown(all: &[Findings]) -> String {
    let mut out = String::from(
        "# Measured\n\n\
         Written by `cargo run --release -p bench -- all`; edited by nobody. Ratios travel from \
         machine to machine,\ntimes do not: read them together with the machine under each heading.\n",
    );
    budgets(&mut out, all);
    for findings in all {
        let Findings { benchmark, question, machine, .. } = findings;
        let _ = write!(out, "\n## {benchmark}\n\n{question}\n\n*{}*\n", machine.line());
        findings.tables.iter().for_each(|table| write_table(&mut out, table));
        for picture in &findings.pictures {
            let _ = write!(out, "\n![{}]({}.svg)\n", picture.title, picture.file);
        }
        for paragraph in &findings.reasoning {
            let _ = write!(out, "\n{paragraph}\n");
        }
    }
    out
}

fn budgets(out: &mut String, all: &[Findings]) {
    out.push_str("\n| benchmark | budget | found | at most | |\n|---|---|---|---|---|\n");
    for findings in all {
        for budget in &findings.budgets {
            let (benchmark, what, unit) = (&findings.benchmark, &budget.what, &budget.unit);
            let (found, at_most) = (written(budget.found, 2), written(budget.at_most, 2));
            let verdict = if budget.is_kept() { "kept" } else { "**over**" };
            let _ = writeln!(
                out,
                "| [{benchmark}](#{benchmark}) | {what} | {found} {unit} | {at_most} {unit} | {verdict} |"
            );
        }
    }
}

fn write_table(out: &mut String, table: &Table) {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let rule = "---|".repeat(names.len());
    let _ = write!(out, "\n{}\n\n| {} |\n|{rule}\n", table.title, names.join(" | "));
    for row in &table.rows {
        let cells = row.iter().zip(&table.columns);
        let words: Vec<String> = cells.map(|(cell, column)| cell.words(column)).collect();
        let _ = writeln!(out, "| {} |", words.join(" | "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::{Budget, Cell, column};

    #[test]
    fn a_report_holds_figures_budgets_and_reasons() {
        let mut findings = Findings::new("start", "How long?");
        findings.tables.push(Table {
            title: "Times".to_owned(),
            columns: vec![column("function", 0), column("ms", 1)],
            rows: vec![vec![Cell::from("sender"), Cell::from(4.25)]],
        });
        let (what, unit) = ("first poll".to_owned(), "ms".to_owned());
        findings.budgets.push(Budget { what, found: 12.0, at_most: 10.0, unit });
        findings.say("Because.");
        let text = markdown(&[findings]);
        for part in [
            "| [start](#start) | first poll | 12.00 ms | 10.00 ms | **over** |",
            "## start\n\nHow long?",
            "| function | ms |\n|---|---|\n| sender | 4.2 |",
            "\nBecause.\n",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
