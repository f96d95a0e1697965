//! Without TLS.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};

use domain::delivery::Outcome;
use domain::limits::RESPONSE_BODY_BYTES;
use domain::target::{Egress, TargetRules};
use rustls::RootCertStore;

use super::kit::*;
use crate::receiver::HttpReceiver;

#[test]
fn what_is_sent() {
    let (address, thread) = answering("HTTP/1.1 204 No Content\r\n\r\n");
    let answer = post(address);
    assert_eq!((answer.outcome, answer.http_status), (Outcome::Succeeded, Some(204)));
    assert_eq!((answer.response_body, answer.error), (None, None));
    assert!(answer.first_byte_ms.is_some());
    let sent = thread.join().expect("served");
    let (head, body) = sent.split_once("\r\n\r\n").expect("a head");
    assert_eq!(body, BODY);
    let lines: Vec<&str> = head.split("\r\n").collect();
    let (host, length) = (format!("Host: {address}"), format!("Content-Length: {}", BODY.len()));
    assert_eq!(
        lines,
        [
            "POST /in HTTP/1.1",
            &host,
            "Content-Type: application/json",
            "User-Agent: Rackwave-Webhooks/0.1.0",
            "X-Webhook-Signature: sha256=00ff",
            "Webhook-Id: evt_1",
            "Connection: close",
            &length,
        ]
    );
}

#[test]
fn the_whole_path_and_a_large_body_are_sent() {
    let large = "x".repeat(256 * 1_024);
    let (address, thread) = server(|mut stream| {
        let mut received = vec![0; 256 * 1_024];
        stream.read_exact(&mut received).expect("received");
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let _ = stream.read_to_end(&mut received);
        String::from_utf8(received).expect("text")
    });
    let mut request = request(format!("http://{address}/a%20b/ü?x=1&y=%2F|{{}}"));
    request.body = large.clone();
    assert_eq!(run(&local(), &request, PATIENT).outcome, Outcome::Succeeded);
    let sent = thread.join().expect("served");
    assert!(sent.starts_with("POST /a%20b/%C3%BC?x=1&y=%2F|{} HTTP/1.1\r\n"), "{sent:.100}");
    assert!(sent.ends_with(&large));
}

#[test]
fn statuses() {
    for (status, outcome) in [
        (200, Outcome::Succeeded),
        (201, Outcome::Succeeded),
        (204, Outcome::Succeeded),
        (299, Outcome::Succeeded),
        (101, Outcome::HttpStatus),
        (300, Outcome::HttpStatus),
        (304, Outcome::HttpStatus),
        (400, Outcome::HttpStatus),
        (404, Outcome::HttpStatus),
        (410, Outcome::HttpStatus),
        (429, Outcome::HttpStatus),
        (500, Outcome::HttpStatus),
        (503, Outcome::HttpStatus),
        (599, Outcome::HttpStatus),
        (999, Outcome::HttpStatus),
    ] {
        let (address, thread) = answering(format!("HTTP/1.1 {status} X\r\n\r\n"));
        let answer = post(address);
        assert_eq!((answer.outcome, answer.http_status), (outcome, Some(status)), "{answer:?}");
        let said = answer.error.unwrap_or_default();
        assert_eq!(said.is_empty(), outcome == Outcome::Succeeded);
        assert!(said.is_empty() || said.contains(&format!("status {status}")), "{said}");
        thread.join().expect("served");
    }
}

