//! Wake-ups: what travels through queues and schedules. A wake-up carries no truth; losing,
//! doubling or reordering one may delay a delivery, never lose or corrupt it.

use serde::{Deserialize, Serialize};

use crate::ids::{DeliveryId, hex};
use crate::schedule::Tier;

/// The format's version. A reader must understand the one before it, too, so that an update of a
/// running stack loses nothing.
pub const WAKE_UP_VERSION: u32 = 1;

/// "Look at this delivery: its scheduled attempt of this tier may be due."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WakeUp {
    /// Which delivery.
    pub delivery_id: DeliveryId,
    /// The scheduled attempt it is for.
    pub tier: Tier,
    /// How it came to be.
    pub origin: Origin,
}

/// How a wake-up came to be: whether another one for the same attempt may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The one arranged when the attempt was decided on. It POSTs without a claim.
    Fresh,
    /// Sent again by somebody who could not know whether the first is still about.
    Copy,
    /// A link in a chain of SQS delays, taken when Scheduler could not be had; may be a copy.
    Hop,
}

/// A message body that is no wake-up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a wake-up this version understands: {0}")]
pub struct NotAWakeUp(String);

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    kind: String,
    delivery: String,
    tier: Tier,
    origin: Origin,
}

impl WakeUp {
    /// The wake-up arranged together with the attempt it is for.
    pub fn fresh(delivery_id: DeliveryId, tier: Tier) -> Self {
        Self { delivery_id, tier, origin: Origin::Fresh }
    }

    /// One that may have company.
    pub fn copy(delivery_id: DeliveryId, tier: Tier) -> Self {
        Self { delivery_id, tier, origin: Origin::Copy }
    }

    /// The same wake-up with another origin.
    pub fn with_origin(&self, origin: Origin) -> Self {
        Self { origin, ..self.clone() }
    }

    /// The message body.
    pub fn to_json(&self) -> String {
        let wire = Wire {
            v: WAKE_UP_VERSION,
            kind: "scheduled".into(),
            delivery: self.delivery_id.to_string(),
            tier: self.tier,
            origin: self.origin,
        };
        serde_json::to_string(&wire).expect("strings and numbers are always JSON")
    }

    /// Reads a message body.
    ///
    /// # Errors
    /// [`NotAWakeUp`] for another format, version or kind; such a message stays on the queue and
    /// ends in its dead-letter queue, where a newer version can still read it.
    pub fn parse(body: &str) -> Result<Self, NotAWakeUp> {
        let wire: Wire = serde_json::from_str(body).map_err(|e| NotAWakeUp(e.to_string()))?;
        if wire.v != WAKE_UP_VERSION || wire.kind != "scheduled" {
            return Err(NotAWakeUp(format!("version {}, kind {:?}", wire.v, wire.kind)));
        }
        let delivery_id =
            DeliveryId::parse(&wire.delivery).map_err(|e| NotAWakeUp(e.to_string()))?;
        Ok(Self { delivery_id, tier: wire.tier, origin: wire.origin })
    }

    /// The name of the one-time schedule for this wake-up: 40 hex digits and the tier. The same
    /// attempt always has the same name, so a second schedule for it is refused as a conflict.
    pub fn schedule_name(&self) -> String {
        let digest = hex(&<sha2::Sha256 as sha2::Digest>::digest(self.delivery_id.as_str()));
        format!("{}-{}", &digest[..40], self.tier)
    }
}

/// The two queues of wake-ups (design 3.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// `SendQueue`: first attempts.
    Send,
    /// `RetryQueue`: every later attempt.
    Retry,
}

impl Lane {
    /// Where a wake-up for this tier goes.
    pub fn of_tier(tier: Tier) -> Self {
        if tier == 0 { Lane::Send } else { Lane::Retry }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "dlv_abc_0_019ea1732b20_00112233445566778899aabbccddeeff";

    #[test]
    fn text_and_back() {
        let id = DeliveryId::parse(ID).expect("valid");
        for origin in [Origin::Fresh, Origin::Copy, Origin::Hop] {
            let wake_up = WakeUp { delivery_id: id.clone(), tier: 3, origin };
            assert_eq!(WakeUp::parse(&wake_up.to_json()), Ok(wake_up));
        }
        // The first version's spelling, kept so that a later one cannot forget to read it.
        let first =
            format!(r#"{{"v":1,"kind":"scheduled","delivery":"{ID}","tier":0,"origin":"fresh"}}"#);
        assert_eq!(WakeUp::parse(&first), Ok(WakeUp::fresh(id, 0)));
    }

    #[test]
    fn what_is_not_a_wake_up() {
        let good = WakeUp::fresh(DeliveryId::parse(ID).expect("valid"), 0).to_json();
        for (from, to) in
            [("\"v\":1", "\"v\":2"), ("scheduled", "job"), ("dlv_", "x"), ("fresh", "old")]
        {
            assert!(WakeUp::parse(&good.replace(from, to)).is_err(), "{from} -> {to}");
        }
        assert!(WakeUp::parse("{}").is_err());
    }

    #[test]
    fn a_schedule_is_named_after_the_attempt() {
        let name =
            |tier| WakeUp::fresh(DeliveryId::parse(ID).expect("valid"), tier).schedule_name();
        assert_eq!(name(2).len(), 42);
        assert!(name(2).ends_with("-2"));
        assert_eq!(&name(1)[..40], &name(2)[..40]);
    }
}
