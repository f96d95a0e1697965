//! What a failed exchange was, in one of the outcomes and in a sentence for the endpoint's owner.
//! The sentence names the target, and no library.

use std::error::Error;
use std::io;
use std::time::Duration;

use domain::delivery::Outcome;
use domain::limits::ATTEMPT_ERROR_BYTES;
use reqwest::Url;
use rustls::CertificateError;

use super::dns::NoAddress;

/// A failed exchange.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// Its class.
    pub outcome: Outcome,
    /// The sentence.
    pub error: String,
}

/// Where a request goes, in words: host and port.
pub(super) fn name_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// A complete answer that is no success.
pub(super) fn status_sentence(status: u16, target: &str) -> String {
    match status {
        300..400 => format!("{target} answered with status {status}; redirects are not followed"),
        _ => format!("{target} answered with status {status}"),
    }
}

/// The deadline passed.
pub(super) fn too_late(target: &str, timeout: Duration, status: Option<u16>) -> Failure {
    let seconds = timeout.as_secs_f64();
    let error = match status {
        None => format!("{target} did not answer within {seconds} s"),
        Some(status) => format!(
            "{target} began to answer with status {status} but did not finish within {seconds} s"
        ),
    };
    Failure { outcome: Outcome::Timeout, error }
}

/// A broken exchange. What is furthest down in the chain of causes says it best; only an error of
/// TLS is wrapped in one of IO, and goes first.
pub(super) fn failure(error: &reqwest::Error, target: &str) -> Failure {
    let causes = chain(error);
    let found = first(&causes, |_: &NoAddress| Some(no_address(target)))
        .or_else(|| first(&causes, |e: &rustls::Error| Some(tls(e, target))))
        .or_else(|| first(&causes, |e: &hyper::Error| http(e, target)))
        .or_else(|| first(&causes, |e: &io::Error| network(e, error.is_connect(), target)));
    found.unwrap_or_else(|| other(error, target))
}

fn first<E: Error + 'static>(
    causes: &[&(dyn Error + 'static)],
    told: impl Fn(&E) -> Option<Failure>,
) -> Option<Failure> {
    causes.iter().filter_map(|cause| cause.downcast_ref::<E>()).find_map(told)
}

/// The causes of an error, outermost first. The payload of an IO error is one of them, though
/// `source` skips it.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> Vec<&'e (dyn Error + 'static)> {
    const DEEPEST: usize = 32;
    let mut causes = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next.filter(|_| causes.len() < DEEPEST) {
        causes.push(cause);
        let payload = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match payload {
            Some(payload) => Some(payload),
            None => cause.source(),
        };
    }
    causes
}

fn no_address(target: &str) -> Failure {
    let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
    Failure {
        outcome: Outcome::Dns,
        error: format!("the name {host} has no address, or it could not be found out"),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum; the rest of it means nothing to an owner"
)]
fn tls(error: &rustls::Error, target: &str) -> Failure {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage, PeerIncompatible};
    let error = match error {
        InvalidCertificate(problem) => {
            format!("the certificate of {target} {}", certificate(problem))
        }
        InvalidMessage(_) => format!("{target} does not speak TLS"),
        PeerIncompatible(_) => format!("{target} offers no encryption that is safe today"),
        AlertReceived(_) => format!("{target} refused the TLS connection"),
        _ => format!("no TLS connection could be made to {target}"),
    };
    Failure { outcome: Outcome::Tls, error }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum; the rest of it means nothing to an owner"
)]
fn certificate(problem: &CertificateError) -> &'static str {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, Revoked, UnknownIssuer,
    };
    match problem {
        Expired | ExpiredContext { .. } => "has expired",
        NotValidYet | NotValidYetContext { .. } => "is not valid yet",
        NotValidForName | NotValidForNameContext { .. } => "is for another name",
        UnknownIssuer => {
            "does not lead to a public authority (is it self-signed, or is an intermediate \
             certificate missing?)"
        }
        Revoked => "was revoked",
        _ => "is not valid",
    }
}

fn http(error: &hyper::Error, target: &str) -> Option<Failure> {
    if error.is_parse() {
        let error = format!("{target} answered with something that is not HTTP/1.1");
        let outcome = Outcome::ProtocolError;
        return Some(Failure { outcome, error });
    }
    error.is_incomplete_message().then(|| broken_off(target))
}

fn broken_off(target: &str) -> Failure {
    Failure {
        outcome: Outcome::ConnectionReset,
        error: format!("{target} closed the connection before its answer was complete"),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum, mostly about files")]
fn network(error: &io::Error, connecting: bool, target: &str) -> Option<Failure> {
    use io::ErrorKind;
    let failure = |outcome, error| Some(Failure { outcome, error });
    match error.kind() {
        ErrorKind::ConnectionRefused => failure(
            Outcome::ConnectionRefused,
            format!("nothing listens on {target}: the connection was refused"),
        ),
        ErrorKind::UnexpectedEof if connecting => failure(
            Outcome::Tls,
            format!("{target} closed the connection instead of agreeing on TLS"),
        ),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::UnexpectedEof => Some(broken_off(target)),
        ErrorKind::TimedOut => {
            failure(Outcome::Timeout, format!("{target} did not answer the attempt to connect"))
        }
        ErrorKind::NetworkUnreachable
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => {
            failure(Outcome::NetworkUnreachable, format!("there is no way to {target}"))
        }
        _ => None,
    }
}

fn other(error: &reqwest::Error, target: &str) -> Failure {
    let (outcome, error) = if error.is_connect() {
        let error = format!("no connection could be made to {target}");
        (Outcome::NetworkUnreachable, error)
    } else if error.is_builder() {
        let error = "the request was not sent: its URL or one of its headers cannot be sent";
        (Outcome::ProtocolError, error.to_owned())
    } else {
        let error = format!("the exchange with {target} broke off");
        (Outcome::ProtocolError, error)
    };
    Failure { outcome, error }
}

/// Fits a sentence into its limit, whatever a host name looks like.
pub(super) fn cut(mut sentence: String) -> String {
    sentence.truncate(sentence.floor_char_boundary(ATTEMPT_ERROR_BYTES));
    sentence
}
