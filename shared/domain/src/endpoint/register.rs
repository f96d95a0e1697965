//! Registering an endpoint: what is asked for, checked field by field.

use std::collections::BTreeSet;

use crate::Timestamp;
use crate::endpoint::{CustomHeader, Endpoint, EndpointState, EventPattern};
use crate::envelope::Product;
use crate::health::Health;
use crate::ids::{AccountId, EndpointId};
use crate::limits::{
    ALERT_EMAIL_CHARS, CUSTOM_HEADER_BYTES, CUSTOM_HEADERS, DESCRIPTION_CHARS, EVENT_TYPES_BYTES,
    PLATFORM_ID_CHARS,
};
use crate::target::{TargetRules, check_url};

/// An endpoint as somebody asks for it.
#[derive(Debug, Clone, Default)]
pub struct Registration {
    /// Whose it shall be.
    pub account_id: String,
    /// Where events shall go.
    pub url: String,
    /// Names, prefixes such as `email.*`, or `*`.
    pub event_types: Vec<String>,
    /// Where the owner reads mail.
    pub alert_email: String,
    /// Only events of this product.
    pub product: Option<String>,
    /// Only events of this platform.
    pub platform_id: Option<String>,
    /// The owner's words.
    pub description: Option<String>,
    /// Custom headers, name and value.
    pub headers: Vec<(String, String)>,
    /// Whether `headers` are those that were there, rather than given by who asks.
    pub headers_kept: bool,
    /// The most requests a second.
    pub max_per_second: Option<u32>,
}

/// A field that cannot be taken, and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {rule}")]
pub struct FieldError {
    /// Its name.
    pub field: &'static str,
    /// For people, to be read after the name.
    pub rule: String,
}

impl Registration {
    /// The endpoint asked for, enabled from `now` on.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn check(
        self,
        id: EndpointId,
        rules: TargetRules,
        now: Timestamp,
    ) -> Result<Endpoint, FieldError> {
        let account_id = AccountId::parse(&self.account_id)
            .map_err(|_| refuse("account_id", "must be 1 to 64 of A-Z a-z 0-9 _ -"))?;
        let url =
            check_url(&self.url, rules).map_err(|e| refuse("url", &format!("is refused: {e}")))?;
        Ok(Endpoint {
            id,
            account_id,
            url: url.into(),
            event_types: event_types(&self.event_types)?,
            product: self.product.as_deref().map(product).transpose()?,
            platform_id: self.platform_id.map(platform_id).transpose()?,
            description: self.description.map(description).transpose()?,
            alert_email: alert_email(self.alert_email)?,
            headers: headers(self.headers)?,
            max_per_second: self.max_per_second.map(max_per_second).transpose()?,
            state: EndpointState::Enabled,
            shards: 1,
            enabled_at: now,
            created_at: now,
            updated_at: now,
            health: Health::default(),
            silent_until: None,
            notices: BTreeSet::new(),
        })
    }
}

pub(super) fn refuse(field: &'static str, rule: &str) -> FieldError {
    FieldError { field, rule: rule.to_owned() }
}

fn event_types(texts: &[String]) -> Result<Vec<EventPattern>, FieldError> {
    const FIELD: &str = "event_types";
    if texts.is_empty() {
        return Err(refuse(FIELD, "must name at least one event, a prefix such as email.*, or *"));
    }
    if texts.iter().map(String::len).sum::<usize>() > EVENT_TYPES_BYTES {
        return Err(refuse(FIELD, "must not be longer than 2 KB in all"));
    }
    let parse = |text: &String| {
        EventPattern::parse(text).map_err(|rule| refuse(FIELD, &format!("{text:?} {rule}")))
    };
    texts.iter().map(parse).collect()
}

fn product(text: &str) -> Result<Product, FieldError> {
    Product::parse(text).ok_or_else(|| refuse("product", "must be migosmtp, telnxo or rackwave"))
}

fn platform_id(text: String) -> Result<String, FieldError> {
    let fits = (1..=PLATFORM_ID_CHARS).contains(&text.len()) && is_printable(&text);
    fits.then_some(text)
        .ok_or_else(|| refuse("platform_id", "must be 1 to 64 printable ASCII characters"))
}

fn description(text: String) -> Result<String, FieldError> {
    let fits = text.chars().count() <= DESCRIPTION_CHARS && !text.chars().any(char::is_control);
    fits.then_some(text)
        .ok_or_else(|| refuse("description", "must be at most 512 characters on one line"))
}

/// Not whether the mailbox exists (a mail tells), but whether the text can be an address and
/// nothing else, such as a second header line.
fn alert_email(text: String) -> Result<String, FieldError> {
    let plain = |c: char| c.is_ascii_graphic() && !"<>(),;:\\\"[]".contains(c);
    let fits = text.len() <= ALERT_EMAIL_CHARS
        && text.chars().all(plain)
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && domain.contains('.') && !domain.contains('@')
        });
    fits.then_some(text)
        .ok_or_else(|| refuse("alert_email", "must be an e-mail address such as ops@example.com"))
}

