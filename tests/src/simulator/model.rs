//! What must be true, after every step and at rest.
//!
//! What has not changed since it was last found in order is not looked at again; nothing that a
//! rule of an unchanged thing depends on can go away without being noticed itself.

mod rules;

use std::collections::{BTreeMap, BTreeSet};

use domain::delivery::{Attempt, Delivery, FailedReason, Status, Trigger};
use domain::endpoint::EndpointState;
use domain::envelope::{content_hash, derive_event_id, parse_body};
use domain::event::Event;
use domain::ids::{DeliveryId, EndpointId, EventId};
use domain::ports::Announcement;
use domain::schedule::Tier;
use domain::secret::SigningSecrets;

use crate::world::{Post, State, World};

pub(super) use rules::{Holds, ensure};

/// Requests with one attempt number that one delivery may see, whatever goes wrong.
const POSTS_OF_ONE_ATTEMPT: u32 = 6;

/// What a history may expect, by what goes wrong in it.
#[derive(Debug, Clone, Copy)]
pub struct Promises {
    /// Nothing goes wrong: nothing happens twice.
    pub faultless: bool,
    /// Whatever else goes wrong, no wake-up is lost.
    pub wake_ups_stay: bool,
    /// Whoever is at work may be killed.
    pub kills: bool,
    /// No endpoint asks for more time: the schedule is kept to the second.
    pub on_time: bool,
}

/// What has been seen so far.
pub struct Model {
    promises: Promises,
    /// Bodies that ingest took since the last look.
    acknowledged: BTreeMap<EventId, BTreeSet<String>>,
    events: BTreeMap<EventId, Event>,
    rejected: usize,
    deliveries: BTreeMap<DeliveryId, Delivery>,
    /// Who is called, and with which event: the delivery.
    called: BTreeMap<(String, String), DeliveryId>,
    posts: usize,
    /// Of them, tests.
    tests: u64,
    announced: usize,
    /// Deliveries and jobs whose end was announced.
    told: BTreeSet<String>,
    /// What messages in the queues are for; each is read once.
    letters: BTreeMap<String, Option<(DeliveryId, Tier)>>,
    secrets: BTreeMap<EndpointId, SigningSecrets>,
    retries: BTreeMap<DeliveryId, BTreeSet<String>>,
    per_attempt: BTreeMap<(DeliveryId, String), u32>,
}

impl Model {
    /// Before anything has happened.
    pub fn new(promises: Promises) -> Self {
        Self {
            promises,
            acknowledged: BTreeMap::new(),
            events: BTreeMap::new(),
            rejected: 0,
            deliveries: BTreeMap::new(),
            called: BTreeMap::new(),
            posts: 0,
            tests: 0,
            announced: 0,
            told: BTreeSet::new(),
            letters: BTreeMap::new(),
            secrets: BTreeMap::new(),
            retries: BTreeMap::new(),
            per_attempt: BTreeMap::new(),
        }
    }

    /// Retries that were ever open.
    pub fn retries(&self) -> u64 {
        let all: usize = self.retries.values().map(BTreeSet::len).sum();
        u64::try_from(all).unwrap_or(u64::MAX)
    }

    /// Test events that endpoints received.
    pub fn tests(&self) -> u64 {
        self.tests
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
        self.hear(&state);
        self.check_events(&state)?;
        let changed = self.changed(&state);
        changed.iter().for_each(|delivery| self.note(delivery));
        self.check_posts(&state)?;
        rules::check_jobs(&state, &self.told)?;
        rules::check_secrets(&state, &mut self.secrets)?;
        if self.promises.wake_ups_stay {
            rules::check_awaited(&state, &mut self.letters, self.promises.kills)?;
        }
        for delivery in &changed {
            self.check_delivery(delivery)?;
        }
        for delivery in changed {
            self.deliveries.insert(delivery.id.clone(), delivery.clone());
        }
        ensure(self.deliveries.len() == state.deliveries.len(), || "a delivery is gone".into())
    }

    /// What was announced since the last look.
    fn hear(&mut self, state: &State) {
        let about = |a: &Announcement| match a.name {
            "delivery.failed" => a.detail["delivery_id"].as_str().map(ToOwned::to_owned),
            "recovery.finished" => a.detail["recovery_id"].as_str().map(ToOwned::to_owned),
            _ => None,
        };
        self.told.extend(state.announced[self.announced..].iter().filter_map(about));
        self.announced = state.announced.len();
    }

