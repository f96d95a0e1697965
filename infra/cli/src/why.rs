//! `webhooks why`: what became of an event, on one screen and in one sentence.

use std::time::Duration;

use clap::Args;
use domain::Timestamp;
use domain::delivery::{Delivery, FailedReason, Status};
use domain::envelope::{Product, derive_event_id_of};
use domain::event::Event;
use domain::ids::{AccountId, EventId};
use domain::limits::SCHEDULED_ATTEMPTS;
use domain::ports::{Clock as _, Deliveries as _, Events as _};
use domain::view;
use serde_json::{Value, json};

use crate::output::{self, dim, outcome, plain, status};
use crate::stack::{Function, Target};

/// Ingest puts the deliveries on record right after the event; killed in between, it does so when
/// the event comes again after six minutes.
const ON_RECORD_WITHIN: Duration = Duration::from_secs(600);
/// How far back the log is searched on AWS: an event comes within the time that its queue keeps it.
const HEARD_WITHIN: Duration = Duration::from_secs(7 * 86_400);

#[derive(Args)]
#[command(after_help = "\
Examples:
  webhooks why evt_…
  webhooks why --account acct_42 --product migosmtp msg_1")]
pub struct Why {
    /// The event's id, `evt_…`; with --account and --product, the product's own id for it.
    id: String,
    /// Whose event it is.
    #[arg(long, requires = "product")]
    account: Option<AccountId>,
    /// The product that sent it: migosmtp, telnxo or rackwave.
    #[arg(long, requires = "account", value_parser = product)]
    product: Option<Product>,
}

fn product(text: &str) -> Result<Product, String> {
    Product::parse(text).ok_or_else(|| "must be migosmtp, telnxo or rackwave".to_owned())
}

impl Why {
    pub async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        let id = match (&self.account, self.product) {
            (Some(account), Some(product)) => derive_event_id_of(account, product, &self.id),
            (_, _) => match EventId::parse(&self.id) {
                Ok(id) => id,
                Err(_) => anyhow::bail!(
                    "{} is no event id; for a product's own id add --account and --product",
                    self.id
                ),
            },
        };
        let stack = on.open().await?;
        let store = stack.store()?;
        let heard = Heard::of(&id, &stack.log(Function::Ingest, id.as_str(), HEARD_WITHIN).await?);
        let Some(event) = store.event(&id).await? else {
            return Ok(unknown(&id, &heard, json));
        };
        let mut deliveries = Vec::new();
        for entry in &event.fan_out {
            deliveries.push(store.delivery(&entry.delivery_id).await?);
        }
        let verdict = verdict(&event, &deliveries, &heard, aws::clock::SystemClock.now());
        if json {
            let shown: Vec<Value> = deliveries.iter().flatten().map(view::delivery).collect();
            let event = view::event(&event);
            output::json(&json!({"verdict": verdict, "event": event, "deliveries": shown}));
        } else {
            describe(&event, &deliveries);
            output::say!("\n{verdict}");
        }
        Ok(true)
    }
}

/// What ingest's log says of an event.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    /// Came, and no endpoint wanted it.
    unmatched: usize,
    /// Came, and was stored or known.
    accepted: usize,
    /// Why it was refused, each time it was.
    refused: Vec<String>,
}

impl Heard {
    fn of(id: &EventId, log: &str) -> Self {
        let mut heard = Self::default();
        for line in log.lines().filter(|line| line.contains(id.as_str())) {
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            let text = |name: &str| line[name].as_str();
            match text("message") {
                Some("no endpoint wants the event") => heard.unmatched += 1,
                Some("event accepted") => heard.accepted += 1,
                Some("event rejected") => {
                    let code = text("code").unwrap_or("for an unknown reason");
                    let field = text("field").map(|field| format!(" ({field})"));
                    heard.refused.push(format!("{code}{}", field.unwrap_or_default()));
                }
                Some(_) | None => {}
            }
        }
        heard
    }
}

/// The same question to the log on AWS.
fn query(id: &EventId) -> String {
    format!(
        "fields @timestamp, message, code, field, source_message_id | filter event_id = '{id}' \
         | sort @timestamp desc"
    )
}

