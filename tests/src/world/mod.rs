//! Every port in memory, with a clock that jumps to the next deadline.

mod audit;
mod dice;
mod faults;
mod fuse;
mod health;
mod jobs;
mod management;
mod ports;
mod steps;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::Timestamp;
use domain::api_key::ApiKeyRecord;
use domain::audit::Audit;
use domain::delivery::{Answer, Delivery, Outcome};
use domain::endpoint::{Endpoint, EndpointState, EventPattern};
use domain::event::Event;
use domain::health::Health;
use domain::ids::{AccountId, DeliveryId, EndpointId, EventId, JobId};
use domain::job::Job;
use domain::mail::Mail;
use domain::metric::Metric;
use domain::portal::PortalLink;
use domain::ports::{Announcement, DeadLetter, Refused, Reservation};
use domain::schedule::RetrySchedule;
use domain::secret::{Secret, SigningSecrets};
use domain::wakeup::Lane;
use domain::webhook::WebhookRequest;

pub use dice::Dice;
pub use faults::{Fault, Faults, PerFault};
pub use fuse::{Fuse, run, run_side_by_side};
pub use health::words;
pub use upkeep::Dead;

/// When every world begins.
pub const START: &str = "2026-06-07T09:39:00.000Z";

/// A world; clones share it.
#[derive(Clone)]
pub struct World(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    fuse: Fuse,
}

/// Everything there is in a world.
pub struct State {
    /// The latest audit.
    pub audit: Option<Audit>,
    /// Figures told.
    pub metrics: Vec<(Metric, u64)>,
    /// The clock.
    pub now: Timestamp,
    /// Registered endpoints.
    pub endpoints: Vec<Endpoint>,
    /// What they sign with.
    pub secrets: BTreeMap<EndpointId, SigningSecrets>,
    /// Accepted events.
    pub events: BTreeMap<EventId, Event>,
    /// Delivery records.
    pub deliveries: BTreeMap<DeliveryId, Delivery>,
    /// Wake-ups in the queues.
    pub queued: Vec<Queued>,
    /// Messages in the dead-letter queues.
    pub dead: Vec<Dead>,
    /// Events the sweeper has sent back to their queue.
    pub events_sent_back: Vec<DeadLetter>,
    /// One-time schedules, by name.
    pub schedules: BTreeMap<String, (Timestamp, String)>,
    /// What was refused.
    pub rejected: Vec<Refused>,
    /// What was mailed.
    pub mails: Vec<Mail>,
    /// What was announced.
    pub announced: Vec<Announcement>,
    /// What endpoints received.
    pub posts: Vec<Post>,
    /// What endpoints answer.
    pub receiver: Box<dyn FnMut(&Post) -> Answer + Send>,
    /// The dice of the use cases: what every throw shows.
    pub roll: u64,
    /// Until when somebody has reserved the telling of an endpoint's notices.
    pub telling: BTreeMap<EndpointId, Timestamp>,
    /// The lines of endpoints with a rate: when the next place is free.
    pub lines: BTreeMap<String, Timestamp>,
    /// API keys, by id.
    pub api_keys: BTreeMap<String, ApiKeyRecord>,
    /// Calls counted, by window.
    pub calls: BTreeMap<String, u32>,
    /// Idempotency keys.
    pub reservations: BTreeMap<String, Reservation>,
    /// Portal links, by id.
    pub links: BTreeMap<String, PortalLink>,
    /// Recoveries and cancellations, by id.
    pub jobs: BTreeMap<JobId, Job>,
    /// What goes wrong.
    pub faults: Faults,
    /// By how much the clock of whoever is at work is off, in milliseconds.
    pub skew_ms: i64,
    /// How long an endpoint may fail.
    pub disable_after: Duration,
    /// While two are at work, time may pass for one of them until then: no attempt takes longer.
    pub(crate) patience_ends: Option<Timestamp>,
    interference: Option<Interference>,
    failing_call: Option<&'static str>,
    /// The longest wait left to SQS, in seconds.
    pub sqs_delay_max_s: u32,
    /// Whether the clock moves while a request is made. Requests of one batch are made at the
    /// same time, and would otherwise add up: claims would run out that hold in reality.
    pub requests_take_time: bool,
    next_message: u64,
    next_fresh: u32,
    next_batch: u32,
}

/// What somebody else does just before a call.
type Interference = (&'static str, Box<dyn FnOnce(&mut State) + Send>);

/// A message in a queue of wake-ups.
#[derive(Debug, Clone)]
pub struct Queued {
    /// Which queue.
    pub lane: Lane,
    /// What it says.
    pub body: String,
    /// When it can be received.
    pub at: Timestamp,
    /// How often it has been received.
    pub received: u32,
    /// SQS's id.
    pub id: String,
}

/// A request as an endpoint received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// When.
    pub at: Timestamp,
    /// Everything in it.
    pub request: WebhookRequest,
}

