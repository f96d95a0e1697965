//! What may be called: the egress rules. One set of rules judges a URL when it is saved, what its
//! name resolved to when it is dialled, and both in `webhooks check-url`.
//!
//! Only the host that the URL parser found is judged, never the text: decimal, octal, hex, short
//! and full-width spellings have become an address by then. Unless every address is public, nothing
//! is called.

mod refusal;

use std::net::IpAddr;

use url::{Host, Url};

use crate::address::{AddressKind, not_public};
use crate::limits::{HOST_CHARS, HOST_LABEL_CHARS, URL_CHARS};

pub use refusal::Refusal;

/// What a stack allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetRules {
    /// https to public addresses only: the only rule in production.
    PublicHttps,
    /// http and loopback too, and names for testing: for a stack on one machine. Refused by
    /// template and binaries unless the stage is `local`.
    InsecureForLocal,
}

/// The rules of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Egress {
    rules: TargetRules,
    runtime_port: u16,
}

/// Where Lambda's runtime API listens on loopback unless the environment says otherwise. The
/// other host it is known to use, 169.254.100.1, is link-local and refused as such.
const RUNTIME_PORT: u16 = 9_001;

/// Names of the inside of a network, of a machine, or of nothing: with everything below them.
const LOCAL_NAMES: [&str; 7] =
    ["local", "internal", "localdomain", "lan", "home.arpa", "onion", "metadata.goog"];
/// Names that never leave a machine: what a local stack may use.
const TESTING_NAMES: [&str; 3] = ["localhost", "test", "invalid"];

/// Checks a URL as far as its text shows and returns it as it will be dialled.
///
/// # Errors
/// The first rule it breaks.
pub fn check_url(text: &str, rules: TargetRules) -> Result<Url, Refusal> {
    Egress::new(rules).check_url(text)
}

impl Egress {
    /// The rules of a process outside Lambda.
    pub fn new(rules: TargetRules) -> Self {
        Self { rules, runtime_port: RUNTIME_PORT }
    }

    /// The rules of a function: `runtime_api` is the value of `AWS_LAMBDA_RUNTIME_API`. It is
    /// refused even where loopback is allowed, or an endpoint could take the function over.
    pub fn beside_runtime(rules: TargetRules, runtime_api: Option<&str>) -> Self {
        let port = runtime_api.and_then(|place| place.rsplit_once(':')?.1.parse().ok());
        Self { rules, runtime_port: port.unwrap_or(RUNTIME_PORT) }
    }

    /// Checks a URL as far as its text shows: its form, its name, its address if it names one.
    ///
    /// # Errors
    /// The first rule it breaks.
    pub fn check_url(self, text: &str) -> Result<Url, Refusal> {
        check_text(text)?;
        let url = Url::parse(text).map_err(|_| Refusal::NotAUrl)?;
        match (url.scheme(), self.rules) {
            ("https", _) | ("http", TargetRules::InsecureForLocal) => {}
            (_, _) => return Err(Refusal::NotHttps),
        }
        if !has_plain_authority(text) {
            return Err(Refusal::NotAUrl);
        }
        if !url.username().is_empty() || url.password().is_some() || has_at_sign(text) {
            return Err(Refusal::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(Refusal::Fragment);
        }
        if url.port() == Some(0) {
            return Err(Refusal::Port);
        }
        match url.host() {
            None => return Err(Refusal::NotAUrl),
            Some(Host::Domain(name)) => self.check_name(name)?,
            Some(Host::Ipv4(address)) => self.check_address(address.into(), &url)?,
            Some(Host::Ipv6(address)) => self.check_address(address.into(), &url)?,
        }
        // Percent-encoding can make it longer than what was typed.
        if url.as_str().len() > URL_CHARS { Err(Refusal::TooLong) } else { Ok(url) }
    }

    /// Checks everything that the name of a checked URL resolved to.
    ///
    /// # Errors
    /// [`Refusal::NoAnswer`] if it resolved to nothing; why the first refused answer is refused.
    pub fn check_answers(self, url: &Url, answers: &[IpAddr]) -> Result<(), Refusal> {
        if answers.is_empty() {
            return Err(Refusal::NoAnswer);
        }
        answers.iter().try_for_each(|answer| self.check_address(*answer, url))
    }

    fn check_address(self, address: IpAddr, url: &Url) -> Result<(), Refusal> {
        match (not_public(address), self.rules) {
            (None, _) => Ok(()),
            (Some(AddressKind::Loopback), TargetRules::InsecureForLocal) => {
                let port = url.port_or_known_default();
                let runtime = [Some(RUNTIME_PORT), Some(self.runtime_port)].contains(&port);
                if runtime { Err(Refusal::RuntimeApi) } else { Ok(()) }
            }
            (Some(kind), _) => Err(Refusal::Address(kind)),
        }
    }

    fn check_name(self, name: &str) -> Result<(), Refusal> {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.len() > HOST_CHARS || !name.split('.').all(is_label) {
            return Err(Refusal::NotAHost);
        }
        let name = name.to_ascii_lowercase();
        let below = |parent: &&str| {
            name.strip_suffix(*parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if LOCAL_NAMES.iter().any(below) {
            return Err(Refusal::LocalName);
        }
        if TESTING_NAMES.iter().any(below) {
            return match self.rules {
                TargetRules::PublicHttps => Err(Refusal::LocalName),
                TargetRules::InsecureForLocal => Ok(()),
            };
        }
        if name.contains('.') { Ok(()) } else { Err(Refusal::SingleLabel) }
    }
}

/// What the parser would silently mend, and other programs would mend differently.
fn check_text(text: &str) -> Result<(), Refusal> {
    if text.len() > URL_CHARS {
        return Err(Refusal::TooLong);
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(Refusal::Characters);
    }
    Ok(())
}

/// Whether scheme and host are apart by exactly `://`.
fn has_plain_authority(text: &str) -> bool {
    let authority = text.split_once(':').and_then(|(_, rest)| rest.strip_prefix("//"));
    authority.is_some_and(|rest| !rest.starts_with('/'))
}

/// `https://@host/`: the parser drops user-info that is empty.
fn has_at_sign(text: &str) -> bool {
    let authority = text.split('/').nth(2).unwrap_or_default();
    authority.split(['?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

/// A label of a host name; `_` is in use, though the standard does not know it.
fn is_label(label: &str) -> bool {
    (1..=HOST_LABEL_CHARS).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests;
