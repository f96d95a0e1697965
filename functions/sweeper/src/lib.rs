//! The sweeper: wakes what is overdue, ends what has run out, finishes what was not announced,
//! drains the dead-letter queues (design 3.6). What it does not get to in one run, the next one
//! finds again.
//!
//! Nothing in here wakes a delivery before its entry has been moved: a backlog is never fed.

pub mod audit;
mod drain;
mod hold_back;
mod jobs;

use domain::Timestamp;
use domain::announce::finish_notice;
use domain::care::Cared;
use domain::limits::{DUE_PAGE, DUE_PAGES_PER_RUN, DUE_SHARDS};
use domain::metric::Metric;
use domain::ports::{
    Backlog, Bus, Clock, DeadLetters, Deliveries, DueEntry, Jobs, Metrics, Outgoing, Pause,
    PortError, PortResult, WakeUps,
};
use domain::sweep::{Sweep, grace, overdue_s, readings_apart, sweep};
use domain::wakeup::Call;
use futures::stream::{self, StreamExt};
use serde::Serialize;

use hold_back::Gates;

/// Entries of one shard in work at once; all shards are worked on side by side.
const ENTRIES_AT_ONCE: usize = 8;

/// The use case, over its ports.
pub struct Sweeper<S, Q, B, C> {
    /// Deliveries.
    pub store: S,
    /// The queues of wake-ups, and the dead-letter queues.
    pub queues: Q,
    /// Where failed deliveries are announced.
    pub bus: B,
    /// The clock.
    pub clock: C,
    /// The longest wait left to SQS, in seconds.
    pub sqs_delay_max_s: u32,
}

/// What a run did; the figures of its one log line.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Entries looked at.
    pub seen: u64,
    /// Overdue, and woken.
    pub woken: u64,
    /// Marked as failed, exhausted.
    pub exhausted: u64,
    /// Overdue, but their queue is behind: left as they are.
    pub held_back: u64,
    /// Announced that had not been.
    pub announced: u64,
    /// Taken out: nothing was left to do.
    pub taken_out: u64,
    /// Retries closed as not made.
    pub retries_closed: u64,
    /// Jobs that had stalled, and were woken.
    pub jobs_revived: u64,
    /// Dead letters deleted.
    pub drained: u64,
    /// Deliveries that entered `due` because of one.
    pub rescued: u64,
    /// Dead letters that are no wake-ups; they stay.
    pub unreadable: u64,
    /// Events sent back to their queue.
    pub sent_back: u64,
    /// Could not be dealt with; the next run tries again.
    pub errors: u64,
    /// Seconds by which the most overdue entry was late, see [`overdue_s`].
    pub oldest_overdue_s: u64,
    /// Shards not read to their end, for want of time or of pages.
    pub unfinished_shards: u64,
}

