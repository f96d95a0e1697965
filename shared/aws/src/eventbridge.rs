//! The bus for operational events (design 4.9).

use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use domain::ports::{Announcement, Bus, PortError, PortResult};
use serde_json::Value;

use crate::error::cause;
use crate::packing::{Packed, Room, pack};

const SOURCE: &str = "rackwave.webhooks";
const CALL: &str = "bus.announce";
/// What EventBridge takes in one request; an entry is counted with its source, its type and 14
/// bytes for its time.
const ROOM: Room = Room { entries: 10, bytes: 256 * 1024 };

/// An event bus.
#[derive(Debug, Clone)]
pub struct EventBus {
    client: Client,
    name: String,
}

impl EventBus {
    /// The bus of this name.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Client::new(config), name: name.into() }
    }

    /// One request. Answers for each entry, in order.
    async fn put(&self, entries: Vec<PutEventsRequestEntry>) -> Vec<Result<(), String>> {
        let count = entries.len();
        let request = self.client.put_events().set_entries(Some(entries));
        let put = match request.send().await {
            Ok(put) => put,
            Err(error) => return vec![Err(cause(&error)); count],
        };
        // Answers stand in the order of the entries; a refused one has a code and no event id.
        let mut answers: Vec<_> = (put.entries().iter().take(count))
            .map(|entry| match entry.error_code() {
                None => Ok(()),
                Some(code) => {
                    let message = entry.error_message().unwrap_or("no message");
                    Err(format!("{code}: {message}"))
                }
            })
            .collect();
        answers.resize(count, Err("no answer".to_owned()));
        answers
    }

    fn entry(&self, announcement: &Announcement) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(announcement.name)
            .time(DateTime::from_millis(announcement.at.as_millis()))
            .detail(detail(announcement))
            .build()
    }
}

impl Bus for EventBus {
    async fn announce(&self, announcements: &[Announcement]) -> Vec<PortResult<()>> {
        let entries: Vec<_> = announcements.iter().map(|a| self.entry(a)).collect();
        let sizes: Vec<usize> = entries.iter().map(size).collect();
        let Packed { requests, oversized } = pack(&sizes, ROOM);
        let mut answers: Vec<PortResult<()>> = Vec::with_capacity(entries.len());
        answers.resize_with(entries.len(), || Err(PortError::new(CALL, "no answer")));
        for place in oversized {
            answers[place] = Err(PortError::new(CALL, "too large for the bus"));
        }
        for places in requests {
            let batch = places.iter().map(|place| entries[*place].clone()).collect();
            for (place, answer) in places.into_iter().zip(self.put(batch).await) {
                answers[place] = answer.map_err(|cause| PortError::new(CALL, cause));
            }
        }
        answers
    }
}

/// What is said, and the id by which a listener tells that it heard it before.
fn detail(announcement: &Announcement) -> String {
    let mut detail = announcement.detail.clone();
    detail.insert("id".into(), Value::from(announcement.id.clone()));
    Value::Object(detail).to_string()
}

fn size(entry: &PutEventsRequestEntry) -> usize {
    let text = |field: Option<&str>| field.map_or(0, str::len);
    14 + text(entry.source()) + text(entry.detail_type()) + text(entry.detail())
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    #[test]
    fn the_stable_id_is_part_of_the_detail() {
        let announcement = Announcement {
            id: "ann_1".into(),
            name: "delivery.failed",
            at: Timestamp::from_millis(1_500),
            detail: serde_json::Map::from_iter([("reason".to_owned(), Value::from("exhausted"))]),
        };
        assert_eq!(detail(&announcement), r#"{"id":"ann_1","reason":"exhausted"}"#);
    }
}
