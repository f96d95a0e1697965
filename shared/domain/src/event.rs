//! An accepted event: its envelope, and the fan-out decided when it was accepted.

use crate::Timestamp;
use crate::delivery::Delivery;
use crate::endpoint::{Endpoint, Interest};
use crate::envelope::{Envelope, content_hash, derive_event_id};
use crate::ids::{DeliveryId, EventId};

/// An event as it is stored. The fan-out is part of it: whatever the endpoints are later, every
/// try of the same event works from this list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The derived id.
    pub id: EventId,
    /// What the product sent.
    pub envelope: Envelope,
    /// Decides whether another event with the same id is the same event.
    pub content_hash: String,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// W3C trace context of the producer, passed on to the endpoints.
    pub traceparent: Option<String>,
    /// One entry per endpoint that gets, or would have got, the event.
    pub fan_out: Vec<FanOut>,
    /// The SQS message it came in: whose write it is, and where to look for it in the log.
    pub source_message_id: Option<String>,
    /// When its payload was erased: from then on `envelope.data` is empty, and nothing is sent.
    pub erased_at: Option<Timestamp>,
}

/// One endpoint's share of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FanOut {
    /// The delivery; it names the endpoint.
    pub delivery_id: DeliveryId,
    /// Sent, or only recorded because the endpoint is disabled.
    pub skipped: bool,
}

impl Event {
    /// Decides the fan-out. `endpoints` are all of the account; those not interested take no part.
    ///
    /// Returns `None` if no endpoint is interested: such an event is counted, not stored.
    pub fn accept(
        envelope: Envelope,
        endpoints: &[Endpoint],
        traceparent: Option<String>,
        retention: std::time::Duration,
        now: Timestamp,
    ) -> Option<Self> {
        let id = derive_event_id(&envelope);
        let entry = |endpoint: &Endpoint, skipped| FanOut {
            delivery_id: DeliveryId::derive(&endpoint.id, endpoint.shards, now, &id),
            skipped,
        };
        let fan_out: Vec<FanOut> = endpoints
            .iter()
            .filter_map(|endpoint| match endpoint.interest(&envelope, retention, now) {
                Interest::None => None,
                Interest::Send => Some(entry(endpoint, false)),
                Interest::Skip => Some(entry(endpoint, true)),
            })
            .collect();
        if fan_out.is_empty() {
            return None;
        }
        let content_hash = content_hash(&envelope);
        Some(Self {
            id,
            envelope,
            content_hash,
            accepted_at: now,
            traceparent,
            fan_out,
            source_message_id: None,
            erased_at: None,
        })
    }

    /// Whether there is still something to send.
    pub fn has_payload(&self) -> bool {
        self.erased_at.is_none()
    }

    /// The event without what its product sent. Its content hash stays, so that the same event
    /// sent again is still known, and another one under its id still refused.
    pub fn erase(&mut self, at: Timestamp) {
        self.envelope.data.clear();
        self.erased_at.get_or_insert(at);
    }

    /// The deliveries as they are first put on record. `endpoints` only lend their URLs for the
    /// record; who gets the event is the stored fan-out's to say.
    pub fn deliveries(&self, endpoints: &[Endpoint]) -> Vec<Delivery> {
        let url = |entry: &FanOut| {
            let known = endpoints.iter().find(|e| e.id == *entry.delivery_id.endpoint());
            known.map(|endpoint| endpoint.url.clone())
        };
        self.fan_out.iter().map(|entry| Delivery::new(self, entry, url(entry))).collect()
    }
}

/// A W3C `traceparent` (version 00 layout), or nothing: a malformed one is not passed on.
pub fn traceparent(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, len| {
        part.len() == len && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let [version, trace, parent, flags] = parts.as_slice() else {
        return None;
    };
    let shaped = hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    let named = trace.bytes().any(|b| b != b'0') && parent.bytes().any(|b| b != b'0');
    (shaped && named && *version != "ff").then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_traceparent_is_passed_on() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(traceparent(good).as_deref(), Some(good));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nx: y",
        ] {
            assert_eq!(traceparent(bad), None, "{bad}");
        }
    }
}