fn max_per_second(rate: u32) -> Result<u32, FieldError> {
    let fits = (1..=10_000).contains(&rate);
    fits.then_some(rate).ok_or_else(|| refuse("max_per_second", "must be 1 to 10000"))
}

fn headers(headers: Vec<(String, String)>) -> Result<Vec<CustomHeader>, FieldError> {
    const FIELD: &str = "headers";
    if headers.len() > CUSTOM_HEADERS {
        return Err(refuse(FIELD, "must be at most 10"));
    }
    let mut seen: Vec<String> = Vec::new();
    for (name, value) in &headers {
        let lower = name.to_ascii_lowercase();
        let rule = match () {
            () if !is_token(name) => "is no header name",
            () if is_reserved(&lower) => "is reserved",
            () if seen.contains(&lower) => "is there twice",
            () if name.len() + value.len() > CUSTOM_HEADER_BYTES => "is longer than 1,024 bytes",
            () if !is_printable(value) => "must have a value of printable ASCII characters",
            () => {
                seen.push(lower);
                continue;
            }
        };
        // The name may be shown: it passed, or it is the caller's own words back to the caller.
        return Err(refuse(FIELD, &format!("{name:?} {rule}")));
    }
    Ok(headers.into_iter().map(|(name, value)| CustomHeader { name, value }).collect())
}

/// RFC 9110, 5.6.2.
fn is_token(name: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(token)
}

/// Names the sender sets itself, and names that belong to the connection (RFC 9110, 7.6.1).
fn is_reserved(lower: &str) -> bool {
    const NAMES: [&str; 19] = [
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ];
    // The `svix` libraries prefer `svix-id` and its kin to the standard names: a custom header
    // called so would make them refuse a genuine delivery.
    const PREFIXES: [&str; 3] = ["x-webhook-", "webhook-", "svix-"];
    // CGI folds `_` and `-` into one: `X_Webhook_Signature` would stand in for the real one.
    let lower = lower.replace('_', "-");
    NAMES.contains(&lower.as_str()) || PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|b| (0x20..=0x7e).contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Registration {
        Registration {
            account_id: "acct_42".into(),
            url: "https://hooks.example.com/in".into(),
            event_types: vec!["email.*".into()],
            alert_email: "ops@example.com".into(),
            ..Registration::default()
        }
    }

    fn checked(change: impl FnOnce(&mut Registration)) -> Result<Endpoint, FieldError> {
        let mut registration = good();
        change(&mut registration);
        let id = EndpointId::parse("ep_1").expect("valid");
        registration.check(id, TargetRules::PublicHttps, Timestamp::from_secs(7))
    }

    #[track_caller]
    fn check_refused(field: &str, change: impl FnOnce(&mut Registration)) {
        let error = checked(change).expect_err("refused");
        assert_eq!(error.field, field, "{error}");
    }

    #[test]
    fn a_good_one_is_enabled_from_now_on() {
        let endpoint = checked(|_| {}).expect("good");
        assert_eq!(endpoint.state, EndpointState::Enabled);
        assert_eq!(endpoint.enabled_at, Timestamp::from_secs(7));
    }

    #[test]
    fn each_field_has_its_rule() {
        check_refused("account_id", |r| r.account_id = "a b".into());
        check_refused("url", |r| r.url = "http://hooks.example.com/".into());
        check_refused("event_types", |r| r.event_types.clear());
        check_refused("event_types", |r| r.event_types.push("Email".into()));
        check_refused("event_types", |r| r.event_types = vec!["e".repeat(128); 17]);
        check_refused("product", |r| r.product = Some("smtp".into()));
        check_refused("platform_id", |r| r.platform_id = Some(String::new()));
        check_refused("description", |r| r.description = Some("x".repeat(513)));
        for mail in
            ["", "ops", "ops@example", "a@b.c@d.e", "ops@example.com\r\nBcc: x@y.z", "<a@b.c>"]
        {
            check_refused("alert_email", |r| r.alert_email = mail.into());
        }
        check_refused("max_per_second", |r| r.max_per_second = Some(0));
    }

    #[test]
    fn headers_that_are_not_the_owners_to_set() {
        for name in [
            "Host",
            "content-length",
            "X-Webhook-Signature",
            "webhook-id",
            "Svix-Id",
            "X_Webhook_Signature",
            "Traceparent",
            "TE",
            "a b",
            "",
        ] {
            check_refused("headers", |r| r.headers = vec![(name.into(), "x".into())]);
        }
        check_refused("headers", |r| r.headers = vec![("X-A".into(), "a\r\nX-B: b".into())]);
        check_refused("headers", |r| r.headers = vec![("X-A".into(), "x".repeat(1_024))]);
        let twice = vec![("X-A".to_owned(), "1".to_owned()), ("x-a".to_owned(), "2".to_owned())];
        check_refused("headers", |r| r.headers = twice);
        check_refused("headers", |r| {
            r.headers = (0..11).map(|n| (format!("X-{n}"), "x".into())).collect();
        });
        let authorization = vec![("Authorization".to_owned(), "Bearer x".to_owned())];
        checked(|r| r.headers = authorization).expect("the owner's own gate");
    }
}
