//! Complete answers, and answers without end.

use std::io::{Read, Write};

use domain::delivery::Outcome;
use domain::limits::RESPONSE_BODY_BYTES;

use super::kit::*;

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
    request.body = large.clone().into();
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
