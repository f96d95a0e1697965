//! What a delivery costs: the real functions, in the environment that the real template gives them,
//! make real SDK calls to the emulator, and every one is counted on its way and priced.
//!
//! | module | is |
//! |---|---|
//! | `scenario` | what is metered |
//! | `data` | what stands in its events |
//! | `stand` | the template on the emulator, its pollers played by hand |
//! | `counting` | the endpoint that counts |
//! | `capacity` | DynamoDB's rules |
//! | `tally` | what was counted |
//! | `prices` | what AWS charges, and what is assumed |
//! | `bill` | from counts to dollars |
//! | `upkeep` | keeping records |
//! | `idle` | a month of nothing |

mod bill;
mod capacity;
mod counting;
mod data;
mod idle;
mod prices;
mod scenario;
mod stand;
mod tally;
#[cfg(test)]
mod tests;
mod upkeep;

use anyhow::Context;
use cli::bar::Bar;

use crate::findings::{Budget, Cell, Column, Findings, Table, column};
use bill::{Bill, bill};
use data::Data;
use scenario::{Answers, HEALTHY, Scenario};
use stand::Stand;
use tally::{Figures, Tally};

/// Dollars for a million deliveries of [`HEALTHY`], before storage.
const DOLLARS_AT_MOST: f64 = 3.50;
/// Dollars for a month of idling.
const IDLE_AT_MOST: f64 = 5.00;

/// The budgets of design section 5, for data that compresses well.
pub const BUDGET: Figures =
    Figures { write_units: 4.0, read_units: 3.0, sqs_requests: 0.7, invocations: 0.25 };

/// The services of a bill, in the order of its columns.
const SERVICES: [&str; 7] =
    ["DynamoDB", "SQS", "Lambda", "CloudWatch", "Egress", "Scheduler", "EventBridge"];

/// What a delivery takes whose endpoint is down all day.
pub struct Down {
    /// Dollars for a million, where the endpoint answers after [`Down::endpoint_s`].
    pub dollars: f64,
    /// Dollars for keeping the records of a million.
    pub storage_dollars: f64,
    /// Seconds until the endpoint answers.
    pub endpoint_s: f64,
    /// GB of the sender.
    pub sender_gb: f64,
    /// Dollars for a second with 1 GB.
    pub gb_second_dollars: f64,
    /// Write units of tables.
    pub table_units: f64,
    /// Write units of indexes.
    pub index_units: f64,
}

/// Meters a delivery whose endpoint is down all day.
///
/// # Errors
/// As [`run`].
pub async fn down() -> anyhow::Result<Down> {
    let stand = Stand::start("down").await?;
    let scenario = scenarios().into_iter().find(|one| one.answers == Answers::Badly);
    let tally = scenario::run(&stand, &scenario.context("no scenario of that kind")?).await?;
    let bill = bill(&tally);
    let sender = tally.ran.get("sender").context("the sender did not run")?;
    Ok(Down {
        dollars: bill.total(),
        storage_dollars: bill.storage,
        endpoint_s: prices::ENDPOINT_MS / 1_000.0,
        sender_gb: sender.memory_mib / 1_024.0,
        gb_second_dollars: prices::GB_SECOND.0 / bill::MILLION,
        table_units: tally.each("DynamoDB", |call| call.units.write),
        index_units: tally.each("DynamoDB", |call| call.units.index_write),
    })
}

/// All scenarios. One differs from the first by what its name says.
fn scenarios() -> Vec<Scenario> {
    let of = |name| Scenario { name, ..HEALTHY };
    let sized = |name, bytes| Scenario { bytes, ..of(name) };
    // As large as an event may be.
    let largest = 256 * 1_024;
    vec![
        HEALTHY,
        Scenario { data: Data::Words, ..of("words and numbers") },
        Scenario { data: Data::Noise, ..of("data that does not compress") },
        Scenario { messages: 1, ..of("a trickle: one message at a time") },
        Scenario { in_a_message: 1, ..of("producer batches of 1") },
        Scenario { in_a_message: 1, messages: 1, events: 5, ..of("one event at a time") },
        Scenario { in_a_message: 100, ..of("producer batches of 100") },
        sized("0.5 KB", 512),
        Scenario { events: 50, ..sized("16 KB", 16 * 1_024) },
        Scenario { events: 4, in_a_message: 1, ..sized("256 KB", largest) },
        Scenario {
            data: Data::Noise,
            events: 4,
            in_a_message: 1,
            ..sized("256 KB that do not compress", largest)
        },
        Scenario { endpoints: 5, ..of("fan-out to 5") },
        Scenario { answers: Answers::OnceBadly, ..of("1 % retried") },
        Scenario { answers: Answers::Badly, events: 20, ..of("an endpoint down all day") },
    ]
}