#[test]
fn versions_and_interim_answers() {
    for (answer, body) in [
        ("HTTP/1.0 200 OK\r\n\r\nold", "old"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
        ("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\nok", "ok"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok"),
    ] {
        let (address, thread) = answering(answer);
        let answer = post(address);
        assert_eq!((answer.outcome, answer.http_status), (Outcome::Succeeded, Some(200)));
        assert_eq!(answer.response_body.as_deref(), Some(body));
        thread.join().expect("served");
    }
}

#[test]
fn redirects_are_noted_and_not_followed() {
    for (status, location, words) in [
        (301, "http://169.254.169.254/latest/meta-data/", "a redirect to 169.254.169.254;"),
        (307, "https://169.254.169.254/", "a redirect to 169.254.169.254;"),
        (308, "http://127.0.0.1:1/secret?token=x", "a redirect to 127.0.0.1;"),
        (302, "//www.example.org/in", "a redirect to www.example.org;"),
        (303, "/elsewhere", "a redirect to 127.0.0.1;"),
        (301, "http://[", "answered with status 301; redirects"),
        (301, "mailto:a@example.com", "answered with status 301; redirects"),
    ] {
        let head = format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\n\r\n");
        let (address, thread) = answering(head);
        let receiver = local();
        let answer = run(&receiver, &request(format!("http://{address}/")), PATIENT);
        check_failed(&answer, Outcome::HttpStatus, Some(status), words);
        assert!(!answer.error.expect("just read").contains("secret"));
        assert_eq!(*receiver.dialer.dialled.lock().expect("unpoisoned"), [address]);
        thread.join().expect("served");
    }
}

#[test]
fn a_long_answer_is_cut() {
    let (address, thread) = server(|mut stream| {
        read_request(&mut stream);
        let head = "HTTP/1.1 500 Oops\r\nContent-Length: 5000\r\nConnection: close\r\n\r\n";
        let _ = write!(stream, "{head}{}", "x".repeat(5_000));
    });
    let answer = post(address);
    check_failed(&answer, Outcome::HttpStatus, Some(500), "answered with status 500");
    assert_eq!(answer.response_body, Some("x".repeat(RESPONSE_BODY_BYTES)));
    thread.join().expect("served");
}

#[test]
fn endless_answers_end_with_the_connection() {
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
        "HTTP/1.0 200 OK\r\n\r\n",
    ] {
        let (address, thread) = server(move |mut stream| {
            read_request(&mut stream);
            stream.write_all(head.as_bytes()).expect("sent");
            let mut sent = 0_usize;
            while stream.write_all(&[b'x'; 65_536]).is_ok() {
                sent += 65_536;
            }
            sent
        });
        let answer = post(address);
        assert_eq!(answer.outcome, Outcome::Succeeded);
        assert_eq!(answer.response_body.map(|body| body.len()), Some(RESPONSE_BODY_BYTES));
        let sent = thread.join().expect("the server saw the connection end");
        assert!(sent < 64 * 1_048_576, "{sent} bytes went into buffers");
    }
}

#[test]
fn a_gzip_bomb_stays_packed() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        packer.write_all(&[0; 1_048_576]).expect("packed");
    }
    let bomb = packer.finish().expect("packed");
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        bomb.len()
    )
    .into_bytes();
    answer.extend(&bomb);
    let (address, thread) = answering(answer);
    let answer = post(address);
    assert_eq!(answer.outcome, Outcome::Succeeded);
    let expected = String::from_utf8_lossy(&bomb[..RESPONSE_BODY_BYTES]).into_owned();
    assert_eq!(answer.response_body, Some(expected));
    thread.join().expect("served");
}

#[test]
fn invalid_text_is_told_lossily() {
    let (address, thread) = answering(b"HTTP/1.1 200 OK\r\n\r\n\xff\xfeok\xc3".to_vec());
    assert_eq!(post(address).response_body.as_deref(), Some("\u{fffd}\u{fffd}ok"));
    thread.join().expect("served");
}

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
) -> (std::net::SocketAddr, std::thread::JoinHandle<()>) {
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
    for (beginning, drip, status, words, body) in [
        ("", "H", None, "did not finish its headers within 0.3 s", None),
        ("HTTP/1.1 200 OK\r\n", "X: y\r\n", None, "did not finish its headers within 0.3 s", None),
        ("HTTP/1.1 200 OK\r\nX: ", "y", None, "did not finish its headers within 0.3 s", None),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nhalf",
            "",
            Some(200),
            "began to answer with status 200 but did not finish within 0.3 s",
            Some("half"),
        ),
    ] {
        let drip = if beginning.is_empty() { "" } else { drip };
        let beginning = if beginning.is_empty() { "HTTP/1.1 20" } else { beginning };
        let (address, thread) = dripping(beginning, drip);
        let answer = post_within(format!("http://{address}/"), SHORT);
        check_failed(&answer, Outcome::Timeout, status, words);
        assert_eq!(answer.response_body.as_deref(), body);
        assert!(answer.first_byte_ms.is_some_and(|first| first <= answer.duration_ms));
        drop(thread);
    }
    let (address, thread) = dripping("HTTP/1.1 500 X\r\nContent-Length: 999\r\n\r\n", "x");
    let answer = post_within(format!("http://{address}/"), SHORT);
    check_failed(&answer, Outcome::Timeout, Some(500), "began to answer with status 500");
    assert!(answer.response_body.is_some_and(|body| body.starts_with('x') && body.len() < 999));
    thread.join().expect("the server saw the connection end");
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

#[test]
fn retry_after_is_heard() {
    for (status, value, expected) in [
        (429, "120", Some(120)),
        (503, "Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
        (503, "soon", None),
        (500, "120", None),
    ] {
        let (address, thread) =
            answering(format!("HTTP/1.1 {status} X\r\nRetry-After: {value}\r\n\r\n"));
        let answer = post(address);
        check_failed(&answer, Outcome::HttpStatus, Some(status), "answered with status");
        assert_eq!(answer.retry_after_s, expected, "{status} {value}");
        thread.join().expect("served");
    }
}
