//! The delivery log: an endpoint's deliveries, newest first, across its shards.
//!
//! A page ends at a place, and the next begins below it. New deliveries get later places, so a
//! walk from page to page meets each delivery once, however many arrive meanwhile.

use crate::Timestamp;
use crate::delivery::Delivery;
use crate::ids::{DeliveryId, EndpointId};

/// Where a delivery stands in the log of its account: its moment and its event. Deliveries of one
/// event to several endpoints share it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPlace(String);

impl LogPlace {
    /// Where a delivery stands.
    pub fn of(id: &DeliveryId) -> Self {
        let text = id.as_str();
        let cut = text.rmatch_indices('_').nth(1).map_or(0, |(at, _)| at + 1);
        Self(text[cut..].to_owned())
    }

    /// Reads what [`LogPlace::as_str`] wrote; `None` if it is no place.
    pub fn parse(text: &str) -> Option<Self> {
        // Whatever stands behind an endpoint and a shard in a delivery's id is a place.
        DeliveryId::parse(&format!("dlv_x_0_{text}")).ok().map(|id| Self::of(&id))
    }

    /// The place as text; text order is the order of the log.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which part of the log is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// Whose log.
    pub endpoint: EndpointId,
    /// The endpoint's shards, at least 1.
    pub shards: u16,
    /// Only what is retrying, failed or skipped, by the index that holds nothing else.
    pub problems_only: bool,
    /// Accepted at this moment or later.
    pub from: Timestamp,
    /// Accepted before this moment.
    pub to: Timestamp,
    /// Only what stands below this place: the end of the page before.
    pub before: Option<LogPlace>,
    /// Deliveries on the page.
    pub limit: usize,
}

impl LogQuery {
    /// The newest of an endpoint, whatever their age.
    pub fn newest(endpoint: &EndpointId, shards: u16, limit: usize) -> Self {
        Self {
            endpoint: endpoint.clone(),
            shards,
            problems_only: false,
            from: Timestamp::from_millis(0),
            to: Timestamp::from_millis(i64::MAX),
            before: None,
            limit,
        }
    }

    /// The first and the last sort key of a shard that belong to the part, both included; `None`
    /// if nothing can.
    pub fn keys_of_shard(&self, shard: u16) -> Option<(String, String)> {
        let stem = &self.endpoint.as_str()[3..];
        let key = |place: &str| format!("dlv_{stem}_{shard}_{place}");
        // A moment alone sorts before every id of that moment.
        let moment = |at: Timestamp| format!("{:012x}", at.as_millis());
        let end = moment(self.to);
        let last = match &self.before {
            Some(place) if place.as_str() < end.as_str() => just_before(place.as_str()),
            Some(_) | None => end,
        };
        let first = moment(self.from);
        (first <= last).then(|| (key(&first), key(&last)))
    }
}

/// A text after every place before this one, and before this one.
fn just_before(place: &str) -> String {
    let (start, last) = place.split_at(place.len() - 1);
    let smaller = last.bytes().next().map_or('/', |b| char::from(b.saturating_sub(1)));
    format!("{start}{smaller}~")
}

/// Merges what the shards gave, newest first; each gave its newest `limit` or all it has. Answers
/// the page and, if there may be more, where it ends.
pub fn newest_first(mut found: Vec<Delivery>, limit: usize) -> (Vec<Delivery>, Option<LogPlace>) {
    found.sort_by_cached_key(|delivery| std::cmp::Reverse(LogPlace::of(&delivery.id)));
    let more = found.len() >= limit;
    found.truncate(limit);
    let end = found.last().filter(|_| more).map(|delivery| LogPlace::of(&delivery.id));
    (found, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(shard: u16, millis: u16, event: char) -> DeliveryId {
        let text =
            format!("dlv_abc_{shard}_00000000{millis:04x}_00112233445566778899aabbccddeef{event}");
        DeliveryId::parse(&text).expect("valid")
    }

    fn query() -> LogQuery {
        LogQuery::newest(&EndpointId::parse("ep_abc").expect("valid"), 1, 10)
    }

    #[track_caller]
    fn check(query: &LogQuery, id: &DeliveryId, shard: u16, expected: bool) {
        let (first, last) = query.keys_of_shard(shard).expect("a range");
        let within = (first.as_str()..=last.as_str()).contains(&id.as_str());
        assert_eq!(within, expected, "{id} in {first} to {last}");
    }

    #[test]
    fn a_place_is_the_same_in_every_shard() {
        assert_eq!(LogPlace::of(&id(3, 7, 'a')), LogPlace::of(&id(12, 7, 'a')));
        let place = LogPlace::of(&id(3, 7, 'a'));
        assert_eq!(LogPlace::parse(place.as_str()), Some(place));
        for text in ["", "7", "0_0", "dlv_abc_0_000000000007_00112233445566778899aabbccddeeff"] {
            assert_eq!(LogPlace::parse(text), None, "{text}");
        }
    }

    #[test]
    fn from_is_in_and_to_is_out() {
        let bounds =
            LogQuery { from: Timestamp::from_millis(5), to: Timestamp::from_millis(9), ..query() };
        for (millis, expected) in [(4, false), (5, true), (8, true), (9, false)] {
            check(&bounds, &id(2, millis, '0'), 2, expected);
            check(&bounds, &id(2, millis, 'f'), 2, expected);
        }
        let nothing = LogQuery { from: Timestamp::from_millis(10), ..bounds };
        assert_eq!(nothing.keys_of_shard(0), None);
    }

    #[test]
    fn the_next_page_begins_below_the_last_one() {
        for last in ['0', '1', '9', 'a', 'f'] {
            let below = LogQuery { before: Some(LogPlace::of(&id(0, 7, last))), ..query() };
            for event in "0123456789abcdef".chars() {
                check(&below, &id(4, 7, event), 4, event < last);
            }
            check(&below, &id(4, 6, 'f'), 4, true);
            check(&below, &id(4, 8, '0'), 4, false);
        }
    }
}
