//! What of what was seen needs somebody, each with its entry in infra/runbook.md.

use std::time::Duration;

use aws::sqs::Queue;
use domain::audit::Audit;

use super::{OnQueue, Overdue, Run, Seen};
use crate::when::span;

/// The alarms' own limits; a test compares them with the runbook.
const EVENTS_WAIT: Duration = Duration::from_secs(600);
const FIRST_ATTEMPTS_WAIT: Duration = Duration::from_secs(300);
const IN_FLIGHT: u64 = 90_000;
/// The least that RetentionDays may be.
const SHORTEST_RETENTION: Duration = Duration::from_secs(8 * 86_400);

/// What needs somebody, and the runbook's entry.
pub type Finding = (String, &'static str);

/// What needs somebody. Failing endpoints are not among it: they are looked after by themselves.
pub fn wrong(seen: &Seen) -> Vec<Finding> {
    let mut wrong = Vec::new();
    if let Some(audit) = seen.audit.as_ref().filter(|audit| audit.unexplained > 0 && !young(audit))
    {
        let words = format!("unexplained in the last audit: {}", audit.unexplained);
        wrong.push((words, "Unexplained"));
    }
    if seen.overdue.count > 0 {
        wrong.push((format!("deliveries overdue: {}", count(&seen.overdue)), "Overdue"));
    }
    for (name, longest, run) in &seen.runs {
        wrong.extend(wrong_run(seen, name, *longest, run.as_ref()));
    }
    wrong.extend(seen.queues.iter().filter_map(wrong_queue));
    wrong.extend(seen.queues.iter().filter_map(in_flight));
    wrong
}

/// Whether what an audit found may have been on its way in a queue; false of every weekly one,
/// however short the stack's retention, which is not known here.
pub fn young(audit: &Audit) -> bool {
    !audit.is_past_the_queues(SHORTEST_RETENTION)
}

fn wrong_run(seen: &Seen, name: &str, longest: Duration, run: Option<&Run>) -> Option<Finding> {
    let sweeper = name == "sweeper";
    let silent = if sweeper { "SweeperSilent" } else { "DailySilent" };
    match run {
        // Daily has its first run a day after the stack was made.
        None => sweeper.then(|| (format!("no run of {name} in its log"), silent)),
        Some(run) if seen.now.since(run.at) > longest => {
            Some((format!("the last run of {name} was at {}", run.at), silent))
        }
        Some(run) if run.errors > 0 => {
            let entry = if sweeper { "SweepErrors" } else { silent };
            Some((format!("errors in the last run of {name}: {}", run.errors), entry))
        }
        Some(run) if run.held_back > 0 => {
            Some((format!("held back, for a queue is behind: {}", run.held_back), "HeldBack"))
        }
        Some(_) => None,
    }
}

fn wrong_queue(on: &OnQueue) -> Option<Finding> {
    let set_aside = |entry| {
        let old = on.age.any.map_or(String::new(), |age| format!(", the oldest for {}", span(age)));
        // Whoever looks at them, the sweeper or a person, hides them meanwhile.
        let count = on.depth.visible + on.depth.in_flight;
        let what = format!("messages in {}: {count}{old}", on.name());
        (count > 0).then_some((what, entry))
    };
    let waits = |age: Option<Duration>, longest, entry| {
        let age = age.filter(|age| *age > longest && !on.is_empty())?;
        Some((format!("messages wait on {} for {}", on.name(), span(age)), entry))
    };
    match on.queue {
        Queue::Events => waits(on.age.any, EVENTS_WAIT, "EventsWait"),
        // An endpoint that gets more than its share waits for itself.
        Queue::Send => waits(on.age.quiet, FIRST_ATTEMPTS_WAIT, "FirstAttemptsWait"),
        // Later attempts wait by design.
        Queue::Retry => None,
        Queue::Rejected => set_aside("Rejected"),
        Queue::EventsDlq => set_aside("EventsDlq"),
        Queue::SendDlq => set_aside("SendDlq"),
        Queue::RetryDlq => set_aside("RetryDlq"),
    }
}

fn in_flight(on: &OnQueue) -> Option<Finding> {
    let entry = match on.queue {
        Queue::Events => "EventsInFlight",
        Queue::Send => "SendInFlight",
        Queue::Retry => "RetryInFlight",
        Queue::Rejected | Queue::EventsDlq | Queue::SendDlq | Queue::RetryDlq => return None,
    };
    let count = on.depth.in_flight;
    (count > IN_FLIGHT).then(|| (format!("in flight of {}: {count}", on.name()), entry))
}

/// How many are overdue.
pub fn count(overdue: &Overdue) -> String {
    format!("{}{}", overdue.count, if overdue.and_more { " or more" } else { "" })
}

#[cfg(test)]
mod tests {
    use aws::sqs::Depth;
    use domain::Timestamp;

    use super::super::{DAILY, SWEEP, last_run};
    use super::*;
    use crate::stack::Age;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn well() -> Seen {
        let log = r#"{"timestamp":"2026-06-07T09:38:00Z","message":"swept","errors":0}"#;
        let on = |queue| OnQueue { queue, depth: Depth::default(), age: Age::default() };
        Seen {
            now: at("2026-06-07T09:39:00Z"),
            queues: Queue::ALL.map(on).into(),
            no_ages: None,
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

    #[track_caller]
    fn check_queue(queue: Queue, depth: Depth, age: Age, expected: &[&str]) {
        let place = |seen: &Seen| seen.queues.iter().position(|on| on.queue == queue);
        check(
            |seen| {
                let place = place(seen).expect("every queue is there");
                seen.queues[place] = OnQueue { queue, depth, age };
            },
            expected,
        );
    }

    #[test]
    fn what_needs_somebody() {
        check(|_| {}, &[]);
        let audit = |days: u64| {
            let now = at("2026-06-07T09:39:00Z");
            let begun = Audit::begin(None, Some(now - Duration::from_secs(days * 86_400)), now);
            Some(Audit { unexplained: 3, ..begun })
        };
        check(|seen| seen.audit = audit(15), &["Unexplained"]);
        check(|seen| seen.audit = audit(7), &["Unexplained"]);
        check(|seen| seen.audit = audit(6), &[]);
        check(|seen| seen.overdue.count = 1, &["Overdue"]);
        let looked_at = Depth { in_flight: 1, ..Depth::default() };
        check_queue(Queue::SendDlq, looked_at, Age::default(), &["SendDlq"]);
        check_queue(Queue::Send, looked_at, Age::default(), &[]);
        check(|seen| seen.now = at("2026-06-07T09:59:00Z"), &["SweeperSilent"]);
        check(|seen| seen.runs[0].2 = None, &["SweeperSilent"]);
        let run =
            |errors, held_back| Some(Run { at: at("2026-06-07T09:38:00Z"), errors, held_back });
        check(|seen| seen.runs[0].2 = run(1, 0), &["SweepErrors"]);
        check(|seen| seen.runs[0].2 = run(0, 1), &["HeldBack"]);
        check(|seen| seen.runs[1].2 = run(1, 0), &["DailySilent"]);
    }

    #[test]
    fn what_waits_too_long() {
        let any = |age_s| Age { any: Some(Duration::from_secs(age_s)), quiet: None };
        let quiet = |age_s| Age { quiet: Some(Duration::from_secs(age_s)), ..any(9_999) };
        let some = Depth { visible: 9, ..Depth::default() };
        for (queue, depth, age, expected) in [
            (Queue::Events, some, any(600), &[][..]),
            (Queue::Events, some, any(601), &["EventsWait"]),
            (Queue::Events, Depth { in_flight: 9, ..Depth::default() }, any(601), &["EventsWait"]),
            (Queue::Events, Depth::default(), any(601), &[]),
            (Queue::Events, some, Age::default(), &[]),
            (Queue::Send, some, any(9_999), &[]),
            (Queue::Send, some, quiet(300), &[]),
            (Queue::Send, some, quiet(301), &["FirstAttemptsWait"]),
            (Queue::Retry, some, quiet(9_999), &[]),
            (Queue::EventsDlq, some, Age::default(), &["EventsDlq"]),
            (Queue::SendDlq, some, Age::default(), &["SendDlq"]),
            (Queue::RetryDlq, some, any(1), &["RetryDlq"]),
            (Queue::Rejected, some, any(1), &["Rejected"]),
        ] {
            check_queue(queue, depth, age, expected);
        }
        let many = Depth { in_flight: 90_001, ..Depth::default() };
        for (queue, entry) in [
            (Queue::Events, "EventsInFlight"),
            (Queue::Send, "SendInFlight"),
            (Queue::Retry, "RetryInFlight"),
        ] {
            check_queue(queue, many, Age::default(), &[entry]);
        }
    }

    /// The runbook's entry of that alarm.
    fn entry(name: &str) -> &'static str {
        let runbook = include_str!("../../../runbook.md");
        let mut entries = runbook.split("\n### ").skip(1);
        let named = |text: &&str| text.lines().next().is_some_and(|head| head.contains(name));
        entries.find(named).unwrap_or_else(|| panic!("no entry {name}"))
    }

    #[test]
    fn every_finding_has_its_entry_in_the_runbook() {
        for name in [
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
            entry(&format!("{name}Alarm"));
        }
        for (name, limit) in [
            ("EventsWait", EVENTS_WAIT.as_secs()),
            ("FirstAttemptsWait", FIRST_ATTEMPTS_WAIT.as_secs()),
            ("EventsInFlight", IN_FLIGHT),
            ("SendInFlight", IN_FLIGHT),
            ("RetryInFlight", IN_FLIGHT),
        ] {
            let text = entry(&format!("{name}Alarm"));
            assert!(text.contains(&format!(", above {limit}, ")), "{name}: {text}");
        }
    }
}
