//! Reading a JSON body, field by field.

use domain::Timestamp;
use domain::endpoint::register::Registration;
use domain::ids::AccountId;
use serde_json::{Map, Value};

use crate::error::{Answer, ApiError};

/// The fields of an object that have not been read yet.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// The object in a body.
    pub fn parse(body: &[u8]) -> Answer<Self> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) | Err(_) => Err(ApiError::InvalidJson),
        }
    }

    /// The same text for every spelling of the same fields.
    pub fn canonical(&self) -> String {
        Value::from(self.0.clone()).to_string()
    }

    /// A text that may be absent.
    pub fn text(&mut self, name: &'static str) -> Answer<Option<String>> {
        let text = |value| if let Value::String(text) = value { Some(text) } else { None };
        self.0.remove(name).map(|value| must(name, text(value), "must be a string")).transpose()
    }

    /// A whole number that may be absent.
    pub fn number(&mut self, name: &'static str, rule: &str) -> Answer<Option<u64>> {
        self.0.remove(name).map(|value| must(name, whole(&value), rule)).transpose()
    }

    /// A moment that may be absent.
    pub fn moment(&mut self, name: &'static str) -> Answer<Option<Timestamp>> {
        let rule = "must be an RFC 3339 time such as 2026-06-07T09:39:00Z";
        let text = self.text(name)?;
        text.map(|text| must(name, Timestamp::parse_bound(&text).ok(), rule)).transpose()
    }

    /// True or false, or absent.
    pub fn flag(&mut self, name: &'static str) -> Answer<Option<bool>> {
        let flag = |value: Value| must(name, value.as_bool(), "must be true or false");
        self.0.remove(name).map(flag).transpose()
    }

    /// One word, or a list of at least one; or absent.
    pub fn one_or_many<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&str) -> Option<T>,
        rule: &str,
    ) -> Answer<Option<Vec<T>>> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        let words = match value.as_str() {
            Some(word) => Some(vec![word.to_owned()]),
            None => texts(value).filter(|words| !words.is_empty()),
        };
        let words = must(name, words, rule)?;
        let read: Option<Vec<T>> = words.iter().map(|word| read(word)).collect();
        must(name, read, rule).map(Some)
    }

    /// `account_id`.
    pub fn account_id(&mut self) -> Answer<Option<AccountId>> {
        let named = self.text("account_id")?;
        let account = named.map(|text| AccountId::parse(&text)).transpose();
        account.map_err(|_| ApiError::invalid("account_id", "must be 1 to 64 of A-Z a-z 0-9 _ -"))
    }

    /// Takes over the settings that are there; null clears those that may be absent.
    pub fn apply_to(&mut self, registration: &mut Registration) -> Answer<()> {
        if let Some(url) = self.text("url")? {
            registration.url = url;
        }
        if let Some(alert_email) = self.text("alert_email")? {
            registration.alert_email = alert_email;
        }
        if let Some(value) = self.0.remove("event_types") {
            let list = texts(value);
            registration.event_types = must("event_types", list, "must be a list of strings")?;
        }
        if let Some(value) = self.0.remove("headers") {
            let rule = "must be an object of names and string values";
            registration.headers = must("headers", pairs(value), rule)?;
            registration.headers_kept = false;
        }
        self.clearable("product", &mut registration.product)?;
        self.clearable("platform_id", &mut registration.platform_id)?;
        self.clearable("description", &mut registration.description)?;
        match self.0.remove("max_per_second") {
            None => {}
            Some(Value::Null) => registration.max_per_second = None,
            Some(value) => {
                let rate = whole(&value).and_then(|rate| u32::try_from(rate).ok());
                let rate = must("max_per_second", rate, "must be 1 to 10000")?;
                registration.max_per_second = Some(rate);
            }
        }
        Ok(())
    }

    fn clearable(&mut self, name: &'static str, setting: &mut Option<String>) -> Answer<()> {
        match self.0.get(name) {
            None => {}
            Some(Value::Null) => {
                self.0.remove(name);
                *setting = None;
            }
            Some(_) => *setting = self.text(name)?,
        }
        Ok(())
    }

    /// Whether a field is there, unread.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Refuses whatever has not been read.
    pub fn end(self) -> Answer<()> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::UnknownField(printable(&name))),
        }
    }
}

fn must<T>(field: &'static str, value: Option<T>, rule: &str) -> Answer<T> {
    value.ok_or_else(|| ApiError::invalid(field, rule))
}

/// A whole number, which JSON may write with a fraction of zero.
fn whole(value: &Value) -> Option<u64> {
    let text = value.as_number()?.to_string();
    text.strip_suffix(".0").unwrap_or(&text).parse().ok()
}

fn texts(value: Value) -> Option<Vec<String>> {
    serde_json::from_value(value).ok()
}

fn pairs(value: Value) -> Option<Vec<(String, String)>> {
    let Value::Object(headers) = value else { return None };
    let pair =
        |(name, value)| if let Value::String(text) = value { Some((name, text)) } else { None };
    headers.into_iter().map(pair).collect()
}

/// A caller's word, fit to be said back: not long, no control characters.
pub(crate) fn printable(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
