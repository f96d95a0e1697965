//! `webhooks send` and `webhooks validate`.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use domain::envelope::{Element, Rejection, content_hash, derive_event_id, parse_body};
use domain::ids::EventId;
use domain::limits::EVENTS_QUEUE_MESSAGE_BYTES;
use domain::ports::{Clock, PortResult};
use serde_json::{Value, json};

use crate::bar::Bar;
use crate::output::{self, dim, plain, verdict};
use crate::stack::{Stack, Target};

/// Messages in one request.
const BATCH: usize = 10;
/// Events named after sending; of more, the first.
const NAMED: usize = 3;
/// The largest file read.
const FILE_BYTES: u64 = 256 * 1024 * 1024;

#[derive(Args)]
#[command(after_help = "\
Examples:
  webhooks send --count 100 --rate 20
  webhooks send --file events.json")]
pub struct Send {
    /// A message body (an object or an array), or JSON lines, a message each; `-` reads standard
    /// input. Without it, sample events.
    #[arg(long)]
    file: Option<PathBuf>,
    /// How many sample events.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "file")]
    count: u32,
    /// Events a second; without it, as fast as it goes.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: Option<u32>,
    /// The account of sample events.
    #[arg(long, default_value = crate::demo::ACCOUNT, conflicts_with = "file")]
    account: domain::ids::AccountId,
    /// Send even what will be refused.
    #[arg(long)]
    unchecked: bool,
}

#[derive(Args)]
#[command(after_help = "Example:\n  webhooks validate events.json")]
pub struct Validate {
    /// A message body (an object or an array), or JSON lines, a message each; `-` reads standard
    /// input. Judged as `send` would send it.
    file: PathBuf,
}

/// The sample event of the documentation, under an id of its own; `account` and `id` must need
/// no escapes. Its data keeps the documented order.
pub fn sample(account: &str, id: &str) -> String {
    format!(
        r#"{{"id":"{id}","account_id":"{account}","event":"email.delivered","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{SAMPLE_DATA}}}"#
    )
}

const SAMPLE_DATA: &str = concat!(
    r#"{"message_id":"msg_8f3a2b1c9d4e7f0a","to":"recipient@example.com","#,
    r#""from":"hello@yourdomain.com","subject":"Your order has shipped","#,
    r#""status":"delivered","delivered_at":"2026-06-07T09:38:55Z"}"#,
);

impl Send {
    pub async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        let now = aws::clock::SystemClock.now().as_millis();
        let bodies = match &self.file {
            Some(path) => messages(&read(path)?)?,
            None => (0..self.count)
                .map(|n| sample(self.account.as_str(), &format!("sample-{now}-{n}")))
                .collect(),
        };
        if !self.unchecked && !report_refused(&bodies) {
            output::complain!("nothing was sent; mend these, or send all with --unchecked");
            return Ok(false);
        }
        let sent = send(&on.open().await?, &bodies, self.rate).await?;
        let events: Vec<_> = bodies
            .iter()
            .flat_map(|body| parse_body(body))
            .filter_map(|element| element.verdict.ok())
            .map(|event| (derive_event_id(&event).to_string(), event.source_id))
            .collect();
        if json {
            let ids: Vec<&String> = events.iter().map(|(id, _)| id).collect();
            output::json(&json!({"messages": sent, "event_ids": ids}));
            return Ok(true);
        }
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let all = events.len();
        output::say!("on the queue: {sent} message{}, {all} event{}", plural(sent), plural(all));
        let row = |(id, source): &(String, Option<String>)| {
            vec![plain(id), source.as_ref().map_or(dim("-"), plain)]
        };
        let rows: Vec<_> = events.iter().take(NAMED).map(row).collect();
        output::table(&["EVENT (webhook-id)", "ITS SOURCE'S ID"], &rows);
        if all > NAMED {
            output::say!("and {} more; --json names them all", all - NAMED);
        }
        Ok(true)
    }
}

/// Sends bodies as messages, at most `rate` a second, with a progress line where people look.
async fn send(stack: &Stack, bodies: &[String], rate: Option<u32>) -> anyhow::Result<usize> {
    let queues = stack.queues()?;
    let pause = rate.map(|rate| Duration::from_secs(1) / rate);
    let batch =
        rate.map_or(BATCH, |rate| usize::try_from(rate / 4).unwrap_or(BATCH).clamp(1, BATCH));
    let mut ticks =
        tokio::time::interval(pause.map_or(Duration::from_millis(1), |p| {
            p.saturating_mul(u32::try_from(batch).unwrap_or(1))
        }));
    let mut bar = Bar::new();
    let mut sent = 0;
    for chunk in bodies.chunks(batch) {
        if pause.is_some() {
            ticks.tick().await;
        }
        let answers = queues.send_events(chunk).await;
        answers.into_iter().collect::<PortResult<Vec<()>>>().context("sending stopped")?;
        sent += chunk.len();
        if bodies.len() > BATCH {
            let all = bodies.len();
            bar.draw(sent as u64, all as u64, &format!("{sent} of {all} messages"));
        }
    }
    bar.clear();
    Ok(sent)
}

