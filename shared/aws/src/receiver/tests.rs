//! Against real sockets on loopback. Each server is a thread that serves one connection and is
//! joined at the end, so that a connection that is left hanging fails its test.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use domain::limits::RESPONSE_BODY_BYTES;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;

const PATIENT: Duration = Duration::from_secs(20);
/// For the tests in which running out of time is what is waited for.
const SHORT: Duration = Duration::from_millis(200);

/// Serves one connection; what it returns is what it received.
fn server<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let thread = std::thread::spawn(move || serve(listener.accept().expect("a connection").0));
    (address, thread)
}

/// Reads a request up to the end of its body.
fn read_request(stream: &mut impl Read) -> String {
    let mut received = Vec::new();
    let mut chunk = [0; 4_096];
    while !received.ends_with(BODY.as_bytes()) {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(count) => received.extend_from_slice(&chunk[..count]),
        }
    }
    String::from_utf8(received).expect("text")
}

fn answering(answer: &'static [u8]) -> (SocketAddr, JoinHandle<String>) {
    server(move |mut stream| {
        let request = read_request(&mut stream);
        stream.write_all(answer).expect("sent");
        request
    })
}

const BODY: &str = r#"{"event":"email.delivered"}"#;

fn request(url: String) -> WebhookRequest {
    let header = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    WebhookRequest {
        url,
        headers: [
            ("Content-Type", "application/json"),
            ("User-Agent", "Rackwave-Webhooks/0.1.0"),
            ("X-Webhook-Signature", "sha256=00ff"),
            ("webhook-id", "evt_1"),
        ]
        .map(header)
        .to_vec(),
        body: BODY.into(),
    }
}

/// What the pooled runtime of a function is: one thread.
fn post_within(url: String, timeout: Duration) -> Answer {
    let receiver = HttpReceiver::new(TargetRules::InsecureForLocal).expect("a client");
    run(&receiver, request(url), timeout)
}

fn run(receiver: &HttpReceiver, request: WebhookRequest, timeout: Duration) -> Answer {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(receiver.post(&request, timeout))
}

fn post(address: SocketAddr) -> Answer {
    post_within(format!("http://{address}/in"), PATIENT)
}

#[track_caller]
fn check_failed(answer: &Answer, outcome: Outcome, status: Option<u16>, words: &str) {
    assert_eq!((answer.outcome, answer.http_status), (outcome, status), "{answer:?}");
    let error = answer.error.as_deref().unwrap_or_default();
    assert!(error.contains(words), "{error}");
    for library in ["reqwest", "hyper", "rustls", "error sending", "os error"] {
        assert!(!error.contains(library), "{error}");
    }
}

#[test]
fn what_is_sent() {
    let (address, thread) = answering(b"HTTP/1.1 204 No Content\r\n\r\n");
    let answer = post(address);
    assert_eq!((answer.outcome, answer.http_status), (Outcome::Succeeded, Some(204)));
    assert_eq!((answer.response_body, answer.error), (None, None));
    assert!(answer.first_byte_ms.is_some_and(|first| first <= answer.duration_ms));
    let sent = thread.join().expect("served");
    let (head, body) = sent.split_once("\r\n\r\n").expect("a head");
    assert_eq!(body, BODY);
    let mut lines = head.split("\r\n");
    assert_eq!(lines.next(), Some("POST /in HTTP/1.1"));
    let lines: Vec<&str> = lines.collect();
    for line in [
        "Content-Type: application/json",
        "User-Agent: Rackwave-Webhooks/0.1.0",
        "X-Webhook-Signature: sha256=00ff",
        "Webhook-Id: evt_1",
        &format!("Host: {address}"),
        &format!("Content-Length: {}", BODY.len()),
    ] {
        assert!(lines.contains(&line), "{line}\n{head}");
    }
    assert_eq!(lines.len(), 7, "and `Accept`, nothing else: {head}");
}

