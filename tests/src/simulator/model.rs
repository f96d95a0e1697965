//! What must be true, after every step and at rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::delivery::{Attempt, Delivery, FailedReason, Outcome, Status, Trigger};
use domain::envelope::{content_hash, derive_event_id, parse_body};
use domain::event::Event;
use domain::ids::{DeliveryId, EventId};
use domain::job::JobState;
use domain::limits::EARLY_MS;
use domain::ports::Announcement;
use domain::wakeup::{Call, WakeUp};

use super::history::SKEW_MS;
use crate::world::{Post, Queued, State, World};

/// Requests with one attempt number that one delivery may see, whatever goes wrong.
const POSTS_OF_ONE_ATTEMPT: u32 = 6;
const DELAYS_S: [u64; 4] = [300, 1_800, 7_200, 28_800];

/// What has been seen so far.
pub struct Model {
    faultless: bool,
    wake_ups_stay: bool,
    acknowledged: BTreeMap<EventId, BTreeSet<String>>,
    events: BTreeMap<EventId, Event>,
    deliveries: BTreeMap<DeliveryId, Delivery>,
    posts: usize,
    retries: BTreeMap<DeliveryId, BTreeSet<String>>,
    per_attempt: BTreeMap<(DeliveryId, String), u32>,
}

type Holds = Result<(), String>;

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Holds {
    if holds { Ok(()) } else { Err(otherwise()) }
}

impl Model {
    /// `wake_ups_stay`: whatever else goes wrong, no wake-up is lost.
    pub fn new(faultless: bool, wake_ups_stay: bool) -> Self {
        Self {
            faultless,
            wake_ups_stay,
            acknowledged: BTreeMap::new(),
            events: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            posts: 0,
            retries: BTreeMap::new(),
            per_attempt: BTreeMap::new(),
        }
    }

    /// Retries that were ever open.
    pub fn retries(&self) -> u64 {
        let all: usize = self.retries.values().map(BTreeSet::len).sum();
        u64::try_from(all).unwrap_or(u64::MAX)
    }

    /// Ingest has taken responsibility for this body.
    pub fn acknowledged(&mut self, body: &str) {
        for element in parse_body(body) {
            if let Ok(envelope) = element.verdict {
                let bodies = self.acknowledged.entry(derive_event_id(&envelope)).or_default();
                bodies.insert(body.to_owned());
            }
        }
    }

    /// After every step.
    pub fn check(&mut self, world: &World) -> Holds {
        let state = world.state();
        self.check_events(&state)?;
        for delivery in state.deliveries.values() {
            // One that was opened and made within a step is known by its attempt alone.
            let open = delivery.open_retry.iter().map(|retry| retry.id.to_string());
            let made = delivery.attempts.iter().filter(|a| a.trigger != Trigger::Schedule);
            let all: BTreeSet<String> = open.chain(made.map(|a| a.at.to_string())).collect();
            if !all.is_empty() {
                self.retries.entry(delivery.id.clone()).or_default().extend(all);
            }
        }
        self.check_posts(&state)?;
        check_jobs(&state)?;
        if self.wake_ups_stay {
            state.deliveries.values().try_for_each(|delivery| check_awaited(&state, delivery))?;
        }
        for delivery in state.deliveries.values() {
            self.check_delivery(delivery)?;
            check_announced(&state, delivery)?;
        }
        ensure(self.deliveries.keys().all(|id| state.deliveries.contains_key(id)), || {
            "a delivery is gone".into()
        })?;
        self.deliveries.clone_from(&state.deliveries);
        Ok(())
    }

    /// An event, once stored, keeps its fan-out; one that was acknowledged is stored with all its
    /// deliveries (the first endpoint always wants it).
    fn check_events(&mut self, state: &State) -> Holds {
        for (id, event) in &state.events {
            let known = self.events.entry(id.clone()).or_insert_with(|| event.clone());
            ensure(known == event, || format!("{id} has changed"))?;
        }
        for (id, bodies) in &self.acknowledged {
            let event = state.events.get(id).ok_or(format!("{id} was acknowledged and is lost"))?;
            for body in bodies {
                check_taken(state, event, body)?;
            }
        }
        Ok(())
    }

