//! What happens in a world: batches are handled, time passes.

use std::time::Duration;

use domain::Timestamp;
use domain::wakeup::Lane;
use ingest::Ingest;
use sender::{Rules, Sender};
use sweeper::{Sweeper, Swept};

use super::{Queued, RETENTION, World, documented_schedule, run};

/// Far enough for any batch.
const FAR: Duration = Duration::from_secs(10_000_000);

/// The sender's numbers in every world: the documented ones.
pub const NUMBERS: (u32, Duration) = (900, Duration::from_secs(30));

impl World {
    /// The ingest use case over this world.
    pub fn ingest(&self) -> Ingest<World, World, World, World> {
        let (store, queues, bus, clock) = (self.clone(), self.clone(), self.clone(), self.clone());
        Ingest { store, queues, bus, clock, retention: RETENTION }
    }

    /// The sender use case over this world, with the documented numbers.
    pub fn sender(&self) -> Sender<World, World, World, World, World, World> {
        let w = || self.clone();
        let (sqs_delay_max_s, request_timeout) = NUMBERS;
        let rules = Rules { schedule: documented_schedule(), sqs_delay_max_s, request_timeout };
        Sender {
            store: w(),
            queues: w(),
            scheduler: w(),
            receiver: w(),
            bus: w(),
            chance: w(),
            rules,
        }
    }

    /// Hands ingest a batch; `None` if the fuse killed it, else the ids that come again.
    pub fn ingest_batch(&self, bodies: &[&str], received: u32) -> Option<Vec<String>> {
        let message = |(nth, body): (usize, &&str)| ingest::Message {
            id: format!("m{nth}"),
            body: (*body).to_owned(),
            received,
            traceparent: None,
            sender: Some("AIDAPRODUCER".into()),
        };
        let messages: Vec<_> = bodies.iter().enumerate().map(message).collect();
        let stop_at = self.state().now + FAR;
        run(self.fuse(), self.ingest().handle(&messages, stop_at))
    }

    /// Puts one event, and wants it taken.
    #[track_caller]
    pub fn accept(&self, body: &str) {
        assert_eq!(self.ingest_batch(&[body], 1), Some(Vec::new()));
    }

    /// Hands the sender everything that can be received now, one batch a queue. Messages that
    /// come again, or whose batch was killed, stay and count as received. Answers how many were
    /// handed over.
    pub fn send_due(&self) -> usize {
        [Lane::Send, Lane::Retry].into_iter().map(|lane| self.send_lane(lane)).sum()
    }

    fn send_lane(&self, lane: Lane) -> usize {
        let due: Vec<Queued> = {
            let mut state = self.state();
            let now = state.now;
            let due = |q: &&mut Queued| q.lane == lane && q.at <= now;
            state
                .queued
                .iter_mut()
                .filter(due)
                .map(|q| {
                    q.received += 1;
                    q.clone()
                })
                .collect()
        };
        if due.is_empty() {
            return 0;
        }
        let message = |q: &Queued| sender::Message {
            id: q.id.clone(),
            body: q.body.clone(),
            received: q.received,
        };
        let batch: Vec<_> = due.iter().map(message).collect();
        let again = run(self.fuse(), self.sender().handle(&batch));
        let again = again.unwrap_or_else(|| due.iter().map(|q| q.id.clone()).collect());
        let mut state = self.state();
        let visible_again = state.now + Duration::from_secs(360);
        state.queued.retain_mut(|q| {
            let ours = due.iter().any(|d| d.id == q.id);
            if ours {
                q.at = visible_again;
            }
            !ours || again.contains(&q.id)
        });
        due.len()
    }

    /// Puts any message on a queue of wake-ups.
    pub fn push(&self, lane: Lane, body: &str, at: Timestamp) {
        self.state().enqueue(lane, body.to_owned(), at);
    }

    /// One run of the sweeper.
    pub fn sweep(&self) -> Option<Swept> {
        let (store, queues, bus, clock) = (self.clone(), self.clone(), self.clone(), self.clone());
        let sweeper = Sweeper { store, queues, bus, clock, sqs_delay_max_s: NUMBERS.0 };
        let stop_at = self.state().now + FAR;
        run(self.fuse(), sweeper.run(stop_at))
    }

    /// Lets time pass to the next deadline of a queue or a schedule, fires what is due, and sends.
    /// False if there is nothing to wait for.
    pub fn step(&self) -> bool {
        let next = {
            let state = self.state();
            let queued = state.queued.iter().map(|q| q.at);
            queued.chain(state.schedules.values().map(|(at, _)| *at)).min()
        };
        let Some(next) = next else { return false };
        self.pass_until(next);
        self.send_due();
        true
    }

    /// Moves the clock, never back, and fires the schedules due by then.
    pub fn pass_until(&self, at: Timestamp) {
        let mut state = self.state();
        state.now = state.now.max(at);
        let now = state.now;
        let due: Vec<String> = (state.schedules.iter())
            .filter(|(_, (at, _))| *at <= now)
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            if let Some((_, body)) = state.schedules.remove(&name) {
                state.enqueue(Lane::Retry, body, now);
            }
        }
    }

    /// Steps until nothing waits in queues or schedules.
    #[track_caller]
    pub fn settle(&self) {
        for _ in 0..10_000 {
            if !self.step() {
                return;
            }
        }
        panic!("the world does not come to rest");
    }
}
