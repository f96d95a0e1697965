//! Accepted events: the port, and an event and its item.

use std::io::{Read as _, Write as _};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::Timestamp;
use domain::envelope::{Envelope, Product};
use domain::event::{Event, FanOut};
use domain::ids::{AccountId, DeliveryId, EventId};
use domain::limits::EVENT_BYTES;
use domain::ports::{Events, PortResult, Stored};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::item::{Item, Reader, Unreadable, Writer, number, text};
use super::request::{Place, Read, Update};
use super::size::write_units;
use super::{Store, Table};

impl Events for Store {
    async fn store(&self, event: &Event) -> PortResult<Stored> {
        let place = at("events.store");
        let item = to_item(event, event.accepted_at + self.retention);
        match self.put_new(place, item).await? {
            None => Ok(Stored::New),
            Some(existing) => from_item(&existing)
                .map(|event| Stored::Existing(Box::new(event)))
                .map_err(|e| place.unreadable(e)),
        }
    }

    /// The cheaper read finds nearly every event, as its delivery is written after it; only a
    /// miss is asked again with the one that cannot miss.
    async fn event(&self, id: &EventId) -> PortResult<Option<Event>> {
        let place = at("events.event");
        let key = || Writer::default().with("event_id", text(id)).item();
        let item = match self.read(place, key(), Read::Eventual).await? {
            Some(item) => Some(item),
            None => self.read(place, key(), Read::Consistent).await?,
        };
        item.as_ref().map(from_item).transpose().map_err(|e| place.unreadable(e))
    }

    async fn erase_payload(&self, id: &EventId, at_moment: Timestamp) -> PortResult<bool> {
        let mut update = Update::default();
        update.remove("data");
        update.remove("data_gzip");
        let (name, value) = (update.name(ERASED), update.value("at", text(at_moment)));
        update.set_expression(format!("{name} = if_not_exists({name}, {value})"));
        let known = update.name("event_id");
        update.only_if(format!("attribute_exists({known})"));
        let key = Writer::default().with("event_id", text(id)).item();
        self.update(at("events.erase_payload"), key, update).await
    }
}

/// The format's version.
const VERSION: u8 = 1;
const ERASED: &str = "payload_erased_at";

fn at(call: &'static str) -> Place {
    Place { call, table: Table::Events }
}

/// The item of an event. Its data stands in `data`, or in `data_gzip` where that saves a write
/// unit.
pub(super) fn to_item(event: &Event, expires_at: Timestamp) -> Item {
    let envelope = &event.envelope;
    let plain = Writer::default()
        .with("event_id", text(&event.id))
        .with("account_id", text(&envelope.account_id))
        .with("product", text(envelope.product.as_str()))
        .with_some("source_id", envelope.source_id.as_ref().map(text))
        .with("event", text(&envelope.event))
        .with("platform_id", text(&envelope.platform_id))
        .with("timestamp", text(&envelope.timestamp))
        .with("data", text(&envelope.data))
        .with("content_hash", text(&event.content_hash))
        .with("accepted_at", text(event.accepted_at))
        .with_some("traceparent", event.traceparent.as_ref().map(text))
        .with_some("source_message_id", event.source_message_id.as_ref().map(text))
        .with("fan_out", fan_out_value(&event.fan_out))
        .with_some(ERASED, event.erased_at.map(text))
        .with("expires_at", text(expires_at))
        .with("ttl", number(expires_at.ceil_secs()))
        .with("version", number(VERSION))
        .item();
    match compressed(&plain, &envelope.data) {
        Some(smaller) if write_units(&smaller) < write_units(&plain) => smaller,
        Some(_) | None => plain,
    }
}

fn compressed(plain: &Item, data: &str) -> Option<Item> {
    if write_units(plain) == 1 {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data.as_bytes()).ok()?;
    let bytes = encoder.finish().ok()?;
    let mut item = plain.clone();
    item.remove("data");
    item.insert("data_gzip".into(), AttributeValue::B(Blob::new(bytes)));
    Some(item)
}

fn fan_out_value(fan_out: &[FanOut]) -> AttributeValue {
    let entry = |entry: &FanOut| {
        let action = if entry.skipped { "skip" } else { "send" };
        let map = Writer::default()
            .with("delivery_id", text(&entry.delivery_id))
            .with("action", text(action));
        AttributeValue::M(map.item())
    };
    AttributeValue::L(fan_out.iter().map(entry).collect())
}

