//! One history: random steps under faults, then rest.

mod people;
mod rest;
mod steps;
mod upkeep;

use std::collections::BTreeMap;

use domain::Timestamp;
use domain::api_key::{ApiKey, Scope};
use domain::delivery::Outcome;
use domain::ids::EndpointId;

use super::care::Care;
use super::model::{Model, Promises};
use super::plan::{Manner, Plan};
use super::{SKEW_MS, Told, Violation};
use crate::world::{Dice, Fault, Post, World, answer};

/// Steps until a history must have come to rest once the faults stop.
const REST: u32 = 3_000;
/// Calls among which somebody is killed.
const KILLED_WITHIN: u64 = 60;
/// Lines of a story that are kept.
const STORY: usize = 80;

/// A message on the events queue.
struct Incoming {
    body: String,
    received: u32,
    visible_at: Timestamp,
}

/// A history being told.
pub struct History {
    plan: Plan,
    world: World,
    model: Model,
    care: Care,
    /// Whether the sweeper fed a backlog.
    fed: bool,
    /// Wake-ups that the sweeper sent.
    woken: BTreeMap<String, steps::Woken>,
    dice: Dice,
    /// For what people do.
    people: Dice,
    /// For what happens beside the steps.
    aside: Dice,
    key: ApiKey,
    endpoints: Vec<EndpointId>,
    incoming: Vec<Incoming>,
    sent: u64,
    deeds: BTreeMap<&'static str, u64>,
    story: Vec<String>,
}

