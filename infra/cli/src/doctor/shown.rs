//! What was seen, on a screen and for programs.

use domain::audit::Audit;
use domain::endpoint::Endpoint;
use serde_json::{Value, json};

use super::verdict::{Finding, count, young};
use super::{OnQueue, Overdue, Run, Seen};
use crate::output::{self, Cell, dim, plain, say, verdict};
use crate::when::span;

/// Failing endpoints that are named.
const NAMED: usize = 5;

/// One screen.
pub fn describe(seen: &Seen, wrong: &[Finding]) {
    queues(seen);
    say!();
    let oldest = seen.overdue.oldest.map_or(String::new(), |at| format!(", the oldest from {at}"));
    let audit =
        seen.audit.as_ref().map_or("none yet".to_owned(), |audit| match audit.finished_at() {
            Some(at) if audit.unexplained > 0 && young(audit) => format!(
                "{} unexplained, ended {at}; of young records, which may have been in a queue",
                audit.unexplained
            ),
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
    if seen.failing.len() > NAMED {
        say!("  and {} more (--json names them)", seen.failing.len() - NAMED);
    }
    say!();
    if wrong.is_empty() {
        say!("{}", verdict(true, "All is well."));
    }
    for (what, entry) in wrong {
        say!("{} (infra/runbook.md: {entry}Alarm)", verdict(false, what));
    }
}

fn queues(seen: &Seen) {
    let row = |on: &OnQueue| {
        let depth = on.depth;
        let counts = [depth.visible, depth.in_flight, depth.delayed].map(plain);
        [plain(on.name())].into_iter().chain(counts).chain([oldest(on)]).collect()
    };
    let rows: Vec<Vec<Cell>> = seen.queues.iter().map(row).collect();
    output::table(&["QUEUE", "WAITING", "IN FLIGHT", "DELAYED", "OLDEST"], &rows);
    if let Some(why) = &seen.no_ages {
        say!("How old they are is unknown, CloudWatch cannot be asked: {why}");
    } else if seen.queues.iter().any(|on| !on.is_empty() && on.age.any.is_none()) {
        say!(
            "unknown: CloudWatch has had no figure for 15 minutes; SQS counts no message that was"
        );
        say!("received three times");
    }
}

fn oldest(on: &OnQueue) -> Cell {
    match (on.age.any, on.age.quiet) {
        _ if on.is_empty() => dim("-"),
        (None, _) => plain("unknown"),
        (Some(any), Some(quiet)) if quiet != any => {
            plain(format!("{}; {} in quiet groups", span(any), span(quiet)))
        }
        (Some(any), _) => plain(span(any)),
    }
}

fn told(run: Option<&Run>) -> String {
    run.map_or("none in the log".to_owned(), |run| format!("{}, {} errors", run.at, run.errors))
}

/// For programs. An age that is not known is `null`, as is that of nothing.
pub fn as_json(seen: &Seen, wrong: &[Finding]) -> Value {
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
        |(what, entry): &Finding| json!({"what": what, "runbook": format!("{entry}Alarm")});
    json!({
        "well": wrong.is_empty(),
        "findings": wrong.iter().map(finding).collect::<Vec<_>>(),
        "queues": seen.queues.iter().map(queue).collect::<Vec<_>>(),
        "ages_unknown_because": seen.no_ages,
        "overdue": {"count": count, "and_more": and_more, "oldest_due_at": oldest},
        "audit": seen.audit.as_ref().map(audit),
        "failing_endpoints": seen.failing.iter().map(endpoint).collect::<Vec<_>>(),
        "sweeper": run(seen.runs[0].2.as_ref()),
        "daily": run(seen.runs[1].2.as_ref()),
    })
}

fn queue(on: &OnQueue) -> Value {
    let some = |age: Option<std::time::Duration>| age.filter(|_| !on.is_empty());
    json!({
        "queue": on.name(),
        "visible": on.depth.visible,
        "in_flight": on.depth.in_flight,
        "delayed": on.depth.delayed,
        "oldest_s": some(on.age.any).map(|age| age.as_secs()),
        "oldest_in_quiet_groups_s": some(on.age.quiet).map(|age| age.as_secs()),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws::sqs::{Depth, Queue};

    use super::*;
    use crate::stack::Age;

    #[test]
    fn an_age_that_is_not_known_is_no_age_of_0() {
        let seconds = |s| Some(Duration::from_secs(s));
        let some = Depth { visible: 1, ..Depth::default() };
        for (depth, any, quiet, text, json) in [
            (some, None, None, "unknown", Value::Null),
            (some, seconds(0), None, "0s", json!(0)),
            (some, seconds(600), seconds(600), "10m", json!(600)),
            (some, seconds(600), seconds(2), "10m; 2s in quiet groups", json!(600)),
            (Depth::default(), seconds(600), None, "-", Value::Null),
        ] {
            let on = OnQueue { queue: Queue::Send, depth, age: Age { any, quiet } };
            assert!(oldest(&on).to_string().contains(text), "{}", oldest(&on));
            assert_eq!(queue(&on)["oldest_s"], json);
        }
    }
}
