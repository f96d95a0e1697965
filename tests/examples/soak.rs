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

use tests::simulator::{Plan, Told, Violation, story_of, tell_plan};
use tests::world::Fault;

/// Histories between two looks at the progress.
const STRIDE: u64 = 20;
/// Histories between two lines of progress in a log.
const SELDOM: u64 = 20_000;

fn main() -> ExitCode {
    let mut histories = 100_000;
    let mut first = 0;
    let mut arguments = std::env::args().skip(1);
    let (mut only, mut most, mut story) = (None, usize::MAX, false);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        match (name.as_str(), value.parse().ok()) {
            ("--only", _) if Fault::parse(&value).is_some() => only = Fault::parse(&value),
            ("--histories", Some(number)) => histories = number,
            ("--from", Some(number)) => first = number,
            ("--stop", Some(number)) => most = usize::try_from(number).unwrap_or(usize::MAX),
            ("--seed", Some(number)) => (first, histories, story) = (number, 1, true),
            _ => {
                eprintln!(
                    "usage: soak [--histories N] [--from SEED] [--only FAULT] [--stop N] | --seed SEED"
                );
                return ExitCode::from(2);
            }
        }
    }
    if story {
        story_of(plan_of(first, only)).iter().for_each(|line| println!("{line}"));
    }
    let (told, violations) = soak(first..first.saturating_add(histories), only, most);
    println!(
        "{histories:>12}  histories, seeds from {first}\n{told}\n{:>12}  violations",
        violations.len()
    );
    for violation in &violations {
        println!("\n{violation}");
    }
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tells the histories of these seeds, until there are `most` violations: those of the lowest seeds,
/// however the threads take turns.
fn soak(seeds: Range<u64>, only: Option<Fault>, most: usize) -> (Told, Vec<Violation>) {
    let next = AtomicU64::new(seeds.start);
    let all = Mutex::new((Told::default(), Vec::<Violation>::new()));
    let lock = || all.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || {
        loop {
            let from = next.fetch_add(STRIDE, Ordering::Relaxed);
            if from >= seeds.end {
                return;
            }
            let mut told = Told::default();
            for seed in from..(from + STRIDE).min(seeds.end) {
                if lock().1.iter().filter(|violation| violation.seed < seed).count() >= most {
                    return;
                }
                match tell(seed, only) {
                    Ok(one) => told = told.plus(one),
                    Err(violation) => lock().1.push(*violation),
                }
            }
            let mut all = lock();
            all.0 = std::mem::take(&mut all.0).plus(told);
            drop(all);
            progress(from + STRIDE - seeds.start, seeds.end - seeds.start);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    let (told, mut violations) = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    violations.sort_by_key(|violation| violation.seed);
    violations.truncate(most);
    (told, violations)
}

/// One history; a panic in it is a violation like any other.
fn tell(seed: u64, only: Option<Fault>) -> Result<Told, Box<Violation>> {
    let told = std::panic::catch_unwind(|| tell_plan(plan_of(seed, only)));
    told.unwrap_or_else(|_| {
        let what = "a panic, see above".to_owned();
        Err(Box::new(Violation { seed, what, story: Vec::new() }))
    })
}

fn plan_of(seed: u64, only: Option<Fault>) -> Plan {
    let plan = Plan::from_seed(seed);
    match only {
        Some(fault) => plan.only(fault),
        None => plan,
    }
}

/// On a terminal all the time, else now and then.
fn progress(done: u64, of: u64) {
    let mut error = std::io::stderr();
    if error.is_terminal() {
        let _ = write!(error, "\r{} of {of} histories", done.min(of));
    } else if done.is_multiple_of(SELDOM) {
        let _ = writeln!(error, "{done} of {of} histories");
    }
    let _ = error.flush();
}
