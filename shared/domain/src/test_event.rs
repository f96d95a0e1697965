//! Test events: a POST with sample data, marked as a test, with no delivery on record (design 4.3).
//!
//! Whoever asks for one names an endpoint and an event, and nothing else: where it goes, and what
//! it is signed with, the sender reads for itself. So asking is no way to have anything dialled
//! that a delivery would not be sent to.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::Timestamp;
use crate::catalogue::CATALOGUE;
use crate::delivery::{Attempt, Trigger};
use crate::endpoint::Endpoint;
use crate::envelope::{Envelope, Product, content_hash, is_event_name};
use crate::event::Event;
use crate::ids::{AccountId, EndpointId, EventId};
use crate::schedule::Roll;
use crate::view;

/// The header that marks a test.
pub const TEST_HEADER: &str = "X-Webhook-Test";
/// The stretch of time in which tests are counted.
pub const TEST_WINDOW: Duration = Duration::from_secs(60);

/// A test that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRequest {
    /// Whose endpoint.
    pub account_id: AccountId,
    /// Which one.
    pub endpoint_id: EndpointId,
    /// The event's name.
    pub event: String,
}

/// The text is no [`TestRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a request for a test event")]
pub struct NotATestRequest;

impl TestRequest {
    /// As the sender is invoked with it.
    pub fn to_json(&self) -> Value {
        let Self { account_id, endpoint_id, event } = self;
        json!({"test": {"account_id": account_id, "endpoint_id": endpoint_id, "event": event}})
    }

    /// Reads what [`TestRequest::to_json`] wrote.
    ///
    /// # Errors
    /// [`NotATestRequest`] if it is anything else, or has anything more in it.
    pub fn parse(value: &Value) -> Result<Self, NotATestRequest> {
        let text = |name| value["test"][name].as_str();
        let read = || {
            let request = Self {
                account_id: AccountId::parse(text("account_id")?).ok()?,
                endpoint_id: EndpointId::parse(text("endpoint_id")?).ok()?,
                event: text("event").filter(|event| is_event_name(event))?.to_owned(),
            };
            (request.to_json() == *value).then_some(request)
        };
        read().ok_or(NotATestRequest)
    }
}

/// What the sender says to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum TestReply {
    /// The attempt, as [`view::attempt`] shows it.
    Made(Value),
    /// The endpoint is disabled: nothing is sent there.
    Disabled,
    /// There is no such endpoint, or not any more.
    Unknown,
}

impl TestReply {
    /// Of an attempt.
    pub fn made(attempt: &Attempt) -> Self {
        Self::Made(view::attempt(attempt))
    }

    /// As the sender answers it.
    pub fn to_json(&self) -> Value {
        match self {
            TestReply::Made(attempt) => json!({"attempt": attempt}),
            TestReply::Disabled => json!({"refused": "endpoint_disabled"}),
            TestReply::Unknown => json!({"refused": "not_found"}),
        }
    }

    /// Reads what [`TestReply::to_json`] wrote.
    pub fn parse(value: &Value) -> Option<Self> {
        let attempt = value.get("attempt").filter(|attempt| attempt.is_object());
        match (attempt, value["refused"].as_str()) {
            (Some(attempt), None) => Some(Self::Made(attempt.clone())),
            (None, Some("endpoint_disabled")) => Some(Self::Disabled),
            (None, Some("not_found")) => Some(Self::Unknown),
            (_, _) => None,
        }
    }
}

/// The attempt that an answer makes of a test.
pub fn attempt(at: Timestamp, answer: crate::delivery::Answer) -> Attempt {
    Attempt { number: 1, trigger: Trigger::Test, at, answer }
}

/// The event that is sent: an id of its own, and sample data. It is never stored.
pub fn event(endpoint: &Endpoint, event: &str, now: Timestamp, roll: Roll) -> Event {
    let published = CATALOGUE.iter().find(|each| each.event == event);
    let of_endpoint = || endpoint.product.unwrap_or(Product::Rackwave);
    let fields = published.and_then(|each| each.fields).unwrap_or_default();
    let sample = |name: &&str| ((*name).to_owned(), sample(name, endpoint, now));
    let envelope = Envelope {
        source_id: None,
        account_id: endpoint.account_id.clone(),
        event: event.to_owned(),
        product: published.map_or_else(of_endpoint, |each| each.product),
        platform_id: platform_id(endpoint).to_owned(),
        timestamp: moment(now),
        data: Value::Object(fields.iter().map(sample).collect::<Map<_, _>>()).to_string(),
    };
    Event {
        id: EventId::of_test(&endpoint.id, now, roll),
        content_hash: content_hash(&envelope),
        envelope,
        accepted_at: now,
        traceparent: None,
        source_message_id: None,
        fan_out: Vec::new(),
        erased_at: None,
    }
}

