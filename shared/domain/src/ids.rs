//! Names of things. Each is checked when it is made, so that whoever holds one may use it in a
//! key, a header or a URL without looking again.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::Timestamp;
use crate::limits::{ACCOUNT_ID_CHARS, DELIVERY_ID_CHARS, DUE_SHARDS, TROUBLE_SHARDS};
use crate::schedule::Roll;

/// The text is not an id of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not {0}")]
pub struct NotAnId(pub &'static str);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl std::str::FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Self::parse(text)
            }
        }
    };
}

id!(
    /// The Rackwave-wide customer number: 1 to 64 of `[A-Za-z0-9_-]`.
    AccountId
);
id!(
    /// `ep_` and 1 to 32 of `[a-z0-9]`.
    EndpointId
);
id!(
    /// `evt_` and 32 hex digits, derived from the event (design 4.1); see
    /// [`crate::envelope::derive_event_id`].
    EventId
);

id!(
    /// `rec_` and 20 hex digits: a job that recovers or cancels many deliveries.
    JobId
);
id!(
    /// `rty_` and 32 hex digits: one retry that somebody asked for.
    RetryId
);

impl AccountId {
    /// # Errors
    /// [`NotAnId`] if the text is no account number.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        let ok = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let fits = (1..=ACCOUNT_ID_CHARS).contains(&text.len()) && text.bytes().all(ok);
        if fits { Ok(Self(text.into())) } else { Err(NotAnId("an account id")) }
    }
}

impl EndpointId {
    /// The shard of the index of endpoints in trouble it belongs to: the same for ever.
    pub fn trouble_shard(&self) -> u8 {
        Sha256::digest(self.as_str())[0] % TROUBLE_SHARDS
    }

    /// # Errors
    /// [`NotAnId`] if the text is no endpoint id.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        let rest = text.strip_prefix("ep_").unwrap_or_default();
        let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let fits = (1..=32).contains(&rest.len()) && rest.bytes().all(ok);
        if fits { Ok(Self(text.into())) } else { Err(NotAnId("an endpoint id")) }
    }

    /// A new id from 10 random bytes (80 bits: no two alike among billions).
    pub fn from_random(bytes: [u8; 10]) -> Self {
        Self(format!("ep_{}", hex(&bytes)))
    }

    fn stem(&self) -> &str {
        &self.0[3..]
    }
}

impl JobId {
    /// # Errors
    /// [`NotAnId`] if the text is no job id.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        let rest = text.strip_prefix("rec_").unwrap_or_default();
        let fits = rest.len() == 20 && rest.bytes().all(is_lower_hex);
        if fits { Ok(Self(text.into())) } else { Err(NotAnId("a recovery id")) }
    }

    /// A new id from 10 random bytes.
    pub fn from_random(bytes: [u8; 10]) -> Self {
        Self(format!("rec_{}", hex(&bytes)))
    }
}

impl RetryId {
    /// # Errors
    /// [`NotAnId`] if the text is no retry id.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        let rest = text.strip_prefix("rty_").unwrap_or_default();
        let fits = rest.len() == 32 && rest.bytes().all(is_lower_hex);
        if fits { Ok(Self(text.into())) } else { Err(NotAnId("a retry id")) }
    }

    /// A new id from 16 random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(format!("rty_{}", hex(&bytes)))
    }

    /// The one retry that a job makes of a delivery, however often its step is repeated.
    pub fn of_job(job: &JobId, delivery: &DeliveryId) -> Self {
        let digest = hash_fields(&["retry", job.as_str(), delivery.as_str()]);
        Self(format!("rty_{}", hex(&digest[..16])))
    }
}

impl EventId {
    /// # Errors
    /// [`NotAnId`] if the text is no derived event id.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        let rest = text.strip_prefix("evt_").unwrap_or_default();
        let fits = rest.len() == 32 && rest.bytes().all(is_lower_hex);
        if fits { Ok(Self(text.into())) } else { Err(NotAnId("an event id")) }
    }

    pub(crate) fn from_digest(digest: [u8; 32]) -> Self {
        Self(format!("evt_{}", hex(&digest[..16])))
    }

    /// Of a test event: `evt_test_` and 24 hex digits. No stored event can have it, and
    /// [`EventId::parse`] does not take it.
    pub(crate) fn of_test(endpoint: &EndpointId, at: Timestamp, roll: Roll) -> Self {
        let (millis, roll) = (at.as_millis().to_string(), format!("{roll:?}"));
        let digest = hash_fields(&["test", endpoint.as_str(), &millis, &roll]);
        Self(format!("evt_test_{}", hex(&digest[..12])))
    }

    fn stem(&self) -> &str {
        &self.0[4..]
    }
}

/// `dlv_<endpoint>_<shard>_<accepted_at in ms, 12 hex digits>_<hash of the event's identity>`.
///
/// It is derived, so the same event never gets two for one endpoint; it is ordered by time within
/// a partition; and it is enough to find the item: the partition is in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct DeliveryId {
    text: String,
    #[serde(skip)]
    endpoint: EndpointId,
    #[serde(skip)]
    shard: u16,
}

impl DeliveryId {
    /// The id of `event`'s delivery to `endpoint`. `shards` is the endpoint's at that moment
    /// (at least 1); growing it later moves no old id, since each carries its own.
    pub fn derive(
        endpoint: &EndpointId,
        shards: u16,
        accepted_at: Timestamp,
        event: &EventId,
    ) -> Self {
        let identity = event.stem();
        let spread = u16::from_str_radix(&identity[..4], 16).unwrap_or(0);
        let shard = spread % shards.max(1);
        let millis = accepted_at.as_millis();
        let text = format!("dlv_{}_{shard}_{millis:012x}_{identity}", endpoint.stem());
        Self { text, endpoint: endpoint.clone(), shard }
    }

