//! Answers that do not come, or not as HTTP.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};

use domain::delivery::Outcome;
use domain::ports::Receiver;
use rustls::RootCertStore;

use super::kit::*;

#[test]
fn silence_is_a_timeout() {
    let (address, thread) = server(|mut stream| {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    let answer = post_within(format!("http://{address}/"), SHORT);
    let words = format!("127.0.0.1 port {} did not answer within 0.3 s", address.port());
    check_failed(&answer, Outcome::Timeout, None, &words);
    assert!(answer.duration_ms >= 300 && answer.first_byte_ms.is_none());
    thread.join().expect("the connection ended with the deadline");
}

#[test]
fn a_connection_that_nobody_accepts() {
    // The kernel accepts as many as the queue holds; then it swallows what comes.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let answer = post_within(format!("http://{address}/"), SHORT);
    check_failed(&answer, Outcome::Timeout, None, "within 0.3 s");
}

/// Sends a beginning, then a little now and then, until the connection is gone.
fn dripping(
    beginning: &'static str,
    drip: &'static str,
) -> (SocketAddr, std::thread::JoinHandle<()>) {
    server(move |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(beginning.as_bytes());
        while stream.write_all(drip.as_bytes()).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    })
}

#[test]
fn drips_end_with_the_deadline_and_what_came_is_kept() {
    let head = "began to answer but did not finish its headers within 0.3 s";
    let body = "began to answer with status 500 but did not finish within 0.3 s";
    for (beginning, drip, status, words) in [
        ("HTTP/1.1 200 O", "K", None, head),
        ("HTTP/1.1 200 OK\r\n", "X: y\r\n", None, head),
        ("HTTP/1.1 200 OK\r\nX: ", "y", None, head),
        ("HTTP/1.1 500 X\r\nContent-Length: 999\r\n\r\n", "x", Some(500), body),
    ] {
        let (address, thread) = dripping(beginning, drip);
        let answer = post_within(format!("http://{address}/"), SHORT);
        check_failed(&answer, Outcome::Timeout, status, words);
        assert_eq!(answer.response_body.is_some(), status.is_some());
        assert!(answer.response_body.is_none_or(|kept| kept.starts_with('x') && kept.len() < 999));
        assert!(answer.first_byte_ms.is_some());
        thread.join().expect("the server saw the connection end");
    }
}

#[test]
fn endless_interim_answers_end_at_once() {
    let (address, thread) = server(|mut stream| {
        read_request(&mut stream);
        while stream.write_all(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000)).is_ok() {}
    });
    let answer = post(address);
    check_failed(&answer, Outcome::ProtocolError, None, "too many or too long headers");
    thread.join().expect("the server saw the connection end");
}

#[test]
fn heads_that_are_too_large_end_at_once() {
    let many = |count| (0..count).map(|n| format!("X-{n}: y\r\n")).collect::<String>();
    for headers in [many(100_000), many(101), format!("X: {}\r\n", "y".repeat(1_000_000))] {
        let (address, thread) = answering(format!("HTTP/1.1 200 OK\r\n{headers}\r\n"));
        let answer = post(address);
        check_failed(&answer, Outcome::ProtocolError, None, "too many or too long headers");
        thread.join().expect("served");
    }
    let (address, thread) = answering(format!("HTTP/1.1 200 OK\r\n{}\r\n", many(90)));
    assert_eq!(post(address).outcome, Outcome::Succeeded);
    thread.join().expect("served");
}

/// Whoever watches is told while the request waits, once, and not of an endpoint that is in time.
#[test]
fn a_silent_endpoint_is_told_of_while_it_is_silent() {
    let watched = |address: SocketAddr, patience, silent: &(dyn Fn() + Sync)| {
        let request = request(format!("http://{address}/"));
        let receiver = local();
        let post = receiver.post_watched(&request, PATIENT, patience, async { silent() });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(post).outcome
    };
    let (told, waits) = std::sync::mpsc::channel();
    let (address, thread) = server(move |mut stream| {
        read_request(&mut stream);
        let told = waits.recv_timeout(PATIENT);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        (told, waits.recv_timeout(SHORT))
    });
    let tell = || told.send(()).expect("the server waits for it");
    assert_eq!(watched(address, SHORT, &tell), Outcome::Succeeded);
    let (once, twice) = thread.join().expect("served");
    assert!(once.is_ok() && twice.is_err(), "{once:?}, {twice:?}");
    let (address, thread) = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let tell = || panic!("it was in time");
    assert_eq!(watched(address, PATIENT, &tell), Outcome::Succeeded);
    thread.join().expect("served");
}

