//! One event on its way to one endpoint.

use crate::Timestamp;
use crate::event::{Event, FanOut};
use crate::ids::{AccountId, DeliveryId, EventId, JobId, RetryId};
use crate::limits::{BACK_OFF_FIRST_S, RETRY_OPEN_S};
use crate::schedule::Tier;

/// A delivery as it is on record: the truth about one event and one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Derived from endpoint, moment and event.
    pub id: DeliveryId,
    /// Whose it is.
    pub account_id: AccountId,
    /// The event.
    pub event_id: EventId,
    /// The product's own id for the event.
    pub source_id: Option<String>,
    /// The event's name.
    pub event: String,
    /// Where it went last, or would go.
    pub url: Option<String>,
    /// How far it is.
    pub status: Status,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// The attempts kept, oldest first.
    pub attempts: Vec<Attempt>,
    /// All attempts ever committed.
    pub attempt_count: u32,
    /// Scheduled attempts committed; the tier that is open.
    pub scheduled_attempts: Tier,
    /// When the open tier is due; `None` before the first attempt and after the last.
    pub next_attempt_at: Option<Timestamp>,
    /// First scheduled attempt plus the time to give up.
    pub gives_up_at: Option<Timestamp>,
    /// Until when somebody has claimed the open tier.
    pub busy_until: Option<Timestamp>,
    /// Its place in the `due` index, if it waits or must be finished.
    pub due_at: Option<Timestamp>,
    /// The sweeper's last wait before waking it again, in seconds.
    pub back_off_s: Option<u32>,
    /// What must still be announced.
    pub notice: Option<Notice>,
    /// The retry that was asked for and not made yet: one at a time.
    pub open_retry: Option<OpenRetry>,
    /// The recovery that took this delivery on last.
    pub job_id: Option<JobId>,
    /// When the answers on it were erased, together with the event's payload. None is kept after.
    pub erased_at: Option<Timestamp>,
}

/// A retry that somebody asked for (design 3.5). It is on record, and in `due`, before its wake-up
/// is sent; the commit of its attempt takes it away, so that a doubled wake-up finds nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRetry {
    /// Its name.
    pub id: RetryId,
    /// Who asked.
    pub by: RetryBy,
    /// When.
    pub opened_at: Timestamp,
    /// Until when somebody has claimed it.
    pub busy_until: Option<Timestamp>,
}

/// Who asked for a retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryBy {
    /// A person, for this delivery.
    Manual,
    /// A recovery, for many.
    Recover(JobId),
}

impl RetryBy {
    /// What stands beside the attempt.
    pub fn trigger(&self) -> Trigger {
        match self {
            RetryBy::Manual => Trigger::Manual,
            RetryBy::Recover(_) => Trigger::Recover,
        }
    }

    /// The recovery, if it is one.
    pub fn job(&self) -> Option<&JobId> {
        match self {
            RetryBy::Manual => None,
            RetryBy::Recover(job) => Some(job),
        }
    }
}

impl OpenRetry {
    /// When it is closed as not made, for want of anybody who makes it.
    pub fn closes_at(&self) -> Timestamp {
        self.opened_at + std::time::Duration::from_secs(RETRY_OPEN_S)
    }
}

impl Delivery {
    /// As it is first put on record, without attempts.
    pub(crate) fn new(event: &Event, entry: &FanOut, url: Option<String>) -> Self {
        Self {
            id: entry.delivery_id.clone(),
            account_id: event.envelope.account_id.clone(),
            event_id: event.id.clone(),
            source_id: event.envelope.source_id.clone(),
            event: event.envelope.event.clone(),
            url,
            status: if entry.skipped { Status::Skipped } else { Status::Pending },
            created_at: event.accepted_at,
            attempts: Vec::new(),
            attempt_count: 0,
            scheduled_attempts: 0,
            next_attempt_at: None,
            gives_up_at: None,
            busy_until: None,
            due_at: None,
            back_off_s: None,
            notice: None,
            open_retry: None,
            job_id: None,
            erased_at: None,
        }
    }

    /// As it is once `change` has been committed: what the store writes, said in one place for
    /// those who go on with the delivery without reading it again.
    pub fn apply(&mut self, change: &Change) {
        if let Some(attempt) = &change.attempt {
            self.attempts.push(attempt.clone());
            self.attempt_count = self.attempt_count.saturating_add(1);
        }
        if change.resets_back_off() {
            self.back_off_s = None;
        }
        if change.url.is_some() {
            self.url.clone_from(&change.url);
        }
        self.status = change.status;
        self.scheduled_attempts = change.scheduled_attempts;
        self.next_attempt_at = change.next_attempt_at;
        self.gives_up_at = change.gives_up_at;
        self.due_at = change.due_at;
        self.notice = change.notice;
        if change.settles.tier() {
            self.busy_until = None;
        }
        if change.settles.retry() {
            self.open_retry = None;
        }
    }

