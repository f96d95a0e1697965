//! One large customer's endpoint fails 10 million deliveries among healthy others: what it costs,
//! when all have been tried, and which quotas to raise. A calculation: the quotas are AWS's, the
//! capacity of a delivery is metered, the flow is reckoned in steps of a minute. What the code itself
//! decides (lanes, partitions, holding back) is shown by `tests/all/outage.rs` and its neighbours.

use cli::bar::Bar;
use domain::limits::{
    DUE_PAGE, DUE_PAGES_PER_RUN, DUE_SHARDS, REQUEST_TIMEOUT_S, SHARD_PER_SECOND,
};
use local::Layout;

use crate::findings::{Cell, Findings, Table, column};
use crate::meter::{self, Down};
use crate::template::Template;

/// Deliveries that fail.
const DELIVERIES: f64 = 10_000_000.0;
const MINUTE: f64 = 60.0;
const HOUR: f64 = 3_600.0;
/// Waits before attempts 2 to 5, in minutes, with their jitter.
const WAITS: [usize; 4] = [6, 32, 126, 504];
/// The wait before this attempt, counted from 0, is an SQS delay; those before later ones are
/// schedules.
const LAST_DELAY: usize = 1;
/// Minutes after the first attempt when a delivery is given up.
const GIVEN_UP: f64 = 1_440.0;
/// Minutes after which no more is reckoned: seven days, when the endpoint is disabled.
const HORIZON: usize = 7 * 1_440;
/// Seconds of a sweep for one entry that has run out: read, marked, announced, and taken out.
const MARK_S: f64 = 0.08;
/// Entries in work at once in a sweep.
const MARKED_AT_ONCE: f64 = 64.0;
/// Seconds of a sweep in which it begins something new.
const SWEEP_S: f64 = 220.0;

/// Quotas as a new account in a large region has them.
struct Quotas {
    /// Runs at once that the template gives the lane of later attempts.
    runs: f64,
    /// Wake-ups in a batch of that lane.
    batch: f64,
    /// Schedules that Scheduler fires in a second.
    fires: f64,
}

/// What the endpoint does, and how fast the events come.
struct Case {
    name: &'static str,
    /// Seconds that an attempt takes.
    attempt_s: f64,
    /// Hours in which the events come.
    hours: f64,
    /// Runs at once of the lane, where they were raised.
    runs: Option<f64>,
}

const CASES: [Case; 5] = [
    Case { name: "answers 503 at once, events of a day", attempt_s: 0.2, hours: 24.0, runs: None },
    Case { name: "answers 503 at once, events of an hour", attempt_s: 0.2, hours: 1.0, runs: None },
    Case { name: "hangs, events of a day", attempt_s: HANGS, hours: 24.0, runs: None },
    Case {
        name: "hangs, lane raised to 400 runs",
        attempt_s: HANGS,
        hours: 24.0,
        runs: Some(400.0),
    },
    Case {
        name: "hangs, lane raised to 1,000 runs",
        attempt_s: HANGS,
        hours: 24.0,
        runs: Some(1_000.0),
    },
];
const HANGS: f64 = REQUEST_TIMEOUT_S as f64;

/// What becomes of a case.
struct Course {
    attempts_a_second: f64,
    /// Hours after the first event.
    first_attempts: Option<f64>,
    all_attempts: Option<f64>,
    all_ended: Option<f64>,
    /// At once, at most.
    schedules: f64,
    created_a_second: f64,
}

/// Reckons all cases.
///
/// # Errors
/// If what a failing delivery takes cannot be metered.
pub async fn run(bar: &mut Bar) -> anyhow::Result<Findings> {
    let mut findings = Findings::new(
        "outage",
        "10 million failing deliveries of one large customer: what do they cost, and whom?",
    );
    bar.say("metering a delivery that fails all day");
    let lane = Template::read(&Layout::of_this_clone())?.source("sender", "RetryQueue")?;
    let down = meter::down().await?;
    let quotas =
        Quotas { runs: whole(lane.concurrency), batch: whole(lane.batch_size), fires: 1_000.0 };
    let courses: Vec<(&Case, Course)> =
        CASES.iter().map(|case| (case, course(case, &quotas))).collect();
    findings.tables.push(times(&courses));
    findings.tables.push(dollars(&courses, &down));
    findings.tables.push(limits(&courses, &down, &quotas));
    for paragraph in explained(&quotas) {
        findings.say(paragraph);
    }
    Ok(findings)
}