    /// An event, once stored, keeps all but a payload that is erased; one that was acknowledged is
    /// stored with all its deliveries (the first endpoint always wants it).
    fn check_events(&mut self, state: &State) -> Holds {
        for (id, event) in &state.events {
            match self.events.get_mut(id) {
                Some(known) if known == event => {}
                Some(known) => {
                    let erased = event.erased_at.filter(|_| known.erased_at.is_none());
                    if let Some(at) = erased {
                        known.erase(at);
                    }
                    ensure(known == event, || format!("{id} has changed"))?;
                }
                None => drop(self.events.insert(id.clone(), event.clone())),
            }
        }
        let gone = self.events.len() > state.events.len() || self.rejected > state.rejected.len();
        ensure(!gone, || "an event is gone".into())?;
        self.rejected = state.rejected.len();
        for (id, bodies) in std::mem::take(&mut self.acknowledged) {
            let event =
                state.events.get(&id).ok_or(format!("{id} was acknowledged and is lost"))?;
            bodies.iter().try_for_each(|body| check_taken(state, event, body))?;
        }
        Ok(())
    }

    /// Deliveries that are new, or not as they were.
    fn changed<'s>(&self, state: &'s State) -> Vec<&'s Delivery> {
        let mut known = self.deliveries.values().peekable();
        let is_new = |delivery: &&Delivery| {
            let before = known.next_if(|before| before.id == delivery.id);
            before != Some(*delivery)
        };
        state.deliveries.values().filter(is_new).collect()
    }

    fn note(&mut self, delivery: &Delivery) {
        if !self.deliveries.contains_key(&delivery.id) {
            let host = format!("https://{}.example.com/", &delivery.id.endpoint().as_str()[3..]);
            self.called.insert((delivery.event_id.to_string(), host), delivery.id.clone());
        }
        // One that was opened and made within a step is known by its attempt alone.
        let open = delivery.open_retry.iter().map(|retry| retry.id.to_string());
        let made = delivery.attempts.iter().filter(|a| a.trigger != Trigger::Schedule);
        let mut all = open.chain(made.map(|a| a.at.to_string())).peekable();
        if all.peek().is_some() {
            self.retries.entry(delivery.id.clone()).or_default().extend(all);
        }
    }

    /// No POST for what was final before this step, but for a retry that was open then; never many
    /// for one attempt. A retry may share its number with an attempt of the schedule.
    fn check_posts(&mut self, state: &State) -> Holds {
        for post in &state.posts[self.posts..] {
            if post.header("X-Webhook-Test") == "true" {
                self.tests += 1;
                continue;
            }
            rules::check_signed(state, post)?;
            let delivery = self.delivery_of(state, post)?;
            let known = self.deliveries.get(&delivery.id);
            let before = known.map(|d| d.status);
            let made = |a: &Attempt| a.at == post.at && a.trigger != Trigger::Schedule;
            let retried = known.into_iter().chain([delivery]).any(|d| d.open_retry.is_some())
                || delivery.attempts.iter().any(made);
            ensure(retried || before.is_none_or(Status::is_open), || {
                format!("a POST for {} after it was {before:?}", delivery.id)
            })?;
            let erased = known.is_some_and(|d| d.erased_at.is_some());
            ensure(!erased, || format!("a POST for {} after it was erased", delivery.id))?;
            let attempt = (delivery.id.clone(), post.header("X-Webhook-Attempt").to_owned());
            let count = self.per_attempt.entry(attempt).or_default();
            *count += 1;
            let retries = self.retries.get(&delivery.id).map_or(0, BTreeSet::len);
            let most = if self.promises.faultless { 1 } else { POSTS_OF_ONE_ATTEMPT };
            let most = most * (1 + u32::try_from(retries).unwrap_or(u32::MAX));
            ensure(*count <= most, || format!("{count} POSTs of one attempt of {}", delivery.id))?;
        }
        self.posts = state.posts.len();
        Ok(())
    }

    fn delivery_of<'s>(&self, state: &'s State, post: &Post) -> Result<&'s Delivery, String> {
        let event = post.header("webhook-id").to_owned();
        let found = self.called.get(&(event.clone(), post.request.url.clone()));
        let found = found.and_then(|id| state.deliveries.get(id));
        found.ok_or(format!("a POST for no delivery: {event}"))
    }

    fn check_delivery(&self, now: &Delivery) -> Holds {
        if let Some(before) = self.deliveries.get(&now.id) {
            rules::check_change(before, now)?;
        }
        rules::check_record(now, self.retries.contains_key(&now.id))?;
        rules::check_schedule(now, self.promises.on_time)?;
        let failed = matches!(now.status, Status::Failed(_));
        ensure(!failed || now.notice.is_some() || self.told.contains(now.id.as_str()), || {
            format!("{} failed, and nobody will hear of it", now.id)
        })
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
        for endpoint in &state.endpoints {
            let never_off = endpoint.state == EndpointState::Enabled
                && endpoint.enabled_at == endpoint.created_at;
            let of_it = |d: &&Delivery| never_off && *d.id.endpoint() == endpoint.id;
            for delivery in state.deliveries.values().filter(of_it) {
                let fully = matches!(
                    delivery.status,
                    Status::Succeeded
                        | Status::Failed(FailedReason::Exhausted | FailedReason::Cancelled)
                );
                ensure(fully, || format!("{} is {:?}", delivery.id, delivery.status))?;
            }
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