fn platform_id(endpoint: &Endpoint) -> &str {
    endpoint.platform_id.as_deref().unwrap_or("1")
}

/// To the second, as products spell it.
fn moment(at: Timestamp) -> String {
    Timestamp::from_secs(at.as_secs()).to_string().replace(".000Z", "Z")
}

/// A value that nobody takes for a real one: names and addresses reserved for examples.
fn sample(field: &str, endpoint: &Endpoint, now: Timestamp) -> Value {
    let day = |at: Timestamp| moment(at)[..10].to_owned();
    match field {
        "customer_id" => endpoint.account_id.as_str().into(),
        "platform_id" => platform_id(endpoint).into(),
        "message_id" => "msg_test".into(),
        "to" => "recipient@example.com".into(),
        "from" => "sender@example.com".into(),
        "subject" => "A test of your webhook".into(),
        "status" => "delivered".into(),
        "ip_address" => "192.0.2.1".into(),
        "user_agent" => "Mozilla/5.0".into(),
        "total" | "amount_paid" => "10.00".into(),
        "due_date" | "overdue_since" => day(now).into(),
        at if at.ends_with("_at") => moment(now).into(),
        _ => "test".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::tests::endpoint;

    fn now() -> Timestamp {
        Timestamp::parse("2026-06-07T09:39:00.123Z").expect("valid")
    }

    #[test]
    fn a_request_is_read_as_it_was_written_and_nothing_else_is() {
        let request = TestRequest {
            account_id: AccountId::parse("acct_42").expect("valid"),
            endpoint_id: EndpointId::parse("ep_a").expect("valid"),
            event: "email.delivered".into(),
        };
        assert_eq!(TestRequest::parse(&request.to_json()), Ok(request.clone()));
        let with = |name: &str, value: Value| {
            let mut json = request.to_json();
            json["test"][name] = value;
            json
        };
        for bad in [
            json!({}),
            json!({"Records": []}),
            with("url", json!("https://elsewhere.example.com/")),
            with("event", json!("../x")),
            with("endpoint_id", json!("ep_?")),
            with("account_id", json!(7)),
        ] {
            assert_eq!(TestRequest::parse(&bad), Err(NotATestRequest), "{bad}");
        }
    }

    #[test]
    fn a_reply_is_read_as_it_was_written() {
        for reply in
            [TestReply::Made(json!({"number": 1})), TestReply::Disabled, TestReply::Unknown]
        {
            assert_eq!(TestReply::parse(&reply.to_json()), Some(reply));
        }
        for bad in [json!({}), json!(null), json!({"attempt": 7}), json!({"refused": "x"})] {
            assert_eq!(TestReply::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn every_published_event_has_a_sample_of_its_own_fields() {
        let to = endpoint("ep_a", &["*"]);
        for each in CATALOGUE {
            let event = event(&to, each.event, now(), Roll::from_random(1));
            assert_eq!(event.envelope.product, each.product);
            let data: Map<String, Value> =
                serde_json::from_str(&event.envelope.data).expect("an object");
            let mut fields = each.fields.unwrap_or_default().to_vec();
            fields.sort_unstable();
            assert_eq!(data.keys().map(String::as_str).collect::<Vec<_>>(), fields);
            assert!(data.values().all(Value::is_string), "{data:?}");
        }
        let sent = event(&to, "email.delivered", now(), Roll::from_random(1));
        assert_eq!(sent.envelope.timestamp, "2026-06-07T09:39:00Z");
        assert!(sent.envelope.data.contains(r#""delivered_at":"2026-06-07T09:39:00Z""#));
    }

    #[test]
    fn a_test_has_an_id_of_its_own_that_no_event_can_have() {
        let to = endpoint("ep_a", &["*"]);
        let id = |at, roll| event(&to, "x", at, Roll::from_random(roll)).id;
        let first = id(now(), 1);
        assert!(first.as_str().starts_with("evt_test_"), "{first}");
        assert!(EventId::parse(first.as_str()).is_err());
        assert_ne!(first, id(now(), 2));
        assert_ne!(first, id(now() + Duration::from_secs(1), 1));
    }
}
