//! Events as products send them, of a given size.

use std::fmt::Write as _;

use domain::ids::{hash_fields, hex};
use serde_json::{Value, json};

/// How well an event's data compresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// JSON as products write it: names that repeat, ids and addresses that do not.
    Plain,
    /// Base64 of random bytes: nothing repeats.
    Noise,
}

/// One event, its `data` of about so many bytes.
pub fn event(account: &str, id: &str, bytes: usize, text: Text) -> Value {
    let data = match text {
        Text::Plain => plain(id, bytes),
        Text::Noise => json!({"blob": noise(id, bytes.saturating_sub(11))}),
    };
    json!({
        "id": id, "account_id": account, "event": "email.delivered", "product": "migosmtp",
        "platform_id": "1", "timestamp": "2026-06-07T09:39:00Z", "data": data,
    })
}

/// The fields of the documentation's sample, and for every recipient more what became of it.
fn plain(id: &str, bytes: usize) -> Value {
    let mut recipients = Vec::new();
    let data = |recipients: &[Value]| {
        json!({
            "message_id": format!("msg_{}", token(id, 0)), "from": "hello@yourdomain.com",
            "subject": "Your order has shipped", "status": "delivered",
            "delivered_at": "2026-06-07T09:38:55Z", "recipients": recipients,
        })
    };
    let mut size = data(&[]).to_string().len();
    for nth in 1.. {
        let token = token(id, nth);
        let next = json!({
            "to": format!("{}@{}.example.com", &token[..7], &token[7..12]),
            "status": "delivered", "smtp_response": "250 2.0.0 OK", "remote_id": token,
            "delivered_at": format!("2026-06-07T09:38:{:02}Z", nth % 60),
        });
        size += next.to_string().len() + 1;
        if size > bytes {
            break;
        }
        recipients.push(next);
    }
    let mut whole = data(&recipients);
    let missing = bytes.saturating_sub(whole.to_string().len());
    if let Some(padding) = missing.checked_sub(10) {
        whole["note"] = "Left at the front door, as agreed. ".repeat(12)[..padding.min(400)].into();
    }
    whole
}

fn token(id: &str, nth: usize) -> String {
    hex(&hash_fields(&[id, &nth.to_string()]))[..16].to_owned()
}

fn noise(id: &str, chars: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(chars + 32);
    for nth in 0usize.. {
        if text.len() >= chars {
            break;
        }
        for byte in hash_fields(&[id, &nth.to_string()]) {
            let _ = write!(text, "{}", char::from(ALPHABET[usize::from(byte % 64)]));
        }
    }
    text.truncate(chars);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_the_size_that_was_asked_for_and_are_accepted() {
        for text in [Text::Plain, Text::Noise] {
            for bytes in [512, 2_048, 16_384, 250_000] {
                let event = event("acct", "id-1", bytes, text);
                let size = event["data"].to_string().len();
                assert!(size.abs_diff(bytes) <= 170, "{size} of {bytes} {text:?}");
                let body = event.to_string();
                let parsed = domain::envelope::parse_body(&body);
                assert!(parsed[0].verdict.is_ok(), "{:?}", parsed[0].verdict);
            }
        }
    }
}
