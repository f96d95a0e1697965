//! `webhooks doctor`: how the stack is, on one screen, with a verdict and where to go on.

use std::time::Duration;

use aws::dynamo::Store;
use aws::sqs::{Depth, Queue};
use clap::Args;
use domain::Timestamp;
use domain::audit::Audit;
use domain::endpoint::Endpoint;
use domain::limits::{DUE_PAGE, DUE_SHARDS, TROUBLE_PAGE, TROUBLE_SHARDS};
use domain::ports::{
    Audits as _, Clock as _, Deliveries as _, EndpointHealth as _, Endpoints as _,
};
use serde_json::{Value, json};

use crate::output::{self, plain, say, verdict};
use crate::stack::{Function, Target};

/// Failing endpoints that are named.
const NAMED: usize = 5;
/// Later than this the sweeper should have come by: its grace, and the time to its next run.
const OVERDUE: Duration = Duration::from_secs(120 + 300);
/// Longer ago than this, the last sweep is too long ago.
const SWEEP: Duration = Duration::from_secs(20 * 60);
/// The same of daily: a day and three hours.
const DAILY: Duration = Duration::from_secs(27 * 3_600);
/// How far back the last runs are looked for on AWS.
const LOOKED_BACK: Duration = Duration::from_secs(3 * 86_400);

/// How the stack is: queues, what is set aside or overdue, the last audit, failing endpoints, the
/// last runs. Exit code 1 if something needs somebody; infra/runbook.md says what to do.
#[derive(Args)]
#[command(after_help = "Example:\n  webhooks doctor --stack rackwave-webhooks")]
pub struct Doctor {}