impl Validate {
    pub fn run(self, json: bool) -> anyhow::Result<bool> {
        let bodies = messages(&read(&self.file)?)?;
        let elements = judged(&bodies);
        let good = elements.iter().all(|element| element.verdict.is_ok());
        if json {
            let verdicts: Vec<Value> = elements.iter().enumerate().map(to_json).collect();
            output::json(&json!({"valid": good, "events": verdicts}));
            return Ok(good);
        }
        let row = |(nth, element): (usize, &Element<'_>)| match &element.verdict {
            Ok(envelope) => vec![
                plain(nth),
                verdict(true, "taken"),
                plain(derive_event_id(envelope)),
                dim(&envelope.event),
            ],
            Err(Rejection { code, message, .. }) => {
                vec![plain(nth), verdict(false, "refused"), plain(code.as_str()), plain(message)]
            }
        };
        let rows: Vec<_> = elements.iter().enumerate().map(row).collect();
        output::table(&["#", "VERDICT", "EVENT ID OR CODE", "EVENT OR REASON"], &rows);
        Ok(good)
    }
}

fn to_json((nth, element): (usize, &Element<'_>)) -> Value {
    match &element.verdict {
        Ok(envelope) => json!({
            "index": nth, "valid": true, "event_id": derive_event_id(envelope),
            "event": envelope.event,
        }),
        Err(Rejection { code, message, field }) => json!({
            "index": nth, "valid": false, "code": code.as_str(), "field": field,
            "message": message,
        }),
    }
}

fn report_refused(bodies: &[String]) -> bool {
    let mut good = true;
    for (nth, element) in judged(bodies).into_iter().enumerate() {
        if let Err(Rejection { code, message, .. }) = element.verdict {
            good = false;
            output::complain!("event {nth} would be refused: {}: {message}", code.as_str());
        }
    }
    good
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(FILE_BYTES).read_to_string(&mut text)?;
    } else {
        let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
        file.take(FILE_BYTES)
            .read_to_string(&mut text)
            .with_context(|| path.display().to_string())?;
    }
    Ok(text)
}

/// The message bodies of a text: the text itself, or each of its lines if it is JSON lines (no
/// JSON as a whole, while its first line is). What a body holds is not touched.
fn messages(text: &str) -> anyhow::Result<Vec<String>> {
    let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let first = text.lines().next().unwrap_or_default();
    let bodies: Vec<&str> = if !is_json(text) && is_json(first) {
        text.lines().filter(|line| !line.trim().is_empty()).collect()
    } else {
        vec![text]
    };
    let largest = bodies.iter().map(|body| body.len()).max().unwrap_or(0);
    ensure!(
        largest <= EVENTS_QUEUE_MESSAGE_BYTES,
        "a message has {largest} bytes; the queue takes {EVENTS_QUEUE_MESSAGE_BYTES}: send fewer \
         events in one array, or JSON lines, which become a message each"
    );
    Ok(bodies.into_iter().map(str::to_owned).collect())
}

/// Every element of the bodies as the queue will judge it, ids that are taken by an event ahead
/// of it included.
fn judged(bodies: &[String]) -> Vec<Element<'_>> {
    let mut taken: HashMap<EventId, String> = HashMap::new();
    let mut elements: Vec<Element<'_>> = bodies.iter().flat_map(|body| parse_body(body)).collect();
    for element in &mut elements {
        let Ok(envelope) = &element.verdict else { continue };
        let (id, hash) = (derive_event_id(envelope), content_hash(envelope));
        let conflict = Rejection::conflict(&id);
        if *taken.entry(id).or_insert_with(|| hash.clone()) != hash {
            element.verdict = Err(conflict);
        }
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_is_sent_as() {
        let one = sample("acct_1", "a");
        assert_eq!(messages(&one).expect("read"), [one.as_str()]);
        let array = format!("[{one}, {one}]");
        assert_eq!(messages(&array).expect("read"), [array]);
        let lines = format!("{one}\n\n{one}\n");
        assert_eq!(messages(&lines).expect("read"), [one.clone(), one.clone()]);
        let many = format!("[{}]", vec![one.clone(); 101].join(","));
        assert_eq!(messages(&many).expect("read"), [many]);
        assert_eq!(messages("[]").expect("read"), ["[]"]);
        assert_eq!(messages("no json").expect("read"), ["no json"]);
    }

    #[test]
    fn a_taken_id_is_seen_before_sending() {
        let first = sample("acct_1", "a");
        let other = first.replace("delivered\",\"delivered_at", "bounced\",\"delivered_at");
        assert_ne!(first, other);
        let bodies = [format!("[{first},{first},{other}]")];
        let verdicts: Vec<bool> = judged(&bodies).iter().map(|e| e.verdict.is_ok()).collect();
        assert_eq!(verdicts, [true, true, false]);
    }

    #[test]
    fn the_sample_is_taken() {
        assert!(parse_body(&sample("acct_1", "a"))[0].verdict.is_ok());
    }
}
