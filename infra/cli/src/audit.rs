//! `webhooks audit`.

use std::time::Duration;

use anyhow::{Context, bail};
use aws::dynamo::Store;
use clap::Args;
use domain::audit::{Audit as Record, Finding, Stage};
use domain::limits::AUDIT_AGE_S;
use domain::ports::{Audits as _, Clock as _};
use serde_json::json;

use crate::bar::Bar;
use crate::output::{self, plain, verdict};
use crate::stack::Target;
use crate::when::age;

/// How often it looks how far the audit is.
const LOOK: Duration = Duration::from_millis(500);

/// Compare events, deliveries and the index of what waits; exit code 1 if anything is unexplained.
#[derive(Args)]
#[command(after_help = "Example:\n  webhooks audit --older-than 1h")]
pub struct Audit {
    /// Look at what is at least this old, such as 15d, 12h, 30m, 0s. Younger than the usual 15d (or
    /// RetentionDays less a day), what merely waits its turn in a queue is counted, too, and woken
    /// now; the alarm is not told.
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
}

impl Audit {
    pub async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        let store = on.open().await?.store()?;
        let asked = self.ask(&store).await?;
        let done = follow(&store, &asked).await?;
        if json {
            output::json(&as_json(&done));
        } else {
            describe(&done);
        }
        Ok(done.unexplained == 0)
    }

    /// Asks for an audit, once another that is under way has ended.
    async fn ask(&self, store: &Store) -> anyhow::Result<Record> {
        loop {
            let mut latest = store.audit().await?;
            if let Some(running) = latest.as_ref().filter(|a| a.finished_at().is_none()) {
                output::complain!("an audit from {} comes first", running.started_at);
                latest = Some(follow(store, running).await?);
            }
            let now = aws::clock::SystemClock.now();
            let cutoff = self.older_than.map(|age| now - age);
            let asked = Record::begin(latest.as_ref(), cutoff, now);
            if store.save_audit(latest.as_ref(), &asked).await? {
                return Ok(asked);
            }
        }
    }
}

/// Waits for the end of an audit. The sweeper makes it, run by run; here it is only looked at.
async fn follow(store: &Store, asked: &Record) -> anyhow::Result<Record> {
    let size = store.audit_size().await.unwrap_or(0);
    let mut bar = Bar::new();
    bar.say("waiting for the sweeper, which comes by every 5 minutes (locally every 2 s)");
    loop {
        let record = store.audit().await?.context("the audit's record is gone")?;
        if record.started_at != asked.started_at {
            bar.clear();
            bail!("another audit was begun meanwhile, at {}", record.started_at);
        }
        if record.finished_at().is_some() && record.repairing.is_empty() {
            bar.clear();
            return Ok(record);
        }
        if record.examined > 0 {
            draw(&mut bar, &record, size);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn draw(bar: &mut Bar, record: &Record, size: u64) {
    let reads = match record.stage {
        Stage::Events(_) => "events",
        Stage::Deliveries(_) | Stage::Finished(_) => "deliveries",
    };
    let words = format!("{} records, {} unexplained, {reads}", record.examined, record.unexplained);
    bar.draw(record.examined, size, &words);
}

fn describe(done: &Record) {
    let cutoff = done.cutoff.map_or_else(|| "-".to_owned(), |cutoff| cutoff.to_string());
    output::list(&[
        ("records read", plain(done.examined)),
        ("looked at", plain(format!("{}, from before {cutoff}", done.checked))),
        ("unexplained", verdict(done.unexplained == 0, &done.unexplained.to_string())),
    ]);
    if let Some(hint) = hint(done) {
        output::say!("\n{hint}");
    }
    if done.unexplained == 0 {
        return;
    }
    output::say!("\nAll of these were put back to work:");
    for finding in &done.findings {
        output::say!("  {}", words(finding));
    }
    let more = done.unexplained.saturating_sub(done.findings.len() as u64);
    if more > 0 {
        output::say!("  and {more} more, named in the sweeper's log");
    }
}

/// What the figures do not say by themselves.
fn hint(done: &Record) -> Option<String> {
    let queues_are_past = done.started_at - Duration::from_secs(AUDIT_AGE_S);
    if done.checked == 0 {
        let words = "Nothing was old enough to look at, so this says nothing; --older-than \
            looks at younger records.";
        Some(words.to_owned())
    } else if done.unexplained > 0 && done.cutoff.is_some_and(|cutoff| cutoff > queues_are_past) {
        let days = AUDIT_AGE_S / 86_400;
        Some(format!(
            "Records younger than {days} days were looked at, and queues keep messages for 14: what \
             is named may still have a message in a queue."
        ))
    } else {
        None
    }
}

fn words(finding: &Finding) -> String {
    match finding {
        Finding::Missing { event, delivery } => {
            format!("{delivery} is not on record, and {event} lists it")
        }
        Finding::Forgotten(delivery) => format!("{delivery} is open, and nothing would wake it"),
        Finding::Unreadable(key) => format!("{key} cannot be read (it stays as it is)"),
    }
}

fn as_json(done: &Record) -> serde_json::Value {
    let finding = |finding: &Finding| match finding {
        Finding::Missing { event, delivery } => {
            json!({"kind": "missing", "event_id": event, "delivery_id": delivery})
        }
        Finding::Forgotten(delivery) => json!({"kind": "forgotten", "delivery_id": delivery}),
        Finding::Unreadable(key) => json!({"kind": "unreadable", "key": key}),
    };
    json!({
        "unexplained": done.unexplained,
        "findings": done.findings.iter().map(finding).collect::<Vec<_>>(),
        "examined": done.examined,
        "checked": done.checked,
        "cutoff": done.cutoff,
        "started_at": done.started_at,
        "finished_at": done.finished_at(),
    })
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    #[test]
    fn what_an_audit_cannot_say_is_said() {
        let now = Timestamp::from_secs(100 * 86_400);
        let hint_of = |age_days: u64, checked, unexplained| {
            let cutoff = now - Duration::from_secs(age_days * 86_400);
            let begun = Record::begin(None, Some(cutoff), now);
            hint(&Record { checked, unexplained, ..begun })
        };
        assert!(hint_of(15, 0, 0).expect("nothing seen").starts_with("Nothing was old enough"));
        assert!(hint_of(14, 9, 1).expect("too young").contains("may still have a message"));
        assert_eq!(hint_of(15, 9, 1), None, "no queue holds anything that old");
        assert_eq!(hint_of(0, 9, 0), None, "nothing found, whatever the age");
    }
}
