//! `webhooks rejected`: events that were refused, with the reason.

use std::collections::BTreeMap;

use aws::sqs::{Queues, Refusal};
use clap::Subcommand;
use domain::envelope::{RejectionCode, parse_body, presumed_event_id};
use domain::ports::PortResult;
use serde_json::{Value, json};

use crate::output::{self, dim, plain, verdict};
use crate::stack::Target;

/// Looked at in one run.
const AT_MOST: usize = 10_000;
/// Characters of a reason that a table shows; `--json` has all of it.
const WHY_CHARS: usize = 100;

#[derive(Subcommand)]
pub enum Rejected {
    /// What was refused and why; nothing is taken off the queue.
    #[command(after_help = "Example:\n  webhooks rejected list")]
    List,
    /// Send refused events to the events queue again, once the rules or the code have changed.
    #[command(after_help = "Example:\n  webhooks rejected replay --code invalid_field --yes")]
    Replay {
        /// Only those refused with this code, such as `invalid_field`.
        #[arg(long)]
        code: Option<String>,
        /// Send them; without it, only say which would be taken now.
        #[arg(long)]
        yes: bool,
    },
    /// Take refused events off the queue for good, once their producer does not want them: there is
    /// no other copy.
    #[command(after_help = "Example:\n  webhooks rejected delete --code invalid_json --yes\n  \
                      webhooks rejected list --json > kept.json     keeps a copy before")]
    Delete {
        /// Those refused with this code, such as `invalid_json`.
        #[arg(long, required_unless_present = "sent_in")]
        code: Option<String>,
        /// Those of one message of the producer's, as `rejected list` names it.
        #[arg(long, value_name = "MESSAGE_ID")]
        sent_in: Option<String>,
        /// Delete them; without it, only count.
        #[arg(long)]
        yes: bool,
    },
}

impl Rejected {
    pub async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        let queues = on.open().await?.queues()?;
        let found = all(&queues).await?;
        let done = match self {
            Self::List => {
                list(&found, json);
                Ok(true)
            }
            Self::Replay { code, yes } => {
                let wanted = |refusal: &&Refusal| code.as_ref().is_none_or(|c| *c == refusal.code);
                let wanted: Vec<&Refusal> = found.values().filter(wanted).collect();
                replay(&queues, &wanted, yes, json).await
            }
            Self::Delete { code, sent_in, yes } => {
                let is = |wanted: &Option<String>, this: &String| {
                    wanted.as_ref().is_none_or(|wanted| wanted == this)
                };
                let wanted =
                    |r: &&Refusal| is(&code, &r.code) && is(&sent_in, &r.source_message_id);
                let wanted: Vec<&Refusal> = found.values().filter(wanted).collect();
                delete(&queues, &wanted, yes, json).await
            }
        };
        for refusal in found.values() {
            // One that was sent again or deleted is not there any more, and needs no letting go.
            let _ = queues.let_go(refusal).await;
        }
        done
    }
}

/// Everything on the queue, by message. A receive may miss what is there; a few in a row that find
/// nothing do not.
async fn all(queues: &Queues) -> anyhow::Result<BTreeMap<String, Refusal>> {
    let (mut found, mut nothing) = (BTreeMap::new(), 0);
    while nothing < 3 && found.len() < AT_MOST {
        let refused = queues.refused().await?;
        nothing = if refused.is_empty() { nothing + 1 } else { 0 };
        found.extend(refused.into_iter().map(|refusal| (refusal.letter.id.clone(), refusal)));
    }
    Ok(found)
}

fn list(found: &BTreeMap<String, Refusal>, json: bool) {
    let mut oldest_first: Vec<&Refusal> = found.values().collect();
    oldest_first.sort_by_key(|refusal| refusal.letter.sent_at);
    if json {
        let data: Vec<Value> = oldest_first.into_iter().map(shown).collect();
        output::json(&json!({"data": data}));
        return;
    }
    let row = |refusal: &&Refusal| {
        vec![
            dim(refusal.letter.sent_at),
            plain(&refusal.code),
            plain(one_line(&refusal.message)),
            presumed_event_id(&refusal.letter.body).map_or(dim("-"), plain),
            plain(&refusal.source_message_id),
            refusal.index.as_ref().map_or(dim("-"), plain),
        ]
    };
    let rows: Vec<_> = oldest_first.iter().map(row).collect();
    let titles = ["REFUSED", "CODE", "WHY", "EVENT", "SENT IN", "INDEX"];
    output::table(&titles, &rows);
}

fn shown(refusal: &Refusal) -> Value {
    json!({
        "id": refusal.letter.id, "refused_at": refusal.letter.sent_at, "code": refusal.code,
        "message": refusal.message, "source_message_id": refusal.source_message_id,
        "index": refusal.index, "event_id": presumed_event_id(&refusal.letter.body),
        "original": refusal.letter.body,
    })
}

