//! One history: random steps under faults, then rest.

mod upkeep;

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Timestamp;
use domain::api_key::{ApiKey, Scope};
use domain::delivery::Outcome;
use domain::endpoint::{DisabledReason, EndpointState};
use domain::ids::{DeliveryId, EndpointId};
use domain::job::{Job, JobState};
use domain::wakeup::Lane;

use super::model::Model;
use super::{Told, Violation};
use crate::world::{Dice, Queued, Rates, World, answer};

/// How far machines' clocks may be off, in milliseconds.
pub const SKEW_MS: u64 = 1_000;
/// Steps until a history must have come to rest once the faults stop.
const REST: u32 = 3_000;
/// An entry of `due` is overdue after its grace.
const OVERDUE: Duration = Duration::from_secs(120);

/// What a history is made of; drawn from its seed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// How often what goes wrong.
    pub rates: Rates,
    /// Steps under faults.
    pub steps: u64,
    /// Endpoints; the first is never disabled nor deleted.
    pub endpoints: u64,
    /// Answers that are failures, per mille.
    pub failing: u64,
    /// Whether people send again and cancel.
    pub people: bool,
    dice: Dice,
}

impl Plan {
    /// The same, but with one kind of fault alone; `None` if there is no such kind.
    pub fn only(mut self, fault: &str) -> Option<Self> {
        self.rates = self.rates.only(fault)?;
        Some(self)
    }

    /// Every fifth history has no faults at all: there nothing may happen twice. Half of all have
    /// no people who send again or cancel.
    pub fn from_seed(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let severity = [0, 10, 30, 100, 250][usize::try_from(seed % 5).unwrap_or(0)];
        let mut rate = |share: u64| dice.below(severity * share / 10 + 1);
        let rates = Rates {
            refused: rate(10),
            answer_lost: rate(10),
            doubled: rate(10),
            late: rate(10),
            throttled: rate(20),
            silent: rate(20),
            never_fires: rate(10),
            fires_twice: rate(10),
            killed: rate(20),
            set_aside: rate(4),
        };
        let (steps, endpoints) = (20 + dice.below(120), 1 + dice.below(3));
        let failing = [0, 300, 700, 1_000][usize::try_from(dice.below(4)).unwrap_or(0)];
        let people = (seed / 5).is_multiple_of(2);
        Self { seed, rates, steps, endpoints, failing, people, dice }
    }
}

/// A message on the events queue.
struct Incoming {
    body: String,
    received: u32,
    visible_at: Timestamp,
}

fn is_unfinished(job: &Job) -> bool {
    job.state == JobState::Running || job.notice
}

fn bodies(batch: &[Queued]) -> String {
    let line = |queued: &Queued| format!("{} (received {})", queued.body, queued.received);
    batch.iter().map(line).collect::<Vec<_>>().join(", ")
}

/// The sweeper's last wait for a delivery, and the end of it.
type Wait = (Option<u32>, Option<Timestamp>);

/// A history being told.
pub struct History {
    plan: Plan,
    pub(super) world: World,
    model: Model,
    /// Whether the sweeper fed a backlog.
    fed: bool,
    dice: Dice,
    pub(super) people: Dice,
    pub(super) key: Option<ApiKey>,
    pub(super) endpoints: Vec<EndpointId>,
    incoming: Vec<Incoming>,
    sent: u64,
    story: Vec<String>,
    /// For what happens beside the steps.
    aside: Dice,
}

impl History {
    /// At its beginning.
    pub fn new(plan: Plan) -> Self {
        let world = World::new();
        let endpoints =
            (0..plan.endpoints).map(|n| world.register(&format!("ep_{n}"), &["*"])).collect();
        let dice = plan.dice.clone();
        let faultless = plan.rates == Rates::default();
        let model = Model::new(faultless, plan.rates.keeps_wake_ups());
        world.state().requests_take_time = false;
        world.state().faults.dice = Dice::new(plan.seed ^ 0xfa17);
        let mut answers = Dice::new(plan.seed ^ 0xa45);
        let failing = plan.failing;
        world.answers(move |_, _| {
            let mut answer = answer(if answers.chance(failing) { 500 } else { 200 });
            if answers.chance(100) {
                // A slow one: as long as a request may take.
                answer.duration_ms = 30_000;
                answer.outcome = Outcome::Timeout;
                answer.http_status = None;
            }
            answer
        });
        let key = plan.people.then(|| world.api_key(Scope::Operator));
        Self {
            aside: Dice::new(plan.seed ^ 0xa51de),
            people: Dice::new(plan.seed ^ 0x9e09),
            key,
            plan,
            world,
            model,
            fed: false,
            dice,
            endpoints,
            incoming: Vec::new(),
            sent: 0,
            story: Vec::new(),
        }
    }