/// Follows the flow minute by minute.
fn course(case: &Case, quotas: &Quotas) -> Course {
    let runs = case.runs.unwrap_or(quotas.runs);
    let mut flow = Flow {
        attempts: runs * quotas.batch / (case.attempt_s + 1.0) * MINUTE,
        fires: quotas.fires * MINUTE,
        ..Flow::default()
    };
    let (mut first_attempts, mut all_attempts) = (None, None);
    let a_minute = DELIVERIES / (case.hours * 60.0);
    for minute in 0..HORIZON {
        flow.pass(minute, a_minute.min(DELIVERIES - flow.began));
        let hour = whole(minute) / 60.0;
        first_attempts = first_attempts.or((flow.made[0] >= DELIVERIES - 1.0).then_some(hour));
        all_attempts = all_attempts.or((flow.made[4] >= DELIVERIES - 1.0).then_some(hour));
    }
    let first_over = GIVEN_UP / 60.0 + DELIVERIES / marked_an_hour();
    let last_over = case.hours + GIVEN_UP / 60.0;
    Course {
        attempts_a_second: flow.attempts / MINUTE,
        first_attempts,
        all_attempts,
        all_ended: all_attempts.map(|all: f64| all.max(last_over).max(first_over)),
        schedules: flow.most_schedules,
        created_a_second: flow.most_created / MINUTE,
    }
}

/// Deliveries on their way, by the attempt that they wait for.
#[derive(Default)]
struct Flow {
    /// Attempts that the lane makes in a minute.
    attempts: f64,
    /// Schedules that Scheduler fires in a minute.
    fires: f64,
    began: f64,
    /// On the queue.
    ready: [f64; 5],
    made: [f64; 5],
    /// To become due in a minute to come.
    due: std::collections::BTreeMap<usize, [f64; 5]>,
    /// Due, and not fired yet.
    unfired: [f64; 5],
    schedules: f64,
    most_schedules: f64,
    most_created: f64,
}

impl Flow {
    /// What has become due is attempted, each attempt with its share of the queue, as far as the
    /// lane goes; what fails becomes due again, what is scheduled no faster than Scheduler fires.
    fn pass(&mut self, minute: usize, new: f64) {
        self.began += new;
        self.ready[0] += new;
        self.fire(self.due.get(&minute).copied().unwrap_or_default());
        let waiting: f64 = self.ready.iter().sum();
        let share = if waiting > self.attempts { self.attempts / waiting } else { 1.0 };
        let mut created = 0.0;
        for tier in 0..5 {
            let now = self.ready[tier] * share;
            self.ready[tier] -= now;
            self.made[tier] += now;
            if let Some(wait) = WAITS.get(tier) {
                self.due.entry(minute + wait).or_default()[tier + 1] += now;
                created += if tier + 1 > LAST_DELAY { now } else { 0.0 };
            }
        }
        self.schedules += created;
        self.most_created = self.most_created.max(created);
        self.most_schedules = self.most_schedules.max(self.schedules);
    }

    fn fire(&mut self, due: [f64; 5]) {
        let mut fires = self.fires;
        for (tier, due) in due.into_iter().enumerate() {
            if tier <= LAST_DELAY {
                self.ready[tier] += due;
                continue;
            }
            self.unfired[tier] += due;
            let fired = self.unfired[tier].min(fires);
            self.unfired[tier] -= fired;
            self.ready[tier] += fired;
            self.schedules -= fired;
            fires -= fired;
        }
    }
}

/// Deliveries that the sweeper marks as exhausted in an hour: by its pages, and by its time.
fn marked_an_hour() -> f64 {
    let pages = whole(DUE_PAGE) * whole(DUE_PAGES_PER_RUN) * f64::from(DUE_SHARDS);
    pages.min(SWEEP_S / MARK_S * MARKED_AT_ONCE) * 12.0
}

fn times(courses: &[(&Case, Course)]) -> Table {
    let row = |(case, course): &(&Case, Course)| {
        vec![
            Cell::from(case.name),
            course.attempts_a_second.into(),
            course.first_attempts.into(),
            course.all_attempts.into(),
            course.all_ended.into(),
        ]
    };
    Table {
        title: "When all have been tried (hours after the first event; –: not within a week, the \
                endpoint is disabled then)"
            .to_owned(),
        columns: vec![
            column("the endpoint", 0),
            column("attempts a second", 0),
            column("first attempts", 1),
            column("all five", 1),
            column("marked failed", 1),
        ],
        rows: courses.iter().map(row).collect(),
    }
}

fn dollars(courses: &[(&Case, Course)], down: &Down) -> Table {
    let row = |(case, _): &(&Case, Course)| {
        let hanging = (case.attempt_s - down.endpoint_s).max(0.0) / 50.0;
        let waiting = 5.0 * hanging * down.sender_gb * down.gb_second_dollars;
        let each_million = down.dollars + waiting * 1e6;
        vec![
            Cell::from(case.name),
            each_million.into(),
            (each_million * DELIVERIES / 1e6).into(),
            (down.storage_dollars * DELIVERIES / 1e6).into(),
        ]
    };
    Table {
        title: "What it costs".to_owned(),
        columns: vec![
            column("the endpoint", 0),
            column("$ a million", 2),
            column("$ in all", 0),
            column("+ storage, 30 days", 0),
        ],
        rows: courses.iter().map(row).collect(),
    }
}