/// Says what the log knows of an event that is not on record; false: it is not there.
fn unknown(id: &EventId, heard: &Heard, json: bool) -> bool {
    let verdict = if let Some(why) = heard.refused.last() {
        format!("Refused: {why}. It lies in RejectedQueue with the reason, for 14 days.")
    } else if heard.unmatched > 0 {
        "Not wanted: it was taken, and no endpoint of the account was subscribed to it then.".into()
    } else {
        "Unknown: no record and no line in the log has this id; perhaps it was never sent, is \
         still in EventsQueue or EventsDlq, or is older than the records are kept."
            .to_owned()
    };
    if json {
        output::json(&json!({"verdict": verdict, "event": null, "log_query": query(id)}));
    } else {
        output::list(&[("event", plain(id)), ("on record", dim("no"))]);
        output::say!("\n{verdict}");
        output::say!("{}", dim("On AWS, ask CloudWatch Logs Insights of ingest's log group:"));
        output::say!("  {}", query(id));
    }
    !heard.refused.is_empty() || heard.unmatched > 0
}

/// One sentence.
fn verdict(
    event: &Event,
    deliveries: &[Option<Delivery>],
    heard: &Heard,
    now: Timestamp,
) -> String {
    let count_of = |wanted: &dyn Fn(&Delivery) -> bool| {
        deliveries.iter().flatten().filter(|delivery| wanted(delivery)).count()
    };
    let count = |wanted: fn(Status) -> bool| count_of(&|delivery| wanted(delivery.status));
    let is_cancelled = |d: &Delivery| d.status == Status::Failed(FailedReason::Cancelled);
    let is_erased = |d: &Delivery| d.erased_at.is_some() || !event.has_payload();
    let goes_on = |d: &Delivery| d.next_attempt_at.is_some() || d.open_retry.is_some();
    let all = deliveries.len();
    let mut parts = Vec::new();
    let mut part = |count: usize, words: &str| {
        if count > 0 {
            parts.push(format!("{count} of {all} {words}"));
        }
    };
    part(count(|status| status == Status::Succeeded), "delivered");
    part(count(|status| status == Status::Pending), "waiting for the first attempt");
    part(
        count_of(&|d| d.status == Status::Retrying && goes_on(d)),
        "failed so far and tried again",
    );
    part(
        count_of(&|d| d.status == Status::Retrying && !goes_on(d)),
        "failed at every attempt and about to be given up",
    );
    part(
        count(|status| status == Status::Failed(FailedReason::Exhausted)),
        "given up: no attempt was answered with 2xx",
    );
    part(
        count(|status| status == Status::Failed(FailedReason::EndpointDisabled)),
        "ended because the endpoint was disabled",
    );
    part(
        count(|status| status == Status::Failed(FailedReason::EndpointDeleted)),
        "ended because the endpoint was deleted",
    );
    part(count_of(&|d| is_cancelled(d) && !is_erased(d)), "cancelled by hand");
    part(
        count_of(&|d| is_cancelled(d) && is_erased(d)),
        "cancelled: its payload was erased, or somebody had cancelled it before",
    );
    part(count(|status| status == Status::Skipped), "skipped: the endpoint was disabled");
    let is_fresh = now < event.accepted_at + ON_RECORD_WITHIN;
    part(
        deliveries.iter().filter(|d| d.is_none()).count(),
        if is_fresh {
            "not on record yet"
        } else {
            "missing from the records (`webhooks audit --older-than 10m` puts it back to work)"
        },
    );
    let mut sentence = parts.join("; ") + ".";
    if heard.accepted > 1 {
        sentence += &format!(" It was sent {} times and counted once.", heard.accepted);
    }
    if let Some(why) = heard.refused.last() {
        sentence += &format!(" Another event under its id was refused: {why}.");
    }
    if !event.has_payload() {
        sentence += " Its payload was erased.";
    }
    sentence
}

