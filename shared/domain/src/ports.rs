//! What the use cases need from the outside. Each port is narrow, and says what its
//! implementations MUST do; the adapters for AWS and the memory versions of the tests are held to
//! it by the same conformance suite.
//!
//! Every call MUST end within a limit of its own, and MUST be safe to make again after an error:
//! an error means "perhaps it happened".

mod health;
mod mails;
mod management;
mod pace;
mod upkeep;

use std::future::Future;
use std::time::Duration;

use crate::Timestamp;
use crate::delivery::{Answer, Change, Delivery, Notice, OpenRetry, Stage, Status};
use crate::endpoint::Endpoint;
use crate::envelope::Rejection;
use crate::event::Event;
use crate::ids::{AccountId, DeliveryId, EndpointId, EventId, RetryId};
use crate::schedule::{Roll, Tier};
use crate::secret::SigningSecrets;
use crate::wakeup::{Call, Lane, WakeUp};

pub use health::EndpointHealth;
pub use mails::Mails;
pub use management::{
    ApiKeys, ApiMemory, Begun, CallWindow, DeliveryLog, EndpointKey, Fresh, JobEntry, Jobs, Page,
    PortalLinks, Registry, Reservation, TestRunner,
};
pub use pace::{Line, Pace};
pub use upkeep::{Audits, Backlog, DeadLetter, DeadLetters, Dlq, Metrics, Pause, Scanned};

/// A call that failed, or may have. The text is for the log and holds neither payload nor secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {cause}")]
pub struct PortError {
    /// Which call, such as `deliveries.commit`.
    pub call: &'static str,
    /// What went wrong.
    pub cause: String,
}

impl PortError {
    /// A failed call.
    pub fn new(call: &'static str, cause: impl std::fmt::Display) -> Self {
        Self { call, cause: cause.to_string() }
    }
}

/// What a port answers.
pub type PortResult<T> = Result<T, PortError>;

/// Registered endpoints.
pub trait Endpoints: Sync {
    /// Every endpoint of an account, disabled and deleted ones included. MUST see every
    /// registration that was answered before the call began.
    fn of_account(
        &self,
        account: &AccountId,
    ) -> impl Future<Output = PortResult<Vec<Endpoint>>> + Send;

    /// One endpoint. MUST see every change that was answered before the call began.
    fn endpoint(
        &self,
        account: &AccountId,
        id: &EndpointId,
    ) -> impl Future<Output = PortResult<Option<Endpoint>>> + Send;
}

/// Endpoint secrets: only the sender reads them, and the API, to rotate them.
pub trait Secrets: Sync {
    /// What an endpoint signs with. MUST see every change that was answered before.
    fn secrets(
        &self,
        id: &EndpointId,
    ) -> impl Future<Output = PortResult<Option<SigningSecrets>>> + Send;
}

/// What came of storing an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// It is new, and is what was given.
    New,
    /// There is one with this id already, and this is it.
    Existing(Box<Event>),
}

/// Accepted events.
pub trait Events: Sync {
    /// Stores an event unless one with its id exists. MUST be atomic: of two callers with one id,
    /// exactly one is told [`Stored::New`], and both know the same fan-out afterwards.
    fn store(&self, event: &Event) -> impl Future<Output = PortResult<Stored>> + Send;

    /// An event. MUST find one whose [`Events::store`] was answered before the call began.
    fn event(&self, id: &EventId) -> impl Future<Output = PortResult<Option<Event>>> + Send;

    /// Erases an event's payload, see [`Event::erase`]; everything else stays. MUST be safe to
    /// repeat: the first time counts. False if there is no such event.
    fn erase_payload(
        &self,
        id: &EventId,
        at: Timestamp,
    ) -> impl Future<Output = PortResult<bool>> + Send;
}

/// An entry of the `due` index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueEntry {
    /// Which delivery.
    pub id: DeliveryId,
    /// Its place in the index.
    pub due_at: Timestamp,
}

/// One page of the `due` index, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuePage {
    /// At most as many as were asked for.
    pub entries: Vec<DueEntry>,
    /// Where to go on, if there may be more.
    pub next: Option<DueEntry>,
}

