//! `webhooks rejected`: events that were refused, with the reason.

use std::collections::BTreeMap;

use aws::sqs::{Queues, Refusal};
use clap::Subcommand;
use domain::envelope::{parse_body, presumed_event_id};
use serde_json::{Value, json};

use crate::output::{self, dim, plain, verdict};
use crate::stack::Stack;

/// Looked at in one run.
const AT_MOST: usize = 10_000;

#[derive(Subcommand)]
pub enum Rejected {
    /// What was refused and why; nothing is taken off the queue.
    List,
    /// Send refused events to the events queue again, once the rules or the code have changed.
    Replay {
        /// Only those refused with this code, such as `invalid_field`.
        #[arg(long)]
        code: Option<String>,
        /// Send them; without it, only say which would be taken now.
        #[arg(long)]
        yes: bool,
    },
}

impl Rejected {
    pub async fn run(self, json: bool) -> anyhow::Result<bool> {
        let queues = Stack::local()?.queues()?;
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
        };
        for refusal in found.values() {
            // One that was sent again is not there any more, and needs no letting go.
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
    let titles = ["REFUSED", "CODE", "WHY", "EVENT", "SENT IN", "AT"];
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
    text.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether all of it would be taken now. A conflict of ids shows only when it is sent.
fn is_good(refusal: &Refusal) -> bool {
    parse_body(&refusal.letter.body).iter().all(|element| element.verdict.is_ok())
}

async fn replay(
    queues: &Queues,
    wanted: &[&Refusal],
    yes: bool,
    json: bool,
) -> anyhow::Result<bool> {
    let (good, bad): (Vec<&Refusal>, Vec<&Refusal>) = wanted.iter().partition(|r| is_good(r));
    let (mut sent, mut failed) = (0, 0);
    for refusal in good.iter().filter(|_| yes) {
        match queues.send_again(refusal).await {
            Ok(()) => sent += 1,
            Err(error) => {
                failed += 1;
                output::complain!("{}: {error}", refusal.letter.id);
            }
        }
    }
    if json {
        output::json(&json!({
            "dry_run": !yes, "good": good.len(), "still_bad": bad.len(), "sent": sent,
            "failed": failed,
        }));
    } else {
        output::list(&[
            ("would be taken now", plain(good.len())),
            ("would be refused again", plain(bad.len())),
            ("sent again", verdict(failed == 0, &sent.to_string())),
        ]);
        if !yes && !good.is_empty() {
            output::say!("\nNothing was sent. To send them: webhooks rejected replay --yes");
        }
    }
    Ok(failed == 0)
}
