//! From the errors of the libraries to ours. Each stage has its own function, since each has its
//! own errors; what is furthest down in the chain of causes says it best.

use std::error::Error;
use std::io;
use std::time::Duration;

use domain::Timestamp;
use domain::failure::{Failure, Stage, TlsFailure};
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

use super::exchange::TooMuch;

/// A connection that did not come about; `limit` is the time it had.
#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum, mostly about files")]
pub(super) fn connect(error: &io::Error, limit: Duration) -> Failure {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => Failure::NothingListens,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
            Failure::Broken(Stage::Connecting)
        }
        ErrorKind::TimedOut => Failure::TooLate(Stage::Connecting, limit),
        _ => Failure::Unreachable,
    }
}

/// A TLS handshake that failed.
pub(super) fn tls(error: &io::Error) -> Failure {
    match find::<rustls::Error>(error) {
        Some(error) => Failure::Tls(encryption(error)),
        None => Failure::Broken(Stage::Encrypting),
    }
}

/// An exchange that broke off at this stage.
pub(super) fn http(error: &hyper::Error, stage: Stage) -> Failure {
    if let Some(error) = find::<rustls::Error>(error) {
        return Failure::Tls(encryption(error));
    }
    if error.is_parse_too_large() || find::<TooMuch>(error).is_some() {
        return Failure::HeadTooLarge;
    }
    if error.is_parse() {
        return Failure::NotHttp;
    }
    if error.is_user() {
        return Failure::Unsendable;
    }
    match find::<io::Error>(error).map(io::Error::kind) {
        // Not from the socket, but from hyper: a body whose framing is wrong.
        Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => Failure::NotHttp,
        Some(_) | None => Failure::Broken(stage),
    }
}

/// Whether all that is wrong is that the connection ended.
pub(super) fn is_end(error: &hyper::Error) -> bool {
    find::<io::Error>(error).is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum; the rest of it means nothing to an owner"
)]
fn encryption(error: &rustls::Error) -> TlsFailure {
    use rustls::Error::{
        AlertReceived, InvalidCertificate, InvalidMessage, NoCertificatesPresented,
        PeerIncompatible,
    };
    match error {
        InvalidCertificate(problem) => certificate(problem),
        NoCertificatesPresented => TlsFailure::BadCertificate,
        InvalidMessage(_) => TlsFailure::NotTls,
        PeerIncompatible(_) => TlsFailure::Unsafe,
        AlertReceived(
            AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity,
        ) => TlsFailure::Unsafe,
        AlertReceived(AlertDescription::NoApplicationProtocol) => TlsFailure::OnlyHttp2,
        _ => TlsFailure::Rejected,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum; the rest of it means nothing to an owner"
)]
fn certificate(problem: &CertificateError) -> TlsFailure {
    match problem {
        CertificateError::Expired => TlsFailure::Expired(None),
        CertificateError::ExpiredContext { not_after, .. } => {
            TlsFailure::Expired(Some(moment(*not_after)))
        }
        CertificateError::NotValidYet => TlsFailure::NotYetValid(None),
        CertificateError::NotValidYetContext { not_before, .. } => {
            TlsFailure::NotYetValid(Some(moment(*not_before)))
        }
        CertificateError::NotValidForName => TlsFailure::WrongHost(Vec::new()),
        CertificateError::NotValidForNameContext { presented, .. } => {
            TlsFailure::WrongHost(presented.iter().filter_map(|name| plain_name(name)).collect())
        }
        // `Other` is what the chain's rules refuse; first of all an authority's certificate used
        // as a server's, which is what `openssl req -x509` makes.
        CertificateError::UnknownIssuer | CertificateError::Other(_) => TlsFailure::Untrusted,
        _ => TlsFailure::BadCertificate,
    }
}

fn moment(at: UnixTime) -> Timestamp {
    Timestamp::from_secs(i64::try_from(at.as_secs()).unwrap_or(i64::MAX))
}

/// `DnsName("www.example.org")` is how the library spells a name. Addresses, URIs and the like are
/// left out, and so is what no host is called: the text is the peer's own.
fn plain_name(presented: &str) -> Option<String> {
    let name = presented.strip_prefix("DnsName(\"")?.strip_suffix("\")")?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._*".contains(&b);
    name.bytes().all(plain).then(|| name.to_owned())
}

/// The first error of a type among an error and its causes. The payload of an IO error is one of
/// them, though `source` skips it.
fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    const DEEPEST: usize = 32;
    let mut next = Some(error);
    for _ in 0..DEEPEST {
        let cause = next?;
        if let Some(found) = cause.downcast_ref::<E>() {
            return Some(found);
        }
        let payload = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match payload {
            Some(payload) => Some(payload),
            None => cause.source(),
        };
    }
    None
}
