//! What a product may put on the events queue (design 4.1), and how a refusal is worded.
//!
//! The body is one object or an array of objects. Each element is judged alone: a bad one is
//! refused with its original bytes, and the others go on. `data` is never re-written: the bytes
//! between its braces reach the endpoint as they were sent.

mod presumed;

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::Timestamp;
use crate::ids::{AccountId, EventId, hash_fields, hex};
use crate::limits::{
    ERROR_MESSAGE_BYTES, EVENT_BYTES, EVENT_NAME_CHARS, EVENTS_PER_MESSAGE, PLATFORM_ID_CHARS,
    SOURCE_ID_CHARS, TIMESTAMP_CHARS,
};

pub use presumed::presumed_event_id;

/// An event as a product sent it, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The product's own name for the event.
    pub source_id: Option<String>,
    /// Whose event it is.
    pub account_id: AccountId,
    /// Its name, such as `email.delivered`.
    pub event: String,
    /// The product that sent it.
    pub product: Product,
    /// The platform within the product.
    pub platform_id: String,
    /// When it happened, as spelled.
    pub timestamp: String,
    /// The payload, byte for byte.
    pub data: String,
}

/// Who sends events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    /// E-mail.
    Migosmtp,
    /// SMS, voice, WhatsApp.
    Telnxo,
    /// The billing portal.
    Rackwave,
}

impl Product {
    /// Every product.
    pub const ALL: [Product; 3] = [Product::Migosmtp, Product::Telnxo, Product::Rackwave];

    /// As it is written in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Product::Migosmtp => "migosmtp",
            Product::Telnxo => "telnxo",
            Product::Rackwave => "rackwave",
        }
    }

    /// Reads the spelling of [`Product::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|product| product.as_str() == text)
    }
}

/// Why an element, or a whole body, was refused. The spelling is part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionCode {
    /// The body does not parse.
    InvalidJson,
    /// Neither object nor array, an empty array, an element that is no object, a repeated key.
    InvalidEnvelope,
    /// A field that is not in the contract.
    UnknownField,
    /// A field that must be there.
    MissingField,
    /// A field with a value that cannot be.
    InvalidField,
    /// An event above [`EVENT_BYTES`].
    TooLarge,
    /// An array above [`EVENTS_PER_MESSAGE`].
    BatchTooLarge,
    /// The id is taken by an event with other content.
    EventIdConflict,
}

impl RejectionCode {
    /// As it is written on `RejectedQueue`.
    pub fn as_str(self) -> &'static str {
        match self {
            RejectionCode::InvalidJson => "invalid_json",
            RejectionCode::InvalidEnvelope => "invalid_envelope",
            RejectionCode::UnknownField => "unknown_field",
            RejectionCode::MissingField => "missing_field",
            RejectionCode::InvalidField => "invalid_field",
            RejectionCode::TooLarge => "too_large",
            RejectionCode::BatchTooLarge => "batch_too_large",
            RejectionCode::EventIdConflict => "event_id_conflict",
        }
    }
}

/// A refusal. It names the field and the rule, never the value: payloads stay out of logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// What to match on.
    pub code: RejectionCode,
    /// For people; at most [`ERROR_MESSAGE_BYTES`].
    pub message: String,
    /// The field at fault, if one is.
    pub field: Option<String>,
}

impl Rejection {
    fn new(code: RejectionCode, field: Option<&str>, message: impl Into<String>) -> Self {
        let message = cut(message.into(), ERROR_MESSAGE_BYTES);
        Self { code, message, field: field.map(|f| cut(f.to_owned(), 128)) }
    }

    /// The refusal of a second event with a taken id.
    pub fn conflict(id: &EventId) -> Self {
        Self::new(
            RejectionCode::EventIdConflict,
            Some("id"),
            format!(
                "the id is already taken by another event ({id}) of this account and product; \
                 give each event its own id"
            ),
        )
    }
}

/// One element of a body: what it says or why it is refused, and its original bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Position in the body from 0; `None` if the whole body is refused.
    pub index: Option<usize>,
    /// The bytes as received.
    pub original: &'a str,
    /// The verdict.
    pub verdict: Result<Envelope, Rejection>,
}

