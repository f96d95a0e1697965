//! Every sentence an owner can read, in a text file that is compared as it stands.

use super::*;
use crate::address::AddressKind;

const WAITED: Duration = Duration::from_secs(30);

fn samples() -> Vec<Failure> {
    let at = |text| Some(Timestamp::parse(text).expect("valid"));
    let stages =
        [Stage::Connecting, Stage::Encrypting, Stage::Waiting, Stage::Head, Stage::Answering(200)];
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let tls = [
        TlsFailure::Expired(at("2026-05-01T12:00:00Z")),
        TlsFailure::Expired(None),
        TlsFailure::NotYetValid(at("2027-01-01T00:00:00Z")),
        TlsFailure::NotYetValid(None),
        TlsFailure::Untrusted,
        TlsFailure::WrongHost(names(&["www.example.org"])),
        TlsFailure::WrongHost(names(&["a.example.org", "b.example.org", "c.example.org", "d"])),
        TlsFailure::WrongHost(Vec::new()),
        TlsFailure::BadCertificate,
        TlsFailure::NotTls,
        TlsFailure::Unsafe,
        TlsFailure::OnlyHttp2,
        TlsFailure::Rejected,
    ];
    let status = |status, redirect: Option<&str>| Failure::Status {
        status,
        redirect: redirect.map(str::to_owned),
    };
    let refused = [
        Refusal::TooLong,
        Refusal::Characters,
        Refusal::NotAUrl,
        Refusal::NotHttps,
        Refusal::UserInfo,
        Refusal::Fragment,
        Refusal::Port,
        Refusal::NotAHost,
        Refusal::SingleLabel,
        Refusal::LocalName,
        Refusal::RuntimeApi,
        Refusal::NoAnswer,
    ];
    let kinds = AddressKind::ALL.map(Refusal::Address);
    let mut all = vec![
        status(500, None),
        status(404, None),
        status(101, None),
        status(301, Some("www.example.org")),
        status(304, None),
    ];
    all.extend(stages.map(|stage| Failure::TooLate(stage, WAITED)));
    all.push(Failure::NothingListens);
    all.extend(stages.map(Failure::Broken));
    all.extend([Failure::NoSuchName, Failure::NoAddress, Failure::NamesFailed]);
    all.push(Failure::NamesSilent(Duration::from_secs(10)));
    all.extend(tls.map(Failure::Tls));
    all.push(Failure::Unreachable);
    all.push(Failure::RefusedAddress);
    all.extend(refused.into_iter().chain(kinds).map(Failure::RefusedUrl));
    all.extend([Failure::NotHttp, Failure::HeadTooLarge, Failure::Unsendable]);
    all
}

fn place() -> Place {
    Place { host: "hooks.example.com".into(), port: 8443 }
}

/// After a change of words: copy what this prints, and read the difference.
#[test]
fn class_and_text() {
    let line = |failure: Failure| {
        let (class, text) = (failure.outcome().as_str(), failure.sentence(&place()));
        format!("{class}: {text}\n")
    };
    let table: String = samples().into_iter().map(line).collect();
    assert!(table == include_str!("texts.txt"), "the table is now:\n{table}");
}

#[test]
fn every_failing_class_has_words() {
    for outcome in Outcome::ALL.into_iter().filter(|outcome| *outcome != Outcome::Succeeded) {
        assert!(samples().iter().any(|failure| failure.outcome() == outcome), "{outcome:?}");
    }
}

#[test]
fn no_sentence_is_longer_than_the_record_takes() {
    let host = vec!["ä".repeat(30); 8].join(".");
    let at = Place { host: host.clone(), port: 65_535 };
    for failure in samples() {
        assert!(failure.sentence(&at).len() <= ATTEMPT_ERROR_BYTES);
    }
    let names = vec![host; 5];
    let wrong = Failure::Tls(TlsFailure::WrongHost(names)).sentence(&at);
    assert!((ATTEMPT_ERROR_BYTES - 1..=ATTEMPT_ERROR_BYTES).contains(&wrong.len()));
}
