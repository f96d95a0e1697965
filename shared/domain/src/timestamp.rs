//! Moments, to the millisecond.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// A moment: milliseconds since the Unix epoch. Written as `2026-06-07T09:39:00.000Z`, always 24
/// characters, so that text order is time order (index keys rely on it).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 moment that a [`Timestamp`] can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time")]
pub struct NotATimestamp;

impl Timestamp {
    /// From milliseconds since the Unix epoch. Moments outside the years 1970 to 9999 are moved
    /// to the nearest end, since they cannot be written in 24 characters.
    pub fn from_millis(millis: i64) -> Self {
        const LAST: i64 = 253_402_300_799_999;
        Self(millis.clamp(0, LAST))
    }

    #[cfg(test)]
    pub(crate) const fn from_const(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the Unix epoch.
    pub fn from_secs(secs: i64) -> Self {
        Self::from_millis(secs.saturating_mul(1_000))
    }

    /// Milliseconds since the Unix epoch.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The first whole second that is not before this moment.
    pub fn ceil_secs(self) -> i64 {
        self.0.saturating_add(999).div_euclid(1_000)
    }

    /// Reads any RFC 3339 spelling; fractions below a millisecond are cut.
    ///
    /// # Errors
    /// [`NotATimestamp`] if the text is no RFC 3339 time of the years 1970 to 9999.
    pub fn parse(text: &str) -> Result<Self, NotATimestamp> {
        let millis = millis(text)?;
        if millis < 0 { Err(NotATimestamp) } else { Ok(Self::from_millis(millis)) }
    }

    /// Reads any RFC 3339 spelling of any year; moments that a [`Timestamp`] cannot hold are moved to
    /// the nearest that it can. For bounds of searches: nothing on record is that far away.
    ///
    /// # Errors
    /// [`NotATimestamp`] if the text is no RFC 3339 time.
    pub fn parse_bound(text: &str) -> Result<Self, NotATimestamp> {
        millis(text).map(Self::from_millis)
    }

    /// How long from `earlier` until this moment; zero if it is not later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, wait: Duration) -> Timestamp {
        let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(self.0.saturating_add(millis))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, wait: Duration) -> Timestamp {
        let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(self.0.saturating_sub(millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .map_err(|_| fmt::Error)?;
        f.write_str(&at.format(form).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Of an RFC 3339 time, before 1970 a negative number.
fn millis(text: &str) -> Result<i64, NotATimestamp> {
    let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| NotATimestamp)?;
    let millis = at.unix_timestamp_nanos().div_euclid(1_000_000);
    i64::try_from(millis).map_err(|_| NotATimestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for (text, shown) in [
            ("2026-06-07T09:39:00Z", "2026-06-07T09:39:00.000Z"),
            ("2026-06-07T11:39:00.1239+02:00", "2026-06-07T09:39:00.123Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
        ] {
            let at = Timestamp::parse(text).expect("valid");
            assert_eq!(at.to_string(), shown);
            assert_eq!(Timestamp::parse(shown), Ok(at));
        }
        for (text, nearest) in [
            ("0231-04-03T21:22:40.629Z", "1970-01-01T00:00:00.000Z"),
            ("0000-01-01T00:00:00+23:59", "1970-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59-17:42", "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::parse_bound(text).map(|at| at.to_string()), Ok(nearest.into()));
        }
        assert_eq!(Timestamp::parse_bound("2026-06-07"), Err(NotATimestamp));
        for text in ["", "2026-06-07", "2026-02-30T00:00:00Z", "1969-12-31T23:59:59Z"] {
            assert_eq!(Timestamp::parse(text), Err(NotATimestamp), "{text}");
        }
    }

    #[test]
    fn seconds_round_both_ways() {
        let at = Timestamp::from_millis(1_001);
        assert_eq!((at.as_secs(), at.ceil_secs()), (1, 2));
        assert_eq!(Timestamp::from_secs(2).ceil_secs(), 2);
    }
}
