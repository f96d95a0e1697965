//! What an endpoint asks for with `Retry-After` (RFC 9110, 10.2.3). The schedule bounds it
//! ([`crate::schedule::RetrySchedule::next_attempt_at`]); here it is only read.

use time::{Date, Month, PrimitiveDateTime, Time};

use crate::Timestamp;

/// Seconds to wait, or `None` if the status gives the header no meaning, or if it is garbage.
/// A moment that has passed is 0 seconds.
pub fn seconds(status: u16, value: &str, now: Timestamp) -> Option<u64> {
    if !matches!(status, 429 | 503) {
        return None;
    }
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(value.parse().unwrap_or(u64::MAX));
    }
    let wait = http_date(value)?.since(now);
    Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
}

/// The three forms of RFC 9110, 5.6.7. The day of the week says nothing new and is not checked.
fn http_date(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text.split([' ', ',', '-']).filter(|word| !word.is_empty()).collect();
    let (day, month, year, clock) = match words[..] {
        [_, day, month, year, clock, "GMT"] => (day, month, year, clock),
        [_, month, day, clock, year] => (day, month, year, clock),
        _ => return None,
    };
    let year: i32 = match year.len() {
        // The obsolete form has two digits. What somebody should come back at is not long ago.
        2 => 2_000 + number::<i32>(year)?,
        4 => number(year)?,
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| *name == month)?;
    let month = Month::try_from(u8::try_from(month + 1).ok()?).ok()?;
    let date = Date::from_calendar_date(year, month, number(day)?).ok()?;
    let mut parts = clock.split(':').map(number::<u8>);
    let mut part = || parts.next().flatten();
    // A leap second is the second before it.
    let time = Time::from_hms(part()?, part()?, part()?.min(59)).ok()?;
    if parts.next().is_some() {
        return None;
    }
    let at = PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp();
    Some(Timestamp::from_secs(at))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, value: &str, expected: Option<u64>) {
        let now = Timestamp::parse("2026-10-21T07:28:00.250Z").expect("valid");
        assert_eq!(seconds(status, value, now), expected, "{status} {value:?}");
    }

    #[test]
    fn seconds_where_they_have_a_meaning() {
        check(429, "120", Some(120));
        check(503, " 7 ", Some(7));
        check(429, "0", Some(0));
        check(503, "99999999999999999999999", Some(u64::MAX));
        for status in [200, 301, 400, 500, 502, 504] {
            check(status, "120", None);
        }
    }

    #[test]
    fn moments_in_all_three_forms() {
        check(503, "Wed, 21 Oct 2026 07:29:00 GMT", Some(60));
        check(429, "Wednesday, 21-Oct-26 07:29:00 GMT", Some(60));
        check(429, "Wed Oct 21 07:29:00 2026", Some(60));
        check(429, "Sun Nov  1 07:28:01 2026", Some(11 * 86_400 + 1));
        check(429, "Wed, 21 Oct 2026 07:28:60 GMT", Some(59));
        check(503, "Sun, 06 Nov 1994 08:49:37 GMT", Some(0));
        check(503, "Thu, 01 Jan 1960 00:00:00 GMT", Some(0));
    }

    #[test]
    fn garbage_is_ignored() {
        for value in [
            "",
            "   ",
            "-1",
            "+5",
            "1.5",
            "1e3",
            "60s",
            "soon",
            "0x10",
            "120, 240",
            "２",
            "Wed, 21 Oct 2026 07:29:00",
            "Wed, 21 Oct 2026 07:29:00 CET",
            "Wed, 32 Oct 2026 07:29:00 GMT",
            "Wed, 21 Foo 2026 07:29:00 GMT",
            "Wed, 21 Oct 2026 25:29:00 GMT",
            "Wed, 21 Oct 2026 07:29 GMT",
            "Wed, 21 Oct 2026 07:29:00:00 GMT",
            "Wed, 21 Oct 20266 07:29:00 GMT",
            "2026-10-21T07:29:00Z",
        ] {
            check(429, value, None);
        }
    }
}
