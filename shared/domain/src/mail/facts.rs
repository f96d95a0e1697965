//! How an endpoint's attempts failed, as far as a bounded look into its log tells.

use std::collections::HashMap;
use std::time::Duration;

use crate::Timestamp;
use crate::delivery::{Answer, Attempt, Outcome};
use crate::endpoint::Endpoint;
use crate::limits::{MAIL_EXAMINED, MAIL_EXAMPLE_CHARS, PAGE_MAX};
use crate::log::LogQuery;
use crate::ports::{DeliveryLog, PortResult};

/// How long before its failures the deliveries may have been accepted: the documented schedule
/// is over after a day.
const SCHEDULE: Duration = Duration::from_secs(86_400);

/// The failed attempts of a stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures {
    failed: u64,
    /// Whether there may be more.
    cut: bool,
    /// How often the most frequent failure was, and the newest of its kind.
    most_frequent: Option<(u64, Answer)>,
}

impl Failures {
    /// Reads the newest deliveries, at most [`MAIL_EXAMINED`], for failed attempts from `since` to
    /// `until`.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn read(
        log: &impl DeliveryLog,
        endpoint: &Endpoint,
        (since, until): (Timestamp, Timestamp),
    ) -> PortResult<Self> {
        let mut query = LogQuery {
            from: since - SCHEDULE,
            to: until + Duration::from_millis(1),
            ..LogQuery::newest(&endpoint.id, endpoint.shards, PAGE_MAX)
        };
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut cut = true;
        for _ in 0..MAIL_EXAMINED / PAGE_MAX {
            let page = log.log(&query).await?;
            attempts.extend(page.items.into_iter().flat_map(|delivery| delivery.attempts));
            query.before = page.next;
            if query.before.is_none() {
                cut = false;
                break;
            }
        }
        attempts.retain(|attempt| {
            (since..=until).contains(&attempt.at) && attempt.answer.outcome != Outcome::Succeeded
        });
        Ok(Self::of(attempts, cut))
    }

    fn of(mut attempts: Vec<Attempt>, cut: bool) -> Self {
        attempts.sort_by_key(|attempt| attempt.at);
        let kind = |answer: &Answer| (answer.outcome, answer.http_status);
        let mut counts: HashMap<_, u64> = HashMap::new();
        for attempt in &attempts {
            *counts.entry(kind(&attempt.answer)).or_default() += 1;
        }
        // Of two kinds equally frequent, the one seen last.
        let most_frequent = attempts
            .iter()
            .max_by_key(|attempt| (counts.get(&kind(&attempt.answer)), attempt.at))
            .map(|attempt| attempt.answer.clone());
        let most_frequent = most_frequent.map(|answer| {
            let count = counts.get(&kind(&answer)).copied().unwrap_or(0);
            (count, answer)
        });
        Self { failed: u64::try_from(attempts.len()).unwrap_or(u64::MAX), cut, most_frequent }
    }

    /// How many.
    pub(super) fn count(&self) -> String {
        if self.cut { format!("at least {}", self.failed) } else { self.failed.to_string() }
    }

    /// What happened most often, in plain words.
    pub(super) fn most_frequent(&self) -> String {
        let Some((count, answer)) = &self.most_frequent else {
            return "not on record any more".to_owned();
        };
        let words = match (&answer.error, answer.http_status) {
            (Some(words), _) => words.clone(),
            (None, Some(status)) => format!("It answered with status {status}."),
            (None, None) => format!("{}.", answer.outcome.as_str().replace('_', " ")),
        };
        format!("{words} ({count} of {} attempts)", self.count())
    }

    /// The beginning of what it answered then.
    pub(super) fn example(&self) -> Option<String> {
        let body = self.most_frequent.as_ref()?.1.response_body.as_deref()?.trim();
        let cut: String = body.chars().take(MAIL_EXAMPLE_CHARS).collect();
        let more = if cut.len() < body.len() { "…" } else { "" };
        (!cut.is_empty()).then(|| format!("{cut}{more}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::tests::NOW;
    use crate::delivery::Trigger;

    fn attempt(second: u64, status: u16, body: &str) -> Attempt {
        Attempt {
            number: 1,
            trigger: Trigger::Schedule,
            at: NOW + Duration::from_secs(second),
            answer: Answer {
                outcome: Outcome::HttpStatus,
                http_status: Some(status),
                response_body: Some(body.into()),
                error: Some(format!("It answered {status}.")),
                duration_ms: 1,
                first_byte_ms: None,
                retry_after_s: None,
            },
        }
    }

    #[test]
    fn the_most_frequent_and_the_newest_of_its_kind() {
        let attempts = vec![attempt(5, 500, "b"), attempt(9, 404, "x"), attempt(1, 500, "a")];
        let failures = Failures::of(attempts.clone(), false);
        assert_eq!(failures.count(), "3");
        assert_eq!(failures.most_frequent(), "It answered 500. (2 of 3 attempts)");
        assert_eq!(failures.example().as_deref(), Some("b"));
        assert_eq!(Failures::of(attempts, true).count(), "at least 3");
        let none = Failures::default();
        assert_eq!((none.count(), none.example()), ("0".to_owned(), None));
    }

    #[test]
    fn an_example_is_cut() {
        let of = |body: &str| Failures::of(vec![attempt(1, 500, body)], false).example();
        let long = "ü".repeat(MAIL_EXAMPLE_CHARS);
        assert_eq!(of(&long), Some(long.clone()));
        assert_eq!(of(&format!("{long}x")), Some(format!("{long}…")));
        assert_eq!(of(" \n "), None);
    }
}
