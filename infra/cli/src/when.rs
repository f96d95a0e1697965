//! Times and ages as people write them.

use std::time::Duration;

use domain::Timestamp;
use domain::ports::Clock;

/// `15d`, `12h`, `30m`, `45s`.
pub fn age(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a number and d, h, m or s, such as 15d".to_owned();
    let (at, unit) = text.char_indices().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..at].parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

/// The same, of a span that was measured: whole units, the largest of which there are two.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [('d', 86_400), ('h', 3_600), ('m', 60)];
    let (unit, size) = units.into_iter().find(|(_, size)| seconds >= 2 * size).unwrap_or(('s', 1));
    format!("{}{unit}", seconds / size)
}

/// An RFC 3339 time, `now`, or how long ago, such as `2h`.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    moment_at(text, aws::clock::SystemClock.now())
}

fn moment_at(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if text == "now" {
        return Ok(now);
    }
    let ago = age(text).map(|age| now - age);
    ago.or_else(|_| Timestamp::parse_bound(text)).map_err(|_| {
        "must be a time such as 2026-06-07T09:39:00Z, an age such as 2h, or now".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_as_people_write_them() {
        for (text, seconds) in [("15d", 1_296_000), ("12h", 43_200), ("30m", 1_800), ("0s", 0)] {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "15", "d", "-1d", "1.5h", "1w", "1 d", "99999999999d", "5ü"] {
            assert!(age(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_are_written_as_ages_are() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (7_199, "119m"),
            (7_200, "2h"),
            (172_799, "47h"),
            (1_296_000, "15d"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn moments_as_people_write_them() {
        let now = Timestamp::from_secs(1_780_000_000);
        let hour_ago = Timestamp::from_secs(1_780_000_000 - 3_600);
        for (text, moment) in
            [("now", now), ("1h", hour_ago), (hour_ago.to_string().as_str(), hour_ago)]
        {
            assert_eq!(moment_at(text, now), Ok(moment), "{text}");
        }
        for text in ["", "yesterday", "2026-06-07", "-1h"] {
            assert!(moment_at(text, now).is_err(), "{text}");
        }
    }
}
