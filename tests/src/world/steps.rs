//! What happens in a world: batches are handled, time passes.

use std::time::Duration;

use domain::Timestamp;
use domain::attempt::Waits;
use domain::health::step;
use domain::ports::{Clock, Dice, PortResult};
use domain::schedule::Roll;
use domain::test_event::{TestReply, TestRequest};
use domain::wakeup::Lane;
use ingest::Ingest;
use sender::{Rules, Sender};
use sweeper::{Sweeper, Swept};

use super::{FAR, Fault, Queued, RETENTION, World, documented_schedule, run, run_side_by_side};

/// When a message that was not acknowledged is handed out again.
const VISIBLE_AGAIN: Duration = Duration::from_secs(360);
/// The documented one.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A machine with a clock of its own.
struct Machine {
    world: World,
    skew_ms: i64,
}

type WorldsSender = Sender<World, World, World, World, World, Machine, World>;

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        self.world.state().clock_of(self.skew_ms)
    }
}

impl Dice for Machine {
    fn roll(&self) -> Roll {
        self.world.roll()
    }
}

impl World {
    /// The ingest use case over this world.
    pub fn ingest(&self) -> Ingest<World, World, World, World> {
        let (store, queues, bus, clock) = (self.clone(), self.clone(), self.clone(), self.clone());
        Ingest { store, queues, bus, clock, retention: RETENTION }
    }

    /// The sender use case over this world, with the documented numbers, on a machine whose
    /// clock is off by `skew_ms`.
    fn sender_with_skew(&self, skew_ms: i64) -> WorldsSender {
        let w = || self.clone();
        let chance = Machine { world: w(), skew_ms };
        let (sqs_delay_max_s, disable_after) = {
            let state = self.state();
            (state.sqs_delay_max_s, state.disable_after)
        };
        let rules = Rules {
            schedule: documented_schedule(),
            health_step: step(disable_after),
            waits: Waits { sqs_delay_max_s, request_timeout: REQUEST_TIMEOUT },
        };
        let (store, queues, scheduler, receiver) = (w(), w(), w(), w());
        Sender { store, queues, scheduler, receiver, bus: w(), chance, metrics: w(), rules }
    }

    /// Has the sender make a test event.
    pub(super) async fn make_test(&self, wanted: &TestRequest) -> PortResult<TestReply> {
        self.sender_with_skew(0).test(wanted).await
    }

    /// Hands ingest a batch; `None` if the fuse killed it, else the ids that come again.
    pub fn ingest_batch(&self, bodies: &[&str], received: u32) -> Option<Vec<String>> {
        let batch = self.next_batch();
        let message = |(nth, body): (usize, &&str)| ingest::Message {
            id: format!("m{nth}@{batch}"),
            body: (*body).to_owned(),
            received,
            traceparent: None,
            sender: Some("AIDAPRODUCER".into()),
        };
        let messages: Vec<_> = bodies.iter().enumerate().map(message).collect();
        let stop_at = self.state().now + FAR;
        let again = run(self.fuse(), self.ingest().handle(&messages, stop_at))?;
        let place = |id: &String| id.split('@').next().unwrap_or_default().to_owned();
        Some(again.iter().map(place).collect())
    }

    /// A number for a batch: messages of two batches are never the same.
    fn next_batch(&self) -> u32 {
        let mut state = self.state();
        state.next_batch += 1;
        state.next_batch
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
        self.send_some(lane, 0, |_| true)
    }

    /// Hands the sender those of a lane's messages that can be received now and are picked, as
    /// one batch, on a machine whose clock is off by `skew_ms`.
    pub fn send_some(&self, lane: Lane, skew_ms: i64, pick: impl FnMut(&Queued) -> bool) -> usize {
        let taken = self.take(lane, pick);
        if !taken.is_empty() {
            let again = run(self.fuse(), self.work_on(taken.clone(), skew_ms));
            self.put_back(&taken, again);
        }
        taken.len()
    }

    /// Hands two senders a batch each, side by side. Answers how many they took.
    pub fn send_side_by_side(
        &self,
        batches: [(Vec<Queued>, i64); 2],
        turn: impl FnMut() -> bool,
    ) -> usize {
        let [(first, skew_a), (second, skew_b)] = batches;
        let a = self.work_on(first.clone(), skew_a);
        let b = self.work_on(second.clone(), skew_b);
        let (a, b) = run_side_by_side(self.fuse(), a, b, turn);
        self.put_back(&first, a);
        self.put_back(&second, b);
        first.len() + second.len()
    }

