//! From counts to dollars.

use super::counting::Call;
use super::prices::{self, PerMillion};
use super::tally::{Invocation, Ran, Tally, number};

/// A line of a bill: so much of something, for each delivery.
#[derive(Debug, Clone)]
pub struct Line {
    /// Whose it is.
    pub service: &'static str,
    /// What is charged for.
    pub what: &'static str,
    /// How much of it, for each delivery.
    pub quantity: f64,
    /// Dollars for a million deliveries.
    pub dollars: f64,
}

/// What a million deliveries cost.
#[derive(Debug, Clone)]
pub struct Bill {
    /// Its lines; nothing is in it twice.
    pub lines: Vec<Line>,
    /// Keeping the records, apart from the lines.
    pub storage: f64,
}

impl Bill {
    /// The sum of the lines.
    pub fn total(&self) -> f64 {
        self.lines.iter().map(|line| line.dollars).sum()
    }

    /// What one service has of it.
    pub fn of(&self, service: &str) -> f64 {
        let lines = self.lines.iter().filter(|line| line.service == service);
        lines.map(|line| line.dollars).sum()
    }
}

/// Bytes of a GB, as AWS counts them.
pub const GB: f64 = 1_073_741_824.0;
/// A million.
pub const MILLION: f64 = 1_000_000.0;

/// The bill of a scenario.
pub fn bill(tally: &Tally) -> Bill {
    let figures = tally.figures();
    let line = |service, what, quantity: f64, PerMillion(price)| Line {
        service,
        what,
        quantity,
        dollars: quantity * price,
    };
    let by_gb = |service, what, bytes: f64, price: f64| Line {
        service,
        what,
        quantity: bytes,
        dollars: bytes * MILLION / GB * price,
    };
    let of = |service: &'static str| tally.each(service, |call| call.requests);
    let lines = vec![
        line("DynamoDB", "write units", figures.write_units, prices::WRITE_UNIT),
        line("DynamoDB", "read units", figures.read_units, prices::READ_UNIT),
        line("SQS", "requests", figures.sqs_requests, prices::SQS_REQUEST),
        line("SQS", "of them with a group", grouped(tally), prices::SQS_GROUPED),
        line("Lambda", "invocations", figures.invocations, prices::INVOCATION),
        line("Lambda", "GB-seconds", gb_seconds(tally), prices::GB_SECOND),
        line("Scheduler", "schedules", of("Scheduler"), prices::SCHEDULE),
        line("EventBridge", "events", of("EventBridge"), prices::BUS_EVENT),
        by_gb("CloudWatch", "bytes of log", log_bytes(tally), prices::LOG_GB),
        by_gb("Egress", "bytes to endpoints", egress(tally), prices::EGRESS_GB),
    ];
    Bill { lines, storage: storage(tally) }
}

/// Requests about messages that have a group: everything on the queues of wake-ups.
fn grouped(tally: &Tally) -> f64 {
    let wake_ups = |call: &Call| matches!(call.target.as_str(), "send" | "retry");
    let sent = tally.each("SQS", |call| if wake_ups(call) { call.requests } else { 0.0 });
    sent + tally.polled_wake_ups / tally.deliveries
}

fn log_bytes(tally: &Tally) -> f64 {
    let bytes = |ran: &Ran| number(ran.line_bytes) + number(ran.lines) * prices::LINE_BYTES;
    tally.ran.values().map(bytes).sum::<f64>() / tally.deliveries
}

fn egress(tally: &Tally) -> f64 {
    (tally.post_bytes + tally.posts * prices::CONNECTION_BYTES) / tally.deliveries
}

/// Dollars for keeping the records of a million deliveries, and their log.
fn storage(tally: &Tally) -> f64 {
    let months = prices::KEPT_DAYS / prices::MONTH_DAYS;
    let records = tally.each("DynamoDB", |call| call.stored) * prices::STORED_GB;
    let log = log_bytes(tally) * prices::LOG_STORED_GB;
    (records + log) * months * MILLION / GB
}

/// What Lambda charges for the time of all functions, for each delivery.
fn gb_seconds(tally: &Tally) -> f64 {
    let of_function = |(name, ran): (&&'static str, &Ran)| {
        let runs = tally.invocations.iter().filter(|one| one.function == *name);
        let waiting: f64 = runs.map(waiting_ms).sum();
        let handshakes =
            if *name == "sender" { tally.posts * prices::HANDSHAKE_CPU_MS } else { 0.0 };
        let share = (ran.memory_mib / prices::WHOLE_CPU_MIB).min(1.0);
        let working = (ran.cpu_s * 1_000.0 + handshakes) / share;
        (waiting + working) / 1_000.0 * ran.memory_mib / 1_024.0
    };
    tally.ran.iter().map(of_function).sum::<f64>() / tally.deliveries
}

/// Milliseconds that a run waits: records are in work side by side, so every kind of request counts
/// once, one after the other. The sweeper and daily are taken to ask for one thing after another.
pub fn waiting_ms(run: &Invocation) -> f64 {
    let mut kinds: Vec<(&str, &str)> = Vec::new();
    let mut waiting = 0.0;
    for call in &run.calls {
        let kind = (call.operation.as_str(), call.target.as_str());
        let side_by_side = matches!(run.function, "ingest" | "sender");
        if side_by_side && kinds.contains(&kind) {
            continue;
        }
        kinds.push(kind);
        waiting += match call.service {
            "DynamoDB" => prices::DYNAMO_MS,
            "SQS" => prices::SQS_MS,
            _ => prices::OTHER_MS,
        };
    }
    let posts = run.function == "sender";
    waiting + if posts { prices::ENDPOINT_MS } else { 0.0 }
}
