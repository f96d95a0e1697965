//! Events as products send them, of a size.

use std::fmt::Write as _;

use domain::envelope::{Product, derive_event_id_of};
use domain::ids::{AccountId, EventId};

/// What stands in an event's data.
#[derive(Debug, Clone, Copy)]
pub struct Payload {
    /// Of the whole event, about.
    pub bytes: usize,
    /// Words, which compress as mails do, or noise, which does not.
    pub compresses: bool,
}

const WORDS: [&str; 16] = [
    "order",
    "shipped",
    "invoice",
    "parcel",
    "tracking",
    "delivered",
    "customer",
    "account",
    "recipient",
    "bounce",
    "campaign",
    "newsletter",
    "status",
    "subject",
    "platform",
    "message",
];

impl Payload {
    /// An event of an account; `nth` makes it unique.
    pub fn event(&self, account: &str, nth: u64) -> String {
        let mut event = format!(
            r#"{{"id":"{}","account_id":"{account}","event":"email.delivered","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{{"message_id":"msg_{nth:016x}","to":"recipient{nth}@example.com","from":"hello@yourdomain.com","status":"delivered","note":""#,
            source_id(nth)
        );
        let head_length = event.len();
        let mut state = nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        while event.len() + 3 < self.bytes {
            // xorshift: the same event for the same number, on every machine.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if self.compresses {
                let word = usize::try_from(state % 16).unwrap_or(0);
                let _ = write!(event, "{} {} ", WORDS[word], state % 10_000);
            } else {
                event.extend((0..10).map(|nth| letter(state >> (6 * nth))));
            }
        }
        event.truncate(self.bytes.saturating_sub(3).max(head_length));
        event.push_str(r#""}}"#);
        event
    }
}

/// One of 64, by the lowest six bits.
fn letter(bits: u64) -> char {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char::from(LETTERS[usize::try_from(bits % 64).unwrap_or(0)])
}

fn source_id(nth: u64) -> String {
    format!("bench-{nth}")
}

/// The id under which an event's endpoints know it.
///
/// # Errors
/// If the account is no account.
pub fn event_id(account: &str, nth: u64) -> anyhow::Result<EventId> {
    let account = AccountId::parse(account).map_err(|e| anyhow::anyhow!("{e}"))?;
    Ok(derive_event_id_of(&account, Product::Migosmtp, &source_id(nth)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::envelope::{derive_event_id, parse_body};

    #[test]
    fn events_are_taken_and_have_the_id_that_is_expected() {
        for (bytes, compresses) in [(500, true), (2_048, false), (262_144, false)] {
            let text = Payload { bytes, compresses }.event("acct_1", 7);
            assert!(text.len() <= bytes && text.len() + 40 > bytes, "{}", text.len());
            let envelope = parse_body(&text).remove(0).verdict.expect("an event");
            assert_eq!(derive_event_id(&envelope), event_id("acct_1", 7).expect("an id"));
        }
    }
}
