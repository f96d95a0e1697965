//! What the DNS can do to a request.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use domain::delivery::{Answer, Outcome};
use rustls::RootCertStore;

use super::kit::*;
use crate::receiver::HttpReceiver;

fn receiver(resolver: SocketAddr) -> HttpReceiver {
    // What is dialled is refused at once, so that a name that is let through shows.
    let nobody = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 1);
    public(resolver, RootCertStore::empty(), Some(nobody))
}

fn ask(resolver: SocketAddr) -> Answer {
    run(&receiver(resolver), &request(format!("https://{NAME}/")), PATIENT)
}

#[test]
fn names_that_lead_nowhere() {
    for (code, words) in [
        (3, "the name hooks.example.com does not exist in the DNS"),
        (2, "the name servers of hooks.example.com answer with an error"),
        (5, "the name servers of hooks.example.com answer with an error"),
        (0, "the name hooks.example.com has no address in the DNS"),
    ] {
        let (resolver, questions) = resolver(move |question, _| Some(reply(question, code, &[])));
        check_failed(&ask(resolver), Outcome::Dns, None, words);
        let both_kinds = if code == 0 { 2 } else { 1 };
        assert_eq!(questions.try_iter().count(), both_kinds);
    }
}

#[test]
fn a_resolver_that_never_answers() {
    let (resolver, questions) = resolver(|_, _| None);
    let receiver = receiver(resolver);
    let answer = run(&receiver, &request(format!("https://{NAME}/")), SHORT);
    check_failed(&answer, Outcome::Dns, None, "did not answer within 0.1 s");
    assert!((1..=4).contains(&questions.try_iter().count()));
}

#[test]
fn a_resolver_that_talks_nonsense() {
    for nonsense in [&b""[..], b"\0", &[0xff; 512]] {
        let (resolver, _) = resolver(move |_, _| Some(nonsense.to_vec()));
        let answer = run(&receiver(resolver), &request(format!("https://{NAME}/")), SHORT);
        check_failed(&answer, Outcome::Dns, None, "did not answer");
    }
    let forged = |question: &[u8], _| {
        let mut forged = reply(question, 0, &[PUBLIC]);
        forged[0] ^= 1;
        Some(forged)
    };
    let answer = run(&receiver(resolver(forged).0), &request(format!("https://{NAME}/")), SHORT);
    check_failed(&answer, Outcome::Dns, None, "did not answer");
}

#[test]
fn a_lost_packet_is_asked_again() {
    let (resolver, questions) =
        resolver(|question, nth| (nth > 0).then(|| reply(question, 0, &[PUBLIC])));
    let receiver = receiver(resolver);
    let timeout = std::time::Duration::from_secs(3);
    let answer = run(&receiver, &request(format!("https://{NAME}/")), timeout);
    assert_eq!(answer.outcome, Outcome::ConnectionRefused, "found, and dialled: {answer:?}");
    assert_eq!(questions.try_iter().count(), 2);
}

#[test]
fn a_resolver_that_is_not_there_leaves_it_to_the_next() {
    let gone = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let mut receiver = receiver(resolver_of(PUBLIC));
    let known = resolver_of(PUBLIC);
    receiver.names = crate::receiver::dns::Names::of(&[gone.expect("bound"), known]);
    let answer = run(&receiver, &request(format!("https://{NAME}/")), PATIENT);
    assert_eq!(answer.outcome, Outcome::ConnectionRefused, "{answer:?}");
}

#[test]
fn one_refused_answer_refuses_all_and_nothing_is_told() {
    let address = |text: &str| text.parse::<Ipv4Addr>().expect("an address");
    for refused in ["127.0.0.1", "169.254.169.254", "10.0.0.1", "0.0.0.0", "100.64.0.1"] {
        for answers in [vec![address(refused)], vec![PUBLIC, address(refused)]] {
            let (resolver, _) = resolver(move |question, _| Some(reply(question, 0, &answers)));
            let receiver = receiver(resolver);
            let answer = run(&receiver, &request(format!("https://{NAME}/")), PATIENT);
            let words = "hooks.example.com does not lead to public addresses only";
            check_failed(&answer, Outcome::BlockedAddress, None, words);
            assert!(!answer.error.expect("just read").contains(refused));
            assert!(receiver.dialer.dialled.lock().expect("unpoisoned").is_empty());
        }
    }
}