fn limits(courses: &[(&Case, Course)], down: &Down, quotas: &Quotas) -> Table {
    let most = |of: fn(&Course) -> f64| courses.iter().map(|(_, c)| of(c)).fold(0.0, f64::max);
    let attempts = most(|course| course.attempts_a_second);
    let in_flight = CASES.iter().map(|case| case.runs.unwrap_or(quotas.runs) * quotas.batch);
    let raised = "SenderFunction, LaterAttempts, MaximumConcurrency";
    let row = |what: &str, needed: f64, quota: f64, so: &str| {
        let verdict = if needed < quota { "enough" } else { so };
        vec![Cell::from(what), needed.into(), quota.into(), verdict.into()]
    };
    Table {
        title: "What it takes of each quota, in the worst of these cases".to_owned(),
        columns: vec![
            column("quota", 0),
            column("taken", 0),
            column("there is", 0),
            column("so", 0),
        ],
        rows: vec![
            row(
                "Lambda: runs at once, all lanes (ingest 50, first 200, API 50)",
                1_300.0,
                1_000.0,
                "raise it to 1,500 before the lane is raised to 1,000",
            ),
            row(
                "Lambda: runs of the lane for five attempts within a day, hanging",
                DELIVERIES * 5.0 / 86_400.0 * (HANGS + 1.0) / quotas.batch,
                quotas.runs,
                &format!("raise {raised} in the template"),
            ),
            row("SQS: messages in flight", in_flight.fold(0.0, f64::max), 120_000.0, "raise it"),
            row("Scheduler: schedules at once", most(|c| c.schedules), 10_000_000.0, "raise it"),
            row(
                "Scheduler: CreateSchedule a second",
                most(|c| c.created_a_second),
                5_000.0,
                "raise it; above it waits are chains of SQS delays",
            ),
            row(
                "Scheduler: fired a second",
                DELIVERIES / HOUR,
                quotas.fires,
                "raise it, or the wave of an hour comes late",
            ),
            row(
                "DynamoDB: write units a second of a partition of Deliveries, at 500 attempts",
                down.table_units / 5.0 * 500.0,
                1_000.0,
                "throttled above 333; above 500 deliveries a second spread by itself",
            ),
            row(
                "DynamoDB: write units a second of a partition of index due",
                attempts * down.index_units / 5.0 / f64::from(DUE_SHARDS),
                1_000.0,
                "throttled: batches come again",
            ),
            row(
                "DynamoDB: write units a second of a table",
                attempts * down.table_units / 5.0,
                40_000.0,
                "raise it",
            ),
        ],
    }
}

fn explained(quotas: &Quotas) -> Vec<String> {
    vec![
        format!(
            "Within a minute of its first failure the endpoint is in trouble, and all its wake-ups, \
             first attempts included, go through RetryQueue ({} runs of {} at once). The healthy use \
             SendQueue and its 200 runs: what they share with it is Lambda's concurrency and the \
             table's capacity, both above what it takes.",
            quotas.runs, quotas.batch
        ),
        format!(
            "On RetryQueue others' later attempts share runs with it; SQS's fair queues put the quiet \
             endpoints' messages first. Above {SHARD_PER_SECOND} deliveries a second its records are \
             spread over more partitions. The sweeper adds nothing while the lane is behind, and marks \
             {:.0} deliveries an hour as exhausted.",
            marked_an_hour()
        ),
        "Late is not lost: where attempts cannot be made in time the schedule shifts, nothing is marked \
         exhausted before its fifth failure, and wake-ups that a queue has dropped after 7 days are \
         found in index due."
            .to_owned(),
        "Left out: DynamoDB's splitting of hot partitions and burst capacity, both of which help; \
         retries of throttled requests, which do not."
            .to_owned(),
    ]
}

fn whole(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTAS: Quotas = Quotas { runs: 50.0, batch: 50.0, fires: 1_000.0 };

    #[test]
    fn what_is_attempted_at_once_keeps_the_schedule() {
        let course = course(&CASES[0], &QUOTAS);
        let last = course.all_attempts.expect("within a week");
        assert!((34.9..35.5).contains(&last), "24 h of events and 11.1 h of waits: {last}");
    }

    #[test]
    fn what_hangs_takes_the_lanes_time_and_never_less() {
        let [few, more] = [&CASES[2], &CASES[4]].map(|case| course(case, &QUOTAS));
        let least = DELIVERIES * 5.0 / few.attempts_a_second / HOUR;
        assert!(few.all_attempts.is_none_or(|hours| hours >= least), "{least}");
        assert!(more.all_attempts.is_some_and(|hours| hours < 48.0));
    }

    #[test]
    fn scheduler_holds_back_what_it_cannot_fire() {
        let at_once = course(&CASES[1], &Quotas { fires: 1e9, ..QUOTAS });
        let slowed = course(&CASES[1], &Quotas { fires: 100.0, ..QUOTAS });
        assert!(slowed.all_attempts.unwrap_or(1e9) > at_once.all_attempts.expect("quick"));
    }
}