pub(super) fn from_item(item: &Item) -> Result<Event, Unreadable> {
    let fields = Reader(item);
    fields.no_newer_than(VERSION)?;
    let fan_out: Result<_, _> = fields.maps("fan_out")?.into_iter().map(fan_out).collect();
    Ok(Event {
        id: fields.parsed::<EventId>("event_id")?,
        envelope: Envelope {
            source_id: fields.text_opt("source_id")?.map(str::to_owned),
            account_id: fields.parsed::<AccountId>("account_id")?,
            event: fields.text("event")?.to_owned(),
            product: Product::parse(fields.text("product")?).ok_or(Unreadable("product"))?,
            platform_id: fields.text("platform_id")?.to_owned(),
            timestamp: fields.text("timestamp")?.to_owned(),
            data: data(item)?,
        },
        content_hash: fields.text("content_hash")?.to_owned(),
        accepted_at: fields.moment("accepted_at")?,
        traceparent: fields.text_opt("traceparent")?.map(str::to_owned),
        source_message_id: fields.text_opt("source_message_id")?.map(str::to_owned),
        fan_out: fan_out?,
        erased_at: fields.moment_opt(ERASED)?,
    })
}

fn data(item: &Item) -> Result<String, Unreadable> {
    const GZIP: &str = "data_gzip";
    if item.contains_key(ERASED) {
        return Ok(String::new());
    }
    let Some(value) = item.get(GZIP) else {
        return Ok(Reader(item).text("data")?.to_owned());
    };
    let bytes = value.as_b().map_err(|_| Unreadable(GZIP))?.as_ref();
    let most = u64::try_from(EVENT_BYTES).unwrap_or(u64::MAX);
    let mut data = String::new();
    GzDecoder::new(bytes).take(most).read_to_string(&mut data).map_err(|_| Unreadable(GZIP))?;
    Ok(data)
}

fn fan_out(entry: Reader<'_>) -> Result<FanOut, Unreadable> {
    Ok(FanOut {
        delivery_id: entry.parsed::<DeliveryId>("delivery_id")?,
        skipped: match entry.text("action")? {
            "send" => false,
            "skip" => true,
            _ => return Err(Unreadable("action")),
        },
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use domain::envelope::content_hash;

    use super::*;

    fn event(data: String) -> Event {
        let delivery = |n: u8| {
            let id = format!("dlv_abc{n}_0_019ea1732b20_00112233445566778899aabbccddeeff");
            DeliveryId::parse(&id).expect("valid")
        };
        let envelope = Envelope {
            source_id: Some("evt_123".into()),
            account_id: AccountId::parse("acct_42").expect("valid"),
            event: "email.delivered".into(),
            product: Product::Migosmtp,
            platform_id: "1".into(),
            timestamp: "2026-06-07T09:39:00Z".into(),
            data,
        };
        Event {
            id: EventId::parse("evt_00112233445566778899aabbccddeeff").expect("valid"),
            content_hash: content_hash(&envelope),
            envelope,
            accepted_at: Timestamp::from_millis(1_780_825_140_123),
            traceparent: None,
            source_message_id: Some("5fea7756-0ea4-451a-a703-a558b933e274".into()),
            fan_out: vec![
                FanOut { delivery_id: delivery(1), skipped: false },
                FanOut { delivery_id: delivery(2), skipped: true },
            ],
            erased_at: None,
        }
    }

    /// Hex of a hash chain: text that does not compress to less than half.
    fn noise(bytes: usize) -> String {
        let mut text = String::new();
        for n in 0u64.. {
            if text.len() >= bytes {
                break;
            }
            let hash = domain::ids::hash_fields(&[&n.to_string()]);
            let _ = write!(text, "{}", domain::ids::hex(&hash));
        }
        format!(r#"{{"n":"{}"}}"#, &text[..bytes])
    }

    #[track_caller]
    fn check(data: String, gzip: bool, units: usize) {
        let event = event(data);
        let item = to_item(&event, event.accepted_at + std::time::Duration::from_secs(1));
        assert_eq!(item.contains_key("data_gzip"), gzip);
        assert_ne!(item.contains_key("data"), gzip, "one or the other");
        assert_eq!(write_units(&item), units);
        assert_eq!(from_item(&item), Ok(event));
    }

    #[test]
    fn data_is_compressed_only_where_that_saves_a_write_unit() {
        check("{}".into(), false, 1);
        check(format!(r#"{{"a":"{}"}}"#, "x".repeat(2_000)), true, 1);
        check(noise(300), false, 1);
        check(noise(700), true, 1);
        check(noise(1_000), false, 2);
    }

    #[test]
    fn what_was_sent_comes_back_byte_for_byte() {
        let odd = r#"{"b":1.0,"a":1e3 ,"é":"\u00e9\ud83e\udd80 🦀","":null}"#;
        check(odd.into(), false, 1);
        check(format!(r#"{{"x":"{}","o":{odd}}}"#, "y".repeat(3_000)), true, 1);
    }

    #[test]
    fn an_item_of_another_shape_is_told_by_its_attribute() {
        let event = event("{}".into());
        let whole = to_item(&event, event.accepted_at);
        for attribute in ["event_id", "data", "content_hash", "accepted_at", "product"] {
            let mut item = whole.clone();
            item.remove(attribute);
            assert_eq!(from_item(&item), Err(Unreadable(attribute)));
        }
        let mut item = whole.clone();
        item.insert("data_gzip".into(), AttributeValue::B(Blob::new(*b"no gzip")));
        assert_eq!(from_item(&item), Err(Unreadable("data_gzip")));
    }
}