    /// # Errors
    /// [`NotAnId`] if the text is no delivery id.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        const WRONG: NotAnId = NotAnId("a delivery id");
        if text.len() > DELIVERY_ID_CHARS {
            return Err(WRONG);
        }
        let mut parts = text.strip_prefix("dlv_").ok_or(WRONG)?.split('_');
        let (Some(stem), Some(shard), Some(millis), Some(identity), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(WRONG);
        };
        let endpoint = EndpointId::parse(&format!("ep_{stem}")).map_err(|_| WRONG)?;
        let canonical =
            shard.bytes().all(|b| b.is_ascii_digit()) && (shard == "0" || !shard.starts_with('0'));
        let shard = shard.parse().ok().filter(|_| canonical).ok_or(WRONG)?;
        let hexes = |part: &str, len| part.len() == len && part.bytes().all(is_lower_hex);
        if !hexes(millis, 12) || !hexes(identity, 32) {
            return Err(WRONG);
        }
        Ok(Self { text: text.into(), endpoint, shard })
    }

    /// The id as text; also the sort key of the item.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The endpoint it goes to.
    pub fn endpoint(&self) -> &EndpointId {
        &self.endpoint
    }

    /// The partition key of the item: `<endpoint_id>#<shard>`.
    pub fn partition(&self) -> String {
        format!("{}#{}", self.endpoint, self.shard)
    }

    /// A number that is spread evenly over deliveries, and apart from their shards.
    pub(crate) fn sample(&self) -> u16 {
        let identity = self.text.rsplit('_').next().unwrap_or_default();
        u16::from_str_radix(identity.get(4..8).unwrap_or_default(), 16).unwrap_or(0)
    }

    /// The shard of the `due` index it belongs to: spread evenly, the same for ever.
    pub fn due_shard(&self) -> u8 {
        let identity = self.text.rsplit('_').next().unwrap_or_default();
        let tail = identity.get(identity.len().saturating_sub(2)..).unwrap_or_default();
        u8::from_str_radix(tail, 16).unwrap_or(0) % DUE_SHARDS
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for DeliveryId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        Self::parse(text)
    }
}

/// SHA-256 over fields, each written as its length (4 bytes, big-endian) and its bytes, so that
/// no two lists of fields are the same text.
pub fn hash_fields(fields: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for field in fields {
        let len = u32::try_from(field.len()).unwrap_or(u32::MAX);
        hasher.update(len.to_be_bytes());
        hasher.update(field.as_bytes());
    }
    hasher.finalize().into()
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

fn is_lower_hex(b: u8) -> bool {
    b.is_ascii_digit() || (b'a'..=b'f').contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> EventId {
        EventId::parse("evt_00112233445566778899aabbccddeeff").expect("valid")
    }

    #[test]
    fn a_delivery_id_is_enough_to_find_the_item() {
        let endpoint = EndpointId::parse("ep_abc123").expect("valid");
        let at = Timestamp::parse("2026-06-07T09:39:00Z").expect("valid");
        let id = DeliveryId::derive(&endpoint, 1, at, &event());
        assert_eq!(id.as_str(), "dlv_abc123_0_019ea1732b20_00112233445566778899aabbccddeeff");
        assert_eq!(id.partition(), "ep_abc123#0");
        assert_eq!(DeliveryId::parse(id.as_str()), Ok(id));
    }

    #[test]
    fn it_is_ordered_by_time_and_fits_its_limit() {
        let endpoint = EndpointId::parse(&format!("ep_{}", "z".repeat(32))).expect("valid");
        let early = DeliveryId::derive(&endpoint, 1, Timestamp::from_millis(5), &event());
        let late = DeliveryId::derive(
            &endpoint,
            1,
            Timestamp::parse("9999-12-31T23:59:59Z").expect("valid"),
            &event(),
        );
        assert!(early.as_str() < late.as_str());
        assert_eq!(DeliveryId::parse(late.as_str()), Ok(late.clone()));
        let widest = DeliveryId::derive(&endpoint, u16::MAX, Timestamp::from_millis(5), &event());
        assert!(
            widest.as_str().len() <= DELIVERY_ID_CHARS && late.as_str().len() <= DELIVERY_ID_CHARS
        );
    }

    #[test]
    fn more_shards_move_no_old_id() {
        let endpoint = EndpointId::parse("ep_abc123").expect("valid");
        let at = Timestamp::from_millis(5);
        let before = DeliveryId::derive(&endpoint, 1, at, &event());
        let after = DeliveryId::derive(&endpoint, 16, at, &event());
        assert_eq!(before.partition(), "ep_abc123#0");
        assert_eq!(after.partition(), format!("ep_abc123#{}", 0x0011 % 16));
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        for text in [
            "",
            "dlv_",
            "dlv_abc_0_1_2",
            "dlv_abc_00_019ea1732b20_00112233445566778899aabbccddeeff",
            "dlv_abc_+1_019ea1732b20_00112233445566778899aabbccddeeff",
            "dlv_abc_0_019EA1732B20_00112233445566778899aabbccddeeff",
            "dlv_abc_0_019ea1732b20_00112233445566778899aabbccddeeff_x",
        ] {
            assert!(DeliveryId::parse(text).is_err(), "{text}");
        }
        for text in ["ep_", "ep_A", "ep_a b", "evt_a"] {
            assert!(EndpointId::parse(text).is_err(), "{text}");
        }
        for text in ["evt_", "evt_0011", "EVT_00112233445566778899aabbccddeeff"] {
            assert!(EventId::parse(text).is_err(), "{text}");
        }
        for text in ["", "a b", "é", &"a".repeat(65)] {
            assert!(AccountId::parse(text).is_err(), "{text}");
        }
    }
}