/// Delivery records.
pub trait Deliveries: Sync {
    /// Stores a delivery unless it exists. Answers the status on record: the given one if it is
    /// new. MUST never change an existing record.
    fn create(&self, delivery: &Delivery) -> impl Future<Output = PortResult<Status>> + Send;

    /// A delivery. MUST see every write that was answered before the call began.
    fn delivery(
        &self,
        id: &DeliveryId,
    ) -> impl Future<Output = PortResult<Option<Delivery>>> + Send;

    /// Claims the open tier until `until`. MUST be atomic: true only if the delivery is open at
    /// `tier` and no claim is live at `now`.
    fn claim(
        &self,
        id: &DeliveryId,
        tier: Tier,
        until: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = PortResult<bool>> + Send;

    /// Opens a retry and puts the delivery into `due` at the moment it was opened; a recovery's is
    /// noted as the one that took the delivery on. MUST be atomic: true only if the delivery exists,
    /// has no open retry, and was not taken on by this same recovery before.
    fn open_retry(
        &self,
        id: &DeliveryId,
        retry: &OpenRetry,
    ) -> impl Future<Output = PortResult<bool>> + Send;

    /// Claims the open retry until `until`. MUST be atomic: true only if the retry is open and no
    /// claim on it is live at `now`.
    fn claim_retry(
        &self,
        id: &DeliveryId,
        retry: &RetryId,
        until: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = PortResult<bool>> + Send;

    /// Writes a change, and clears what it settles; see [`Change::resets_back_off`], too.
    /// MUST be atomic: true only if the delivery was at `expected`, otherwise nothing changes.
    fn commit(
        &self,
        id: &DeliveryId,
        expected: &Stage,
        change: &Change,
    ) -> impl Future<Output = PortResult<bool>> + Send;

    /// Erases the answers on a delivery, see [`Delivery::erase`]. MUST be atomic: true only if its
    /// stage and its number of attempts are those of `was`.
    fn erase_answers(
        &self,
        was: &Delivery,
        at: Timestamp,
    ) -> impl Future<Output = PortResult<bool>> + Send;

    /// One page of a `due` shard: entries not later than `until`, oldest first. MAY lag behind
    /// writes; whoever acts on an entry reads the delivery first.
    fn due(
        &self,
        shard: u8,
        until: Timestamp,
        after: Option<&DueEntry>,
        limit: usize,
    ) -> impl Future<Output = PortResult<DuePage>> + Send;

    /// Moves an entry of `due`, and notes the wait. MUST be atomic: true only if it still stood
    /// at `entry.due_at`.
    fn back_off(
        &self,
        entry: &DueEntry,
        to: Timestamp,
        back_off_s: u32,
    ) -> impl Future<Output = PortResult<bool>> + Send;

    /// Puts a delivery that is not final into `due`. MUST be atomic: true only if it was open and
    /// in no place of the index; one that stands there keeps its place and its back-off.
    fn enter_due(
        &self,
        id: &DeliveryId,
        at: Timestamp,
    ) -> impl Future<Output = PortResult<bool>> + Send;

    /// Puts a delivery that must wait into `due`, or its entry to another place. MUST be atomic:
    /// true only if the delivery was at `expected`.
    fn put_off(
        &self,
        id: &DeliveryId,
        expected: &Stage,
        due_at: Timestamp,
    ) -> impl Future<Output = PortResult<bool>> + Send;

    /// Takes a finished delivery out of `due`, and with it the notice that was announced. MUST be
    /// atomic: true only if the delivery is final, has no open retry, and its notice is still
    /// `announced`.
    fn take_out(
        &self,
        id: &DeliveryId,
        announced: Option<Notice>,
    ) -> impl Future<Output = PortResult<bool>> + Send;

    /// Takes away the notice that was announced and nothing else. MUST be atomic: true only if
    /// the notice is still this one.
    fn announced(
        &self,
        id: &DeliveryId,
        notice: Notice,
    ) -> impl Future<Output = PortResult<bool>> + Send;
}

/// A wake-up on its way into a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Which queue.
    pub lane: Lane,
    /// What it says.
    pub call: Call,
    /// Seconds until it may be received, at most 900.
    pub delay_s: u32,
}

impl Outgoing {
    /// On the queue it belongs to.
    pub fn new(call: impl Into<Call>, delay_s: u32) -> Self {
        let call = call.into();
        Self { lane: call.lane(), call, delay_s }
    }
}

/// Sends one wake-up.
///
/// # Errors
/// What the queue answered.
pub async fn send_one(queues: &impl WakeUps, outgoing: Outgoing) -> PortResult<()> {
    let answer = queues.send(&[outgoing]).await.pop();
    answer.unwrap_or_else(|| Err(PortError::new("wake_ups.send", "no answer for the message")))
}

/// The queues of wake-ups.
pub trait WakeUps: Sync {
    /// Sends wake-ups in as few requests as count and size allow. MUST answer for each one, in
    /// the order given; a failed one MUST NOT keep the others back.
    fn send(&self, wake_ups: &[Outgoing]) -> impl Future<Output = Vec<PortResult<()>>> + Send;
}

/// What came of asking for a one-time schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheduled {
    /// It will fire at the moment asked for, or up to a second later.
    Created,
    /// One of that name is there already.
    Exists,
    /// The moment is not in the future.
    Past,
    /// Too many requests, or too many schedules.
    Throttled,
    /// A time-out, or an error of theirs: perhaps it was created.
    Unclear(String),
}