    /// Tells it to its end.
    ///
    /// # Errors
    /// The first violation.
    pub fn tell(mut self) -> Result<Told, Box<Violation>> {
        self.come_to_rest()?;
        self.audit_at_rest(0)?;
        Ok(self.told())
    }

    /// Tells it to its end, takes something away, and wants the audit to see it.
    ///
    /// # Errors
    /// The first violation, and an audit that sees nothing.
    pub fn tell_and_tamper(mut self) -> Result<Told, Box<Violation>> {
        self.come_to_rest()?;
        self.audit_at_rest(0)?;
        if !self.world.state().deliveries.is_empty() {
            self.tamper();
            self.audit_at_rest(1)?;
        }
        Ok(self.told())
    }

    fn come_to_rest(&mut self) -> Result<(), Box<Violation>> {
        self.world.state().faults.rates = self.plan.rates;
        for _ in 0..self.plan.steps {
            self.step();
            self.beside_a_step();
            self.check()?;
            self.people_act();
            self.check()?;
        }
        self.world.state().faults.rates = Rates::default();
        self.note("-- the faults stop --");
        for _ in 0..REST {
            if self.is_at_rest() {
                return self.model.at_rest(&self.world).map_err(|what| self.violation(what));
            }
            self.rest();
            self.check()?;
        }
        Err(self.violation("it does not come to rest".into()))
    }

    fn step(&mut self) {
        match self.dice.below(100) {
            0..18 => self.product_sends(),
            18..34 => self.ingest(),
            34..50 => self.send(),
            50..58 => self.two_senders(),
            58..62 => self.sender_and_sweeper(),
            62..82 => self.time_passes(),
            82..92 => self.sweep(),
            92..98 => self.endpoint_changes(),
            _ => self.a_message_comes_twice(),
        }
    }

    fn product_sends(&mut self) {
        let again = self.dice.chance(250) && self.sent > 0;
        let nth = if again { self.dice.below(self.sent) } else { self.sent };
        self.sent += u64::from(!again);
        let data = if again && self.dice.chance(300) { "{\"other\":1}" } else { "{}" };
        let body = format!(
            r#"{{"id":"e{nth}","account_id":"acct_42","event":"email.sent","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{data}}}"#
        );
        self.note(&format!("a product sends e{nth} {data}"));
        let visible_at = self.world.state().now;
        self.incoming.push(Incoming { body, received: 0, visible_at });
    }

    fn ingest(&mut self) {
        self.set_spent_events_aside();
        let now = self.world.state().now;
        let mut batch: Vec<Incoming> = Vec::new();
        let mut rest = Vec::new();
        for incoming in std::mem::take(&mut self.incoming) {
            let taken = incoming.visible_at <= now && batch.len() < 10 && self.dice.chance(800);
            if taken { batch.push(incoming) } else { rest.push(incoming) }
        }
        self.incoming = rest;
        if batch.is_empty() {
            return;
        }
        let bodies: Vec<&str> = batch.iter().map(|i| i.body.as_str()).collect();
        let received = batch.iter().map(|i| i.received).max().unwrap_or(0) + 1;
        let killed = self.light_fuse();
        let again = self.world.ingest_batch(&bodies, received);
        self.world.fuse().blow_at(None);
        let again = again.unwrap_or_else(|| (0..batch.len()).map(|n| format!("m{n}")).collect());
        self.note(&format!("ingest takes {}{killed}, {} come again", batch.len(), again.len()));
        for (nth, mut incoming) in batch.into_iter().enumerate() {
            if again.contains(&format!("m{nth}")) {
                incoming.received = received;
                incoming.visible_at = now + Duration::from_secs(360);
                self.incoming.push(incoming);
            } else {
                self.model.acknowledged(&incoming.body);
            }
        }
    }

