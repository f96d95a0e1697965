//! Wake-ups: what travels through queues and schedules. A wake-up carries no truth; losing,
//! doubling or reordering one may delay a delivery, never lose or corrupt it.

mod call;

use serde::{Deserialize, Serialize};

use crate::ids::{DeliveryId, hex};
use crate::schedule::Tier;

/// The format's version. A reader must understand the one before it, too, so that an update of a
/// running stack loses nothing.
pub const WAKE_UP_VERSION: u32 = 1;

pub use call::{Call, JobStep, NotAWakeUp, RetryCall};

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

    /// The same wake-up, sent again: by then, another may be about.
    pub fn again(&self) -> Self {
        let origin = match self.origin {
            Origin::Hop => Origin::Hop,
            Origin::Fresh | Origin::Copy => Origin::Copy,
        };
        self.with_origin(origin)
    }

    /// The message body.
    pub fn to_json(&self) -> String {
        Call::Scheduled(self.clone()).to_json()
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
    /// `SendQueue`: first attempts, and retries that a person waits for.
    Send,
    /// `RetryQueue`: every later attempt, and jobs.
    Retry,
}

impl Lane {
    /// Where a wake-up for a scheduled attempt goes: of endpoints that stand apart
    /// ([`crate::endpoint::Endpoint::stands_apart`]) not even the first one stands among the first
    /// attempts of others.
    pub fn of_attempt(tier: Tier, apart: bool) -> Self {
        if apart { Lane::Retry } else { Self::of_tier(tier) }
    }

    /// Where a wake-up for this tier goes.
    pub fn of_tier(tier: Tier) -> Self {
        if tier == 0 { Lane::Send } else { Lane::Retry }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::RetryBy;
    use crate::ids::{JobId, RetryId};

    const ID: &str = "dlv_abc_0_019ea1732b20_00112233445566778899aabbccddeeff";

    fn calls() -> Vec<Call> {
        let id = DeliveryId::parse(ID).expect("valid");
        let scheduled =
            |tier, origin| Call::Scheduled(WakeUp { delivery_id: id.clone(), tier, origin });
        let (retry_id, job_id) = (RetryId::from_random([7; 16]), JobId::from_random([9; 10]));
        let retry = |by, is_copy| {
            let (delivery_id, retry_id) = (id.clone(), retry_id.clone());
            Call::Retry(RetryCall { delivery_id, retry_id, by, is_copy })
        };
        let endpoint_id = id.endpoint().clone();
        vec![
            scheduled(0, Origin::Fresh),
            scheduled(3, Origin::Copy),
            scheduled(4, Origin::Hop),
            retry(RetryBy::Manual, false),
            retry(RetryBy::Manual, true),
            retry(RetryBy::Recover(job_id.clone()), false),
            retry(RetryBy::Recover(job_id.clone()), true),
            Call::Step(JobStep { job_id, endpoint_id, seq: 12 }),
        ]
    }

    /// `kept.txt` holds what this and earlier versions wrote, the newest version last: an update
    /// of a running stack finds it on the queues and in schedules. Whoever changes the format
    /// raises the version, keeps those lines, and adds what is written then.
    #[test]
    fn what_is_on_the_queues_is_understood() {
        let kept: Vec<&str> = include_str!("wakeup/kept.txt").lines().collect();
        let written: Vec<String> = calls().iter().map(Call::to_json).collect();
        let versions = kept.chunks(written.len());
        let newest = versions.clone().last().expect("there is one");
        assert_eq!(newest, written, "what is written today is kept");
        for lines in versions {
            let read: Vec<_> = lines.iter().map(|line| Call::parse(line)).collect();
            assert_eq!(read, calls().into_iter().map(Ok).collect::<Vec<_>>());
        }
    }

    /// It stays on its queue, and at last in its dead-letter queue, for the version that knows it.
    #[test]
    fn a_newer_version_is_left_alone() {
        let newer = format!("\"v\":{}", WAKE_UP_VERSION + 1);
        for call in calls() {
            let body = call.to_json().replace(&format!("\"v\":{WAKE_UP_VERSION}"), &newer);
            assert!(Call::parse(&body).is_err(), "{body}");
        }
    }

    #[test]
    fn what_is_not_a_wake_up() {
        let good = WakeUp::fresh(DeliveryId::parse(ID).expect("valid"), 0).to_json();
        for (from, to) in [
            ("scheduled", "job"),
            ("scheduled", "manual"),
            ("scheduled", "x"),
            ("dlv_", "x"),
            ("fresh", "old"),
        ] {
            assert!(Call::parse(&good.replace(from, to)).is_err(), "{from} -> {to}");
        }
        assert!(Call::parse("{}").is_err());
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