#[test]
fn a_redirect_is_not_followed() {
    let (address, thread) =
        answering(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n");
    check_failed(&post(address), Outcome::HttpStatus, Some(302), "redirects are not followed");
    thread.join().expect("served");
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
fn an_endless_answer_ends_with_the_connection() {
    let (address, thread) = server(|mut stream| {
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("sent");
        while stream.write_all(&[b'x'; 65_536]).is_ok() {}
    });
    let answer = post(address);
    assert_eq!(answer.outcome, Outcome::Succeeded);
    assert_eq!(answer.response_body.map(|body| body.len()), Some(RESPONSE_BODY_BYTES));
    thread.join().expect("the server saw the connection end");
}

#[test]
fn compressed_answers_stay_as_they_are() {
    let (address, thread) =
        answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(post(address).response_body.as_deref(), Some("ok"));
    thread.join().expect("served");
}

#[test]
fn silence_is_a_timeout() {
    let (address, thread) = server(|mut stream| {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    let answer = post_within(format!("http://{address}/"), SHORT);
    check_failed(&answer, Outcome::Timeout, None, "did not answer within 0.2 s");
    assert!(answer.duration_ms >= 200 && answer.first_byte_ms.is_none());
    thread.join().expect("the connection ended with the deadline");
}

#[test]
fn a_dripping_answer_is_a_timeout_and_what_came_is_kept() {
    let (address, thread) = server(|mut stream| {
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").expect("sent");
        let _ = stream.read(&mut [0]);
    });
    let answer = post_within(format!("http://{address}/"), SHORT);
    check_failed(&answer, Outcome::Timeout, Some(200), "did not finish within 0.2 s");
    assert_eq!(answer.response_body.as_deref(), Some("half"));
    thread.join().expect("served");
}

#[test]
fn a_refused_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let words = format!("nothing listens on {address}");
    check_failed(&post(address), Outcome::ConnectionRefused, None, &words);
}

#[test]
fn a_connection_that_breaks() {
    let (address, thread) = server(|stream| stream.shutdown(Shutdown::Both));
    check_failed(&post(address), Outcome::ConnectionReset, None, "closed the connection");
    let _ = thread.join().expect("served");
    // Closing with unread bytes in the receive buffer sends a reset.
    let (address, thread) = server(|mut stream| stream.read(&mut [0; 1]).map(|_| ()));
    check_failed(&post(address), Outcome::ConnectionReset, None, "closed the connection");
    thread.join().expect("served").expect("read");
    let (address, thread) = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    let answer = post(address);
    check_failed(&answer, Outcome::ConnectionReset, Some(200), "before its answer was complete");
    assert_eq!(answer.response_body.as_deref(), Some("half"));
    thread.join().expect("served");
}

#[test]
fn what_is_not_http() {
    for answer in [
        &b"220 mail.example.com ESMTP\r\n"[..],
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let (address, thread) = answering(answer);
        let answer = post(address);
        assert_eq!(answer.outcome, Outcome::ProtocolError, "{answer:?}");
        thread.join().expect("served");
    }
}

#[test]
fn a_name_without_an_address() {
    let answer = post_within("http://no-such-host.invalid:81/".into(), PATIENT);
    check_failed(&answer, Outcome::Dns, None, "the name no-such-host.invalid has no address");
}

#[test]
fn what_must_not_be_called_is_not() {
    let receiver = HttpReceiver::new(TargetRules::PublicHttps).expect("a client");
    let answer = run(&receiver, request("http://127.0.0.1:1/".into()), PATIENT);
    check_failed(&answer, Outcome::BlockedAddress, None, "must start with https://");
}

#[test]
fn a_header_that_cannot_be_sent() {
    let receiver = HttpReceiver::new(TargetRules::InsecureForLocal).expect("a client");
    let mut request = request("http://127.0.0.1:1/".into());
    request.headers.push(("X-Bad".into(), "a\r\nb".into()));
    let answer = run(&receiver, request, PATIENT);
    check_failed(&answer, Outcome::ProtocolError, None, "was not sent");
}

#[test]
fn retry_after_counts_where_it_has_a_meaning() {
    for (status, value, expected) in [
        (429, "120", Some(120)),
        (503, " 7 ", Some(7)),
        (503, "99999999999999999999999", Some(u64::MAX)),
        (500, "120", None),
        (200, "120", None),
        (429, "", None),
        (429, "-1", None),
        (429, "1.5", None),
        (429, "Wed, 21 Oct 2026 07:28:00 GMT", None),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().expect("a value"));
        assert_eq!(retry_after_s(status, &headers), expected, "{status} {value}");
    }
}

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(include_bytes!("tests/localhost.cert.pem")).expect("PEM")
}

/// Speaks TLS with a self-signed certificate for localhost.
fn tls_server() -> (SocketAddr, JoinHandle<String>) {
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tests/localhost.key.pem"));
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            let builder = builder.with_no_client_auth();
            builder.with_single_cert(vec![certificate()], key.expect("PEM"))
        })
        .expect("a server");
    server(|stream| {
        let connection = rustls::ServerConnection::new(Arc::new(config)).expect("a connection");
        let mut stream = rustls::StreamOwned::new(connection, stream);
        let request = read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        request
    })
}

#[test]
fn a_self_signed_certificate_is_not_trusted() {
    let (address, thread) = tls_server();
    let answer = post_within(format!("https://{address}/"), PATIENT);
    check_failed(&answer, Outcome::Tls, None, "does not lead to a public authority");
    assert_eq!(thread.join().expect("served"), "", "nothing was sent");
}

#[test]
fn a_trusted_certificate_is_but_not_for_other_names() {
    let mut roots = RootCertStore::empty();
    roots.add(certificate()).expect("a root");
    let receiver = HttpReceiver::with_roots(TargetRules::PublicHttps, roots).expect("a client");
    let (address, thread) = tls_server();
    let answer = run(&receiver, request(format!("https://{address}/")), PATIENT);
    assert_eq!(answer.outcome, Outcome::Succeeded, "{answer:?}");
    assert!(thread.join().expect("served").starts_with("POST / HTTP/1.1"));
}

#[test]
fn https_to_a_server_that_speaks_something_else() {
    let (address, thread) = server(|mut stream| {
        let _ = stream.read(&mut [0; 512]);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    });
    let answer = post_within(format!("https://{address}/"), PATIENT);
    check_failed(&answer, Outcome::Tls, None, "does not speak TLS");
    thread.join().expect("served").expect("sent");
    let (address, thread) = server(drop);
    let answer = post_within(format!("https://{address}/"), PATIENT);
    assert!(matches!(answer.outcome, Outcome::Tls | Outcome::ConnectionReset), "{answer:?}");
    thread.join().expect("served");
}