impl History {
    /// At its beginning.
    pub fn new(plan: Plan) -> Self {
        let world = World::new();
        let name = |nth: usize| format!("ep_{nth}");
        let endpoints: Vec<EndpointId> =
            (0..plan.manners.len()).map(|nth| world.register(&name(nth), &["*"])).collect();
        if let Some(last) = endpoints.last().filter(|_| plan.paced) {
            world.change(last, |endpoint| endpoint.max_per_second = Some(1));
        }
        {
            let mut state = world.state();
            state.requests_take_time = false;
            state.disable_after = plan.disable_after;
            state.faults.dice = Dice::new(plan.seed ^ 0xfa17);
        }
        let mut receivers = Receivers::new(&plan, world.state().now);
        world.answers(move |post, _| receivers.answer(post));
        let promises = Promises {
            faultless: plan.rates.is_nothing(),
            wake_ups_stay: plan.rates.keeps_wake_ups(),
            kills: plan.rates[Fault::Killed] > 0,
            on_time: !plan.asking,
        };
        Self {
            model: Model::new(promises),
            care: Care::default(),
            aside: Dice::new(plan.seed ^ 0xa51de),
            people: Dice::new(plan.seed ^ 0x9e09),
            dice: plan.dice.clone(),
            key: world.api_key(Scope::Operator),
            plan,
            world,
            fed: false,
            woken: BTreeMap::new(),
            endpoints,
            incoming: Vec::new(),
            sent: 0,
            deeds: BTreeMap::new(),
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

    /// Everything that happens in it, whatever comes of it.
    pub fn story(mut self) -> Vec<String> {
        let ended = self.come_to_rest().and_then(|()| self.audit_at_rest(0));
        self.note(&ended.map_or_else(|violation| violation.what, |()| "at rest".into()));
        self.story
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
            self.world.state().roll = self.dice.number();
            self.step();
            self.beside_a_step();
            self.check()?;
            if self.people_act() {
                self.check()?;
            }
        }
        self.world.state().faults.stop();
        self.note("-- the faults stop --");
        for _ in 0..REST {
            if self.is_at_rest() {
                return self.model.at_rest(&self.world).map_err(|what| self.violation(what));
            }
            self.rest();
            self.check()?;
        }
        Err(self.violation(self.unrest()))
    }

    /// Whether nothing ever goes wrong in it.
    fn is_faultless(&self) -> bool {
        self.plan.rates.is_nothing()
    }

    fn skew(&mut self) -> i64 {
        let mut state = self.world.state();
        if !state.faults.happens(Fault::Skewed) {
            return 0;
        }
        let drawn = i64::try_from(state.faults.dice.below(2 * SKEW_MS + 1)).unwrap_or(0);
        drawn - i64::try_from(SKEW_MS).unwrap_or(0)
    }

    /// Somebody goes to work who may be killed at some call.
    fn light_fuse(&mut self) {
        let point = {
            let faults = &mut self.world.state().faults;
            let rate = faults.rates[Fault::Killed];
            let drawn = rate > 0 && faults.dice.chance(rate);
            drawn.then(|| u32::try_from(faults.dice.below(KILLED_WITHIN)).unwrap_or(0))
        };
        self.world.fuse().blow_at(point);
    }

    /// The same, on a machine whose clock may be off.
    fn begin(&mut self) {
        self.light_fuse();
        let skew_ms = self.skew();
        self.world.state().skew_ms = skew_ms;
    }

    /// Whoever was at work is done, or dead; answers how that went, for the story.
    fn end(&mut self) -> String {
        let killed = self.world.fuse().is_blown();
        self.world.fuse().blow_at(None);
        let mut state = self.world.state();
        state.faults.counts[Fault::Killed] += u64::from(killed);
        let mut how = String::new();
        match std::mem::take(&mut state.skew_ms) {
            0 => {}
            skew_ms => how.push_str(&format!(", clock {skew_ms:+} ms")),
        }
        if killed {
            how.push_str(", killed");
        }
        how
    }

    fn check(&mut self) -> Result<(), Box<Violation>> {
        if self.fed {
            return Err(
                self.violation("the sweeper woke again at once what it had just woken".into())
            );
        }
        let holds = self.model.check(&self.world).and_then(|()| self.care.check(&self.world));
        holds.map_err(|what| self.violation(what))
    }

    fn violation(&self, what: String) -> Box<Violation> {
        let from = self.story.len().saturating_sub(STORY);
        Box::new(Violation { seed: self.plan.seed, what, story: self.story[from..].to_vec() })
    }

    fn note(&mut self, what: &str) {
        let now = self.world.state().now;
        self.story.push(format!("{now}  {what}"));
    }

    fn did(&mut self, deed: &'static str) {
        *self.deeds.entry(deed).or_default() += 1;
    }

    fn told(&self) -> Told {
        let state = self.world.state();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let recorded: usize = state.deliveries.values().map(|d| d.attempts.len()).sum();
        let posts = count(state.posts.len()) - self.model.tests();
        Told {
            steps: self.plan.steps,
            events: count(state.events.len()),
            deliveries: count(state.deliveries.len()),
            posts,
            extra_posts: posts.saturating_sub(count(recorded)),
            retries: self.model.retries(),
            disabled: self.care.disabled(),
            mails: count(state.mails.len()),
            deeds: self.deeds.clone(),
            faults: state.faults.counts,
        }
    }
}

/// All endpoints, as they answer.
struct Receivers {
    manners: BTreeMap<String, Manner>,
    asking: bool,
    begins: Timestamp,
    dice: Dice,
}

impl Receivers {
    fn new(plan: &Plan, begins: Timestamp) -> Self {
        let host = |nth: usize| format!("https://{nth}.example.com/");
        let manners = plan.manners.iter().enumerate();
        let manners = manners.map(|(nth, manner)| (host(nth), *manner)).collect();
        Self { manners, asking: plan.asking, begins, dice: Dice::new(plan.seed ^ 0xa45) }
    }

    fn answer(&mut self, post: &Post) -> domain::delivery::Answer {
        let manner = self.manners.get(&post.request.url).copied().unwrap_or(Manner::Failing(0));
        let fails = manner.fails(post.at.since(self.begins), &mut self.dice);
        let mut answer = answer(if fails { 500 } else { 200 });
        if fails && self.asking && self.dice.chance(300) {
            answer.http_status = Some(429);
            answer.retry_after_s = Some(self.dice.below(20 * 3_600));
        }
        if self.dice.chance(100) {
            // A slow one: as long as a request may take.
            answer.duration_ms = 30_000;
            answer.outcome = Outcome::Timeout;
            (answer.http_status, answer.retry_after_s) = (None, None);
        }
        answer
    }
}