impl Post {
    /// A header's value.
    pub fn header(&self, name: &str) -> &str {
        let found = self.request.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// An empty world; its receivers answer 200.
    pub fn new() -> Self {
        let state = State {
            audit: None,
            metrics: Vec::new(),
            now: Timestamp::parse(START).expect("valid"),
            endpoints: Vec::new(),
            secrets: BTreeMap::new(),
            events: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            queued: Vec::new(),
            dead: Vec::new(),
            events_sent_back: Vec::new(),
            schedules: BTreeMap::new(),
            rejected: Vec::new(),
            mails: Vec::new(),
            announced: Vec::new(),
            posts: Vec::new(),
            receiver: Box::new(|_| answer(200)),
            roll: 0,
            telling: BTreeMap::new(),
            lines: BTreeMap::new(),
            api_keys: BTreeMap::new(),
            calls: BTreeMap::new(),
            reservations: BTreeMap::new(),
            links: BTreeMap::new(),
            jobs: BTreeMap::new(),
            faults: Faults::default(),
            skew_ms: 0,
            disable_after: DISABLE_AFTER,
            patience_ends: None,
            interference: None,
            failing_call: None,
            sqs_delay_max_s: 900,
            requests_take_time: true,
            next_message: 0,
            next_fresh: 0,
            next_batch: 0,
        };
        Self(Arc::new(Shared { state: Mutex::new(state), fuse: Fuse::default() }))
    }

    /// Everything there is; hold it briefly.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fuse of all ports.
    pub fn fuse(&self) -> &Fuse {
        &self.0.fuse
    }

    /// Registers an endpoint of account `acct_42`.
    pub fn register(&self, id: &str, event_types: &[&str]) -> EndpointId {
        let now = self.state().now;
        let id = EndpointId::parse(id).expect("valid");
        let pattern = |text: &&str| EventPattern::parse(text).expect("valid");
        let endpoint = Endpoint {
            id: id.clone(),
            account_id: AccountId::parse("acct_42").expect("valid"),
            url: format!("https://{}.example.com/", &id.as_str()[3..]),
            event_types: event_types.iter().map(pattern).collect(),
            product: None,
            platform_id: None,
            description: None,
            alert_email: "owner@example.com".into(),
            headers: Vec::new(),
            max_per_second: None,
            state: EndpointState::Enabled,
            shards: 1,
            enabled_at: now,
            created_at: now,
            updated_at: now,
            health: Health::default(),
            silent_until: None,
            notices: BTreeSet::new(),
        };
        let current = Secret::from_random([7; 24]);
        let mut state = self.state();
        state.endpoints.push(endpoint);
        state.secrets.insert(id.clone(), SigningSecrets { current, previous: None });
        id
    }

    /// Has somebody else be faster, once: just before the next call of this name.
    pub fn before(&self, name: &'static str, other: impl FnOnce(&mut State) + Send + 'static) {
        self.state().interference = Some((name, Box::new(other)));
    }

    /// Has the next call of this name be refused, once.
    pub fn fail_next(&self, name: &'static str) {
        self.state().failing_call = Some(name);
    }

    /// Changes a registered endpoint.
    pub fn change(&self, id: &EndpointId, change: impl FnOnce(&mut Endpoint)) {
        change(self.state().endpoints.iter_mut().find(|e| e.id == *id).expect("registered"));
    }

    /// What endpoints answer from now on, given the request and how many came before it.
    pub fn answers(&self, mut receiver: impl FnMut(&Post, usize) -> Answer + Send + 'static) {
        let mut seen = 0;
        self.state().receiver = Box::new(move |post| {
            seen += 1;
            receiver(post, seen - 1)
        });
    }

    /// The only delivery there is.
    #[track_caller]
    pub fn only_delivery(&self) -> Delivery {
        let state = self.state();
        assert_eq!(state.deliveries.len(), 1);
        state.deliveries.values().next().expect("just counted").clone()
    }
}

/// An answer with this status, after 40 ms.
pub fn answer(status: u16) -> Answer {
    Answer {
        outcome: Outcome::of_status(status),
        http_status: Some(status),
        response_body: Some(format!("status {status}")),
        error: None,
        duration_ms: 40,
        first_byte_ms: Some(39),
        retry_after_s: None,
    }
}

/// The documented schedule.
pub fn documented_schedule() -> RetrySchedule {
    RetrySchedule::new(&[300, 1_800, 7_200, 28_800], 86_400).expect("fits")
}

/// Retention of every world.
pub const RETENTION: Duration = Duration::from_secs(30 * 86_400);

/// How long an endpoint may fail, unless a world says otherwise: the documented time.
pub const DISABLE_AFTER: Duration = Duration::from_secs(7 * 86_400);

/// Far enough for any batch.
const FAR: Duration = Duration::from_secs(10_000_000);
