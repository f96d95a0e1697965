//! API keys and the tokens of portal links: what they look like, what they open, and what is kept
//! of a key (of a link: see [`crate::portal`]).

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::Timestamp;
use crate::envelope::Product;
use crate::ids::{AccountId, hash_fields, hex};
use crate::limits::KEY_USE_NOTED_EVERY_S;
use crate::portal::PortalScope;

/// Random bytes in a key.
pub const API_KEY_BYTES: usize = 24;
const RANDOM_CHARS: usize = 2 * API_KEY_BYTES;
const CHECKSUM_CHARS: usize = 8;

/// What a caller holds. The two are told apart by how they begin, so that nothing has to be looked
/// up to know where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// A key, made by people, good until it is revoked.
    Key,
    /// The token of a portal link, made by a call with a key, good for hours.
    PortalToken,
}

impl KeyKind {
    const ALL: [Self; 2] = [Self::Key, Self::PortalToken];

    fn prefix(self) -> &'static str {
        match self {
            KeyKind::Key => "rwk_",
            KeyKind::PortalToken => "rwp_",
        }
    }

    fn id_prefix(self) -> &'static str {
        match self {
            KeyKind::Key => "key_",
            KeyKind::PortalToken => "plk_",
        }
    }
}

/// `rwk_` (or `rwp_`, a portal link's token), 48 random hex digits and 8 that check them. Never
/// shown by `Debug`, never in a log, never stored: only its [`ApiKey::hash`] is.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// The text is no API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key")]
pub struct NotAnApiKey;

impl ApiKey {
    /// A new key from random bytes.
    pub fn from_random(bytes: [u8; API_KEY_BYTES]) -> Self {
        Self::of_kind(KeyKind::Key, bytes)
    }

    /// A new portal link's token from random bytes.
    pub fn portal_token(bytes: [u8; API_KEY_BYTES]) -> Self {
        Self::of_kind(KeyKind::PortalToken, bytes)
    }

    fn of_kind(kind: KeyKind, bytes: [u8; API_KEY_BYTES]) -> Self {
        let start = format!("{}{}", kind.prefix(), hex(&bytes));
        let checksum = checksum(&start);
        Self(start + &checksum)
    }

    /// Which of the two it is.
    pub fn kind(&self) -> KeyKind {
        let is_token = self.0.starts_with(KeyKind::PortalToken.prefix());
        if is_token { KeyKind::PortalToken } else { KeyKind::Key }
    }

    /// Reads a key as a caller sent it. The checksum tells a malformed one without a look into
    /// the store.
    ///
    /// # Errors
    /// [`NotAnApiKey`] if the form or the checksum is wrong.
    pub fn parse(text: &str) -> Result<Self, NotAnApiKey> {
        let kind = KeyKind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()));
        let split = kind.ok_or(NotAnApiKey)?.prefix().len() + RANDOM_CHARS;
        let (start, check) = text.split_at_checked(split).ok_or(NotAnApiKey)?;
        if check == checksum(start) { Ok(Self(text.into())) } else { Err(NotAnApiKey) }
    }

    /// The whole key, to be shown once to its owner. Not for logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The name of the key, by which it is found and revoked: `key_` (`plk_` for a link's token)
    /// and 20 hex digits, derived from the key and telling nothing about it.
    pub fn id(&self) -> String {
        let prefix = self.kind().id_prefix();
        format!("{prefix}{}", hex(&hash_fields(&["api_key_id", &self.0])[..10]))
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
    /// What a portal link shows; no key has this.
    Portal(PortalScope),
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
            Scope::Portal(portal) => write!(f, "portal:{portal}"),
        }
    }
}

/// Reads what a key may be given; a portal's scope is none of it.
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
            &good.replacen("rwk_", "rwp_", 1),
            &"é".repeat(40),
        ] {
            assert_eq!(ApiKey::parse(bad), Err(NotAnApiKey), "{bad}");
        }
    }

    #[test]
    fn a_token_is_no_key() {
        let (key, token) = (ApiKey::from_random([7; 24]), ApiKey::portal_token([7; 24]));
        assert_eq!((key.kind(), token.kind()), (KeyKind::Key, KeyKind::PortalToken));
        assert_eq!(ApiKey::parse(token.reveal()), Ok(token.clone()));
        assert!(token.reveal().starts_with("rwp_") && token.id().starts_with("plk_"));
        assert_ne!(key.id()[4..], token.id()[4..]);
    }

    #[test]
    fn scopes() {
        for text in ["operator", "account:acct_42", "product:telnxo"] {
            assert_eq!(text.parse::<Scope>().map(|s| s.to_string()), Ok(text.into()));
        }
        for text in ["", "Operator", "account:", "account:a b", "product:x", "portal:a/*/*"] {
            assert_eq!(text.parse::<Scope>(), Err(NotAScope), "{text}");
        }
    }
}