/// Reads a message body. A body refused as a whole gives a single element without index.
pub fn parse_body(body: &str) -> Vec<Element<'_>> {
    match split(body) {
        Err(rejection) => vec![Element { index: None, original: body, verdict: Err(rejection) }],
        Ok(elements) => elements
            .into_iter()
            .enumerate()
            .map(|(index, raw)| Element {
                index: Some(index),
                original: raw.get(),
                verdict: parse_element(raw.get()),
            })
            .collect(),
    }
}

fn split(body: &str) -> Result<Vec<&RawValue>, Rejection> {
    use RejectionCode::{BatchTooLarge, InvalidEnvelope, InvalidJson};
    let refuse = |code, message: &str| Err(Rejection::new(code, None, message));
    let whole: &RawValue = serde_json::from_str(body).map_err(|e| {
        let place = format!("the body is not JSON (line {}, column {})", e.line(), e.column());
        Rejection::new(InvalidJson, None, place)
    })?;
    match whole.get().as_bytes().first() {
        Some(b'{') => Ok(vec![whole]),
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(whole.get())
                .map_err(|_| Rejection::new(InvalidJson, None, "the body is not JSON"))?;
            match elements.len() {
                0 => refuse(InvalidEnvelope, "the array is empty; send 1 to 100 events"),
                n if n > EVENTS_PER_MESSAGE => Err(Rejection::new(
                    BatchTooLarge,
                    None,
                    format!("the array has {n} events; at most {EVENTS_PER_MESSAGE} are taken"),
                )),
                _ => Ok(elements),
            }
        }
        _ => refuse(InvalidEnvelope, "the body is neither an object nor an array of objects"),
    }
}

fn parse_element(raw: &str) -> Result<Envelope, Rejection> {
    use RejectionCode::{InvalidEnvelope, TooLarge};
    if raw.len() > EVENT_BYTES {
        let message =
            format!("the event has {} bytes; at most {EVENT_BYTES} (256 KiB) are taken", raw.len());
        return Err(Rejection::new(TooLarge, None, message));
    }
    if !raw.starts_with('{') {
        return Err(Rejection::new(InvalidEnvelope, None, "the element is not an object"));
    }
    let fields: Fields<'_> = serde_json::from_str(raw).map_err(|_| {
        Rejection::new(InvalidEnvelope, None, "a field name of the event is not valid text")
    })?;
    fields.envelope()
}

/// The members of an element, in order, values unread.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Fields<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Members<'a> {
            type Value = Fields<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'a>, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &'de RawValue>()? {
                    members.push(member);
                }
                Ok(Fields(members))
            }
        }
        deserializer.deserialize_map(Members(std::marker::PhantomData))
    }
}

const KNOWN: [&str; 7] =
    ["id", "account_id", "event", "product", "platform_id", "timestamp", "data"];

