//! Reading a query. A parameter that is not known is refused by name: a misspelt filter would
//! otherwise quietly filter nothing.

use std::str::FromStr;

use domain::Timestamp;
use domain::envelope::Product;
use domain::ids::AccountId;
use domain::limits::{PAGE_DEFAULT, PAGE_MAX};

use crate::error::{Answer, ApiError};
use crate::fields::printable;

/// The parameters of a query, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(text: &str) -> Answer<Self> {
        let pairs = url::form_urlencoded::parse(text.as_bytes());
        Ok(Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
    }

    /// Refuses whatever is not in `known`.
    pub fn only(&self, known: &[&str]) -> Answer<()> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::UnknownField(printable(name))),
        }
    }

    /// A parameter that may be there once.
    pub fn one(&self, name: &'static str) -> Answer<Option<&str>> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (first, None) => Ok(first),
            (_, Some(_)) => Err(ApiError::invalid(name, "must be there once")),
        }
    }

    /// Every value of a parameter that may be repeated.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn read<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
        rule: &str,
    ) -> Answer<Option<T>> {
        match self.one(name)? {
            None => Ok(None),
            Some(text) => read(text).map(Some).ok_or_else(|| ApiError::invalid(name, rule)),
        }
    }

    /// `limit`: things on a page.
    pub fn limit(&self) -> Answer<usize> {
        let read = |text: &str| {
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            usize::from_str(text).ok().filter(|n| digits && (1..=PAGE_MAX).contains(n))
        };
        Ok(self.read("limit", read, "must be 1 to 100")?.unwrap_or(PAGE_DEFAULT))
    }

    /// `from` or `to`.
    pub fn moment(&self, name: &'static str) -> Answer<Option<Timestamp>> {
        let rule = "must be an RFC 3339 time such as 2026-06-07T09:39:00Z";
        self.read(name, |text| Timestamp::parse_bound(text).ok(), rule)
    }

    pub fn account_id(&self) -> Answer<Option<AccountId>> {
        let rule = "must be 1 to 64 of A-Z a-z 0-9 _ -";
        self.read("account_id", |text| AccountId::parse(text).ok(), rule)
    }

    pub fn product(&self) -> Answer<Option<Product>> {
        self.read("product", Product::parse, "must be migosmtp, telnxo or rackwave")
    }
}
