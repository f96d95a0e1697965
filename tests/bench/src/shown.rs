//! Findings on a terminal.

use cli::output::{self, Cell, dim, plain, say, verdict};

use crate::findings::{Budget, Findings, Table, written};

/// Prints findings for people.
pub fn show(findings: &Findings) {
    say!("{}", verdict(true, &findings.benchmark));
    say!("{}", findings.question);
    say!("{}", dim(findings.machine.line()));
    for table in &findings.tables {
        say!();
        say!("{}", table.title);
        show_table(table);
    }
    if !findings.budgets.is_empty() {
        say!();
        let rows: Vec<Vec<Cell>> = findings.budgets.iter().map(budget).collect();
        output::table(&["budget", "found", "at most", ""], &rows);
    }
    for paragraph in &findings.reasoning {
        say!();
        say!("{}", dim(paragraph));
    }
    say!();
}

fn show_table(table: &Table) {
    let titles: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let row = |cells: &Vec<crate::findings::Cell>| {
        let cells = cells.iter().zip(&table.columns);
        cells.map(|(cell, column)| plain(cell.words(column))).collect()
    };
    let rows: Vec<Vec<Cell>> = table.rows.iter().map(row).collect();
    output::table(&titles, &rows);
}

fn budget(budget: &Budget) -> Vec<Cell> {
    let figure = |number| format!("{} {}", written(number, 2), budget.unit);
    let kept = budget.is_kept();
    vec![
        plain(&budget.what),
        plain(figure(budget.found)),
        plain(figure(budget.at_most)),
        verdict(kept, if kept { "kept" } else { "OVER" }),
    ]
}
