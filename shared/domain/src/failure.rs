//! How a request to an endpoint can fail: the class on record, and the sentence that tells the
//! endpoint's owner what happened, where, and what to do next.
//!
//! The adapter only says which of these it saw. No sentence names a library, and none tells what
//! is behind an address that the sender must not call.

use std::fmt;
use std::time::Duration;

use crate::Timestamp;
use crate::delivery::Outcome;
use crate::limits::{ATTEMPT_ERROR_BYTES, CERTIFICATE_NAMES_SHOWN};
use crate::target::Refusal;

/// Where a request goes: a host as it stands in the URL, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The host, without a trailing dot.
    pub host: String,
    /// The port, written or implied.
    pub port: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} port {}", self.host, self.port)
    }
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The URL breaks a rule.
    RefusedUrl(Refusal),
    /// The name leads to an address that must not be called; which one is not told.
    RefusedAddress,
    /// The name is not in the DNS.
    NoSuchName,
    /// The name is there, without an address.
    NoAddress,
    /// The name's servers answered with an error.
    NamesFailed,
    /// The name's servers did not answer within this time.
    NamesSilent(Duration),
    /// Nothing listens on the port.
    NothingListens,
    /// No way to the address.
    Unreachable,
    /// The connection broke.
    Broken(Stage),
    /// The deadline passed.
    TooLate(Stage, Duration),
    /// No trustworthy encryption.
    Tls(TlsFailure),
    /// A complete answer that is no success.
    Status {
        /// Its status code.
        status: u16,
        /// The host it points to, if it is a redirect.
        redirect: Option<String>,
    },
    /// An answer that is not HTTP/1.1.
    NotHttp,
    /// More headers than are read.
    HeadTooLarge,
    /// The URL or a custom header cannot be written into a request.
    Unsendable,
}

/// How far a request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for the connection.
    Connecting,
    /// Agreeing on TLS.
    Encrypting,
    /// Sending, or waiting for an answer.
    Waiting,
    /// The answer has begun; its status line and headers are not complete.
    Head,
    /// An answer with this status has begun.
    Answering(u16),
}

/// What is wrong with the encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFailure {
    /// The certificate has expired, when that is known.
    Expired(Option<Timestamp>),
    /// The certificate is not valid yet.
    NotYetValid(Option<Timestamp>),
    /// Self-signed, or of an authority that is not public, or its chain is not complete.
    Untrusted,
    /// For other names than the URL's.
    WrongHost(Vec<String>),
    /// Broken in another way.
    BadCertificate,
    /// What answers does not speak TLS.
    NotTls,
    /// No version or cipher that is safe today.
    Unsafe,
    /// The server speaks TLS, but not HTTP/1.1 over it.
    OnlyHttp2,
    /// The server refused.
    Rejected,
}

impl Failure {
    /// Its class.
    pub fn outcome(&self) -> Outcome {
        match self {
            Failure::RefusedUrl(_) | Failure::RefusedAddress => Outcome::BlockedAddress,
            Failure::NoSuchName
            | Failure::NoAddress
            | Failure::NamesFailed
            | Failure::NamesSilent(_) => Outcome::Dns,
            Failure::NothingListens => Outcome::ConnectionRefused,
            Failure::Unreachable => Outcome::NetworkUnreachable,
            Failure::Broken(_) => Outcome::ConnectionReset,
            Failure::TooLate(..) => Outcome::Timeout,
            Failure::Tls(_) => Outcome::Tls,
            Failure::Status { .. } => Outcome::HttpStatus,
            Failure::NotHttp | Failure::HeadTooLarge | Failure::Unsendable => {
                Outcome::ProtocolError
            }
        }
    }

    /// The sentence for the endpoint's owner, within [`ATTEMPT_ERROR_BYTES`].
    pub fn sentence(&self, at: &Place) -> String {
        let mut sentence = self.words(at);
        sentence.truncate(sentence.floor_char_boundary(ATTEMPT_ERROR_BYTES));
        sentence
    }

    fn words(&self, at: &Place) -> String {
        let host = &at.host;
        match self {
            Failure::RefusedUrl(refusal) => format!("the request was not sent: {refusal}"),
            Failure::RefusedAddress => format!(
                "the request was not sent: {host} does not lead to public addresses only; \
                 let its DNS records name nothing else"
            ),
            Failure::NoSuchName => {
                format!(
                    "the name {host} does not exist in the DNS; correct the URL or add a record"
                )
            }
            Failure::NoAddress => {
                format!("the name {host} has no address in the DNS; add an A record")
            }
            Failure::NamesFailed => {
                format!(
                    "the name servers of {host} answer with an error; check the DNS of its zone"
                )
            }
            Failure::NamesSilent(waited) => format!(
                "the name servers of {host} did not answer within {}; check the DNS of its zone",
                seconds(*waited)
            ),
            Failure::NothingListens => format!(
                "nothing listens on {at}: the connection was refused; \
                 start the server or correct the URL's port"
            ),
            Failure::Unreachable => format!(
                "there is no route to {at}; check its address in the DNS, its network and firewall"
            ),
            Failure::Broken(stage) => stage.broken(at),
            Failure::TooLate(stage, waited) => stage.too_late(at, *waited),
            Failure::Tls(failure) => failure.words(at),
            Failure::Status { status, redirect } => status_words(*status, redirect.as_deref(), at),
            Failure::NotHttp => format!(
                "{at} answered with something that is not HTTP/1.1; check what listens there"
            ),
            Failure::HeadTooLarge => {
                format!("{at} answered with too many or too long headers; send fewer")
            }
            Failure::Unsendable => "the request was not sent: the URL or a custom header of the \
                                    endpoint cannot be written into a request; correct it"
                .to_owned(),
        }
    }
}

