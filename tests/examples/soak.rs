//! Tells histories until told to stop, and reports what was seen.
//!
//! ```sh
//! cargo run --profile soak -p tests --example soak -- --histories 1000000
//! cargo run --profile soak -p tests --example soak -- --seed 46      # one, with its story
//! cargo run --profile soak -p tests --example soak -- --only killed  # one kind of fault
//! cargo run --profile soak -p tests --example soak -- --stop 1       # at the first violation
//! ```

#![expect(clippy::print_stdout, reason = "a report on the terminal")]

use std::io::{IsTerminal, Write};
use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use tests::simulator::{Plan, Told, Violation, tell_plan};

/// Histories between two looks at the progress.
const STRIDE: u64 = 20;

fn main() -> ExitCode {
    let mut histories = 100_000;
    let mut first = 0;
    let mut arguments = std::env::args().skip(1);
    let (mut only, mut most) = (None, u64::MAX);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        match (name.as_str(), value.parse().ok()) {
            ("--only", _) if Plan::from_seed(0).only(&value).is_some() => only = Some(value),
            ("--histories", Some(number)) => histories = number,
            ("--from", Some(number)) => first = number,
            ("--stop", Some(number)) => most = number,
            ("--seed", Some(number)) => (first, histories) = (number, 1),
            _ => {
                eprintln!(
                    "usage: soak [--histories N] [--from SEED] [--only FAULT] [--stop N] | --seed SEED"
                );
                return ExitCode::from(2);
            }
        }
    }
    let (told, violations) = soak(first..first.saturating_add(histories), only.as_deref(), most);
    println!(
        "histories   {histories}, seeds from {first}\n{told:#?}\nviolations  {}",
        violations.len()
    );
    for violation in &violations {
        println!("\n{violation}");
    }
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tells the histories of these seeds, until there are `most` violations.
fn soak(seeds: Range<u64>, only: Option<&str>, most: u64) -> (Told, Vec<Violation>) {
    let next = AtomicU64::new(seeds.start);
    let found = AtomicU64::new(0);
    let all = Mutex::new((Told::default(), Vec::new()));
    let work = || {
        loop {
            let from = next.fetch_add(STRIDE, Ordering::Relaxed);
            if from >= seeds.end {
                return;
            }
            for seed in from..(from + STRIDE).min(seeds.end) {
                if found.load(Ordering::Relaxed) >= most {
                    return;
                }
                let plan = Plan::from_seed(seed);
                let plan = match only {
                    Some(fault) => plan.only(fault).expect("checked above"),
                    None => plan,
                };
                let result = tell_plan(plan);
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                match result {
                    Ok(told) => all.0 = all.0.plus(told),
                    Err(violation) => {
                        found.fetch_add(1, Ordering::Relaxed);
                        all.1.push(*violation);
                    }
                }
            }
            progress(from + STRIDE - seeds.start, seeds.end - seeds.start);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn progress(done: u64, of: u64) {
    let mut error = std::io::stderr();
    if error.is_terminal() {
        let _ = write!(error, "\r{} of {of} histories", done.min(of));
        let _ = error.flush();
    }
}
