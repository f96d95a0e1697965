//! The request an endpoint receives (design 4.2).

mod shown;

use std::sync::Arc;

use crate::Timestamp;
use crate::endpoint::{CustomHeader, Endpoint};
use crate::event::Event;
use crate::secret::SigningSecrets;
use crate::test_event::TEST_HEADER;

pub use shown::{HIDDEN, SIGNED, curl, shown};

/// `User-Agent` of every request.
pub const USER_AGENT: &str = concat!("Rackwave-Webhooks/", env!("CARGO_PKG_VERSION"));

/// A POST, ready to be sent. The body is identical on every attempt; the headers are not.
///
/// `Debug` shows neither headers nor body: signatures and payloads stay out of logs.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookRequest {
    /// Where to.
    pub url: String,
    /// In the order of the contract; names as documented.
    pub headers: Vec<(String, String)>,
    /// The JSON text; shared with the connection that sends it, since it may be large.
    pub body: Arc<String>,
}

impl std::fmt::Debug for WebhookRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookRequest").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The body: the five published fields in their order, `data` byte for byte as it was sent.
pub fn body(event: &Event) -> String {
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let envelope = &event.envelope;
    format!(
        r#"{{"event":{},"product":{},"platform_id":{},"timestamp":{},"data":{}}}"#,
        text(&envelope.event),
        text(envelope.product.as_str()),
        text(&envelope.platform_id),
        text(&envelope.timestamp),
        envelope.data,
    )
}

/// The request of a test event at `now`: as of a first attempt, and marked.
pub fn test_request(
    event: &Event,
    endpoint: &Endpoint,
    secrets: &SigningSecrets,
    now: Timestamp,
) -> WebhookRequest {
    let mut request = request(event, endpoint, secrets, 1, now);
    let own = request.headers.len() - endpoint.headers.len();
    request.headers.insert(own, (TEST_HEADER.to_owned(), "true".to_owned()));
    request
}

/// The request of attempt `number` (from 1) at `now`.
pub fn request(
    event: &Event,
    endpoint: &Endpoint,
    secrets: &SigningSecrets,
    number: u32,
    now: Timestamp,
) -> WebhookRequest {
    let body = Arc::new(body(event));
    let signatures = secrets.sign(&event.id, &body, now);
    let secs = now.as_secs().to_string();
    let mut headers = vec![
        ("Content-Type", "application/json".to_owned()),
        ("User-Agent", USER_AGENT.to_owned()),
        ("X-Webhook-Signature", signatures.rackwave),
        ("X-Webhook-Timestamp", secs.clone()),
        ("X-Webhook-Attempt", number.to_string()),
        ("X-Webhook-Event", event.envelope.event.clone()),
        ("webhook-id", event.id.to_string()),
        ("webhook-timestamp", secs),
        ("webhook-signature", signatures.standard),
    ];
    if let Some(traceparent) = &event.traceparent {
        headers.push(("traceparent", traceparent.clone()));
    }
    let own = headers.into_iter().map(|(name, value)| (name.to_owned(), value));
    let custom =
        endpoint.headers.iter().map(|CustomHeader { name, value }| (name.clone(), value.clone()));
    WebhookRequest { url: endpoint.url.clone(), headers: own.chain(custom).collect(), body }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::tests::endpoint;
    use crate::envelope::{Envelope, parse_body};
    use crate::secret::Secret;

    fn event(body: &str) -> Event {
        let envelope: Envelope = parse_body(body).remove(0).verdict.expect("good");
        let endpoints = [endpoint("ep_1", &["*"])];
        let now = Timestamp::from_secs(1_000);
        Event::accept(envelope, &endpoints, None, std::time::Duration::from_secs(60), now)
            .expect("an endpoint is interested")
    }

    const SENT: &str = r#"{"data": {"b":1.0,"a":1e3} ,"timestamp":"2026-06-07T09:39:00+00:00","platform_id":"a\"b","product":"telnxo","event":"sms.delivered","account_id":"acct_42"}"#;

    #[test]
    fn the_body_has_the_published_order_and_the_sent_bytes() {
        assert_eq!(
            body(&event(SENT)),
            r#"{"event":"sms.delivered","product":"telnxo","platform_id":"a\"b","timestamp":"2026-06-07T09:39:00+00:00","data":{"b":1.0,"a":1e3}}"#
        );
    }

    #[test]
    fn headers_of_two_attempts_differ_where_they_must() {
        let secrets = SigningSecrets { current: Secret::from_random([1; 24]), previous: None };
        let mut to = endpoint("ep_1", &["*"]);
        to.headers.push(CustomHeader { name: "X-Tenant".into(), value: "seven".into() });
        let mut event = event(SENT);
        event.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into());
        let at = |number, secs| request(&event, &to, &secrets, number, Timestamp::from_secs(secs));
        let (first, second) = (at(1, 2_000), at(2, 2_300));
        assert_eq!(first.body, second.body);
        let names: Vec<&str> = first.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "Content-Type",
                "User-Agent",
                "X-Webhook-Signature",
                "X-Webhook-Timestamp",
                "X-Webhook-Attempt",
                "X-Webhook-Event",
                "webhook-id",
                "webhook-timestamp",
                "webhook-signature",
                "traceparent",
                "X-Tenant"
            ]
        );
        let differing: Vec<&str> = (first.headers.iter().zip(&second.headers))
            .filter(|(a, b)| a != b)
            .map(|((name, _), _)| name.as_str())
            .collect();
        assert_eq!(
            differing,
            ["X-Webhook-Timestamp", "X-Webhook-Attempt", "webhook-timestamp", "webhook-signature"]
        );
        assert!(!format!("{first:?}").contains("sha256="));
    }
}
