//! What is not sent.

use domain::delivery::Outcome;
use domain::target::{Egress, TargetRules};

use super::kit::*;
use crate::receiver::HttpReceiver;

#[test]
fn what_must_not_be_called_is_not() {
    let receiver = HttpReceiver::new(Egress::new(TargetRules::PublicHttps)).expect("a client");
    for (url, words) in [
        ("http://127.0.0.1:1/", "must start with https://"),
        ("https://127.0.0.1:1/", "it leads to a loopback address"),
        ("https://0x7f.1:1/", "it leads to a loopback address"),
        ("https://[::ffff:127.0.0.1]:1/", "an IPv4 address inside an IPv6 one"),
        ("https://169.254.169.254/", "a link-local address"),
        ("https://localhost:1/", "a local name"),
    ] {
        let answer = run(&receiver, &request(url), PATIENT);
        check_failed(&answer, Outcome::BlockedAddress, None, words);
        assert_eq!((answer.first_byte_ms, answer.response_body), (None, None));
    }
    assert!(receiver.dialer.dialled.lock().expect("unpoisoned").is_empty());
}

#[test]
fn a_local_stack_still_spares_its_own_runtime() {
    let (address, thread) = answering("HTTP/1.1 200 OK\r\n\r\n");
    let egress = Egress::beside_runtime(TargetRules::InsecureForLocal, Some(&address.to_string()));
    let receiver = HttpReceiver::new(egress).expect("a client");
    for host in ["127.0.0.1", "localhost", "127.0.0.2", "0x7f.1", "[::1]"] {
        let url = format!("http://{host}:{}/", address.port());
        let answer = run(&receiver, &request(url), PATIENT);
        assert_eq!(answer.outcome, Outcome::BlockedAddress, "{answer:?}");
    }
    assert!(receiver.dialer.dialled.lock().expect("unpoisoned").is_empty());
    assert_eq!(post(address).outcome, Outcome::Succeeded, "as a neighbour it may be called");
    thread.join().expect("served");
}

#[test]
fn a_header_that_cannot_be_sent() {
    let mut request = request("http://127.0.0.1:1/");
    let (address, thread) = server(drop);
    request.url = format!("http://{address}/");
    request.headers.push(("X-Bad".into(), "a\r\nb".into()));
    let answer = run(&local(), &request, PATIENT);
    check_failed(&answer, Outcome::ProtocolError, None, "was not sent");
    thread.join().expect("served");
}