/// Runs all scenarios.
///
/// # Errors
/// If the stack does not start, or anything in it does not go as the scenario says.
pub async fn run(bar: &mut Bar) -> anyhow::Result<Findings> {
    let mut findings =
        Findings::new("meter", "What does a delivery cost, and a month without any?");
    bar.say("deploying");
    let stand = Stand::start("meter").await?;
    let idle = idle::month(&stand).await?;
    let (mut metered, mut audited) = (Vec::new(), None);
    for scenario in scenarios() {
        bar.say(scenario.name);
        let tally = scenario::run(&stand, &scenario).await?;
        if audited.is_none() {
            audited = Some(upkeep::audit(&stand, tally.deliveries).await?);
        }
        metered.push((scenario, tally));
    }
    let bills: Vec<Bill> = metered.iter().map(|(_, tally)| bill(tally)).collect();
    let (healthy, first) = (&metered[0].1, &bills[0]);
    findings.tables.push(counts(&metered));
    findings.tables.push(dollars(&metered, &bills));
    findings.tables.push(breakdown(first));
    findings.tables.push(requests(healthy));
    findings.tables.extend(audited.map(|audited| audited.table(first.storage)));
    findings.tables.push(nothing_done(&idle));
    findings.budgets = budgets(healthy.figures(), first.total(), &idle);
    for paragraph in explained(&metered) {
        findings.say(paragraph);
    }
    Ok(findings)
}

fn counts(metered: &[(Scenario, Tally)]) -> Table {
    let row = |(scenario, tally): &(Scenario, Tally)| {
        let figures = tally.figures();
        vec![
            Cell::from(scenario.name),
            figures.write_units.into(),
            figures.read_units.into(),
            figures.sqs_requests.into(),
            figures.invocations.into(),
        ]
    };
    Table {
        title: "What one delivery takes".to_owned(),
        columns: vec![
            column("scenario", 0),
            column("write units", 2),
            column("read units", 2),
            column("SQS requests", 3),
            column("Lambda runs", 3),
        ],
        rows: metered.iter().map(row).collect(),
    }
}

fn dollars(metered: &[(Scenario, Tally)], bills: &[Bill]) -> Table {
    let mut columns = vec![column("scenario", 0), column("total", 2)];
    columns.extend(SERVICES.iter().map(|service| column(service, 2)));
    columns.push(column("+ storage, 30 days", 2));
    let row = |((scenario, _), bill): (&(Scenario, Tally), &Bill)| {
        let mut row = vec![Cell::from(scenario.name), bill.total().into()];
        row.extend(SERVICES.iter().map(|service| Cell::from(bill.of(service))));
        row.push(bill.storage.into());
        row
    };
    let rows = metered.iter().zip(bills).map(row).collect();
    Table { title: "Dollars for a million deliveries".to_owned(), columns, rows }
}

fn breakdown(bill: &Bill) -> Table {
    let row = |line: &bill::Line| {
        vec![
            Cell::from(line.service),
            line.what.into(),
            line.quantity.into(),
            line.dollars.into(),
            (100.0 * line.dollars / bill.total()).into(),
        ]
    };
    let mut rows: Vec<Vec<Cell>> =
        bill.lines.iter().filter(|line| line.quantity > 0.0).map(row).collect();
    rows.push(vec!["all".into(), "".into(), Cell::Nothing, bill.total().into(), 100.0.into()]);
    let columns = vec![
        column("service", 0),
        column("of what", 0),
        column("each delivery", 4),
        column("$ a million", 3),
        column("%", 1),
    ];
    Table { title: "Where the dollars of the first scenario go".to_owned(), columns, rows }
}