    /// What a commit must find unchanged.
    pub fn stage(&self) -> Stage {
        Stage {
            status: self.status,
            scheduled_attempts: self.scheduled_attempts,
            retry: self.open_retry.as_ref().map(|retry| retry.id.clone()),
            erased_at: self.erased_at,
        }
    }

    /// The delivery without what endpoints answered.
    pub fn erase(&mut self, at: Timestamp) {
        for attempt in &mut self.attempts {
            attempt.answer.response_body = None;
        }
        self.erased_at = Some(at);
    }

    /// Its place in `due` if the schedule wants it at `scheduled`: an open retry wants it, too.
    pub(crate) fn due_with_retry(&self, scheduled: Option<Timestamp>) -> Option<Timestamp> {
        let retry = self.open_retry.as_ref().map(|retry| retry.opened_at);
        scheduled.into_iter().chain(retry).min()
    }

    /// The claim on the open tier, if it is live.
    pub fn live_claim(&self, now: Timestamp) -> Option<Timestamp> {
        self.busy_until.filter(|until| now < *until)
    }

    /// The sweeper's next wait before it wakes this delivery again.
    pub fn next_back_off_s(&self) -> u32 {
        use crate::limits::BACK_OFF_MAX_S;
        self.back_off_s.map_or(BACK_OFF_FIRST_S, |last| last.saturating_mul(2).min(BACK_OFF_MAX_S))
    }
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// No scheduled attempt yet.
    Pending,
    /// At least one scheduled attempt failed; waiting for the next, or for the end.
    Retrying,
    /// Answered with 2xx.
    Succeeded,
    /// Over, without success.
    Failed(FailedReason),
    /// Not sent: the endpoint was disabled when the event was accepted.
    Skipped,
}

impl Status {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Retrying => "retrying",
            Status::Succeeded => "succeeded",
            Status::Failed(_) => "failed",
            Status::Skipped => "skipped",
        }
    }

    /// As it is written beside the status.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Status::Failed(reason) => Some(reason.as_str()),
            Status::Skipped => Some(FailedReason::EndpointDisabled.as_str()),
            Status::Pending | Status::Retrying | Status::Succeeded => None,
        }
    }

    /// Reads what [`Status::as_str`] and [`Status::reason`] wrote.
    pub fn parse(status: &str, reason: Option<&str>) -> Option<Self> {
        match status {
            "pending" => Some(Status::Pending),
            "retrying" => Some(Status::Retrying),
            "succeeded" => Some(Status::Succeeded),
            "failed" => FailedReason::parse(reason?).map(Status::Failed),
            "skipped" => Some(Status::Skipped),
            _ => None,
        }
    }

    /// Whether scheduled attempts may still be made.
    pub fn is_open(self) -> bool {
        match self {
            Status::Pending | Status::Retrying => true,
            Status::Succeeded | Status::Failed(_) | Status::Skipped => false,
        }
    }

    /// Whether it belongs to the `problem` index.
    pub fn is_problem(self) -> bool {
        match self {
            Status::Retrying | Status::Failed(_) | Status::Skipped => true,
            Status::Pending | Status::Succeeded => false,
        }
    }
}

/// Why a delivery failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedReason {
    /// All attempts made, and the time is up.
    Exhausted,
    /// The endpoint was disabled meanwhile.
    EndpointDisabled,
    /// The endpoint was deleted meanwhile.
    EndpointDeleted,
    /// A person cancelled it.
    Cancelled,
}

impl FailedReason {
    const ALL: [Self; 4] =
        [Self::Exhausted, Self::EndpointDisabled, Self::EndpointDeleted, Self::Cancelled];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            FailedReason::Exhausted => "exhausted",
            FailedReason::EndpointDisabled => "endpoint_disabled",
            FailedReason::EndpointDeleted => "endpoint_deleted",
            FailedReason::Cancelled => "cancelled",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// The part of a delivery that a commit is conditional on, and nothing else (design 3.2, decision
/// 0009 for the retry, 0016 for the erasure).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The status read.
    pub status: Status,
    /// The scheduled attempts read.
    pub scheduled_attempts: Tier,
    /// The open retry read.
    pub retry: Option<RetryId>,
    /// The erasure read.
    pub erased_at: Option<Timestamp>,
}

/// One POST and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Position among the delivery's attempts, from 1, as sent in `X-Webhook-Attempt`.
    pub number: u32,
    /// Who wanted it.
    pub trigger: Trigger,
    /// When it began.
    pub at: Timestamp,
    /// What came of it.
    pub answer: Answer,
}

/// Who wanted an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The schedule.
    Schedule,
    /// A person, with Retry Now.
    Manual,
    /// A recovery of many deliveries.
    Recover,
    /// A person, with a test event. No delivery ever has one on record.
    Test,
}