/// What was seen.
struct Seen {
    now: Timestamp,
    queues: Vec<(&'static str, Depth)>,
    overdue: Overdue,
    audit: Option<Audit>,
    failing: Vec<Endpoint>,
    runs: [(&'static str, Duration, Option<Run>); 2],
}

/// Deliveries that the sweeper should have woken by now; counted up to a page of each shard.
#[derive(Default)]
struct Overdue {
    count: usize,
    and_more: bool,
    oldest: Option<Timestamp>,
}

/// The last run of a function, as its log has it.
struct Run {
    at: Timestamp,
    errors: u64,
    held_back: u64,
}

const QUEUES: [(&str, Queue); 7] = [
    ("EventsQueue", Queue::Events),
    ("SendQueue", Queue::Send),
    ("RetryQueue", Queue::Retry),
    ("EventsDlq", Queue::EventsDlq),
    ("SendDlq", Queue::SendDlq),
    ("RetryDlq", Queue::RetryDlq),
    ("RejectedQueue", Queue::Rejected),
];

impl Doctor {
    pub async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        let stack = on.open().await?;
        let (store, queues) = (stack.store()?, stack.queues()?);
        let now = aws::clock::SystemClock.now();
        let mut depths = Vec::new();
        for (name, queue) in QUEUES {
            depths.push((name, queues.depth(queue).await?));
        }
        let swept = stack.log(Function::Sweeper, "swept", LOOKED_BACK).await?;
        let judged = stack.log(Function::Daily, "judged", LOOKED_BACK).await?;
        let seen = Seen {
            now,
            queues: depths,
            overdue: overdue(&store, now - OVERDUE).await?,
            audit: store.audit().await?,
            failing: failing(&store).await?,
            runs: [
                ("sweeper", SWEEP, last_run(&swept, "swept")),
                ("daily", DAILY, last_run(&judged, "judged")),
            ],
        };
        let wrong = wrong(&seen);
        if json {
            output::json(&as_json(&seen, &wrong));
        } else {
            describe(&seen, &wrong);
        }
        Ok(wrong.is_empty())
    }
}

async fn overdue(store: &Store, until: Timestamp) -> anyhow::Result<Overdue> {
    let mut all = Overdue::default();
    for shard in 0..DUE_SHARDS {
        let page = store.due(shard, until, None, DUE_PAGE).await?;
        all.count += page.entries.len();
        all.and_more |= page.next.is_some();
        let oldest = page.entries.iter().map(|entry| entry.due_at).min();
        all.oldest = all.oldest.into_iter().chain(oldest).min();
    }
    Ok(all)
}

/// Endpoints that are failing, longest first; up to a page of each shard.
async fn failing(store: &Store) -> anyhow::Result<Vec<Endpoint>> {
    let mut found = Vec::new();
    for shard in 0..TROUBLE_SHARDS {
        for key in store.in_trouble(shard, None, TROUBLE_PAGE).await?.items {
            let endpoint = store.endpoint(&key.account_id, &key.id).await?;
            found.extend(endpoint.filter(|endpoint| endpoint.failing_since().is_some()));
        }
    }
    found.sort_by_key(Endpoint::failing_since);
    Ok(found)
}

fn last_run(log: &str, message: &str) -> Option<Run> {
    log.lines().rev().find_map(|line| {
        let line: Value = serde_json::from_str(line.get(line.find('{')?..)?).ok()?;
        let number = |name: &str| line[name].as_u64().unwrap_or(0);
        (line["message"] == message).then_some(())?;
        Some(Run {
            at: Timestamp::parse(line["timestamp"].as_str()?).ok()?,
            errors: number("errors"),
            held_back: number("held_back"),
        })
    })
}

/// What needs somebody, with the runbook's entry. Failing endpoints are not among it: they are
/// looked after by themselves.
fn wrong(seen: &Seen) -> Vec<(String, &'static str)> {
    let mut wrong = Vec::new();
    if let Some(audit) = seen.audit.as_ref().filter(|audit| audit.unexplained > 0) {
        wrong.push((format!("{} unexplained in the last audit", audit.unexplained), "Unexplained"));
    }
    if seen.overdue.count > 0 {
        wrong.push((format!("{} deliveries overdue", count(&seen.overdue)), "Overdue"));
    }
    for (name, longest, run) in &seen.runs {
        let entry = if *name == "sweeper" { "SweeperSilent" } else { "DailySilent" };
        match run {
            // Daily has its first run a day after the stack was made.
            None if *name == "daily" => {}
            None => wrong.push((format!("no run of {name} in its log"), entry)),
            Some(run) if seen.now.since(run.at) > *longest => {
                wrong.push((format!("the last run of {name} was at {}", run.at), entry));
            }
            Some(run) if run.errors > 0 => {
                let entry = if *name == "sweeper" { "SweepErrors" } else { entry };
                wrong.push((format!("{} errors in the last run of {name}", run.errors), entry));
            }
            Some(run) if run.held_back > 0 => {
                wrong.push((format!("{} held back, a queue is behind", run.held_back), "HeldBack"));
            }
            Some(_) => {}
        }
    }
    for (name, depth) in &seen.queues {
        let entry = match *name {
            "EventsDlq" => "EventsDlq",
            "SendDlq" => "SendDlq",
            "RetryDlq" => "RetryDlq",
            "RejectedQueue" => "Rejected",
            _ => continue,
        };
        if depth.visible > 0 {
            wrong.push((format!("{} messages in {name}", depth.visible), entry));
        }
    }
    wrong
}

fn count(overdue: &Overdue) -> String {
    format!("{}{}", overdue.count, if overdue.and_more { " or more" } else { "" })
}

fn describe(seen: &Seen, wrong: &[(String, &str)]) {
    let row = |(name, depth): &(&str, Depth)| {
        vec![plain(name), plain(depth.visible), plain(depth.in_flight), plain(depth.delayed)]
    };
    let rows: Vec<_> = seen.queues.iter().map(row).collect();
    output::table(&["QUEUE", "WAITING", "IN FLIGHT", "DELAYED"], &rows);
    say!();
    let oldest = seen.overdue.oldest.map_or(String::new(), |at| format!(", the oldest from {at}"));
    let audit =
        seen.audit.as_ref().map_or("none yet".to_owned(), |audit| match audit.finished_at() {
            Some(at) => format!("{} unexplained, ended {at}", audit.unexplained),
            None => format!("{} unexplained so far, under way", audit.unexplained),
        });
    output::list(&[
        ("overdue", plain(format!("{}{oldest}", count(&seen.overdue)))),
        ("last audit", plain(audit)),
        ("last sweep", plain(told(seen.runs[0].2.as_ref()))),
        ("last daily", plain(told(seen.runs[1].2.as_ref()))),
        ("failing endpoints", plain(seen.failing.len())),
    ]);
    for endpoint in seen.failing.iter().take(NAMED) {
        let since = endpoint.failing_since().map_or_else(String::new, |at| format!(" since {at}"));
        say!("  {} of {}{since}", endpoint.id, endpoint.account_id);
    }
    say!();
    if wrong.is_empty() {
        say!("{}", verdict(true, "All is well."));
    }
    for (what, entry) in wrong {
        say!("{} (infra/runbook.md: {entry}Alarm)", verdict(false, what));
    }
}

fn told(run: Option<&Run>) -> String {
    run.map_or("none in the log".to_owned(), |run| format!("{}, {} errors", run.at, run.errors))
}

fn as_json(seen: &Seen, wrong: &[(String, &str)]) -> Value {
    let queue = |(name, depth): &(&str, Depth)| {
        let Depth { visible, in_flight, delayed } = depth;
        json!({"queue": name, "visible": visible, "in_flight": in_flight, "delayed": delayed})
    };
    let run = |run: Option<&Run>| {
        run.map(|r| json!({"at": r.at, "errors": r.errors, "held_back": r.held_back}))
    };
    let endpoint = |e: &Endpoint| json!({"id": e.id, "account_id": e.account_id, "failing_since": e.failing_since()});
    let audit = |a: &Audit| {
        let (begun, ended) = (a.started_at, a.finished_at());
        json!({"unexplained": a.unexplained, "started_at": begun, "finished_at": ended})
    };
    let Overdue { count, and_more, oldest } = &seen.overdue;
    let finding =
        |(what, entry): &(String, &str)| json!({"what": what, "runbook": format!("{entry}Alarm")});
    json!({
        "well": wrong.is_empty(),
        "findings": wrong.iter().map(finding).collect::<Vec<_>>(),
        "queues": seen.queues.iter().map(queue).collect::<Vec<_>>(),
        "overdue": {"count": count, "and_more": and_more, "oldest_due_at": oldest},
        "audit": seen.audit.as_ref().map(audit),
        "failing_endpoints": seen.failing.iter().map(endpoint).collect::<Vec<_>>(),
        "sweeper": run(seen.runs[0].2.as_ref()),
        "daily": run(seen.runs[1].2.as_ref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn well() -> Seen {
        let log = r#"{"timestamp":"2026-06-07T09:38:00Z","message":"swept","errors":0}"#;
        Seen {
            now: at("2026-06-07T09:39:00Z"),
            queues: QUEUES.map(|(name, _)| (name, Depth::default())).into(),
            overdue: Overdue::default(),
            audit: None,
            failing: Vec::new(),
            runs: [("sweeper", SWEEP, last_run(log, "swept")), ("daily", DAILY, None)],
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Seen), expected: &[&str]) {
        let mut seen = well();
        change(&mut seen);
        let entries: Vec<&str> = wrong(&seen).into_iter().map(|(_, entry)| entry).collect();
        assert_eq!(entries, expected);
    }

    #[test]
    fn what_needs_somebody() {
        check(|_| {}, &[]);
        check(|seen| seen.queues[1].1.visible = 9, &[]);
        check(|seen| seen.queues[3].1.visible = 1, &["EventsDlq"]);
        check(|seen| seen.queues[6].1.visible = 1, &["Rejected"]);
        check(|seen| seen.overdue.count = 1, &["Overdue"]);
        check(|seen| seen.now = at("2026-06-07T09:59:00Z"), &["SweeperSilent"]);
        check(|seen| seen.runs[0].2 = None, &["SweeperSilent"]);
        let run =
            |errors, held_back| Some(Run { at: at("2026-06-07T09:38:00Z"), errors, held_back });
        check(|seen| seen.runs[0].2 = run(1, 0), &["SweepErrors"]);
        check(|seen| seen.runs[0].2 = run(0, 1), &["HeldBack"]);
        check(|seen| seen.runs[1].2 = run(1, 0), &["DailySilent"]);
    }

    #[test]
    fn every_entry_stands_in_the_runbook() {
        let runbook = include_str!("../../runbook.md");
        for entry in [
            "Unexplained",
            "Overdue",
            "SweeperSilent",
            "DailySilent",
            "SweepErrors",
            "HeldBack",
            "EventsDlq",
            "SendDlq",
            "RetryDlq",
            "Rejected",
        ] {
            assert!(runbook.contains(&format!("{entry}Alarm")), "{entry}");
        }
    }
}
