//! `bench`: how fast, how small and how cheap it is, measured by anyone with one command.
//!
//! ```text
//! cargo run --release -p bench -- start             one benchmark, as tables
//! cargo run --release -p bench -- start --json      the same for programs
//! cargo run --release -p bench -- all               all of them, and then the report
//! ```
//!
//! Each benchmark answers with [`findings::Findings`]; they are kept in `.local/bench`, where
//! `report` reads them. Nothing in here judges a time in a test: budgets are shown, and people read.

mod artefact;
mod cloud;
mod customer;
mod findings;
mod fleet;
mod machine;
mod payload;
mod picture;
mod process;
mod report;
mod sandbox;
mod shown;
mod stand;
mod stats;
mod template;
mod traffic;

mod latency;
mod memory;
mod meter;
mod neighbour;
mod outage;
mod start;
mod throughput;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cli::bar::Bar;
use cli::output;
use local::Layout;

use findings::Findings;

/// Benchmarks of Rackwave webhook delivery.
#[derive(Parser)]
#[command(name = "bench", version)]
struct Options {
    /// Answer in JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    One(Benchmark),
    /// All benchmarks one after the other, and then the report.
    All,
    /// Write the report from what was found last.
    Report,
}

/// A question that can be asked of the machine.
#[derive(Clone, Copy, Subcommand)]
pub enum Benchmark {
    /// What a delivery costs: the requests of the real functions, counted and priced.
    Meter,
    /// From process start to the first poll, and to the first answer, of each function.
    Start,
    /// Deliveries a second, and processor time, against the least that a program could do.
    Throughput,
    /// From queue to endpoint at 20 events a second.
    Latency,
    /// What healthy endpoints notice of those that hang.
    Neighbour,
    /// What 10 million failing deliveries of one customer cost, and whom; a calculation.
    Outage,
    /// A hundred deliveries at once with the largest payload, and answers without end.
    Memory,
}

impl Benchmark {
    /// In the report's order.
    pub const ALL: [Self; 7] = [
        Self::Meter,
        Self::Start,
        Self::Throughput,
        Self::Latency,
        Self::Neighbour,
        Self::Memory,
        Self::Outage,
    ];

    /// What it is called on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meter => "meter",
            Self::Start => "start",
            Self::Throughput => "throughput",
            Self::Latency => "latency",
            Self::Neighbour => "neighbour",
            Self::Outage => "outage",
            Self::Memory => "memory",
        }
    }

    async fn run(self, layout: &Layout, bar: &mut Bar) -> anyhow::Result<Findings> {
        match self {
            Self::Meter => meter::run(bar).await,
            Self::Start => start::run(layout, bar).await,
            Self::Throughput => throughput::run(layout, bar).await,
            Self::Latency => latency::run(layout, bar).await,
            Self::Neighbour => neighbour::run(layout, bar).await,
            Self::Outage => outage::run(bar).await,
            Self::Memory => memory::run(layout, bar).await,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Options { json, command } = Options::parse();
    match work(&Layout::of_this_clone(), json, command).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            output::complain!("bench: {error:#}");
            ExitCode::from(3)
        }
    }
}

/// False if something is over its budget.
async fn work(layout: &Layout, json: bool, command: Command) -> anyhow::Result<bool> {
    let (asked, then_report) = match command {
        Command::One(one) => (vec![one], false),
        Command::All => (Benchmark::ALL.to_vec(), true),
        Command::Report => (Vec::new(), true),
    };
    let mut within_budgets = true;
    for benchmark in asked {
        let mut bar = Bar::new();
        let findings = benchmark.run(layout, &mut bar).await?;
        bar.clear();
        report::keep(layout, &findings)?;
        within_budgets &= findings.within_budgets();
        if json {
            output::json(&serde_json::to_value(&findings)?);
        } else {
            shown::show(&findings);
        }
    }
    if then_report {
        let written = report::write(layout)?;
        output::complain!("written: {}", written.display());
    }
    Ok(within_budgets)
}