impl Fields<'_> {
    fn envelope(&self) -> Result<Envelope, Rejection> {
        self.check_names()?;
        Ok(Envelope {
            source_id: self.optional("id").map(|raw| self.source_id(raw)).transpose()?,
            account_id: self.account_id()?,
            event: self.text(
                "event",
                "a name such as \"email.delivered\": lower-case letters, \
                digits and _, in parts joined by dots, at most 128 characters",
                is_event_name,
            )?,
            product: self.product()?,
            platform_id: self.text(
                "platform_id",
                "a string of 1 to 64 printable ASCII characters",
                |text| is_printable(text, PLATFORM_ID_CHARS),
            )?,
            timestamp: self.text(
                "timestamp",
                "an RFC 3339 time in UTC, ending in Z or +00:00, such as 2026-06-07T09:39:00Z",
                is_utc_time,
            )?,
            data: self.data()?,
        })
    }

    fn check_names(&self) -> Result<(), Rejection> {
        use RejectionCode::{InvalidEnvelope, UnknownField};
        for (nth, (name, _)) in self.0.iter().enumerate() {
            if self.0[..nth].iter().any(|(earlier, _)| earlier == name) {
                let message = format!("the field \"{}\" is there twice", printable(name));
                return Err(Rejection::new(InvalidEnvelope, Some(&printable(name)), message));
            }
        }
        match self.0.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => {
                let name = printable(name);
                let message = format!(
                    "the field \"{name}\" is unknown; known are {}; what belongs to the payload \
                     goes into data",
                    KNOWN.join(", ")
                );
                Err(Rejection::new(UnknownField, Some(&name), message))
            }
        }
    }

    fn optional(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, raw)| raw.get())
    }

    fn required(&self, name: &str) -> Result<&str, Rejection> {
        self.optional(name).ok_or_else(|| {
            let message = format!("the field \"{name}\" is missing");
            Rejection::new(RejectionCode::MissingField, Some(name), message)
        })
    }

    fn text(&self, name: &str, rule: &str, ok: fn(&str) -> bool) -> Result<String, Rejection> {
        let raw = self.required(name)?;
        string(raw).filter(|text| ok(text)).ok_or_else(|| invalid(name, rule))
    }

    fn source_id(&self, raw: &str) -> Result<String, Rejection> {
        string(raw)
            .filter(|id| is_printable(id, SOURCE_ID_CHARS))
            .ok_or_else(|| invalid("id", "a string of 1 to 128 printable ASCII characters"))
    }

    fn account_id(&self) -> Result<AccountId, Rejection> {
        let raw = self.required("account_id")?;
        string(raw).and_then(|text| AccountId::parse(&text).ok()).ok_or_else(|| {
            invalid("account_id", "the Rackwave customer number: 1 to 64 of A-Z a-z 0-9 _ -")
        })
    }

    fn product(&self) -> Result<Product, Rejection> {
        let raw = self.required("product")?;
        string(raw)
            .and_then(|text| Product::parse(&text))
            .ok_or_else(|| invalid("product", "migosmtp, telnxo or rackwave"))
    }

    fn data(&self) -> Result<String, Rejection> {
        let raw = self.required("data")?;
        if raw.starts_with('{') {
            Ok(raw.to_owned())
        } else {
            Err(invalid("data", "a JSON object"))
        }
    }
}

fn invalid(field: &str, rule: &str) -> Rejection {
    let message = format!("the field \"{field}\" must be {rule}");
    Rejection::new(RejectionCode::InvalidField, Some(field), message)
}

fn string(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

fn is_printable(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|b| (0x20..=0x7e).contains(&b))
}

/// `[a-z0-9_]+(\.[a-z0-9_]+)*`, at most 128 characters.
pub fn is_event_name(text: &str) -> bool {
    let part = |p: &str| {
        !p.is_empty()
            && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    text.len() <= EVENT_NAME_CHARS && text.split('.').all(part)
}

fn is_utc_time(text: &str) -> bool {
    text.len() <= TIMESTAMP_CHARS
        && (text.ends_with('Z') || text.ends_with("+00:00"))
        && text.as_bytes().get(10) == Some(&b'T')
        && Timestamp::parse(text).is_ok()
}

/// A name from outside, fit for a message: no control characters, not long.
fn printable(name: &str) -> String {
    cut(name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(), 64)
}

fn cut(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

/// The event id (design 4.1): derived, so that the same event sent twice is one, and so that a
/// product can compute it in advance.
pub fn derive_event_id(envelope: &Envelope) -> EventId {
    let (account, product) = (envelope.account_id.as_str(), envelope.product.as_str());
    match &envelope.source_id {
        Some(id) => derive_event_id_of(&envelope.account_id, envelope.product, id),
        None => EventId::from_digest(hash_fields(&[
            "content",
            account,
            product,
            &envelope.event,
            &envelope.platform_id,
            &envelope.timestamp,
            &envelope.data,
        ])),
    }
}

/// The event id of the event that a product calls `source_id`.
pub fn derive_event_id_of(account: &AccountId, product: Product, source_id: &str) -> EventId {
    let fields = ["id", account.as_str(), product.as_str(), source_id];
    EventId::from_digest(hash_fields(&fields))
}

/// What two events with one id must have in common to be the same event.
pub fn content_hash(envelope: &Envelope) -> String {
    let Envelope { event, platform_id, timestamp, data, .. } = envelope;
    hex(&hash_fields(&[event, platform_id, timestamp, data]))
}

#[cfg(test)]
mod tests;