impl<S, Q, B, C> Sweeper<S, Q, B, C>
where
    S: Deliveries + Jobs,
    Q: WakeUps + DeadLetters + Backlog,
    B: Bus,
    C: Clock + Pause,
{
    /// One run over the dead letters, all shards and jobs; begins nothing after `stop_at`.
    pub async fn run(&self, stop_at: Timestamp) -> Swept {
        let gates = Gates::new(&self.queues, &self.clock, readings_apart(self.sqs_delay_max_s));
        let shards = (0..DUE_SHARDS).map(|shard| self.sweep_shard(&gates, shard, stop_at));
        let all = futures::future::join_all(shards);
        let (drained, all) = futures::future::join(self.drain(stop_at), all).await;
        let jobs = self.sweep_jobs(&gates, stop_at).await;
        all.into_iter().chain([jobs]).fold(drained, Swept::plus)
    }

    async fn sweep_shard(&self, gates: &Gates<'_, Q, C>, shard: u8, stop_at: Timestamp) -> Swept {
        let mut total = Swept::default();
        let until = self.clock.now();
        let mut after = None;
        for _ in 0..DUE_PAGES_PER_RUN {
            if self.clock.now() >= stop_at {
                break;
            }
            let page = match self.store.due(shard, until, after.as_ref(), DUE_PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::error!(shard, %error, "shard not read");
                    return total.plus(Swept {
                        errors: 1,
                        unfinished_shards: 1,
                        ..Swept::default()
                    });
                }
            };
            total = stream::iter(&page.entries)
                .map(|entry| self.look_at(gates, entry))
                .buffer_unordered(ENTRIES_AT_ONCE)
                .fold(total, async |total, one| total.plus(one))
                .await;
            after = page.next;
            if after.is_none() {
                return total;
            }
        }
        Swept { unfinished_shards: total.unfinished_shards + 1, ..total }
    }

    async fn look_at(&self, gates: &Gates<'_, Q, C>, entry: &DueEntry) -> Swept {
        let mut swept = Swept { seen: 1, ..Swept::default() };
        if let Err(error) = self.deal_with(gates, entry, &mut swept).await {
            tracing::error!(delivery_id = %entry.id, %error, "entry not dealt with yet");
            swept.errors = 1;
        }
        swept
    }

    async fn deal_with(
        &self,
        gates: &Gates<'_, Q, C>,
        entry: &DueEntry,
        swept: &mut Swept,
    ) -> PortResult<()> {
        let Some(mut delivery) = self.store.delivery(&entry.id).await? else {
            return Ok(());
        };
        let now = self.clock.now();
        match sweep(&delivery, grace(self.sqs_delay_max_s), now) {
            Sweep::NotYet => {}
            Sweep::Wake { calls, back_off_to, back_off_s } => {
                let due_at = delivery.due_at.unwrap_or(entry.due_at);
                swept.oldest_overdue_s = overdue_s(due_at, delivery.back_off_s, now);
                let (calls, held_back) = gates.let_through(calls).await?;
                if calls.is_empty() {
                    swept.held_back = held_back;
                    return Ok(());
                }
                let entry = DueEntry { id: delivery.id.clone(), due_at };
                if self.store.back_off(&entry, back_off_to, back_off_s).await? {
                    self.wake(calls).await?;
                    swept.woken = 1;
                }
            }
            Sweep::MarkExhausted(change) => {
                if self.store.commit(&delivery.id, &delivery.stage(), &change).await? {
                    swept.exhausted = 1;
                    delivery.apply(&change);
                    finish_notice(&self.store, &self.bus, &delivery, now).await?;
                }
            }
            Sweep::CloseRetry(change) => {
                let closed = self.store.commit(&delivery.id, &delivery.stage(), &change).await?;
                swept.retries_closed = closed.into();
            }
            Sweep::Announce => {
                finish_notice(&self.store, &self.bus, &delivery, now).await?;
                swept.announced = 1;
            }
            Sweep::TakeOut => {
                swept.taken_out = self.store.take_out(&delivery.id, None).await?.into();
            }
        }
        Ok(())
    }

    async fn wake(&self, calls: Vec<Call>) -> PortResult<()> {
        let outgoing: Vec<_> = calls.into_iter().map(|call| Outgoing::new(call, 0)).collect();
        let answers = self.queues.send(&outgoing).await;
        if answers.len() < outgoing.len() {
            return Err(PortError::new("wake_ups.send", "no answer"));
        }
        answers.into_iter().collect()
    }
}

/// The one line of a run, and its figures for alarms. What is 0 is not told: a metric costs for
/// every hour in which it comes, and alarms take its absence for 0.
pub fn log_run(swept: &Swept, metrics: &impl Metrics) {
    tracing::info!(
        seen = swept.seen,
        woken = swept.woken,
        exhausted = swept.exhausted,
        held_back = swept.held_back,
        announced = swept.announced,
        taken_out = swept.taken_out,
        retries_closed = swept.retries_closed,
        jobs_revived = swept.jobs_revived,
        drained = swept.drained,
        rescued = swept.rescued,
        unreadable = swept.unreadable,
        sent_back = swept.sent_back,
        errors = swept.errors,
        oldest_overdue_s = swept.oldest_overdue_s,
        unfinished_shards = swept.unfinished_shards,
        "swept"
    );
    let figures = [
        (Metric::Sweeps, 1),
        (Metric::OldestOverdue, swept.oldest_overdue_s),
        (Metric::Woken, swept.woken),
        (Metric::HeldBack, swept.held_back),
        (Metric::UnfinishedShards, swept.unfinished_shards),
        (Metric::SweepErrors, swept.errors),
    ];
    for (metric, value) in figures.into_iter().filter(|(_, value)| *value > 0) {
        metrics.tell(metric, value);
    }
}

/// The one line of a visit to the endpoints in trouble, which the sweeper makes beside its run.
pub fn log_visit(cared: &Cared) {
    for trouble in &cared.troubles {
        tracing::error!(trouble, "endpoint not dealt with yet");
    }
    tracing::info!(
        seen = cared.seen,
        alerted = cared.alerted,
        recovered = cared.recovered,
        announced = cared.announced,
        mailed = cared.mailed,
        given_up = cared.given_up,
        errors = cared.errors,
        unfinished_shards = cared.unfinished_shards,
        "tended"
    );
}

impl Swept {
    fn plus(self, other: Self) -> Self {
        Self {
            seen: self.seen + other.seen,
            woken: self.woken + other.woken,
            exhausted: self.exhausted + other.exhausted,
            held_back: self.held_back + other.held_back,
            announced: self.announced + other.announced,
            taken_out: self.taken_out + other.taken_out,
            retries_closed: self.retries_closed + other.retries_closed,
            jobs_revived: self.jobs_revived + other.jobs_revived,
            drained: self.drained + other.drained,
            rescued: self.rescued + other.rescued,
            unreadable: self.unreadable + other.unreadable,
            sent_back: self.sent_back + other.sent_back,
            errors: self.errors + other.errors,
            oldest_overdue_s: self.oldest_overdue_s.max(other.oldest_overdue_s),
            unfinished_shards: self.unfinished_shards + other.unfinished_shards,
        }
    }
}
