//! `webhooks redrive`.

use aws::sqs::{Depth, Queues};
use clap::Args;
use domain::limits::DEAD_LETTER_HIDDEN_S;
use domain::ports::{DeadLetters as _, Dlq};
use serde_json::json;

use crate::output::{self, plain};
use crate::stack::Target;

/// Messages moved out of one queue at most, so that what comes back at once cannot go round for
/// ever.
const AT_MOST: usize = 100_000;

/// Move what lies in the dead-letter queues back to the queues it came from.
///
/// Without --yes it only counts. The sweeper does the same by itself: wake-ups within 5 minutes,
/// events after a day; this is for when the cause is gone and nobody wants to wait.
#[derive(Args)]
#[command(after_help = "Example:\n  webhooks redrive --queue events --yes")]
pub struct Redrive {
    /// Move them.
    #[arg(long)]
    yes: bool,
    /// Only this queue.
    #[arg(long, value_enum)]
    queue: Option<Which>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    Events,
    Send,
    Retry,
}

impl Which {
    const ALL: [Self; 3] = [Self::Events, Self::Send, Self::Retry];

    /// The queue, what people call it, and where its messages go.
    fn queue(self) -> (Dlq, &'static str, &'static str) {
        match self {
            Which::Events => (Dlq::Events, "EventsDlq", "EventsQueue"),
            Which::Send => (Dlq::Send, "SendDlq", "SendQueue"),
            Which::Retry => (Dlq::Retry, "RetryDlq", "RetryQueue"),
        }
    }
}

/// What came of one queue.
#[derive(Default)]
struct Moved {
    moved: usize,
    failed: usize,
}

impl Redrive {
    pub async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        let queues = on.open().await?.queues()?;
        let wanted = Which::ALL.into_iter().filter(|w| self.queue.is_none_or(|only| only == *w));
        let mut rows = Vec::new();
        for (dlq, from, to) in wanted.map(Which::queue) {
            let there = queues.dead(dlq).await?;
            let moved = match self.yes {
                true => redrive(&queues, dlq).await?,
                false => Moved::default(),
            };
            rows.push((from, to, there, moved));
        }
        if json {
            let row = |(from, to, there, moved): &(&str, &str, Depth, Moved)| {
                json!({
                    "queue": from, "to": to, "messages": there.visible,
                    "in_flight": there.in_flight, "moved": moved.moved, "failed": moved.failed,
                })
            };
            let rows: Vec<_> = rows.iter().map(row).collect();
            output::json(&json!({"dry_run": !self.yes, "queues": rows}));
        } else {
            self.describe(&rows);
        }
        Ok(rows.iter().all(|(_, _, _, moved)| moved.failed == 0))
    }

    fn describe(&self, rows: &[(&str, &str, Depth, Moved)]) {
        let cells = |(from, to, there, moved): &(&str, &str, Depth, Moved)| {
            let done = match self.yes {
                true => format!("{} moved, {} failed", moved.moved, moved.failed),
                false => "-".to_owned(),
            };
            vec![plain(from), plain(there.visible), plain(there.in_flight), plain(to), plain(done)]
        };
        let rows_of_cells: Vec<_> = rows.iter().map(cells).collect();
        let titles = ["FROM", "MESSAGES, ABOUT", "IN FLIGHT", "TO", "DONE"];
        output::table(&titles, &rows_of_cells);
        if !self.yes && rows.iter().any(|(_, _, there, _)| there.visible > 0) {
            output::say!("\nNothing was moved. To move them: webhooks redrive --yes");
        }
        if rows.iter().any(|(_, _, there, _)| there.in_flight > 0) {
            output::say!(
                "\nIn flight: the sweeper looks at them, and has hidden them for {} seconds.",
                DEAD_LETTER_HIDDEN_S
            );
        }
    }
}

/// Moves what can be received now: a copy is sent before the message is deleted, so that one that
/// is interrupted doubles a message at worst.
async fn redrive(queues: &Queues, dlq: Dlq) -> anyhow::Result<Moved> {
    let mut total = Moved::default();
    let mut nothing = 0;
    // A receive may miss what is there; a few in a row that find nothing do not.
    while nothing < 3 && total.moved < AT_MOST {
        let letters = queues.receive(dlq).await?;
        if letters.is_empty() {
            nothing += 1;
            continue;
        }
        nothing = 0;
        let answers = queues.send_back(dlq, &letters).await;
        let sent = letters.into_iter().zip(&answers).filter(|(_, answer)| answer.is_ok());
        let sent: Vec<_> = sent.map(|(letter, _)| letter).collect();
        for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            total.failed += 1;
            output::complain!("not moved: {error}");
        }
        let deleted = queues.delete(dlq, &sent).await;
        total.moved += sent.len();
        for error in deleted.iter().filter_map(|answer| answer.as_ref().err()) {
            output::complain!("sent back, but still there, too: {error}");
        }
    }
    Ok(total)
}