    /// No POST for what was final before this step, but for a retry that was open then; never many
    /// for one attempt. A retry may share its number with an attempt of the schedule.
    fn check_posts(&mut self, state: &State) -> Holds {
        for post in &state.posts[self.posts..] {
            let delivery = delivery_of(state, post)?;
            let known = self.deliveries.get(&delivery.id);
            let before = known.map(|d| d.status);
            let made = |a: &Attempt| a.at == post.at && a.trigger != Trigger::Schedule;
            let retried = known.into_iter().chain([delivery]).any(|d| d.open_retry.is_some())
                || delivery.attempts.iter().any(made);
            ensure(retried || before.is_none_or(Status::is_open), || {
                format!("a POST for {} after it was {before:?}", delivery.id)
            })?;
            let attempt = (delivery.id.clone(), post.header("X-Webhook-Attempt").to_owned());
            let count = self.per_attempt.entry(attempt).or_default();
            *count += 1;
            let retries = self.retries.get(&delivery.id).map_or(0, BTreeSet::len);
            let most = if self.faultless { 1 } else { POSTS_OF_ONE_ATTEMPT };
            let most = most * (1 + u32::try_from(retries).unwrap_or(u32::MAX));
            ensure(*count <= most, || format!("{count} POSTs of one attempt of {}", delivery.id))?;
        }
        self.posts = state.posts.len();
        Ok(())
    }

    fn check_delivery(&self, now: &Delivery) -> Holds {
        let id = &now.id;
        if let Some(before) = self.deliveries.get(id) {
            let stands = match before.status {
                Status::Succeeded => now.status == before.status,
                Status::Skipped | Status::Failed(_) => {
                    now.status == before.status || now.status == Status::Succeeded
                }
                Status::Pending => now.status != Status::Skipped,
                Status::Retrying => !matches!(now.status, Status::Pending | Status::Skipped),
            };
            ensure(stands, || format!("{id} went from {:?} to {:?}", before.status, now.status))?;
            ensure(now.attempts.starts_with(&before.attempts), || format!("{id} lost an attempt"))?;
            ensure(now.scheduled_attempts >= before.scheduled_attempts, || {
                format!("{id} went back")
            })?;
        }
        let is_success = |a: &&Attempt| a.answer.outcome == Outcome::Succeeded;
        let successes = now.attempts.iter().filter(is_success).count();
        let scheduled = now.attempts.iter().filter(|a| a.trigger == Trigger::Schedule);
        let failures = scheduled.filter(|a| !is_success(a)).count();
        ensure(failures <= 5, || format!("{id} has {failures} failed attempts"))?;
        let retried = self.retries.contains_key(id);
        ensure(successes <= 1 || retried, || format!("{id} has {successes} successes"))?;
        ensure((successes > 0) == (now.status == Status::Succeeded), || {
            format!("{id} is {:?} with {successes} successes", now.status)
        })?;
        let exhausted = now.status == Status::Failed(FailedReason::Exhausted);
        ensure(!exhausted || failures == 5, || format!("{id} is exhausted after {failures}"))?;
        let waits = now.status == Status::Retrying;
        let waits = waits || now.notice.is_some() || now.open_retry.is_some();
        ensure(!waits || now.due_at.is_some(), || format!("{id} waits, but not in `due`"))?;
        check_schedule(now)
    }

    /// When nothing moves any more.
    pub fn at_rest(&self, world: &World) -> Holds {
        let state = world.state();
        for event in state.events.values() {
            for entry in &event.fan_out {
                let delivery = state.deliveries.get(&entry.delivery_id);
                let delivery = delivery.ok_or(format!("{} is missing", entry.delivery_id))?;
                ensure(!delivery.status.is_open(), || format!("{} is open", delivery.id))?;
                let retried = self.retries.contains_key(&delivery.id);
                let skipped = delivery.status == Status::Skipped;
                let recovered = retried && entry.skipped && delivery.status == Status::Succeeded;
                ensure(entry.skipped == skipped || recovered, || {
                    format!("{} is {:?}", delivery.id, delivery.status)
                })?;
                ensure(delivery.open_retry.is_none(), || {
                    format!("a retry of {} is still open", delivery.id)
                })?;
            }
        }
        let untouched = "ep_0";
        for delivery in state.deliveries.values() {
            let kept = delivery.id.endpoint().as_str() == untouched;
            let fully = matches!(
                delivery.status,
                Status::Succeeded
                    | Status::Failed(FailedReason::Exhausted | FailedReason::Cancelled)
            );
            ensure(!kept || fully, || format!("{} is {:?}", delivery.id, delivery.status))?;
        }
        Ok(())
    }
}

