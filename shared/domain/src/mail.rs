//! Mail to an endpoint's owner: early alert, warning, disabled, recovered. Each holds, as text and
//! as HTML, the same facts: which endpoint, since when, how many attempts failed and how, with an
//! example answer; what to do, until when missed events can be re-sent, and the way back.
//!
//! What an endpoint answered is a stranger's text: it is cut, escaped, and no mail program can make
//! a link of it.

pub mod facts;
mod letter;

use std::time::Duration;

use crate::Timestamp;
use crate::endpoint::Endpoint;
use crate::endpoint::notice::{EndpointNotice, Happening};
use crate::health::HealthRules;
use crate::settings::{Lookup, SettingResult};

use facts::Failures;
use letter::Letter;

/// A mail, ready to be handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The owner.
    pub to: String,
    /// One line.
    pub subject: String,
    /// For programs that show text.
    pub text: String,
    /// For programs that show HTML. Complete, without anything to be loaded.
    pub html: String,
}

/// What all mails of a stack have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Where the page is; ends in a slash.
    pub page_url: String,
    /// How long events and deliveries are kept.
    pub retention: Duration,
    /// When what happens.
    pub health: HealthRules,
}

impl Words {
    /// From `PAGE_URL`, `RETENTION_DAYS` and what [`Lookup::health_rules`] reads.
    ///
    /// # Errors
    /// If one of them is missing or wrong.
    pub fn from_settings(settings: &Lookup<'_>) -> SettingResult<Self> {
        Ok(Self {
            page_url: settings.text("PAGE_URL")?,
            retention: settings.retention()?,
            health: settings.health_rules()?,
        })
    }
}

/// The mail about a notice; `None` for what is not mailed.
pub fn compose(
    endpoint: &Endpoint,
    notice: &EndpointNotice,
    failures: &Failures,
    words: &Words,
) -> Option<Mail> {
    let since = notice.since.unwrap_or(notice.at);
    let link = format!("{}#/endpoints/{}", words.page_url, endpoint.id);
    let host = host_of(&endpoint.url);
    let due = minute(words.health.disable_due_at(since));
    let (began, at) = (minute(since), minute(notice.at));
    let (subject, headline, intro) = match notice.what {
        Happening::Failing => (
            format!("Webhook endpoint {host} is failing"),
            "Your webhook endpoint is failing",
            format!(
                "Since {began} it has accepted none of the events that we sent to it. If that goes \
                 on until {due}, it will be disabled."
            ),
        ),
        Happening::Warned => (
            format!("Webhook endpoint {host} will be disabled soon"),
            "Your webhook endpoint will be disabled soon",
            format!(
                "Since {began} it has accepted none of the events that we sent to it. If it does \
                 not accept one before {due}, it will be disabled then."
            ),
        ),
        Happening::Disabled => (
            format!("Webhook endpoint {host} has been disabled"),
            "Your webhook endpoint has been disabled",
            format!(
                "From {began} on it accepted none of the events that we sent to it, so we disabled \
                 it at {at}. It gets no events until you enable it again; those that it misses are \
                 recorded."
            ),
        ),
        Happening::Recovered => (
            format!("Webhook endpoint {host} works again"),
            "Your webhook endpoint works again",
            format!("It had accepted none of our events since {began}; now it does."),
        ),
        Happening::DisabledByHand | Happening::Enabled => return None,
    };
    let letter = Letter {
        headline,
        intro,
        facts: facts(endpoint, failures, &began),
        example: failures.example(),
        to_do: to_do(notice.what),
        kept: kept(since, words.retention),
        way_back: way_back(notice.what, endpoint),
        link,
    };
    let to = endpoint.alert_email.clone();
    Some(Mail { to, subject, text: letter.text(), html: letter.html() })
}

fn facts(endpoint: &Endpoint, failures: &Failures, began: &str) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Endpoint", endpoint.url.clone())];
    facts.extend(endpoint.description.clone().map(|text| ("Description", text)));
    facts.push(("Id", format!("{}, account {}", endpoint.id, endpoint.account_id)));
    facts.push(("Failing since", began.to_owned()));
    facts.push(("Failed attempts", failures.count()));
    facts.push(("Most frequent failure", failures.most_frequent()));
    facts
}

fn to_do(what: Happening) -> Vec<&'static str> {
    match what {
        Happening::Recovered => {
            vec!["Nothing, unless events of the time in between are missing on your side."]
        }
        Happening::Failing
        | Happening::Warned
        | Happening::Disabled
        | Happening::DisabledByHand
        | Happening::Enabled => vec![
            "Look at the failure above, and into the log of the machine that answers there.",
            "Have it answer every event with a status of 200 to 299 within 30 seconds.",
            "Send a test event from the page and see what it answers.",
        ],
    }
}

fn kept(since: Timestamp, retention: Duration) -> String {
    let days = retention.as_secs() / 86_400;
    format!(
        "Missed events can be re-sent until {} at least; each is kept for {days} days.",
        minute(since + retention)
    )
}

fn way_back(what: Happening, endpoint: &Endpoint) -> Vec<String> {
    let id = &endpoint.id;
    let recover = format!(
        "Re-send what it missed: on the page Failed or Not sent, then Re-send all; or POST \
         /v1/endpoints/{id}/recover."
    );
    match what {
        Happening::Disabled | Happening::DisabledByHand | Happening::Enabled => vec![
            format!(
                "Once it works, enable it: Enable on the page, or POST /v1/endpoints/{id}/enable. \
                 The answer says what it missed."
            ),
            recover,
        ],
        Happening::Failing | Happening::Warned => vec![
            "Once it answers well, events that are still waiting arrive by themselves.".to_owned(),
            recover,
        ],
        Happening::Recovered => {
            vec!["Events that are still waiting arrive by themselves.".to_owned(), recover]
        }
    }
}

/// A moment for people: `2026-06-07 09:39 UTC`.
fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    let (date, time) = (text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default());
    format!("{date} {time} UTC")
}

fn host_of(url: &str) -> String {
    let parsed = url::Url::parse(url).ok();
    parsed.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
