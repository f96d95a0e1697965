//! Weeks in the life of endpoints: some healthy, some dead, some in between, with traffic of their
//! own, people who switch them off and on, and everything going wrong on our side. A model beside
//! it says which of them may be disabled, and which must be (design 3.7).

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Timestamp;
use domain::delivery::{Outcome, Trigger};
use domain::endpoint::{DisabledReason, Endpoint, EndpointState};
use domain::health::step;
use domain::ids::EndpointId;
use domain::limits::HEALTH_MARGIN_STEPS;
use domain::wakeup::Lane;

use super::Violation;
use super::care::deserved;
use crate::world::{DISABLE_AFTER, Dice, Fault, PerFault, World, answer};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// Days of a history: twice the time to disable, and a few.
const DAYS: u32 = 16;
/// Tries of daily: Lambda repeats one that fails twice.
const TRIES: u32 = 3;
/// What a failure's record may be late by under faults: its wake-up comes again every six minutes.
const LATE: Duration = HOUR;

/// How an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Well,
    Never,
    /// Well only so many times in a thousand.
    Seldom(u64),
    /// Well from this day on.
    From(u32),
    /// Well until this day.
    Until(u32),
}

/// What the model knows of an endpoint.
#[derive(Debug, Clone, Copy)]
struct Known {
    enabled_at: Timestamp,
    disabled: bool,
}

/// Weeks being told.
pub struct Weeks {
    seed: u64,
    world: World,
    dice: Dice,
    rates: PerFault,
    endpoints: BTreeMap<EndpointId, (Manner, u64)>,
    known: BTreeMap<EndpointId, Known>,
    sent: u64,
    story: Vec<String>,
}

/// What a history of weeks came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Disabled by the suite.
    pub disabled: u64,
    /// Mails sent.
    pub mails: u64,
    /// Requests made.
    pub posts: u64,
}

