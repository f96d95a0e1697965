//! What a benchmark finds, as it is kept, shown and printed.

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::picture::Picture;

/// What stands first where nothing that follows means anything.
const WARNING: Option<&str> = if cfg!(debug_assertions) {
    Some("**A debug build was measured**: run with `--release`.")
} else {
    None
};

/// The answer of a benchmark.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Findings {
    /// Its name, as on the command line.
    pub benchmark: String,
    /// What was asked, in one line.
    pub question: String,
    /// Where and when it was asked.
    pub machine: Machine,
    /// What is held against a limit.
    pub budgets: Vec<Budget>,
    /// The figures.
    pub tables: Vec<Table>,
    /// For the report.
    pub pictures: Vec<Picture>,
    /// How it was measured, what it means, and what it leaves out: paragraphs of Markdown.
    pub reasoning: Vec<String>,
}

impl Findings {
    /// Nothing found yet, here and now.
    pub fn new(benchmark: &str, question: &str) -> Self {
        Self {
            benchmark: benchmark.to_owned(),
            question: question.to_owned(),
            machine: Machine::this(),
            budgets: Vec::new(),
            tables: Vec::new(),
            pictures: Vec::new(),
            reasoning: WARNING.into_iter().map(str::to_owned).collect(),
        }
    }

    /// Whether all budgets are kept.
    pub fn within_budgets(&self) -> bool {
        self.budgets.iter().all(Budget::is_kept)
    }

    /// Adds a paragraph.
    pub fn say(&mut self, paragraph: impl Into<String>) {
        self.reasoning.push(paragraph.into());
    }
}

/// A figure and what it may be at most.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Budget {
    /// Of what.
    pub what: String,
    /// What was found.
    pub found: f64,
    /// What is allowed.
    pub at_most: f64,
    /// Of both.
    pub unit: String,
}

impl Budget {
    /// Whether what was found is allowed.
    pub fn is_kept(&self) -> bool {
        self.found <= self.at_most
    }
}

/// Figures in rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// What stands in each column.
    pub columns: Vec<Column>,
    /// As many cells as columns.
    pub rows: Vec<Vec<Cell>>,
}

/// A column's head.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Column {
    /// With the unit, if there is one.
    pub name: String,
    /// Digits behind the point.
    pub decimals: usize,
}

/// A column of words or numbers with so many digits behind the point.
pub fn column(name: &str, decimals: usize) -> Column {
    Column { name: name.to_owned(), decimals }
}

/// A word or a number.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    /// A number; its column says how it is written.
    Number(f64),
    /// Words.
    Text(String),
    /// Not measured.
    Nothing,
}

impl Cell {
    /// As people read it.
    pub fn words(&self, column: &Column) -> String {
        match self {
            Self::Number(number) => written(*number, column.decimals),
            Self::Text(text) => text.clone(),
            Self::Nothing => "–".to_owned(),
        }
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Option<f64>> for Cell {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::Nothing, Self::Number)
    }
}

/// A number with thousands set apart.
pub fn written(number: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", number.abs());
    let (whole, rest) =
        text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let digits: Vec<char> = whole.chars().collect();
    let thousands: Vec<String> =
        digits.rchunks(3).rev().map(|part| part.iter().collect()).collect();
    let sign = if number < 0.0 { "-" } else { "" };
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{rest}", thousands.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_read_them() {
        for (number, decimals, text) in [
            (0.0, 0, "0"),
            (999.4, 0, "999"),
            (1_234_567.891, 2, "1,234,567.89"),
            (-1_000.0, 0, "-1,000"),
            (0.126, 2, "0.13"),
        ] {
            assert_eq!(written(number, decimals), text);
        }
    }

    #[test]
    fn cells_come_back_from_json_as_they_were() {
        let cells = [Cell::from(1.5), Cell::from("word"), Cell::from(None)];
        let text = serde_json::to_string(&cells).expect("plain data");
        assert_eq!(text, r#"[1.5,"word",null]"#);
        let again: Vec<Cell> = serde_json::from_str(&text).expect("the same");
        assert_eq!(serde_json::to_string(&again).expect("plain data"), text);
    }
}
