//! The ports of the sweeper, in memory.

use std::time::Duration;

use domain::Timestamp;
use domain::limits::{DEAD_LETTER_HIDDEN_S, SQS_BATCH};
use domain::ports::{Backlog, DeadLetter, DeadLetters, Dlq, Pause, PortResult};
use domain::wakeup::Lane;

use super::{Fault, State, World};

/// How often a wake-up is received before it is set aside, as in the template.
const WAKE_UP_RECEIVES: u32 = 5;

/// A message in a dead-letter queue.
#[derive(Debug, Clone)]
pub struct Dead {
    /// Which one.
    pub queue: Dlq,
    /// The message.
    pub letter: DeadLetter,
    /// When it can be received (again).
    pub at: Timestamp,
}

impl DeadLetters for World {
    async fn receive(&self, queue: Dlq) -> PortResult<Vec<DeadLetter>> {
        let receive = |state: &mut State| {
            let now = state.now;
            let hidden_until = now + Duration::from_secs(DEAD_LETTER_HIDDEN_S.into());
            let visible = state.dead.iter_mut().filter(|d| d.queue == queue && d.at <= now);
            let taken = visible.take(SQS_BATCH).map(|dead| {
                dead.at = hidden_until;
                dead.letter.clone()
            });
            taken.collect()
        };
        self.call("dead_letters.receive", receive).await
    }

    async fn delete(&self, queue: Dlq, letters: &[DeadLetter]) -> Vec<PortResult<()>> {
        let delete = |state: &mut State, letter: &DeadLetter| {
            state.dead.retain(|d| d.queue != queue || d.letter.receipt != letter.receipt);
        };
        self.batch("dead_letters.delete", letters, delete).await
    }

    async fn send_back(&self, queue: Dlq, letters: &[DeadLetter]) -> Vec<PortResult<()>> {
        let send = |state: &mut State, letter: &DeadLetter| {
            let (now, body) = (state.now, letter.body.clone());
            match queue {
                Dlq::Events => state.events_sent_back.push(letter.clone()),
                Dlq::Send => state.enqueue(Lane::Send, body, now),
                Dlq::Retry => state.enqueue(Lane::Retry, body, now),
            }
        };
        self.batch("dead_letters.send_back", letters, send).await
    }
}

impl Backlog for World {
    async fn visible(&self, lane: Lane) -> PortResult<u64> {
        let count = |state: &mut State| {
            let waiting = state.queued.iter().filter(|q| q.lane == lane && q.at <= state.now);
            u64::try_from(waiting.count()).unwrap_or(u64::MAX)
        };
        self.call("backlog.visible", count).await
    }
}

impl Pause for World {
    /// Those who pause at the same time wait for the same moment.
    async fn pause(&self, time: Duration) {
        let until = self.state().now + time;
        let pause = || {
            self.state().interfere("pause");
            let ends = self.state().patience_ends;
            self.pass_until(ends.map_or(until, |ends| until.min(ends)));
        };
        self.fuse().call("pause", pause).await;
    }
}

impl World {
    /// Puts a message into a dead-letter queue.
    pub fn set_aside(&self, queue: Dlq, body: &str, sent_at: Timestamp) {
        self.state().set_aside(queue, body.to_owned(), sent_at);
    }
}

impl State {
    fn set_aside(&mut self, queue: Dlq, body: String, sent_at: Timestamp) {
        self.next_message += 1;
        let id = format!("dead-{}", self.next_message);
        let letter =
            DeadLetter { receipt: id.clone(), id, body, sent_at, group: None, traceparent: None };
        self.dead.push(Dead { queue, letter, at: self.now });
    }

    /// What was received too often is not handed out once more, but set aside.
    pub(super) fn set_aside_what_keeps_failing(&mut self, lane: Lane) {
        let now = self.now;
        let spent =
            |q: &super::Queued| q.lane == lane && q.at <= now && q.received >= WAKE_UP_RECEIVES;
        let queue = match lane {
            Lane::Send => Dlq::Send,
            Lane::Retry => Dlq::Retry,
        };
        for queued in self.queued.extract_if(.., |q| spent(q)).collect::<Vec<_>>() {
            self.faults.counts[Fault::SetAside] += 1;
            self.set_aside(queue, queued.body, now);
        }
    }
}