impl Weeks {
    /// At their beginning. Every fourth has no faults.
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x3ee6);
        let world = World::new();
        let severity = [0, 10, 40, 80][usize::try_from(seed % 4).unwrap_or(0)];
        let mut rates = PerFault::default();
        for fault in [Fault::Refused, Fault::AnswerLost, Fault::Doubled, Fault::Late, Fault::Killed]
        {
            rates[fault] = dice.below(severity + 1);
        }
        let mut endpoints = BTreeMap::new();
        for nth in 0..2 + dice.below(3) {
            let id = world.register(&format!("ep_{nth}"), &[&format!("to.{nth}")]);
            let day = u32::try_from(dice.below(u64::from(DAYS))).unwrap_or(0);
            let manner = match dice.below(6) {
                0 => Manner::Well,
                1 | 2 => Manner::Never,
                3 => Manner::Seldom(1 + dice.below(40)),
                4 => Manner::From(day),
                _ => Manner::Until(day / 2),
            };
            // Events a day: sometimes less than one.
            endpoints
                .insert(id, (manner, [1, 2, 4, 12][usize::try_from(dice.below(4)).unwrap_or(0)]));
        }
        world.state().requests_take_time = false;
        world.state().faults.dice = Dice::new(seed ^ 0xfa17);
        let begins = world.state().now;
        let manners: BTreeMap<String, Manner> = endpoints
            .iter()
            .map(|(id, (manner, _))| {
                (format!("https://{}.example.com/", &id.as_str()[3..]), *manner)
            })
            .collect();
        let mut answers = Dice::new(seed ^ 0xa45);
        world.answers(move |post, _| {
            let day = u32::try_from(post.at.since(begins).as_secs() / DAY.as_secs()).unwrap_or(0);
            let well = match manners.get(&post.request.url) {
                Some(Manner::Well) => true,
                Some(Manner::Never) | None => false,
                Some(Manner::Seldom(per_mille)) => answers.chance(*per_mille),
                Some(Manner::From(from)) => day >= *from,
                Some(Manner::Until(until)) => day < *until,
            };
            answer(if well { 200 } else { 500 })
        });
        let (known, story) = (BTreeMap::new(), Vec::new());
        Self { seed, world, dice, rates, endpoints, known, sent: 0, story }
    }

    /// Tells them.
    ///
    /// # Errors
    /// The first violation.
    pub fn tell(mut self) -> Result<Outcomes, Box<Violation>> {
        let begins = self.world.state().now;
        self.world.state().faults.rates = self.rates;
        for day in 0..DAYS {
            if day + 2 == DAYS {
                self.world.state().faults.stop();
                self.note("-- the faults stop --".into());
            }
            let midnight = begins + DAY * (day + 1);
            while self.world.state().now < midnight {
                let slot = Duration::from_secs(3_600 + self.dice.below(7_200));
                let to = (self.world.state().now + slot).min(midnight);
                self.traffic(slot);
                self.work_until(to);
                self.people();
                self.look_after(|world| world.tend().is_some(), 1)?;
            }
            self.look_after(|world| world.daily().is_some_and(|done| done.is_ok()), TRIES)?;
            let calm = self.rates.is_nothing() || day + 1 == DAYS;
            if calm {
                self.must_be_disabled().map_err(|what| self.violation(what))?;
            }
        }
        let state = self.world.state();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let disabled = state
            .announced
            .iter()
            .filter(|a| a.name == "endpoint.disabled" && a.detail["reason"] == "failing");
        Ok(Outcomes {
            disabled: count(disabled.count()),
            mails: count(state.mails.len()),
            posts: count(state.posts.len()),
        })
    }

    /// Products send what each endpoint gets in this time.
    fn traffic(&mut self, slot: Duration) {
        let mut due = Vec::new();
        for (id, (_, a_day)) in &self.endpoints {
            let share = a_day * slot.as_secs() * 1_000 / DAY.as_secs();
            if self.dice.chance(share.min(1_000)) {
                due.push(id.as_str()[3..].to_owned());
            }
        }
        for name in due {
            self.sent += 1;
            let body = format!(
                r#"{{"id":"e{}","account_id":"acct_42","event":"to.{name}","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{{}}}}"#,
                self.sent
            );
            // Ingest has histories of its own; here it is asked until it has taken the event.
            for received in 1.. {
                if self.world.ingest_batch(&[&body], received) == Some(Vec::new()) {
                    break;
                }
            }
        }
    }

    /// Queues and schedules at work; senders may be killed.
    fn work_until(&mut self, to: Timestamp) {
        loop {
            let next = {
                let state = self.world.state();
                let queued = state.queued.iter().map(|q| q.at);
                queued.chain(state.schedules.values().map(|(at, _)| *at)).min()
            };
            match next {
                Some(next) if next <= to => self.world.pass_until(next),
                Some(_) | None => break,
            }
            for lane in [Lane::Send, Lane::Retry] {
                self.light_fuse();
                self.world.send_some(lane, 0, |_| true);
                self.world.fuse().blow_at(None);
            }
        }
        self.world.pass_until(to);
        self.world.sweep();
        self.world.fuse().blow_at(None); // forgets its log
    }

    /// Now and then somebody switches an endpoint off and on.
    fn people(&mut self) {
        if !self.dice.chance(8) {
            return;
        }
        let ids: Vec<EndpointId> = self.endpoints.keys().cloned().collect();
        let Some(id) = self.dice.pick(&ids).cloned() else { return };
        let now = self.world.state().now;
        self.world.change(&id, |endpoint| {
            let changed = endpoint.enabled(now).or_else(|| endpoint.disabled(now));
            *endpoint = changed.expect("one of the two");
        });
        self.note(format!("{id} is switched"));
    }

    /// Sweeper or daily, perhaps killed; then whoever was disabled must have deserved it.
    fn look_after(
        &mut self,
        mut visit: impl FnMut(&World) -> bool,
        tries: u32,
    ) -> Result<(), Box<Violation>> {
        self.remember();
        for _ in 0..tries {
            self.light_fuse();
            let done = visit(&self.world);
            self.world.fuse().blow_at(None);
            self.may_be_disabled().map_err(|what| self.violation(what))?;
            if done {
                break;
            }
            let later = self.world.state().now + Duration::from_secs(120);
            self.world.pass_until(later);
        }
        Ok(())
    }

    fn remember(&mut self) {
        let state = self.world.state();
        for endpoint in &state.endpoints {
            let disabled = endpoint.state != EndpointState::Enabled;
            let known = Known { enabled_at: endpoint.enabled_at, disabled };
            self.known.insert(endpoint.id.clone(), known);
        }
    }

    /// Nobody is disabled who does not deserve it.
    fn may_be_disabled(&mut self) -> Result<(), String> {
        let state = self.world.state();
        let mut stories = Vec::new();
        for endpoint in &state.endpoints {
            let EndpointState::Disabled { reason: DisabledReason::Failing, at } = endpoint.state
            else {
                continue;
            };
            let known = self.known.get_mut(&endpoint.id).ok_or("unknown")?;
            if std::mem::replace(&mut known.disabled, true) {
                continue;
            }
            stories.push(format!("{} is disabled", endpoint.id));
            let before = Endpoint { enabled_at: known.enabled_at, ..endpoint.clone() };
            deserved(&state, &before, at)?;
        }
        drop(state);
        stories.into_iter().for_each(|line| self.note(line));
        Ok(())
    }

    /// Whoever has failed throughout for the time and a day, with a failure in every 24 hours, is
    /// disabled.
    fn must_be_disabled(&self) -> Result<(), String> {
        let state = self.world.state();
        let now = state.now;
        for endpoint in state.endpoints.iter().filter(|e| e.state == EndpointState::Enabled) {
            let mut attempts: Vec<(Timestamp, bool)> = state
                .deliveries
                .values()
                .filter(|d| *d.id.endpoint() == endpoint.id)
                .flat_map(|d| &d.attempts)
                .filter(|attempt| attempt.trigger == Trigger::Schedule)
                .map(|attempt| (attempt.at, attempt.answer.outcome == Outcome::Succeeded))
                .filter(|(at, _)| *at > endpoint.enabled_at)
                .collect();
            attempts.sort();
            let good = attempts.iter().rposition(|(_, succeeded)| *succeeded);
            let (before, streak) = attempts.split_at(good.map_or(0, |at| at + 1));
            // A failure within a step of one before the success is not recorded.
            let failed_before = before.iter().rfind(|(_, succeeded)| !succeeded);
            let recorded = |at: Timestamp| {
                failed_before.is_none_or(|(failed, _)| at >= *failed + step(DISABLE_AFTER) * 2)
            };
            let first = streak.iter().find(|(at, _)| recorded(*at));
            let (Some((first, _)), Some((last, _))) = (first, streak.last()) else {
                continue;
            };
            let dense = streak.windows(2).all(|pair| pair[1].0.since(pair[0].0) < DAY - HOUR)
                && now.since(*last) < DAY - HOUR;
            let late = if self.rates.is_nothing() { Duration::ZERO } else { LATE };
            let due = *first + DISABLE_AFTER + step(DISABLE_AFTER) * HEALTH_MARGIN_STEPS + late;
            if dense && due + DAY < now {
                let (id, health) = (&endpoint.id, endpoint.health);
                return Err(format!("{id} has been failing since {first}: {health:?}"));
            }
        }
        Ok(())
    }

    fn light_fuse(&mut self) {
        let mut state = self.world.state();
        let killed = state.faults.rates[Fault::Killed];
        if killed > 0 && state.faults.dice.chance(killed) {
            let point = u32::try_from(state.faults.dice.below(40)).unwrap_or(0);
            drop(state);
            self.world.fuse().blow_at(Some(point));
        }
    }

    fn note(&mut self, what: String) {
        let now = self.world.state().now;
        self.story.push(format!("{now}  {what}"));
    }

    fn violation(&self, what: String) -> Box<Violation> {
        let mut story: Vec<String> = self
            .endpoints
            .iter()
            .map(|(id, (manner, a_day))| format!("{id}: {manner:?}, {a_day} a day"))
            .collect();
        story.extend(self.story.iter().rev().take(60).rev().cloned());
        Box::new(Violation { seed: self.seed, what, story })
    }
}