fn describe(event: &Event, deliveries: &[Option<Delivery>]) {
    let envelope = &event.envelope;
    output::list(&[
        ("event", plain(&event.id)),
        ("named", envelope.source_id.as_ref().map_or(dim("-"), plain)),
        ("what", plain(format!("{} of {}", envelope.event, envelope.product.as_str()))),
        ("account", plain(&envelope.account_id)),
        ("accepted", plain(event.accepted_at)),
    ]);
    output::say!();
    let row = |delivery: &Delivery| {
        let last = delivery.attempts.last().map(|attempt| &attempt.answer);
        vec![
            plain(delivery.id.endpoint()),
            status(delivery.status),
            plain(format!("{} of {SCHEDULED_ATTEMPTS}", delivery.scheduled_attempts)),
            last.map_or(dim("-"), |a| outcome(a.outcome, a.http_status)),
            delivery.next_attempt_at.map_or(dim("-"), plain),
            plain(&delivery.id),
        ]
    };
    let rows: Vec<_> = deliveries.iter().flatten().map(row).collect();
    let titles = ["ENDPOINT", "STATUS", "SCHEDULED", "LAST ANSWER", "NEXT ATTEMPT", "DELIVERY"];
    output::table(&titles, &rows);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> EventId {
        EventId::parse("evt_00112233445566778899aabbccddeeff").expect("valid")
    }

    #[test]
    fn what_the_log_says_of_one_event() {
        let line = |message: &str, more: &str| {
            format!(r#"{{"message":"{message}","event_id":"{}"{more}}}"#, id())
        };
        let log = [
            line("no endpoint wants the event", ""),
            line("event accepted", r#","is_new":true"#),
            line("event rejected", r#","code":"invalid_field","field":"timestamp""#),
            r#"{"message":"event accepted","event_id":"evt_another"}"#.to_owned(),
            format!("no JSON, {}", id()),
        ];
        let expected =
            Heard { unmatched: 1, accepted: 1, refused: vec!["invalid_field (timestamp)".into()] };
        assert_eq!(Heard::of(&id(), &log.join("\n")), expected);
        assert_eq!(Heard::of(&id(), ""), Heard::default());
        assert!(query(&id()).contains("filter event_id = 'evt_0011"));
    }

    #[test]
    fn one_sentence_for_whatever_became_of_it() {
        let body = r#"{"id":"a","account_id":"acct_1","event":"sms.sent","product":"telnxo","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{}}"#;
        let envelope = domain::envelope::parse_body(body).remove(0).verdict.expect("good");
        let now = Timestamp::from_secs(1_000);
        let registration = domain::endpoint::register::Registration {
            account_id: "acct_1".into(),
            url: "https://hooks.example.com/".into(),
            event_types: vec!["*".into()],
            alert_email: "a@example.com".into(),
            ..Default::default()
        };
        let month = Duration::from_secs(2_592_000);
        let rules = domain::target::TargetRules::PublicHttps;
        let endpoint = |id: &str| {
            let id = domain::ids::EndpointId::parse(id).expect("valid");
            registration.clone().check(id, rules, now).expect("valid")
        };
        let endpoints = [endpoint("ep_a"), endpoint("ep_b")];
        let mut event = Event::accept(envelope, &endpoints, None, month, now).expect("wanted");
        let mut deliveries: Vec<_> = event.deliveries(&endpoints).into_iter().map(Some).collect();
        let say = |event: &Event, deliveries: &[Option<Delivery>], accepted| {
            verdict(event, deliveries, &Heard { accepted, ..Heard::default() }, now)
        };
        assert_eq!(say(&event, &deliveries, 1), "2 of 2 waiting for the first attempt.");
        deliveries[1] = None;
        if let Some(first) = &mut deliveries[0] {
            first.status = Status::Succeeded;
        }
        let expected = "1 of 2 delivered; 1 of 2 not on record yet. It was sent 3 times and \
            counted once.";
        assert_eq!(say(&event, &deliveries, 3), expected);
        let later = now + ON_RECORD_WITHIN;
        let late = verdict(&event, &deliveries, &Heard::default(), later);
        assert!(
            late.contains("1 of 2 missing from the records") && !late.contains("yet"),
            "{late}"
        );
        let mut first = |status, next| {
            if let Some(first) = &mut deliveries[0] {
                (first.status, first.next_attempt_at) = (status, next);
            }
            say(&event, &deliveries[..1], 1)
        };
        let retrying = first(Status::Retrying, Some(later));
        assert_eq!(retrying, "1 of 1 failed so far and tried again.");
        let over = first(Status::Retrying, None);
        assert_eq!(over, "1 of 1 failed at every attempt and about to be given up.");
        let cancelled = first(Status::Failed(FailedReason::Cancelled), None);
        assert_eq!(cancelled, "1 of 1 cancelled by hand.");
        event.erase(now);
        let erased = say(&event, &deliveries[..1], 1);
        assert!(erased.starts_with("1 of 1 cancelled: its payload was erased"), "{erased}");
        assert!(erased.ends_with("Its payload was erased."), "{erased}");
    }
}