    fn send(&mut self) {
        let lane = if self.dice.chance(500) { Lane::Send } else { Lane::Retry };
        let skew = self.skew();
        let killed = self.light_fuse();
        let dice = &mut self.dice;
        let handed = self.world.send_some(lane, skew, |_| dice.chance(700));
        self.world.fuse().blow_at(None);
        if handed > 0 {
            self.note(&format!(
                "the sender takes {handed} from {lane:?}{killed}, clock {skew:+} ms"
            ));
        }
    }

    fn two_senders(&mut self) {
        let lane = if self.dice.chance(500) { Lane::Send } else { Lane::Retry };
        let first = self.take(lane);
        let second = self.take(lane);
        let skews = [self.skew(), self.skew()];
        if first.is_empty() || second.is_empty() {
            // Receiving without working is a fault; that is for the rates to decide.
            self.world.leave(&first);
            self.world.leave(&second);
            return;
        }
        let killed = self.light_fuse();
        let mut turns = Dice::new(self.dice.number());
        let batches = [(first, skews[0]), (second, skews[1])];
        let bodies: Vec<String> = batches.iter().map(|(batch, _)| bodies(batch)).collect();
        let handed = self.world.send_side_by_side(batches, || turns.chance(500));
        self.world.fuse().blow_at(None);
        let bodies = bodies.join(" and ");
        self.note(&format!(
            "two senders side by side take {handed} from {lane:?}{killed}: {bodies}"
        ));
    }

    fn sender_and_sweeper(&mut self) {
        let taken = self.take(Lane::Retry);
        let skew = self.skew();
        let killed = self.light_fuse();
        let mut turns = Dice::new(self.dice.number());
        self.world.send_beside_the_sweeper(&taken, skew, || turns.chance(500));
        self.world.fuse().blow_at(None);
        self.note(&format!("a sender takes {} beside the sweeper{killed}", taken.len()));
    }

    fn take(&mut self, lane: Lane) -> Vec<Queued> {
        let dice = &mut self.dice;
        self.world.take(lane, |_| dice.chance(500))
    }

    fn time_passes(&mut self) {
        let (now, next) = {
            let state = self.world.state();
            let queued = state.queued.iter().map(|q| q.at);
            let all = queued.chain(state.schedules.values().map(|(at, _)| *at));
            (state.now, all.filter(|at| *at > state.now).min())
        };
        let to = match next {
            Some(next) if self.dice.chance(600) => next,
            Some(_) | None => now + Duration::from_secs(self.dice.below(1_200)),
        };
        self.note(&format!("time passes until {to}"));
        self.world.pass_until(to);
    }

    fn sweep(&mut self) {
        let before = self.waits();
        let killed = self.light_fuse();
        let swept = self.world.sweep();
        self.world.fuse().blow_at(None);
        if self.plan.rates == Rates::default() {
            let after = self.waits();
            self.world.sweep();
            let moved_twice = |(id, wait): (&DeliveryId, &Wait)| {
                before.get(id).is_some_and(|was| was != wait)
                    && self.waits().get(id).is_some_and(|is| is != wait && is.0.is_some())
            };
            self.fed = after.iter().any(moved_twice);
        }
        if let Some(swept) = swept.filter(|swept| swept.seen > 0) {
            self.note(&format!("the sweeper sees {}, wakes {}{killed}", swept.seen, swept.woken));
        }
    }

    /// Who has been woken by the sweeper, and when it looks again.
    fn waits(&self) -> BTreeMap<DeliveryId, Wait> {
        let state = self.world.state();
        state.deliveries.values().map(|d| (d.id.clone(), (d.back_off_s, d.due_at))).collect()
    }

