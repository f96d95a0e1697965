//! Reading and writing the attributes of an item.

use std::collections::HashMap;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::Timestamp;

/// An item, or a map within one.
pub(super) type Item = HashMap<String, AttributeValue>;

/// An item that this version cannot read; names the attribute, never its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the attribute {0} is missing or cannot be read")]
pub(super) struct Unreadable(pub &'static str);

/// Text.
pub(super) fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// A whole number.
pub(super) fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

/// Builds an item.
#[derive(Default)]
pub(super) struct Writer(pub Item);

impl Writer {
    /// Adds an attribute.
    pub fn with(mut self, name: &str, value: AttributeValue) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// Adds an attribute if there is a value.
    pub fn with_some(self, name: &str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The item.
    pub fn item(self) -> Item {
        self.0
    }
}

/// Reads an item.
#[derive(Clone, Copy)]
pub(super) struct Reader<'i>(pub &'i Item);

type Reading<T> = Result<T, Unreadable>;

impl<'i> Reader<'i> {
    /// A text that must be there.
    pub fn text(self, name: &'static str) -> Reading<&'i str> {
        self.text_opt(name)?.ok_or(Unreadable(name))
    }

    /// A text that may be absent.
    pub fn text_opt(self, name: &'static str) -> Reading<Option<&'i str>> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => {
                value.as_s().map(|text| Some(text.as_str())).map_err(|_| Unreadable(name))
            }
        }
    }

    /// A text as something that is read from one.
    pub fn parsed<T: FromStr>(self, name: &'static str) -> Reading<T> {
        self.text(name)?.parse().map_err(|_| Unreadable(name))
    }

    /// A number that must be there.
    pub fn number<T: FromStr>(self, name: &'static str) -> Reading<T> {
        self.number_opt(name)?.ok_or(Unreadable(name))
    }

    /// A number that may be absent.
    pub fn number_opt<T: FromStr>(self, name: &'static str) -> Reading<Option<T>> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        let digits = value.as_n().map_err(|_| Unreadable(name))?;
        digits.parse().map(Some).map_err(|_| Unreadable(name))
    }

    /// Refuses what a newer function than this one wrote: it is left alone until that one reads it.
    /// An item without a version is older than versions are, and counts as the first.
    pub fn no_newer_than(self, known: u8) -> Reading<()> {
        match self.number_opt::<u8>("version")? {
            Some(version) if version == 0 || version > known => Err(Unreadable("version")),
            Some(_) | None => Ok(()),
        }
    }

    /// A flag; absent is false.
    pub fn flag(self, name: &'static str) -> Reading<bool> {
        match self.0.get(name) {
            None => Ok(false),
            Some(value) => value.as_bool().copied().map_err(|_| Unreadable(name)),
        }
    }

    /// A moment that must be there.
    pub fn moment(self, name: &'static str) -> Reading<Timestamp> {
        self.moment_opt(name)?.ok_or(Unreadable(name))
    }

    /// A moment that may be absent.
    pub fn moment_opt(self, name: &'static str) -> Reading<Option<Timestamp>> {
        let text = self.text_opt(name)?;
        text.map(Timestamp::parse).transpose().map_err(|_| Unreadable(name))
    }

    /// A list of maps; absent is empty.
    pub fn maps(self, name: &'static str) -> Reading<Vec<Reader<'i>>> {
        let map =
            |value: &'i AttributeValue| value.as_m().map(Reader).map_err(|_| Unreadable(name));
        self.list(name)?.iter().map(map).collect()
    }

    /// A list of texts; absent is empty.
    pub fn texts(self, name: &'static str) -> Reading<Vec<&'i str>> {
        let text = |value: &'i AttributeValue| value.as_s().map(String::as_str);
        let texts: Result<_, _> = self.list(name)?.iter().map(text).collect();
        texts.map_err(|_| Unreadable(name))
    }

    fn list(self, name: &'static str) -> Reading<&'i [AttributeValue]> {
        match self.0.get(name) {
            None => Ok(&[]),
            Some(value) => value.as_l().map(Vec::as_slice).map_err(|_| Unreadable(name)),
        }
    }
}