/// One-time schedules into the retry queue.
pub trait Scheduler: Sync {
    /// Asks for a wake-up at a moment, under [`WakeUp::schedule_name`]; it deletes itself once it
    /// fired. MUST NOT fire early. A refusal (no permission, bad request) is an error, never one
    /// of the answers.
    fn schedule(
        &self,
        wake_up: &WakeUp,
        at: Timestamp,
    ) -> impl Future<Output = PortResult<Scheduled>> + Send;
}

/// The customers' side of the network.
pub trait Receiver: Sync {
    /// POSTs a request. MUST end within `timeout`, follow no redirect, read at most
    /// [`crate::limits::RESPONSE_BODY_READ_BYTES`] of the answer, and tell every failure as an
    /// [`Answer`]: the outside world has no errors, only outcomes.
    fn post(
        &self,
        request: &crate::webhook::WebhookRequest,
        timeout: Duration,
    ) -> impl Future<Output = Answer> + Send;

    /// The same. Whenever there is no answer after `patience`, MUST run `silent` to its end, beside
    /// the request; `timeout` is for the request alone.
    fn post_watched(
        &self,
        request: &crate::webhook::WebhookRequest,
        timeout: Duration,
        patience: Duration,
        silent: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = Answer> + Send;
}

/// What was refused, on its way to `RejectedQueue`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The original bytes.
    pub original: String,
    /// Why.
    pub rejection: Rejection,
    /// The SQS message it came in.
    pub source_message_id: String,
    /// Its position there; `None` if the whole body is refused.
    pub index: Option<usize>,
}

/// The queue of refused events.
pub trait Rejected: Sync {
    /// Sends refused elements, in as few requests as count and size allow. MUST answer for each
    /// one, in the order given.
    fn reject(&self, refused: &[Refused]) -> impl Future<Output = Vec<PortResult<()>>> + Send;
}

/// Something announced on the bus (design 4.9).
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    /// Stable: the same fact has the same id, however often it is announced.
    pub id: String,
    /// The event's name on the bus, such as `delivery.failed`.
    pub name: &'static str,
    /// When it happened.
    pub at: Timestamp,
    /// What is said about it; holds neither payload nor secret.
    pub detail: serde_json::Map<String, serde_json::Value>,
}

/// The bus for operational events.
pub trait Bus: Sync {
    /// Announces, in as few requests as possible. MUST answer for each one, in the order given.
    fn announce(
        &self,
        announcements: &[Announcement],
    ) -> impl Future<Output = Vec<PortResult<()>>> + Send;
}

/// The clock.
pub trait Clock: Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The dice.
pub trait Dice: Sync {
    /// A fair throw.
    fn roll(&self) -> Roll;
}