    /// Hands a sender a batch while the sweeper makes a run beside it.
    pub fn send_beside_the_sweeper(
        &self,
        taken: &[Queued],
        skew_ms: i64,
        turn: impl FnMut() -> bool,
    ) {
        let now = self.state().now;
        self.state().patience_ends = Some(now + REQUEST_TIMEOUT);
        let sweeper = self.sweeper();
        let batch = self.work_on(taken.to_vec(), skew_ms);
        let (again, _) = run_side_by_side(self.fuse(), batch, sweeper.run(now + FAR), turn);
        self.state().patience_ends = None;
        self.put_back(taken, again);
    }

    /// Receives those of a lane's messages that can be received now and are picked.
    pub fn take(&self, lane: Lane, mut pick: impl FnMut(&Queued) -> bool) -> Vec<Queued> {
        let mut state = self.state();
        state.set_aside_what_keeps_failing(lane);
        let now = state.now;
        let mut taken = Vec::new();
        let mut left_since: Option<Timestamp> = None;
        let mut overtaking = 0;
        for queued in state.queued.iter_mut().filter(|q| q.lane == lane && q.at <= now) {
            if pick(queued) {
                overtaking += u64::from(left_since.is_some_and(|left| left < queued.at));
                queued.received += 1;
                queued.at = now + VISIBLE_AGAIN;
                taken.push(queued.clone());
            } else {
                left_since = Some(left_since.map_or(queued.at, |left| left.min(queued.at)));
            }
        }
        if state.faults.rates[Fault::Reordered] > 0 {
            state.faults.counts[Fault::Reordered] += overtaking;
        }
        taken
    }

    /// Some of them are handed out once more, to somebody else, while they are in work.
    pub fn hand_out_again(&self, taken: &[Queued]) -> Vec<Queued> {
        let mut state = self.state();
        let mut again = Vec::new();
        for one in taken {
            if state.faults.happens(Fault::InWork)
                && let Some(queued) = state.queued.iter_mut().find(|q| q.id == one.id)
            {
                queued.received += 1;
                again.push(queued.clone());
            }
        }
        again
    }

    /// As if they had not been received.
    pub fn leave(&self, taken: &[Queued]) {
        let mut state = self.state();
        let now = state.now;
        for queued in state.queued.iter_mut().filter(|q| taken.iter().any(|t| t.id == q.id)) {
            queued.received -= 1;
            queued.at = now;
        }
    }

    async fn work_on(&self, taken: Vec<Queued>, skew_ms: i64) -> Vec<String> {
        let message = |Queued { id, body, received, lane, .. }: Queued| sender::Message {
            id,
            body,
            received,
            lane,
        };
        let batch: Vec<_> = taken.into_iter().map(message).collect();
        self.sender_with_skew(skew_ms).handle(&batch).await
    }

    /// What must come again is visible after a while; the rest is gone. `None`: the batch was
    /// killed, and all of it comes again.
    fn put_back(&self, taken: &[Queued], again: Option<Vec<String>>) {
        let Some(again) = again else { return };
        let ours = |q: &Queued| taken.iter().any(|t| t.id == q.id);
        self.state().queued.retain(|q| !ours(q) || again.contains(&q.id));
    }

    /// Puts any message on a queue of wake-ups.
    pub fn push(&self, lane: Lane, body: &str, at: Timestamp) {
        self.state().enqueue(lane, body.to_owned(), at);
    }

    /// One run of the sweeper.
    pub fn sweep(&self) -> Option<Swept> {
        let stop_at = self.state().now + FAR;
        let swept = run(self.fuse(), self.sweeper().run(stop_at))?;
        sweeper::log_run(&swept, self);
        Some(swept)
    }

    fn sweeper(&self) -> Sweeper<World, World, World, World> {
        let (store, queues, bus, clock) = (self.clone(), self.clone(), self.clone(), self.clone());
        let sqs_delay_max_s = self.state().sqs_delay_max_s;
        Sweeper { store, queues, bus, clock, sqs_delay_max_s }
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
            let Some((_, body)) = state.schedules.remove(&name) else { continue };
            let times = match () {
                () if state.faults.happens(Fault::NeverFires) => 0,
                () if state.faults.happens(Fault::FiresTwice) => 2,
                () => 1,
            };
            for _ in 0..times {
                state.enqueue(Lane::Retry, body.clone(), now);
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