#[test]
fn ipv6_is_asked_for_and_judged_where_there_is_no_ipv4() {
    let with = |last: [u8; 2], first: u8| {
        move |question: &[u8], _: usize| {
            let mut reply = reply(question, 0, &[]);
            if question.ends_with(&[0, 28, 0, 1]) {
                reply[7] = 1;
                reply.extend([0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 60, 0, 16, first, 6]);
                reply.extend([[0; 12].as_slice(), &last].concat());
            }
            Some(reply)
        }
    };
    let answer = ask(resolver(with([0, 1], 0x26)).0);
    assert_eq!(answer.outcome, Outcome::ConnectionRefused, "found, and dialled: {answer:?}");
    let answer = ask(resolver(with([0, 1], 0xfd)).0);
    assert_eq!(answer.outcome, Outcome::BlockedAddress, "{answer:?}");
}

#[test]
fn a_name_that_is_public_first_and_loopback_next() {
    let rebinding = |question: &[u8], nth| {
        Some(reply(question, 0, &[if nth == 0 { PUBLIC } else { Ipv4Addr::LOCALHOST }]))
    };
    let (resolver, questions) = resolver(rebinding);
    let receiver = receiver(resolver);
    let answer = run(&receiver, &request(format!("https://{NAME}:8443/")), PATIENT);
    let words = "nothing listens on hooks.example.com port 8443";
    check_failed(&answer, Outcome::ConnectionRefused, None, words);
    assert_eq!(questions.try_iter().count(), 1, "one look-up");
    let dialled = receiver.dialer.dialled.lock().expect("unpoisoned").clone();
    assert_eq!(dialled, [SocketAddr::new(PUBLIC.into(), 8443)], "the vetted address alone");
    let next = run(&receiver, &request(format!("https://{NAME}:8443/")), PATIENT);
    assert_eq!(next.outcome, Outcome::BlockedAddress, "the next attempt is judged anew");
}

#[test]
fn an_address_is_never_asked_for() {
    let (resolver, questions) = resolver(|_, _| None);
    let answer = run(&receiver(resolver), &request(format!("https://{PUBLIC}/")), PATIENT);
    assert_eq!(answer.outcome, Outcome::ConnectionRefused, "{answer:?}");
    assert_eq!(questions.try_iter().count(), 0);
}

#[test]
fn some_addresses_are_tried_in_turn() {
    let many: Vec<Ipv4Addr> = (1..=20).map(|n| Ipv4Addr::new(93, 184, 215, n)).collect();
    let (resolver, _) = resolver(move |question, _| Some(reply(question, 0, &many)));
    let receiver = receiver(resolver);
    let answer = run(&receiver, &request(format!("https://{NAME}/")), PATIENT);
    assert_eq!(answer.outcome, Outcome::ConnectionRefused, "{answer:?}");
    assert_eq!(receiver.dialer.dialled.lock().expect("unpoisoned").len(), 4);
}

#[test]
fn long_answers_come_over_tcp() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("bound");
    let listener = TcpListener::bind(address).expect("the same port");
    std::thread::spawn(move || {
        let mut received = [0; 512];
        let (count, from) = socket.recv_from(&mut received).expect("asked");
        let mut truncated = reply(&received[..count], 0, &[]);
        truncated[2] |= 0x02;
        socket.send_to(&truncated, from).expect("sent");
        let (mut stream, _) = listener.accept().expect("asked over TCP");
        let mut question = vec![0; count + 2];
        stream.read_exact(&mut question).expect("the question");
        let mut all = vec![PUBLIC; 100];
        all.push(Ipv4Addr::LOCALHOST);
        let reply = reply(&question[2..], 0, &all);
        let length = u16::try_from(reply.len()).expect("short").to_be_bytes();
        stream.write_all(&[&length, reply.as_slice()].concat()).expect("sent");
    });
    let answer = ask(address);
    assert_eq!(answer.outcome, Outcome::BlockedAddress, "the last of 101 is judged: {answer:?}");
}
