//! An attempt, and what came of it.

use crate::Timestamp;

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