    fn endpoint_changes(&mut self) {
        let at = self.world.state().now;
        let Some(id) = self.dice.pick(&self.endpoints[1..]).cloned() else { return };
        let state = match self.dice.below(5) {
            0 => EndpointState::Deleted { at },
            1 | 2 => EndpointState::Disabled { reason: DisabledReason::Manual, at },
            _ => EndpointState::Enabled,
        };
        self.note(&format!("{id} is now {state:?}"));
        self.world.change(&id, |endpoint| {
            if !matches!(endpoint.state, EndpointState::Deleted { .. }) {
                endpoint.state = state;
            }
        });
    }

    fn a_message_comes_twice(&mut self) {
        if self.plan.rates.doubled == 0 {
            return;
        }
        let mut state = self.world.state();
        let now = state.now;
        if let Some(queued) = self.dice.pick(&state.queued).cloned() {
            let body = queued.body.clone();
            state.faults.counts.doubled += 1;
            drop(state);
            self.world.push(queued.lane, &body, now);
            self.note(&format!("a message comes twice: {body}"));
        }
    }

    /// One round without faults: everything that can be handled is, then time passes.
    fn rest(&mut self) {
        self.take_back_events();
        let now = self.world.state().now;
        self.incoming.iter_mut().for_each(|incoming| incoming.visible_at = now);
        self.ingest();
        self.world.send_due();
        self.world.sweep();
        self.world.send_due();
        let dead = self.next_dead_letter();
        let next = {
            let state = self.world.state();
            let queued = state.queued.iter().map(|q| q.at);
            let scheduled = state.schedules.values().map(|(at, _)| *at);
            // The sweeper comes by when an entry is overdue, not every five minutes in vain.
            let due = state.deliveries.values().filter_map(|d| Some(d.due_at? + OVERDUE));
            let unfinished = state.jobs.values().filter(|j| is_unfinished(j));
            let stalled = unfinished.map(Job::stalled_at);
            queued.chain(scheduled).chain(due).chain(stalled).chain(dead).min()
        };
        self.world.pass_until(next.unwrap_or(now).max(now + Duration::from_secs(1)));
    }

    fn is_at_rest(&self) -> bool {
        let state = self.world.state();
        self.incoming.is_empty()
            && state.queued.is_empty()
            && state.dead.is_empty()
            && state.events_sent_back.is_empty()
            && state.deliveries.values().all(|d| !d.status.is_open() && d.due_at.is_none())
            && !state.jobs.values().any(is_unfinished)
    }

    fn skew(&mut self) -> i64 {
        if self.is_faultless() {
            return 0;
        }
        let drawn = i64::try_from(self.dice.below(2 * SKEW_MS + 1)).unwrap_or(0);
        drawn - i64::try_from(SKEW_MS).unwrap_or(0)
    }

    /// Perhaps the process is killed at some call of what comes next.
    pub(super) fn light_fuse(&mut self) -> &'static str {
        let mut state = self.world.state();
        if !state.faults.dice.chance(self.plan.rates.killed)
            || state.faults.rates == Rates::default()
        {
            return "";
        }
        state.faults.counts.killed += 1;
        let point = u32::try_from(state.faults.dice.below(60)).unwrap_or(0);
        drop(state);
        self.world.fuse().blow_at(Some(point));
        " and may be killed"
    }

    fn check(&mut self) -> Result<(), Box<Violation>> {
        if self.fed {
            return Err(
                self.violation("the sweeper woke again at once what it had just woken".into())
            );
        }
        self.model.check(&self.world).map_err(|what| self.violation(what))
    }

    fn violation(&self, what: String) -> Box<Violation> {
        let from = self.story.len().saturating_sub(80);
        Box::new(Violation { seed: self.plan.seed, what, story: self.story[from..].to_vec() })
    }

    pub(super) fn note(&mut self, what: &str) {
        let now = self.world.state().now;
        self.story.push(format!("{now}  {what}"));
    }

    fn told(&self) -> Told {
        let state = self.world.state();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let retries = self.model.retries();
        let recorded: usize = state.deliveries.values().map(|d| d.attempts.len()).sum();
        Told {
            steps: self.plan.steps,
            events: count(state.events.len()),
            deliveries: count(state.deliveries.len()),
            posts: count(state.posts.len()),
            extra_posts: count(state.posts.len().saturating_sub(recorded)),
            retries,
            faults: state.faults.counts,
        }
    }
}
