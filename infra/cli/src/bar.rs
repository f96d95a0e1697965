//! How far something is, for people who wait.

use std::io::{IsTerminal, Write};

/// Characters of the bar.
const WIDTH: u64 = 30;

/// One line of a terminal, drawn again and again; nothing where nobody looks.
#[derive(Debug)]
pub struct Bar {
    shown: bool,
}

impl Default for Bar {
    /// On standard error, so that it never stands in an answer.
    fn default() -> Self {
        Self { shown: std::io::stderr().is_terminal() }
    }
}

impl Bar {
    /// As by default.
    pub fn new() -> Self {
        Self::default()
    }

    /// So much of the whole, and words beside it.
    pub fn draw(&mut self, done: u64, whole: u64, words: &str) {
        self.say(&format!("[{}] {words}", filled(done, whole)));
    }

    /// Words alone.
    pub fn say(&mut self, text: &str) {
        if self.shown {
            let mut out = std::io::stderr().lock();
            let _ = write!(out, "\r\x1b[K{text}");
            let _ = out.flush();
        }
    }

    /// Leaves the line empty.
    pub fn clear(&mut self) {
        self.say("");
    }
}

fn filled(done: u64, whole: u64) -> String {
    let part = u128::from(done) * u128::from(WIDTH) / u128::from(whole.max(done).max(1));
    (0..u128::from(WIDTH)).map(|nth| if nth < part { '#' } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_to_its_end_and_not_beyond() {
        for (done, whole, marks) in
            [(0, 0, 0), (0, 5, 0), (5, 10, 15), (10, 10, 30), (11, 10, 30), (u64::MAX, 1, 30)]
        {
            let bar = filled(done, whole);
            assert_eq!((bar.len(), bar.matches('#').count()), (30, marks), "{done} of {whole}");
        }
    }
}
