//! Tables for people, JSON for programs.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

use anstyle::{AnsiColor, Style};
use domain::delivery::{Outcome, Status};
use serde_json::Value;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Prints a line; ends the command once nobody reads any more.
#[macro_export]
macro_rules! say {
    () => { $crate::output::say!("") };
    ($($text:tt)*) => { $crate::output::line(format_args!($($text)*)) };
}
pub use say;

/// Prints a line for people beside the answer; nothing if nobody reads it.
#[macro_export]
macro_rules! complain {
    ($($text:tt)*) => { $crate::output::aside(format_args!($($text)*)) };
}
pub use complain;

/// See [`say`].
pub fn line(text: Arguments<'_>) {
    or_end(writeln!(anstream::stdout().lock(), "{text}"));
}

/// See [`complain`].
pub fn aside(text: Arguments<'_>) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// A reader that has gone, as `head` does, has seen enough; a full disk has not kept the answer.
fn or_end(written: io::Result<()>) {
    if let Err(error) = written {
        std::process::exit(if error.kind() == ErrorKind::BrokenPipe { 0 } else { 3 });
    }
}

/// Prints one JSON document.
pub fn json(value: &Value) {
    say!("{value:#}");
}

/// A cell: its text and how it looks.
pub struct Cell(String, Style);

/// A plain cell.
pub fn plain(text: impl ToString) -> Cell {
    Cell(text.to_string(), Style::new())
}

/// A cell that matters less.
pub fn dim(text: impl ToString) -> Cell {
    Cell(text.to_string(), DIM)
}

/// A status, in its colour.
pub fn status(status: Status) -> Cell {
    status_words(status.as_str(), status.reason())
}

/// A status as the API spells it, in its colour.
pub fn status_words(status: &str, reason: Option<&str>) -> Cell {
    let text = match reason {
        Some(reason) => format!("{status} ({reason})"),
        None => status.to_owned(),
    };
    let color = match status {
        "pending" => AnsiColor::Blue,
        "retrying" => AnsiColor::Yellow,
        "succeeded" => AnsiColor::Green,
        _ => AnsiColor::Red,
    };
    Cell(text, color.on_default())
}

/// An outcome with its status code, in its colour.
pub fn outcome(outcome: Outcome, http_status: Option<u16>) -> Cell {
    let text = match (outcome, http_status) {
        (Outcome::Succeeded | Outcome::HttpStatus, Some(status)) => format!("HTTP {status}"),
        (other, _) => other.as_str().to_owned(),
    };
    Cell(text, verdict_color(outcome == Outcome::Succeeded).on_default())
}

/// Good or bad, in words and colour.
pub fn verdict(good: bool, text: &str) -> Cell {
    Cell(text.to_owned(), verdict_color(good).on_default().bold())
}

fn verdict_color(good: bool) -> AnsiColor {
    if good { AnsiColor::Green } else { AnsiColor::Red }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(text, style) = self;
        write!(f, "{style}{text}{style:#}")
    }
}

/// Prints columns, as wide as they must be.
pub fn table(titles: &[&str], rows: &[Vec<Cell>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|Cell(text, _)| text.chars().count()).max().unwrap_or(0);
        widest.max(titles[column].chars().count())
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let heading: Vec<Cell> = titles.iter().map(|title| Cell((*title).to_owned(), BOLD)).collect();
    let mut out = anstream::stdout().lock();
    for row in std::iter::once(&heading).chain(rows) {
        let last = row.len().saturating_sub(1);
        for (column, Cell(text, style)) in row.iter().enumerate() {
            let blank = widths[column].saturating_sub(text.chars().count());
            let blank = if column == last { 0 } else { blank + 2 };
            or_end(write!(out, "{style}{text}{style:#}{:blank$}", ""));
        }
        or_end(writeln!(out));
    }
}

/// Prints names and values below each other.
pub fn list(entries: &[(&str, Cell)]) {
    let width = entries.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, cell) in entries {
        say!("{DIM}{name:>width$}{DIM:#}  {cell}");
    }
}
