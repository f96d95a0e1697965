//! API keys: what they look like, what they open, and what is kept of them.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::Timestamp;
use crate::envelope::Product;
use crate::ids::{AccountId, hash_fields, hex};
use crate::limits::KEY_USE_NOTED_EVERY_S;

const PREFIX: &str = "rwk_";
/// Random bytes in a key.
pub const API_KEY_BYTES: usize = 24;
const RANDOM_CHARS: usize = 2 * API_KEY_BYTES;
const CHECKSUM_CHARS: usize = 8;

/// `rwk_`, 48 random hex digits and 8 that check them. Never shown by `Debug`, never in a log,
/// never stored: only its [`ApiKey::hash`] is.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// The text is no API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key")]
pub struct NotAnApiKey;

impl ApiKey {
    /// A new key from random bytes.
    pub fn from_random(bytes: [u8; API_KEY_BYTES]) -> Self {
        let start = format!("{PREFIX}{}", hex(&bytes));
        let checksum = checksum(&start);
        Self(start + &checksum)
    }

    /// Reads a key as a caller sent it. The checksum tells a malformed one without a look into
    /// the store.
    ///
    /// # Errors
    /// [`NotAnApiKey`] if the form or the checksum is wrong.
    pub fn parse(text: &str) -> Result<Self, NotAnApiKey> {
        let split = PREFIX.len() + RANDOM_CHARS;
        let (start, check) = text.split_at_checked(split).ok_or(NotAnApiKey)?;
        if start.starts_with(PREFIX) && check == checksum(start) {
            Ok(Self(text.into()))
        } else {
            Err(NotAnApiKey)
        }
    }

    /// The whole key, to be shown once to its owner. Not for logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The name of the key, by which it is found and revoked: `key_` and 20 hex digits, derived
    /// from the key and telling nothing about it.
    pub fn id(&self) -> String {
        format!("key_{}", hex(&hash_fields(&["api_key_id", &self.0])[..10]))
    }

    /// What is stored instead of the key. The key is random, so a plain hash is enough.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(&self.0))
    }

    /// The last four characters, which lists show.
    pub fn last4(&self) -> &str {
        &self.0[self.0.len() - 4..]
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(redacted)")
    }
}

fn checksum(start: &str) -> String {
    hex(&Sha256::digest(start))[..CHECKSUM_CHARS].to_owned()
}

/// What a key opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Operator,
    /// One account's things.
    Account(AccountId),
    /// The endpoints of one product.
    Product(Product),
}

/// The text is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be operator, account:<account id> or product:<migosmtp, telnxo or rackwave>")]
pub struct NotAScope;

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Operator => f.write_str("operator"),
            Scope::Account(id) => write!(f, "account:{id}"),
            Scope::Product(product) => write!(f, "product:{}", product.as_str()),
        }
    }
}

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        let parsed = match text.split_once(':') {
            None => (text == "operator").then_some(Scope::Operator),
            Some(("account", id)) => AccountId::parse(id).ok().map(Scope::Account),
            Some(("product", name)) => Product::parse(name).map(Scope::Product),
            Some((_, _)) => None,
        };
        parsed.ok_or(NotAScope)
    }
}

/// What is kept of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// See [`ApiKey::id`].
    pub id: String,
    /// See [`ApiKey::hash`].
    pub hash: String,
    /// See [`ApiKey::last4`].
    pub last4: String,
    /// Its owner's word for it.
    pub name: Option<String>,
    /// What it opens.
    pub scope: Scope,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the hour.
    pub last_used_at: Option<Timestamp>,
    /// Since when it opens nothing.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKeyRecord {
    /// The record of a key made at `now`.
    pub fn new(key: &ApiKey, scope: Scope, now: Timestamp) -> Self {
        Self {
            id: key.id(),
            hash: key.hash(),
            last4: key.last4().to_owned(),
            name: None,
            scope,
            created_at: now,
            last_used_at: None,
            revoked_at: None,
        }
    }

    /// Whether a call with the key at `now` is worth a note: one an hour is.
    pub fn use_is_news(&self, now: Timestamp) -> bool {
        let step = std::time::Duration::from_secs(KEY_USE_NOTED_EVERY_S);
        self.last_used_at.is_none_or(|last| now.since(last) >= step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_what_is_kept_of_it() {
        let key = ApiKey::from_random([0xab; API_KEY_BYTES]);
        assert_eq!(ApiKey::parse(key.reveal()), Ok(key.clone()));
        assert_eq!(key.reveal().len(), 4 + 48 + 8);
        assert_eq!(format!("{key:?}"), "ApiKey(redacted)");
        let record = ApiKeyRecord::new(&key, Scope::Operator, Timestamp::from_secs(1));
        assert!(record.id.starts_with("key_") && record.id.len() == 24);
        assert!(key.reveal().ends_with(&record.last4));
        assert!(!format!("{record:?}").contains("abababab"));
    }

    #[test]
    fn a_use_is_noted_once_an_hour() {
        let key = ApiKey::from_random([1; API_KEY_BYTES]);
        let mut record = ApiKeyRecord::new(&key, Scope::Operator, Timestamp::from_secs(1));
        assert!(record.use_is_news(Timestamp::from_secs(2)));
        record.last_used_at = Some(Timestamp::from_secs(2));
        assert!(!record.use_is_news(Timestamp::from_secs(2 + 3_599)));
        assert!(record.use_is_news(Timestamp::from_secs(2 + 3_600)));
    }

    #[test]
    fn a_malformed_key_is_told_by_its_checksum() {
        let good = ApiKey::from_random([7; API_KEY_BYTES]);
        let good = good.reveal();
        for bad in [
            "",
            "rwk_",
            &good[..good.len() - 1],
            &good.replacen("07", "08", 1),
            &good.replacen("rwk_", "rwx_", 1),
            &format!("{good}0"),
            &good.to_uppercase(),
            &"é".repeat(40),
        ] {
            assert_eq!(ApiKey::parse(bad), Err(NotAnApiKey), "{bad}");
        }
    }

    #[test]
    fn scopes() {
        for text in ["operator", "account:acct_42", "product:telnxo"] {
            assert_eq!(text.parse::<Scope>().map(|s| s.to_string()), Ok(text.into()));
        }
        for text in ["", "Operator", "account:", "account:a b", "product:x", "x:y"] {
            assert_eq!(text.parse::<Scope>(), Err(NotAScope), "{text}");
        }
    }
}
