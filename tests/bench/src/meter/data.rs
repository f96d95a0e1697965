//! What stands in the metered events: it decides how far an event's data compresses.

use domain::ids::{hash_fields, hex};
use serde_json::{Value, json};

use crate::payload::Payload;

/// What an event's data is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// Records as products write them: names that repeat, ids and addresses that do not.
    Records,
    /// Words and numbers without an order.
    Words,
    /// Letters at random: nothing repeats.
    Noise,
}

/// An event of about so many bytes.
pub fn event(data: Data, bytes: usize, account: &str, nth: u64) -> String {
    match data {
        Data::Records => json!({
            "id": format!("order-{nth:06}"), "account_id": account, "event": "email.delivered",
            "product": "migosmtp", "platform_id": "1", "timestamp": "2026-06-07T09:39:00Z",
            "data": records(nth, bytes.saturating_sub(ENVELOPE)),
        })
        .to_string(),
        Data::Words => Payload { bytes, compresses: true }.event(account, nth),
        Data::Noise => Payload { bytes, compresses: false }.event(account, nth),
    }
}

/// Bytes around the data.
const ENVELOPE: usize = 170;

/// The fields of the documentation's sample, and for every recipient what became of it.
fn records(nth: u64, bytes: usize) -> Value {
    let token =
        |of: usize| hex(&hash_fields(&[&nth.to_string(), &of.to_string()]))[..16].to_owned();
    let mut recipients = Vec::new();
    let whole = |recipients: &[Value], note: &str| {
        json!({
            "message_id": format!("msg_{}", token(0)), "from": "hello@yourdomain.com",
            "subject": "Your order has shipped", "status": "delivered",
            "delivered_at": "2026-06-07T09:38:55Z", "recipients": recipients, "note": note,
        })
    };
    let mut size = whole(&[], "").to_string().len();
    for of in 1.. {
        let token = token(of);
        let next = json!({
            "to": format!("{}@{}.example.com", &token[..7], &token[7..12]),
            "status": "delivered", "smtp_response": "250 2.0.0 OK", "remote_id": token,
            "delivered_at": format!("2026-06-07T09:38:{:02}Z", of % 60),
        });
        let more = next.to_string().len() + 1;
        if size + more > bytes {
            break;
        }
        size += more;
        recipients.push(next);
    }
    let note = "Left at the front door, as agreed. ".repeat(6);
    whole(&recipients, &note[..bytes.saturating_sub(size).min(note.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_the_size_that_was_asked_for_and_are_accepted() {
        for data in [Data::Records, Data::Words, Data::Noise] {
            for bytes in [512, 2_048, 16_384, 262_144] {
                let body = event(data, bytes, "acct_1", 7);
                assert!(body.len().abs_diff(bytes) <= 20, "{} of {bytes} {data:?}", body.len());
                let parsed = domain::envelope::parse_body(&body);
                assert!(parsed[0].verdict.is_ok(), "{:?}", parsed[0].verdict);
            }
        }
    }
}
