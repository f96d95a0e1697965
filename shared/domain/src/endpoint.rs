//! A customer's endpoint, and which events it gets.

pub mod change;
pub mod notice;
pub mod register;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::Timestamp;
use crate::envelope::{Envelope, Product, is_event_name};
use crate::health::Health;
use crate::ids::{AccountId, EndpointId};
use crate::limits::EVENT_NAME_CHARS;

use notice::EndpointNotice;

/// A registered endpoint. Its secret is kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Whose it is.
    pub account_id: AccountId,
    /// Where events go.
    pub url: String,
    /// Which events it wants.
    pub event_types: Vec<EventPattern>,
    /// Only events of this product, if set.
    pub product: Option<Product>,
    /// Only events of this platform, if set.
    pub platform_id: Option<String>,
    /// The owner's words.
    pub description: Option<String>,
    /// Where the owner reads mail.
    pub alert_email: String,
    /// Sent along with every request; values are write-only.
    pub headers: Vec<CustomHeader>,
    /// The most requests a second the owner wants.
    pub max_per_second: Option<u32>,
    /// Whether it gets anything at all.
    pub state: EndpointState,
    /// Partitions its deliveries are spread over, at least 1.
    pub shards: u16,
    /// When it last became enabled: at creation or by Enable.
    pub enabled_at: Timestamp,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was last changed by a person.
    pub updated_at: Timestamp,
    /// What is known of its failures.
    pub health: Health,
    /// Until when it stands apart because it kept a request waiting (design 3.8).
    pub silent_until: Option<Timestamp>,
    /// What must still be told about it.
    pub notices: BTreeSet<EndpointNotice>,
}

/// A header the owner wants on every request.
#[derive(Clone, PartialEq, Eq)]
pub struct CustomHeader {
    /// As it is sent.
    pub name: String,
    /// Write-only: never shown, never logged.
    pub value: String,
}

impl std::fmt::Debug for CustomHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomHeader").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether an endpoint gets events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointState {
    /// It does.
    Enabled,
    /// It does not; what it misses is recorded as skipped.
    Disabled {
        /// Who did it.
        reason: DisabledReason,
        /// Since when.
        at: Timestamp,
    },
    /// A tombstone, kept so that reports can still name it.
    Deleted {
        /// Since when.
        at: Timestamp,
    },
}

/// Who disabled an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledReason {
    /// A person.
    Manual,
    /// The suite, after a week of failures.
    Failing,
}

impl DisabledReason {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            DisabledReason::Manual => "manual",
            DisabledReason::Failing => "failing",
        }
    }

    /// Reads the spelling of [`DisabledReason::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Manual, Self::Failing].into_iter().find(|reason| reason.as_str() == text)
    }
}

/// What an endpoint has to do with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Nothing.
    None,
    /// It gets it.
    Send,
    /// It would have got it, but is disabled; recorded.
    Skip,
}

impl Endpoint {
    /// Whether this endpoint gets an event accepted at `now`. One disabled for longer than
    /// `retention` counts as not subscribed (design 1): its records would be gone anyway.
    pub fn interest(&self, event: &Envelope, retention: Duration, now: Timestamp) -> Interest {
        let subscribed = self.account_id == event.account_id
            && self.product.is_none_or(|product| product == event.product)
            && self.platform_id.as_ref().is_none_or(|platform| *platform == event.platform_id)
            && self.event_types.iter().any(|pattern| pattern.matches(&event.event));
        match self.state {
            _ if !subscribed => Interest::None,
            EndpointState::Enabled => Interest::Send,
            EndpointState::Disabled { at, .. } if now.since(at) <= retention => Interest::Skip,
            EndpointState::Disabled { .. } | EndpointState::Deleted { .. } => Interest::None,
        }
    }
}

/// A subscription: a name, `*`, or a prefix such as `email.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventPattern {
    /// Every event.
    All,
    /// Every event below a prefix, itself not included: `email.*` is not `email`.
    Below(String),
    /// One event.
    Exactly(String),
}

/// The text is no subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an event name, a prefix such as \"email.*\", or \"*\"")]
pub struct NotAPattern;

