//! Cursors: where a page ended. A cursor opens nothing: it is a place in a list that the call must
//! be allowed to read by itself. It is bound to the list, its filters and the key's scope, so that
//! it cannot be carried over to another list by mistake or on purpose.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::{hash_fields, hex};
use domain::limits::CURSOR_CHARS;
use serde_json::{Value, json};

use crate::Call;
use crate::error::{Answer, ApiError};

/// A list, as cursors are bound to it.
pub(crate) struct Cursors(String);

impl Cursors {
    /// Of the list that a call asks for; `filters` are the parameters it goes by.
    pub fn of(call: &Call<'_>, list: &str, filters: &[&'static str]) -> Self {
        let scope = call.caller.scope.to_string();
        let mut fields = vec![list.to_owned(), scope, call.id.to_owned()];
        for filter in filters {
            let mut values: Vec<&str> = call.query.all(filter).collect();
            values.sort_unstable();
            fields.push(format!("{filter}={}", values.join(",")));
        }
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        Self(hex(&hash_fields(&fields)[..8]))
    }

    /// The place in the call's `cursor`, if there is one.
    pub fn read(&self, call: &Call<'_>) -> Answer<Option<String>> {
        let Some(text) = call.query.one("cursor")? else {
            return Ok(None);
        };
        let place = (text.len() <= CURSOR_CHARS)
            .then(|| URL_SAFE_NO_PAD.decode(text).ok())
            .flatten()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| Some(text.strip_prefix(&self.0)?.strip_prefix('.')?.to_owned()));
        place.map(Some).ok_or_else(wrong)
    }

    /// The `next_cursor` of a page that ends at a place.
    pub fn write(&self, place: Option<impl std::fmt::Display>) -> Value {
        match place {
            None => Value::Null,
            Some(place) => json!(URL_SAFE_NO_PAD.encode(format!("{}.{place}", self.0))),
        }
    }
}

/// A cursor that is none of this list's.
pub(crate) fn wrong() -> ApiError {
    let rule = "must be the next_cursor of the page before, with the same key and filters";
    ApiError::invalid("cursor", rule)
}
