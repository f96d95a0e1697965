//! Endpoint secrets and the two signatures made with them (design 4.2).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::Timestamp;
use crate::ids::{EventId, hex};

const PREFIX: &str = "whsec_";
/// Random bytes in a secret: 24, so that the base64 needs no padding.
pub const SECRET_BYTES: usize = 24;

/// `whsec_` and standard base64. Never shown by `Debug`, never in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: String,
    key: Vec<u8>,
}

/// The text is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a webhook secret: whsec_ and standard base64 of 16 to 64 bytes")]
pub struct NotASecret;

impl Secret {
    /// A new secret from random bytes.
    pub fn from_random(bytes: [u8; SECRET_BYTES]) -> Self {
        Self { text: format!("{PREFIX}{}", STANDARD.encode(bytes)), key: bytes.to_vec() }
    }

    /// Reads a stored secret.
    ///
    /// # Errors
    /// [`NotASecret`] if the text has another form.
    pub fn parse(text: &str) -> Result<Self, NotASecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(NotASecret)?;
        let key = STANDARD.decode(encoded).map_err(|_| NotASecret)?;
        let fits = (16..=64).contains(&key.len());
        if fits { Ok(Self { text: text.into(), key }) } else { Err(NotASecret) }
    }

    /// The whole secret, to be shown once to its owner or stored. Not for logs.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// Rackwave's own signature: HMAC-SHA256 over the raw body, keyed with the bytes of the whole
    /// secret string, as `sha256=<lower-case hex>`.
    fn sign_body(&self, body: &str) -> String {
        format!("sha256={}", hex(&hmac(self.text.as_bytes(), &[body])))
    }

    /// Standard Webhooks 1.0.0: `v1,<base64>` over `{id}.{timestamp}.{body}`, keyed with the
    /// decoded bytes.
    fn sign_standard(&self, id: &str, secs: i64, body: &str) -> String {
        let mac = hmac(&self.key, &[id, ".", &secs.to_string(), ".", body]);
        format!("v1,{}", STANDARD.encode(mac))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

fn hmac(key: &[u8], parts: &[&str]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part.as_bytes()));
    mac.finalize().into_bytes().into()
}

/// The secrets an endpoint signs with at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningSecrets {
    /// The secret handed out last.
    pub current: Secret,
    /// The one before it, until the moment beside it.
    pub previous: Option<(Secret, Timestamp)>,
}

/// What the signature headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signatures {
    /// `X-Webhook-Signature`: one value; during a rotation the old secret's.
    pub rackwave: String,
    /// `webhook-signature`: one value, or two separated by a space during a rotation.
    pub standard: String,
}

impl SigningSecrets {
    /// With a new secret, the old one beside it until `until`. `None` while a rotation is under
    /// way: its old secret is what receivers still go by, and must not vanish unasked.
    pub fn rotated(&self, new: Secret, until: Timestamp, now: Timestamp) -> Option<Self> {
        if self.previous.as_ref().is_some_and(|(_, end)| now < *end) {
            return None;
        }
        Some(Self { current: new, previous: Some((self.current.clone(), until)) })
    }

    /// With the rotation over: the new secret alone.
    pub fn finished(&self) -> Self {
        Self { current: self.current.clone(), previous: None }
    }

    /// Signs a body for an attempt at `now`.
    pub fn sign(&self, id: &EventId, body: &str, now: Timestamp) -> Signatures {
        let secs = now.as_secs();
        let current = self.current.sign_standard(id.as_str(), secs, body);
        match self.previous.as_ref().filter(|(_, until)| now < *until) {
            None => Signatures { rackwave: self.current.sign_body(body), standard: current },
            Some((old, _)) => Signatures {
                rackwave: old.sign_body(body),
                standard: format!("{current} {}", old.sign_standard(id.as_str(), secs, body)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_vectors() {
        for (secret, id, secs, body, signature) in [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
        ] {
            let secret = Secret::parse(secret).expect("valid");
            assert_eq!(secret.sign_standard(id, secs, body), signature);
        }
    }

    /// From `printf '{"test": 2432232314}' | openssl dgst -sha256 -hmac <the whole string>`.
    #[test]
    fn rackwaves_header_keys_with_the_whole_string() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("valid");
        assert_eq!(
            secret.sign_body(r#"{"test": 2432232314}"#),
            "sha256=80ec8a89ce3cd22133a1066caecb4d04fea7467657c8514d717ec42c38a5c94c"
        );
    }

    #[test]
    fn rotation_signs_with_both_until_the_overlap_ends() {
        let (old, new) = (Secret::from_random([1; 24]), Secret::from_random([2; 24]));
        let until = Timestamp::from_secs(1_000);
        let secrets = SigningSecrets { current: new.clone(), previous: Some((old.clone(), until)) };
        let id = EventId::from_digest([7; 32]);
        let during = secrets.sign(&id, "{}", Timestamp::from_secs(999));
        assert_eq!(during.rackwave, old.sign_body("{}"));
        let both: Vec<&str> = during.standard.split(' ').collect();
        let expected = [&new, &old].map(|s| s.sign_standard(id.as_str(), 999, "{}"));
        assert_eq!(both, expected);
        let after = secrets.sign(&id, "{}", until);
        assert_eq!(after.rackwave, new.sign_body("{}"));
        assert_eq!(after.standard, new.sign_standard(id.as_str(), 1_000, "{}"));
    }

    #[test]
    fn one_rotation_at_a_time() {
        let [first, second, third] = [1, 2, 3].map(|n| Secret::from_random([n; 24]));
        let at = Timestamp::from_secs;
        let secrets = SigningSecrets { current: first.clone(), previous: None };
        let during = secrets.rotated(second.clone(), at(100), at(50)).expect("none under way");
        assert_eq!(during.previous, Some((first, at(100))));
        assert_eq!(during.rotated(third.clone(), at(190), at(99)), None);
        let next = during.rotated(third.clone(), at(200), at(100)).expect("the first is over");
        assert_eq!(next.previous, Some((second, at(200))));
        assert_eq!(next.finished(), SigningSecrets { current: third, previous: None });
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::from_random([0xab; SECRET_BYTES]);
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
        assert_eq!(Secret::parse(secret.reveal()), Ok(secret.clone()));
        assert_eq!(secret.reveal().len(), 6 + 32, "24 bytes need no padding");
    }

    #[test]
    fn what_is_not_a_secret() {
        for text in ["", "whsec_", "whsec_!!!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA"] {
            assert_eq!(Secret::parse(text), Err(NotASecret), "{text}");
        }
    }
}
