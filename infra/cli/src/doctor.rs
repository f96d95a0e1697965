//! `webhooks doctor`: how the stack is, on one screen, with a verdict and where to go on.
//!
//! | module | is |
//! |---|---|
//! | `verdict` | what of it needs somebody |
//! | `shown` | the screen, and the same for programs |

mod shown;
mod verdict;

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
use serde_json::Value;

use crate::output;
use crate::stack::{Age, Function, Stack, Target};

/// Later than this the sweeper should have come by: its grace, and the time to its next run.
const OVERDUE: Duration = Duration::from_secs(120 + 300);
/// Longer ago than this, the last sweep is too long ago.
const SWEEP: Duration = Duration::from_secs(20 * 60);
/// The same of daily: a day and three hours.
const DAILY: Duration = Duration::from_secs(27 * 3_600);
/// How far back the last runs are looked for on AWS.
const LOOKED_BACK: Duration = Duration::from_secs(3 * 86_400);

/// How the stack is: queues, how old what is on them is, what is set aside or overdue, the last
/// audit, failing endpoints, the last runs. Exit code 1 if something needs somebody;
/// infra/runbook.md says what to do.
#[derive(Args)]
#[command(after_help = "Example:\n  webhooks doctor --stack rackwave-webhooks")]
pub struct Doctor {}

/// What was seen.
struct Seen {
    now: Timestamp,
    queues: Vec<OnQueue>,
    /// Why no ages could be had at all.
    no_ages: Option<String>,
    overdue: Overdue,
    audit: Option<Audit>,
    failing: Vec<Endpoint>,
    runs: [(&'static str, Duration, Option<Run>); 2],
}

/// A queue.
struct OnQueue {
    queue: Queue,
    depth: Depth,
    age: Age,
}

impl OnQueue {
    fn name(&self) -> &'static str {
        self.queue.output().trim_end_matches("Url")
    }

    /// CloudWatch's figures are some minutes old: of a queue that is empty now they say nothing.
    fn is_empty(&self) -> bool {
        self.depth == Depth::default()
    }
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

impl Doctor {
    pub async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        let stack = on.open().await?;
        let store = stack.store()?;
        let now = aws::clock::SystemClock.now();
        let (queues, no_ages) = on_queues(&stack).await?;
        let swept = stack.log(Function::Sweeper, "swept", LOOKED_BACK).await?;
        let judged = stack.log(Function::Daily, "judged", LOOKED_BACK).await?;
        let seen = Seen {
            now,
            queues,
            no_ages,
            overdue: overdue(&store, now - OVERDUE).await?,
            audit: store.audit().await?,
            failing: failing(&store).await?,
            runs: [
                ("sweeper", SWEEP, last_run(&swept, "swept")),
                ("daily", DAILY, last_run(&judged, "judged")),
            ],
        };
        let wrong = verdict::wrong(&seen);
        if json {
            output::json(&shown::as_json(&seen, &wrong));
        } else {
            shown::describe(&seen, &wrong);
        }
        Ok(wrong.is_empty())
    }
}

/// The queues, and why their ages could not be had: whoever may not ask CloudWatch can still see
/// everything else.
async fn on_queues(stack: &Stack) -> anyhow::Result<(Vec<OnQueue>, Option<String>)> {
    let queues = stack.queues()?;
    let (ages, no_ages) = match stack.ages(&Queue::ALL).await {
        Ok(ages) => (ages, None),
        Err(error) => (vec![Age::default(); Queue::ALL.len()], Some(error.to_string())),
    };
    let mut seen = Vec::new();
    for (queue, age) in Queue::ALL.into_iter().zip(ages) {
        seen.push(OnQueue { queue, depth: queues.depth(queue).await?, age });
    }
    Ok((seen, no_ages))
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
