//! Servers that misbehave, and what a case is checked for.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread::JoinHandle;
use std::time::Duration;

use domain::delivery::{Answer, Outcome};
use domain::ports::Receiver;
use domain::target::{Egress, TargetRules};
use domain::webhook::WebhookRequest;
use rustls::RootCertStore;

use crate::receiver::HttpReceiver;
use crate::receiver::connect::Dialer;
use crate::receiver::dns::Names;

/// For what ends by itself: no more than a guard against hanging.
pub const PATIENT: Duration = Duration::from_secs(20);
/// For what ends with the deadline.
pub const SHORT: Duration = Duration::from_millis(300);
/// What a machine that is busy may take on top.
const SLACK: Duration = Duration::from_secs(15);

pub const BODY: &str = r#"{"event":"email.delivered"}"#;
/// The name of the table, and where the DNS says it is.
pub const NAME: &str = "hooks.example.com";
pub const PUBLIC: Ipv4Addr = Ipv4Addr::new(93, 184, 215, 14);

/// Serves one connection; what it returns is what it received.
pub fn server<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let thread = std::thread::spawn(move || serve(listener.accept().expect("a connection").0));
    (address, thread)
}

/// Reads a request up to the end of its body.
pub fn read_request(stream: &mut impl Read) -> String {
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

/// Answers a request and closes the connection.
pub fn answering(answer: impl Into<Vec<u8>>) -> (SocketAddr, JoinHandle<String>) {
    let answer = answer.into();
    server(move |mut stream| {
        let request = read_request(&mut stream);
        let _ = stream.write_all(&answer);
        request
    })
}

pub fn request(url: impl Into<String>) -> WebhookRequest {
    let header = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let headers = [
        ("Content-Type", "application/json"),
        ("User-Agent", "Rackwave-Webhooks/0.1.0"),
        ("X-Webhook-Signature", "sha256=00ff"),
        ("webhook-id", "evt_1"),
    ];
    WebhookRequest {
        url: url.into(),
        headers: headers.map(header).to_vec(),
        body: BODY.to_owned().into(),
    }
}

/// POSTs on what a function's runtime is, one thread, and checks that it ended in time.
#[track_caller]
pub fn run(receiver: &HttpReceiver, request: &WebhookRequest, timeout: Duration) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answer = runtime.expect("a runtime").block_on(receiver.post(request, timeout));
    let took = Duration::from_millis(answer.duration_ms);
    assert!(took < timeout + SLACK, "{took:?} of {timeout:?}");
    assert!(answer.first_byte_ms.is_none_or(|first| first <= answer.duration_ms));
    answer
}

/// As the sender of a local stack is.
pub fn local() -> HttpReceiver {
    HttpReceiver::new(Egress::new(TargetRules::InsecureForLocal)).expect("a client")
}

/// As the sender in production is, but for where it asks, whom it trusts, and that what it dials
/// is answered by `detour`.
pub fn public(
    resolver: SocketAddr,
    roots: RootCertStore,
    detour: Option<SocketAddr>,
) -> HttpReceiver {
    let mut dialer = Dialer::new(roots).expect("TLS");
    dialer.detour = detour;
    let egress = Egress::new(TargetRules::PublicHttps);
    HttpReceiver { egress, names: Names::of(&[resolver]), dialer }
}

pub fn post_within(url: impl Into<String>, timeout: Duration) -> Answer {
    run(&local(), &request(url), timeout)
}

pub fn post(address: SocketAddr) -> Answer {
    post_within(format!("http://{address}/in"), PATIENT)
}

#[track_caller]
pub fn check_failed(answer: &Answer, outcome: Outcome, status: Option<u16>, words: &str) {
    assert_eq!((answer.outcome, answer.http_status), (outcome, status), "{answer:?}");
    let error = answer.error.as_deref().unwrap_or_default();
    assert!(error.contains(words), "{error}");
    for library in [
        "hyper",
        "rustls",
        "webpki",
        "tokio",
        "os error",
        "Error",
        "Some(",
        "DnsName",
        "IpAddress",
        "Unsupported",
    ] {
        assert!(!error.contains(library), "{error}");
    }
}

/// A resolver on loopback: it answers the n-th question of its life as told, or not at all. It
/// serves until the test's process ends.
pub fn resolver(
    answer: impl Fn(&[u8], usize) -> Option<Vec<u8>> + Send + 'static,
) -> (SocketAddr, std::sync::mpsc::Receiver<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("bound");
    let (asked, questions) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut received = [0; 512];
        for nth in 0.. {
            let Ok((count, from)) = socket.recv_from(&mut received) else { break };
            let _ = asked.send(());
            if let Some(reply) = answer(&received[..count], nth) {
                let _ = socket.send_to(&reply, from);
            }
        }
    });
    (address, questions)
}

/// A reply with this result code and these IPv4 addresses; none to questions for IPv6.
pub fn reply(question: &[u8], code: u8, addresses: &[Ipv4Addr]) -> Vec<u8> {
    let for_ipv4 = question.ends_with(&[0, 1, 0, 1]);
    let addresses = if for_ipv4 { addresses } else { &[] };
    let mut reply = question.to_vec();
    reply[2..4].copy_from_slice(&[0x81, 0x80 | code]);
    reply[7] = u8::try_from(addresses.len()).expect("few");
    for address in addresses {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(address.octets());
    }
    reply
}

/// A resolver that knows [`NAME`], and everything else, to be at one address.
pub fn resolver_of(address: Ipv4Addr) -> SocketAddr {
    resolver(move |question, _| Some(reply(question, 0, &[address]))).0
}