impl Stage {
    fn broken(self, at: &Place) -> String {
        match self {
            Stage::Connecting => {
                format!("{at} broke off the attempt to connect; check the server or its firewall")
            }
            Stage::Encrypting => format!(
                "{at} closed the connection during the TLS handshake; \
                 check that it serves TLS for {}",
                at.host
            ),
            Stage::Waiting => format!(
                "{at} closed the connection before it answered; look for a crash in its log"
            ),
            Stage::Head => format!(
                "{at} closed the connection in the middle of its answer's headers; \
                 look for a crash in its log"
            ),
            Stage::Answering(status) => format!(
                "{at} began to answer with status {status} but closed the connection before the \
                 answer was complete; look for a crash in its log"
            ),
        }
    }

    fn too_late(self, at: &Place, waited: Duration) -> String {
        let waited = seconds(waited);
        match self {
            Stage::Connecting => format!(
                "{at} did not accept a connection within {waited}; check the server or its firewall"
            ),
            Stage::Encrypting => format!(
                "{at} accepted the connection but did not finish the TLS handshake within {waited}"
            ),
            Stage::Waiting => format!(
                "{at} did not answer within {waited}; answer first and do long work afterwards"
            ),
            Stage::Head => format!(
                "{at} began to answer but did not finish its headers within {waited}; \
                 answer first and do long work afterwards"
            ),
            Stage::Answering(status) => format!(
                "{at} began to answer with status {status} but did not finish within {waited}; \
                 send a short answer at once"
            ),
        }
    }
}

impl TlsFailure {
    fn words(&self, at: &Place) -> String {
        let host = &at.host;
        match self {
            TlsFailure::Expired(Some(on)) => {
                format!("the certificate of {host} expired on {}; renew it", day(*on))
            }
            TlsFailure::Expired(None) => format!("the certificate of {host} has expired; renew it"),
            TlsFailure::NotYetValid(Some(from)) => format!(
                "the certificate of {host} is not valid before {}; install one that is valid now",
                day(*from)
            ),
            TlsFailure::NotYetValid(None) => {
                format!("the certificate of {host} is not valid yet; install one that is valid now")
            }
            TlsFailure::Untrusted => format!(
                "the certificate of {host} does not lead to a public authority: it is self-signed, \
                 of a private authority, or sent without its intermediate certificates; \
                 install the full chain of a public one"
            ),
            TlsFailure::WrongHost(names) if names.is_empty() => format!(
                "the certificate of {at} names no host; install one that is valid for {host}"
            ),
            TlsFailure::WrongHost(names) => format!(
                "the certificate of {at} is for {}; install one that is valid for {host}",
                shown(names)
            ),
            TlsFailure::BadCertificate => {
                format!("the certificate of {host} cannot be verified; install a new one")
            }
            TlsFailure::NotTls => {
                format!("{at} does not speak TLS; serve https there or correct the URL's port")
            }
            TlsFailure::Unsafe => format!(
                "{at} offers no encryption that is safe today; let it accept TLS 1.2 or 1.3"
            ),
            TlsFailure::OnlyHttp2 => {
                format!("{at} offers HTTP/2 alone; let it accept HTTP/1.1 too")
            }
            TlsFailure::Rejected => format!(
                "{at} refused the TLS connection; check that it serves TLS 1.2 or 1.3 for {host}"
            ),
        }
    }
}

fn status_words(status: u16, redirect: Option<&str>, at: &Place) -> String {
    match (status, redirect) {
        (300..400, Some(to)) => format!(
            "{at} answered with status {status}, a redirect to {}; redirects are not followed: \
             change the endpoint's URL to where it leads",
            short(to)
        ),
        (300..400, None) => format!(
            "{at} answered with status {status}; redirects are not followed: \
             change the endpoint's URL to where it leads"
        ),
        (_, _) => format!("{at} answered with status {status}; a success is 200 to 299"),
    }
}

fn seconds(waited: Duration) -> String {
    format!("{} s", (waited.as_secs_f64() * 10.0).round() / 10.0)
}

fn day(at: Timestamp) -> String {
    at.to_string().chars().take("2026-05-01".len()).collect()
}

/// A host as the peer names it: so long a one that it would push the next step off the record is
/// cut.
fn short(host: &str) -> String {
    const SHOWN: usize = 80;
    let cut = &host[..host.floor_char_boundary(SHOWN)];
    if cut.len() < host.len() { format!("{cut}…") } else { host.to_owned() }
}

/// The first few names of a certificate.
fn shown(names: &[String]) -> String {
    let first: Vec<String> =
        names.iter().take(CERTIFICATE_NAMES_SHOWN).map(|name| short(name)).collect();
    let more = if names.len() > first.len() { " and others" } else { "" };
    format!("{}{more}", first.join(", "))
}

#[cfg(test)]
mod tests;