/// What the functions asked for, and how the emulator's own figures compare.
fn requests(tally: &Tally) -> Table {
    let mut kinds: Vec<(String, [f64; 5])> = Vec::new();
    for (function, call) in tally.calls() {
        let target = call.target.split('-').nth(1).unwrap_or(&call.target);
        let refused = if call.refused { ", refused" } else { "" };
        let name = format!("{function}: {} {target}{refused}", call.operation);
        let at = kinds.iter().position(|(known, _)| *known == name);
        let at = at.unwrap_or_else(|| {
            kinds.push((name, [0.0; 5]));
            kinds.len() - 1
        });
        let units = call.units;
        let found = [1.0, units.read, units.write, units.index_write, call.emulated.unwrap_or(0.0)];
        kinds[at].1.iter_mut().zip(found).for_each(|(sum, one)| *sum += one / tally.deliveries);
    }
    let row = |(name, sums): (String, [f64; 5])| {
        std::iter::once(Cell::from(name)).chain(sums.map(Cell::from)).collect()
    };
    let columns: Vec<Column> =
        ["request", "each delivery", "read units", "write units", "index", "emulator's figure"]
            .map(|name| column(name, 3))
            .into();
    let rows = kinds.into_iter().map(row).collect();
    Table { title: "Requests of the first scenario".to_owned(), columns, rows }
}

fn nothing_done(idle: &[idle::Line]) -> Table {
    let row = |line: &idle::Line| {
        vec![Cell::from(line.what.as_str()), line.quantity.as_str().into(), line.dollars.into()]
    };
    let mut rows: Vec<Vec<Cell>> = idle.iter().map(row).collect();
    rows.push(vec!["all".into(), "".into(), sum(idle).into()]);
    let columns = vec![column("what", 0), column("how much", 0), column("$ a month", 3)];
    Table { title: "A month of idling".to_owned(), columns, rows }
}

fn sum(idle: &[idle::Line]) -> f64 {
    idle.iter().map(|line| line.dollars).sum()
}

fn budgets(figures: Figures, total: f64, idle: &[idle::Line]) -> Vec<Budget> {
    [
        ("DynamoDB write units of a delivery", figures.write_units, BUDGET.write_units, ""),
        ("DynamoDB read units of a delivery", figures.read_units, BUDGET.read_units, ""),
        ("SQS requests of a delivery", figures.sqs_requests, BUDGET.sqs_requests, ""),
        ("Lambda runs of a delivery", figures.invocations, BUDGET.invocations, ""),
        ("a million deliveries, before storage", total, DOLLARS_AT_MOST, "$"),
        ("a month of idling", sum(idle), IDLE_AT_MOST, "$"),
    ]
    .map(|(what, found, at_most, unit)| Budget {
        what: what.to_owned(),
        found,
        at_most,
        unit: unit.to_owned(),
    })
    .into()
}

fn explained(metered: &[(Scenario, Tally)]) -> Vec<String> {
    let profile = if cfg!(debug_assertions) {
        "This is a debug build: its processor time, and with it Lambda's share, is too high."
    } else {
        "Processor time is this machine's, divided by the part of a processor that Lambda gives."
    };
    let different = metered.iter().flat_map(|(_, tally)| tally.calls());
    let different = different.filter(|(_, call)| {
        let ours = call.units.read + call.units.write + call.units.index_write;
        call.emulated.is_some_and(|theirs| (ours - theirs).abs() > f64::EPSILON)
    });
    let different = different.count();
    vec![
        format!(
            "Prices: {}. {} ms until an endpoint answers; DynamoDB {} ms, SQS {} ms, others {} ms.",
            prices::LIST,
            prices::ENDPOINT_MS,
            prices::DYNAMO_MS,
            prices::SQS_MS,
            prices::OTHER_MS,
        ),
        "Batches are an assumption: at a rate, pollers hand over full ones, of as many messages as \
         the template says (10 events' messages, 10 wake-ups, 50 later ones). At a trickle an \
         invocation gets one message; the scenarios of that name show what it makes of it."
            .to_owned(),
        format!(
            "DynamoDB's units are reckoned from each item before and after, by the documented \
             rules; the emulator's own figure was another for {different} requests (it does not \
             charge a scan or a query for what it read, see the last table)."
        ),
        profile.to_owned(),
        prices::LEFT_OUT.to_owned(),
    ]
}
