//! A request as it may be shown to people: what was sent, without what must not be seen, and a
//! line for a shell that sends it again.

use crate::Timestamp;
use crate::endpoint::Endpoint;
use crate::event::Event;
use crate::secret::{SECRET_BYTES, Secret, SigningSecrets};

use super::{WebhookRequest, request};

/// Stands where a signature was.
pub const SIGNED: &str = "<signed>";
/// Stands where the value of a custom header was.
pub const HIDDEN: &str = "<hidden>";

/// The request of an attempt. Custom headers are those that the endpoint has now.
pub fn shown(event: &Event, endpoint: &Endpoint, number: u32, at: Timestamp) -> WebhookRequest {
    let current = Secret::from_random([0; SECRET_BYTES]);
    let secrets = SigningSecrets { current, previous: None };
    let mut request = request(event, endpoint, &secrets, number, at);
    let own = request.headers.len() - endpoint.headers.len();
    for (nth, (name, value)) in request.headers.iter_mut().enumerate() {
        if nth >= own {
            HIDDEN.clone_into(value);
        } else if is_signature(name) {
            SIGNED.clone_into(value);
        }
    }
    request
}

fn is_signature(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with("-signature")
}

/// A line for a POSIX shell with curl and openssl that sends a shown request again, signed anew
/// with the secret in `WEBHOOK_SECRET`. The secret itself is not in it.
pub fn curl(request: &WebhookRequest, event: &Event) -> String {
    const RACKWAVE: &str = r#"sha256=$(printf %s "$body" | openssl dgst -sha256 -hmac "$WEBHOOK_SECRET" | sed 's/^.* //')"#;
    const STANDARD: &str = r#"v1,$(printf %s "$id.$now.$body" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(printf %s "${WEBHOOK_SECRET#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \n')" -binary | base64)"#;
    let mut line = format!(
        "body={}; id={}; now=$(date +%s); curl -sS -X POST {}",
        quoted(&request.body),
        quoted(event.id.as_str()),
        quoted(&request.url)
    );
    for (name, value) in &request.headers {
        let header = match name.to_ascii_lowercase().as_str() {
            "x-webhook-signature" => format!("\"{name}: {RACKWAVE}\""),
            "webhook-signature" => format!("\"{name}: {STANDARD}\""),
            "x-webhook-timestamp" | "webhook-timestamp" => format!("\"{name}: $now\""),
            _ => quoted(&format!("{name}: {value}")),
        };
        line += &format!(" -H {header}");
    }
    line + r#" --data-binary "$body""#
}

/// A shell's word for any text.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::CustomHeader;
    use crate::endpoint::tests::endpoint;
    use crate::envelope::parse_body;

    fn shown_request() -> (Event, WebhookRequest) {
        let body = r#"{"account_id":"acct_42","event":"email.delivered","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{"it's":"$HOME"}}"#;
        let envelope = parse_body(body).remove(0).verdict.expect("good");
        let mut to = endpoint("ep_1", &["*"]);
        to.headers.push(CustomHeader { name: "X-My-Signature".into(), value: "hush".into() });
        let at = Timestamp::from_secs(1_000);
        let month = std::time::Duration::from_secs(2_592_000);
        let event = Event::accept(envelope, &[to.clone()], None, month, at).expect("wanted");
        let request = shown(&event, &to, 2, at);
        (event, request)
    }

    #[test]
    fn neither_signatures_nor_hidden_values_are_shown() {
        let (_, request) = shown_request();
        let value = |wanted: &str| {
            let found = request.headers.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(value("X-Webhook-Signature"), Some(SIGNED));
        assert_eq!(value("webhook-signature"), Some(SIGNED));
        assert_eq!(value("X-My-Signature"), Some(HIDDEN));
        assert_eq!(value("X-Webhook-Attempt"), Some("2"));
        assert_eq!(value("X-Webhook-Timestamp"), Some("1000"));
    }

    #[test]
    fn the_line_quotes_whatever_a_payload_holds() {
        let (event, request) = shown_request();
        let line = curl(&request, &event);
        assert!(line.contains(r#""data":{"it'\''s":"$HOME"}}'"#), "{line}");
        assert!(line.contains(r#"-H "X-Webhook-Timestamp: $now""#), "{line}");
        assert!(!line.contains(SIGNED) && !line.contains("hush"), "{line}");
    }
}