/// An acknowledged body is the stored event, with all its deliveries on record, or was refused.
fn check_taken(state: &State, event: &Event, body: &str) -> Holds {
    let verdict = parse_body(body).remove(0).verdict.map_err(|r| r.message)?;
    if content_hash(&verdict) != event.content_hash {
        let refused = state.rejected.iter().any(|refused| refused.original == body);
        return ensure(refused, || format!("{body} was acknowledged, neither taken nor refused"));
    }
    event.fan_out.iter().try_for_each(|entry| {
        ensure(state.deliveries.contains_key(&entry.delivery_id), || {
            format!("{} was acknowledged and is lost", entry.delivery_id)
        })
    })
}

/// Each failure is followed by the documented wait, never less (but for a wake-up that may be
/// 2 s early and clocks that differ).
fn check_schedule(delivery: &Delivery) -> Holds {
    let scheduled = delivery.attempts.iter().filter(|a| a.trigger == Trigger::Schedule);
    let scheduled: Vec<_> = scheduled.collect();
    if scheduled.len() != usize::from(delivery.scheduled_attempts) {
        return Ok(()); // the success of an earlier POST, recorded late
    }
    let early_ms = u64::try_from(EARLY_MS).unwrap_or(0) + 2 * SKEW_MS;
    for (pair, delay_s) in scheduled.windows(2).zip(DELAYS_S) {
        let ended = pair[0].at + Duration::from_millis(pair[0].answer.duration_ms);
        let least = ended + Duration::from_secs(delay_s) - Duration::from_millis(early_ms);
        ensure(pair[1].at >= least, || {
            format!("{}: attempt {} came early", delivery.id, pair[1].number)
        })?;
    }
    Ok(())
}

/// Whoever waits for an attempt has a wake-up for it, in a queue or in a schedule.
fn check_awaited(state: &State, delivery: &Delivery) -> Holds {
    let waits = match delivery.status {
        Status::Pending => true,
        Status::Retrying => delivery.next_attempt_at.is_some(),
        Status::Succeeded | Status::Failed(_) | Status::Skipped => false,
    };
    let wanted = WakeUp::fresh(delivery.id.clone(), delivery.scheduled_attempts);
    let is_it = |queued: &Queued| match Call::parse(&queued.body) {
        Ok(Call::Scheduled(wake_up)) => {
            (&wake_up.delivery_id, wake_up.tier) == (&wanted.delivery_id, wanted.tier)
        }
        Ok(Call::Retry(_) | Call::Step(_)) | Err(_) => false,
    };
    let awaited =
        || state.schedules.contains_key(&wanted.schedule_name()) || state.queued.iter().any(is_it);
    ensure(!waits || awaited(), || format!("nothing will wake {}", delivery.id))
}

/// One job of an endpoint at a time; its figures add up; its end is told.
fn check_jobs(state: &State) -> Holds {
    let mut running = BTreeSet::new();
    for job in state.jobs.values() {
        let id = &job.id;
        if job.state == JobState::Running {
            ensure(running.insert(&job.endpoint_id), || {
                format!("two jobs of {} are running", job.endpoint_id)
            })?;
        }
        let names = |a: &Announcement| a.detail.get("recovery_id") == Some(&id.as_str().into());
        let told = || state.announced.iter().any(names);
        let silent = job.state != JobState::Running && !job.notice;
        ensure(!silent || told(), || format!("{id} is over, and nobody will hear of it"))?;
        ensure(job.done() <= job.total, || format!("{id} has done more than there is: {job:?}"))?;
        let all = job.state != JobState::Finished || job.done() == job.total;
        ensure(all, || format!("{id} is finished, {} of {} done", job.done(), job.total))?;
    }
    Ok(())
}

fn check_announced(state: &State, delivery: &Delivery) -> Holds {
    let failed = matches!(delivery.status, Status::Failed(_));
    let told = || {
        let about = |a: &Announcement| a.detail["delivery_id"] == delivery.id.as_str();
        state.announced.iter().any(|a| a.name == "delivery.failed" && about(a))
    };
    ensure(!failed || delivery.notice.is_some() || told(), || {
        format!("{} failed, and nobody will hear of it", delivery.id)
    })
}

fn delivery_of<'s>(state: &'s State, post: &Post) -> Result<&'s Delivery, String> {
    let event = post.header("webhook-id");
    let is_it = |d: &&Delivery| {
        let host = format!("https://{}.example.com/", &d.id.endpoint().as_str()[3..]);
        d.event_id.as_str() == event && post.request.url == host
    };
    state.deliveries.values().find(is_it).ok_or(format!("a POST for no delivery: {event}"))
}