#[test]
fn a_refused_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let words = format!("nothing listens on 127.0.0.1 port {}", address.port());
    check_failed(&post(address), Outcome::ConnectionRefused, None, &words);
}

#[test]
fn a_network_that_cannot_be_reached() {
    // A connection to everybody: the kernel says at once that there is no such way.
    let everybody = "255.255.255.255:443".parse().expect("an address");
    let receiver = public(resolver_of(PUBLIC), RootCertStore::empty(), Some(everybody));
    let answer = run(&receiver, &request(format!("https://{NAME}/")), PATIENT);
    let words = "there is no route to hooks.example.com port 443";
    check_failed(&answer, Outcome::NetworkUnreachable, None, words);
}

#[test]
fn a_connection_that_breaks() {
    let (address, thread) = server(|stream| stream.shutdown(Shutdown::Both));
    let words = "closed the connection before it answered";
    check_failed(&post(address), Outcome::ConnectionReset, None, words);
    let _ = thread.join().expect("served");
    // Closing with unread bytes in the receive buffer sends a reset.
    let (address, thread) = server(|mut stream| stream.read(&mut [0; 1]).map(|_| ()));
    check_failed(&post(address), Outcome::ConnectionReset, None, words);
    thread.join().expect("served").expect("read");
    let (address, thread) = answering("HTTP/1.1 200 OK\r\nX: y\r\n");
    let words = "in the middle of its answer's headers";
    check_failed(&post(address), Outcome::ConnectionReset, None, words);
    thread.join().expect("served");
    for head in ["Content-Length: 9\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n9\r\n"] {
        let (address, thread) = answering(format!("HTTP/1.1 200 OK\r\n{head}half"));
        let answer = post(address);
        let words = "began to answer with status 200 but closed the connection";
        check_failed(&answer, Outcome::ConnectionReset, Some(200), words);
        assert_eq!(answer.response_body.as_deref(), Some("half"));
        thread.join().expect("served");
    }
}

#[test]
fn a_reset_in_the_middle_of_an_answer() {
    let (address, thread) = server(|mut stream| {
        let mut received = [0; 64];
        stream.read_exact(&mut received).expect("the beginning of the request");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").expect("sent");
        std::thread::sleep(std::time::Duration::from_millis(100));
    });
    let answer = post(address);
    check_failed(&answer, Outcome::ConnectionReset, Some(200), "began to answer with status 200");
    thread.join().expect("served");
}

#[test]
fn what_is_not_http() {
    for answer in [
        &b"220 mail.example.com ESMTP\r\n"[..],
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\x10\0\0\0\x06\0\x01\0\0",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"<html></html>",
    ] {
        let (address, thread) = answering(answer);
        let answer = post(address);
        check_failed(&answer, Outcome::ProtocolError, None, "something that is not HTTP/1.1");
        thread.join().expect("served");
    }
    let (address, thread) =
        answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    check_failed(&post(address), Outcome::ProtocolError, Some(200), "not HTTP/1.1");
    thread.join().expect("served");
}

/// A wrong port (SSH, SMTP), or a server that sheds load before it reads: both have spoken before
/// the request is there. Repeated, since it was a race once.
#[test]
fn a_peer_that_speaks_first() {
    let shed: &[u8] =
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n";
    for (greeting, outcome, status) in [
        (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], Outcome::ProtocolError, None),
        (b"220 mail ESMTP\r\n", Outcome::ProtocolError, None),
        (shed, Outcome::HttpStatus, Some(429)),
    ] {
        for _ in 0..20 {
            let (address, _) = server(move |mut stream| {
                let _ = stream.write_all(greeting);
                let mut request = [0; 65_536];
                while stream.read(&mut request).is_ok_and(|read| read > 0) {}
            });
            let answer =
                post_within(format!("http://{address}/"), std::time::Duration::from_secs(5));
            assert_eq!((answer.outcome, answer.http_status), (outcome, status), "{answer:?}");
            assert_eq!(answer.retry_after_s, status.map(|_| 5));
        }
    }
}