impl EventPattern {
    /// # Errors
    /// [`NotAPattern`] if the text is none of the three forms.
    pub fn parse(text: &str) -> Result<Self, NotAPattern> {
        if text.len() > EVENT_NAME_CHARS {
            return Err(NotAPattern);
        }
        match text.strip_suffix(".*") {
            _ if text == "*" => Ok(Self::All),
            Some(prefix) if is_event_name(prefix) => Ok(Self::Below(prefix.into())),
            None if is_event_name(text) => Ok(Self::Exactly(text.into())),
            Some(_) | None => Err(NotAPattern),
        }
    }

    /// Whether an event of this name is meant.
    pub fn matches(&self, event: &str) -> bool {
        match self {
            Self::All => true,
            Self::Exactly(name) => name == event,
            Self::Below(prefix) => {
                event.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('.'))
            }
        }
    }
}

impl std::fmt::Display for EventPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Below(prefix) => write!(f, "{prefix}.*"),
            Self::Exactly(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::envelope::parse_body;

    pub(crate) fn endpoint(id: &str, event_types: &[&str]) -> Endpoint {
        let at = Timestamp::from_secs(500);
        Endpoint {
            id: EndpointId::parse(id).expect("valid"),
            account_id: AccountId::parse("acct_42").expect("valid"),
            url: "https://hooks.example.com/in".into(),
            event_types: event_types
                .iter()
                .map(|t| EventPattern::parse(t).expect("valid"))
                .collect(),
            product: None,
            platform_id: None,
            description: None,
            alert_email: "owner@example.com".into(),
            headers: Vec::new(),
            max_per_second: None,
            state: EndpointState::Enabled,
            shards: 1,
            enabled_at: at,
            created_at: at,
            updated_at: at,
            health: Health::default(),
            silent_until: None,
            notices: BTreeSet::new(),
        }
    }

    fn event() -> Envelope {
        let body = r#"{"account_id":"acct_42","event":"email.delivered","product":"migosmtp",
            "platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{}}"#;
        parse_body(body).remove(0).verdict.expect("good")
    }

    const DAY: Duration = Duration::from_secs(86_400);

    #[track_caller]
    fn check(expected: Interest, change: impl FnOnce(&mut Endpoint)) {
        let mut endpoint = endpoint("ep_1", &["email.*"]);
        change(&mut endpoint);
        let now = Timestamp::from_secs(500) + DAY;
        assert_eq!(endpoint.interest(&event(), DAY, now), expected);
    }

    #[test]
    fn who_gets_an_event() {
        check(Interest::Send, |_| {});
        check(Interest::None, |e| {
            e.account_id = AccountId::parse("acct_43").expect("valid");
        });
        check(Interest::None, |e| e.event_types.clear());
        check(Interest::None, |e| e.product = Some(Product::Telnxo));
        check(Interest::Send, |e| e.product = Some(Product::Migosmtp));
        check(Interest::None, |e| e.platform_id = Some("2".into()));
        check(Interest::Send, |e| e.platform_id = Some("1".into()));
        let disabled = |secs| EndpointState::Disabled {
            reason: DisabledReason::Manual,
            at: Timestamp::from_secs(secs),
        };
        check(Interest::Skip, |e| e.state = disabled(500));
        check(Interest::None, |e| e.state = disabled(499));
        check(Interest::None, |e| {
            e.state = EndpointState::Deleted { at: Timestamp::from_secs(600) }
        });
    }

    #[test]
    fn patterns() {
        for (pattern, event, expected) in [
            ("*", "anything", true),
            ("email.*", "email.delivered", true),
            ("email.*", "email.delivered.twice", true),
            ("email.*", "email", false),
            ("email.*", "emails.delivered", false),
            ("email.delivered", "email.delivered", true),
            ("email.delivered", "email.delivered.twice", false),
        ] {
            let parsed = EventPattern::parse(pattern).expect(pattern);
            assert_eq!(parsed.matches(event), expected, "{pattern} {event}");
            assert_eq!(parsed.to_string(), pattern);
        }
        for text in ["", ".*", "*.*", "email*", "*.delivered", "Email.*", "email.**", "email."] {
            assert_eq!(EventPattern::parse(text), Err(NotAPattern), "{text}");
        }
    }
}