/// A producer's words must not move the cursor.
fn one_line(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    match text.char_indices().nth(WHY_CHARS) {
        Some((cut, _)) => text[..cut].chars().map(shown).chain(['…']).collect(),
        None => text.chars().map(shown).collect(),
    }
}

/// What would become of a refused event that is sent again.
#[derive(Debug, PartialEq, Eq)]
enum Chance {
    Taken,
    /// Its form is good; whether its id stands for another event shows only when it is sent.
    Open,
    Refused,
}

impl Chance {
    fn of(code: &str, body: &str, is_element: bool) -> Self {
        // Sent by itself, an array that was refused as an element would be a body of events.
        let is_no_event = is_element && !body.trim_start().starts_with('{');
        if is_no_event || parse_body(body).iter().any(|element| element.verdict.is_err()) {
            Self::Refused
        } else if code == RejectionCode::EventIdConflict.as_str() {
            Self::Open
        } else {
            Self::Taken
        }
    }
}

async fn replay(
    queues: &Queues,
    wanted: &[&Refusal],
    yes: bool,
    json: bool,
) -> anyhow::Result<bool> {
    let chances =
        wanted.iter().map(|r| (Chance::of(&r.code, &r.letter.body, r.index.is_some()), *r));
    let chances: Vec<(Chance, &Refusal)> = chances.collect();
    let count = |wanted| chances.iter().filter(|(chance, _)| *chance == wanted).count();
    let (taken, open, refused) =
        (count(Chance::Taken), count(Chance::Open), count(Chance::Refused));
    let good = chances.iter().filter(|(chance, _)| yes && *chance != Chance::Refused);
    let (sent, failed) = each(good.map(|(_, r)| *r), async |r| queues.send_again(r).await).await;
    if json {
        output::json(&json!({
            "dry_run": !yes, "good": taken, "decided_when_sent": open, "still_bad": refused,
            "sent": sent, "failed": failed,
        }));
    } else {
        output::list(&[
            ("would be taken now", plain(taken)),
            ("decided when sent", plain(format!("{open} (event_id_conflict)"))),
            ("would be refused again", plain(refused)),
            ("sent again", verdict(failed == 0, &sent.to_string())),
        ]);
        if !yes && taken + open > 0 {
            output::say!("\nNothing was sent. To send them: webhooks rejected replay --yes");
        }
    }
    Ok(failed == 0)
}

/// Does something with each; how often it worked, and how often not.
async fn each<'r>(
    these: impl Iterator<Item = &'r Refusal>,
    act: impl AsyncFn(&'r Refusal) -> PortResult<()>,
) -> (usize, usize) {
    let (mut done, mut failed) = (0, 0);
    for refusal in these {
        match act(refusal).await {
            Ok(()) => done += 1,
            Err(error) => {
                failed += 1;
                output::complain!("{}: {error}", refusal.letter.id);
            }
        }
    }
    (done, failed)
}

async fn delete(
    queues: &Queues,
    wanted: &[&Refusal],
    yes: bool,
    json: bool,
) -> anyhow::Result<bool> {
    let these = wanted.iter().filter(|_| yes).copied();
    let (deleted, failed) = each(these, async |r| queues.forget(r).await).await;
    if json {
        output::json(&json!({
            "dry_run": !yes, "found": wanted.len(), "deleted": deleted, "failed": failed,
        }));
    } else {
        output::list(&[
            ("found", plain(wanted.len())),
            ("deleted", verdict(failed == 0, &deleted.to_string())),
        ]);
        if !yes && !wanted.is_empty() {
            output::say!("\nNothing was deleted. To delete them: the same with --yes");
        }
    }
    Ok(failed == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_is_decided_when_it_is_sent() {
        let good = r#"{"id":"a","account_id":"acct_1","event":"sms.sent","product":"telnxo","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{}}"#;
        assert_eq!(Chance::of("invalid_field", good, true), Chance::Taken);
        assert_eq!(Chance::of("event_id_conflict", good, true), Chance::Open);
        assert_eq!(Chance::of("event_id_conflict", "{}", true), Chance::Refused);
        let array = format!("[{good}]");
        assert_eq!(Chance::of("invalid_envelope", &array, true), Chance::Refused, "in an array");
        assert_eq!(Chance::of("batch_too_large", &array, false), Chance::Taken, "a whole body");
    }

    #[test]
    fn a_long_reason_ends_in_dots() {
        assert_eq!(one_line("a\nb"), "a b");
        assert_eq!(one_line(&"é".repeat(100)), "é".repeat(100));
        assert_eq!(one_line(&"é".repeat(101)), "é".repeat(100) + "…");
    }
}