impl Trigger {
    const ALL: [Self; 4] = [Self::Schedule, Self::Manual, Self::Recover, Self::Test];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Trigger::Schedule => "schedule",
            Trigger::Manual => "manual",
            Trigger::Recover => "recover",
            Trigger::Test => "test",
        }
    }

    /// Reads the spelling of [`Trigger::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.as_str() == text)
    }
}

/// What came of a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its class.
    pub outcome: Outcome,
    /// The status code, if an answer with one arrived.
    pub http_status: Option<u16>,
    /// The first 1,024 bytes of the answer.
    pub response_body: Option<String>,
    /// A sentence for people, if it failed.
    pub error: Option<String>,
    /// Milliseconds from its beginning to its end.
    pub duration_ms: u64,
    /// Milliseconds to the answer's first byte.
    pub first_byte_ms: Option<u64>,
    /// What a 429 or 503 asked for, in seconds. Not kept on record.
    pub retry_after_s: Option<u64>,
}

/// The class of an answer. The spelling is part of the contract (design 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// 2xx.
    Succeeded,
    /// Any other status, redirects included.
    HttpStatus,
    /// No complete answer within the deadline.
    Timeout,
    /// Nothing listens there.
    ConnectionRefused,
    /// The connection broke.
    ConnectionReset,
    /// The name has no address.
    Dns,
    /// No trustworthy encryption.
    Tls,
    /// No way to the address.
    NetworkUnreachable,
    /// An address the sender must not call.
    BlockedAddress,
    /// The answer is not HTTP.
    ProtocolError,
}

impl Outcome {
    /// Every class.
    pub const ALL: [Outcome; 10] = [
        Outcome::Succeeded,
        Outcome::HttpStatus,
        Outcome::Timeout,
        Outcome::ConnectionRefused,
        Outcome::ConnectionReset,
        Outcome::Dns,
        Outcome::Tls,
        Outcome::NetworkUnreachable,
        Outcome::BlockedAddress,
        Outcome::ProtocolError,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::HttpStatus => "http_status",
            Outcome::Timeout => "timeout",
            Outcome::ConnectionRefused => "connection_refused",
            Outcome::ConnectionReset => "connection_reset",
            Outcome::Dns => "dns",
            Outcome::Tls => "tls",
            Outcome::NetworkUnreachable => "network_unreachable",
            Outcome::BlockedAddress => "blocked_address",
            Outcome::ProtocolError => "protocol_error",
        }
    }

    /// Reads the spelling of [`Outcome::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }

    /// The class of a complete answer.
    pub fn of_status(status: u16) -> Self {
        if (200..300).contains(&status) { Outcome::Succeeded } else { Outcome::HttpStatus }
    }
}

/// What must be announced about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// It failed for good.
    DeliveryFailed,
}

impl Notice {
    /// As it is written, and the event's name on the bus.
    pub fn as_str(self) -> &'static str {
        match self {
            Notice::DeliveryFailed => "delivery.failed",
        }
    }

    /// Reads the spelling of [`Notice::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        (text == Notice::DeliveryFailed.as_str()).then_some(Notice::DeliveryFailed)
    }
}

/// What a commit writes. Everything named here is set, or removed where it is `None`; but a URL
/// that is `None` stays as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Appended to the attempts, and counted.
    pub attempt: Option<Attempt>,
    /// Where it went, if an attempt was made.
    pub url: Option<String>,
    /// The new status.
    pub status: Status,
    /// The scheduled attempts from now on.
    pub scheduled_attempts: Tier,
    /// What is over with it.
    pub settles: Settles,
    /// See [`Delivery::next_attempt_at`].
    pub next_attempt_at: Option<Timestamp>,
    /// See [`Delivery::gives_up_at`].
    pub gives_up_at: Option<Timestamp>,
    /// See [`Delivery::due_at`].
    pub due_at: Option<Timestamp>,
    /// See [`Delivery::notice`].
    pub notice: Option<Notice>,
}

impl Change {
    /// Whether the sweeper's back-off begins anew: a scheduled attempt was made, or nothing that
    /// it could wake is left.
    pub fn resets_back_off(&self) -> bool {
        let scheduled = self.attempt.as_ref().is_some_and(|a| a.trigger == Trigger::Schedule);
        scheduled || (self.settles.retry() && !self.status.is_open())
    }
}

/// What a change is the end of, and whose claim it therefore clears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settles {
    /// The open tier; an open retry stays as it was.
    Tier,
    /// The open retry; a claim on the open tier stays as it was.
    Retry,
    /// Both.
    Both,
    /// Neither: an attempt that is only put on record.
    Nothing,
}

impl Settles {
    /// Whether the claim on the open tier goes.
    pub fn tier(self) -> bool {
        matches!(self, Settles::Tier | Settles::Both)
    }

    /// Whether the open retry goes.
    pub fn retry(self) -> bool {
        matches!(self, Settles::Retry | Settles::Both)
    }
}
