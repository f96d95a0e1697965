//! Real misbehaving receivers: each class ends on record as it should and is retried, while a
//! healthy endpoint beside them is served at once. Certificates, DNS and unreachable networks are
//! tested where the outbound client is (`shared/aws/src/receiver/tests`): from here they would
//! need the outside world.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use domain::Timestamp;
use domain::delivery::{Attempt, Delivery, Outcome, Status};
use domain::endpoint::Endpoint;
use domain::endpoint::register::Registration;
use domain::ids::{AccountId, EndpointId};
use domain::limits::RESPONSE_BODY_BYTES;
use domain::ports::{Clock, Deliveries, Endpoints, Registry};
use domain::secret::SigningSecrets;
use domain::target::TargetRules;
use tests::stack::{Customer, SHORT, Stack};

use super::{event, event_id};

const ACCOUNT: &str = "acct_1";
const TIMEOUT: (&str, &str) = ("RequestTimeoutSeconds", "3");

/// A receiver that does this with every connection; where it is.
fn receiver(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let place = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    place
}

/// Reads what comes first, answers with this, and closes.
fn answering(answer: &'static str) -> String {
    receiver(move |mut stream| {
        let _ = stream.read(&mut [0; 65_536]);
        let _ = stream.write_all(answer.as_bytes());
    })
}

/// Reads what comes first, sends a beginning, then more without end.
fn endless(beginning: &'static str, more: &'static str) -> String {
    receiver(move |mut stream| {
        let _ = stream.read(&mut [0; 65_536]);
        let _ = stream.write_all(beginning.as_bytes());
        while stream.write_all(more.as_bytes()).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    })
}

fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").to_string()
}

/// What an endpoint's attempts must say.
struct Case {
    url: String,
    outcome: Outcome,
    status: Option<u16>,
    words: &'static str,
}

fn case(url: String, outcome: Outcome, status: Option<u16>, words: &'static str) -> Case {
    Case { url, outcome, status, words }
}

fn cases() -> Vec<Case> {
    let http = |place: String| format!("http://{place}/in");
    let redirect = "HTTP/1.1 307 X\r\nLocation: http://169.254.169.254/latest/\r\n\r\n";
    vec![
        case(
            http(answering("HTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\noops")),
            Outcome::HttpStatus,
            Some(500),
            "answered with status 500",
        ),
        case(
            http(answering(redirect)),
            Outcome::HttpStatus,
            Some(307),
            "a redirect to 169.254.169.254; redirects are not followed",
        ),
        case(
            http(receiver(|mut stream| drop(stream.read_to_end(&mut Vec::new())))),
            Outcome::Timeout,
            None,
            "did not answer within 3 s",
        ),
        case(
            http(endless("HTTP/1.1 200 OK\r\nX: ", "y")),
            Outcome::Timeout,
            None,
            "did not finish its headers within 3 s",
        ),
        case(
            http(endless("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "y")),
            Outcome::Timeout,
            Some(200),
            "began to answer with status 200 but did not finish within 3 s",
        ),
        case(http(nobody()), Outcome::ConnectionRefused, None, "nothing listens on 127.0.0.1 port"),
        case(
            http(receiver(drop)),
            Outcome::ConnectionReset,
            None,
            "closed the connection before it answered",
        ),
        case(
            http(answering("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf")),
            Outcome::ConnectionReset,
            Some(200),
            "closed the connection before the answer was complete",
        ),
        case(
            http(answering("220 mail.example.com ESMTP\r\n")),
            Outcome::ProtocolError,
            None,
            "something that is not HTTP/1.1",
        ),
        case(
            format!("https://{}/in", answering("HTTP/1.1 400 Bad Request\r\n\r\n")),
            Outcome::Tls,
            None,
            "does not speak TLS",
        ),
        case(
            "http://no-such-host.invalid/in".into(),
            Outcome::Dns,
            None,
            "the name no-such-host.invalid does not exist",
        ),
        case(
            "http://169.254.169.254/latest/meta-data/".into(),
            Outcome::BlockedAddress,
            None,
            "a link-local address",
        ),
        case(
            "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next".into(),
            Outcome::BlockedAddress,
            None,
            "an address that webhooks are not sent to",
        ),
    ]
}

/// Registers an endpoint past the check of its URL, as if it had been saved under other rules.
async fn register(stack: &Stack, url: &str, account: &str) -> Endpoint {
    let registration = Registration {
        account_id: account.into(),
        url: "https://hooks.example.com/".into(),
        event_types: vec!["*".into()],
        alert_email: "owner@example.com".into(),
        ..Registration::default()
    };
    let id = aws::clock::new_endpoint_id().expect("random");
    let now = aws::clock::SystemClock.now();
    let mut endpoint = registration.check(id, TargetRules::PublicHttps, now).expect("valid");
    endpoint.url = url.to_owned();
    let current = aws::clock::new_secret().expect("random");
    let secrets = SigningSecrets { current, previous: None };
    stack.store.create_endpoint(&endpoint, &secrets).await.expect("created");
    endpoint
}

fn ended(attempt: &Attempt) -> Timestamp {
    attempt.at + std::time::Duration::from_millis(attempt.answer.duration_ms)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_class_is_on_record_and_retried_beside_a_healthy_endpoint() {
    let parameters: Vec<(&str, &str)> = SHORT.into_iter().chain([TIMEOUT]).collect();
    let stack = Stack::deploy("journey-failures", &parameters);
    let healthy = Customer::start().await;
    let cases = cases();
    let mut bad: Vec<EndpointId> = Vec::new();
    for case in &cases {
        bad.push(register(&stack, &case.url, ACCOUNT).await.id);
    }
    let (good, _) = stack.register(&healthy, ACCOUNT, |_| {}).await;
    let body = event("a", ACCOUNT, "{}");
    stack.send(&body).await;
    healthy.received(1).await;
    let id = event_id(&body);
    let good = stack.delivery_of(&id, &good.id).await.id;
    let is_done = |d: &Delivery| d.status == Status::Succeeded;
    let good = stack.delivery_when(&good, "the healthy endpoint is served", is_done).await;
    assert_eq!(good.attempts.len(), 1);

    let mut slowest = None;
    for (case, endpoint) in cases.iter().zip(&bad) {
        let delivery = stack.delivery_of(&id, endpoint).await.id;
        let retried = |d: &Delivery| d.attempt_count >= 2;
        let delivery = stack.delivery_when(&delivery, &case.url, retried).await;
        for attempt in &delivery.attempts {
            let answer = &attempt.answer;
            let expected = (case.outcome, case.status);
            assert_eq!((answer.outcome, answer.http_status), expected, "{} {answer:?}", case.url);
            let error = answer.error.as_deref().unwrap_or_default();
            assert!(error.contains(case.words), "{}: {error}", case.url);
        }
        slowest = slowest.max(delivery.attempts.first().map(ended));
    }
    // Those that kept a request waiting stand apart since, and not those that cannot have.
    for (case, endpoint) in cases.iter().zip(&bad) {
        let account = AccountId::parse(ACCOUNT).expect("valid");
        let endpoint = stack.store.endpoint(&account, endpoint).await.expect("read");
        let silent = endpoint.expect("registered").silent_until.is_some();
        assert!(silent || case.outcome != Outcome::Timeout, "{}", case.url);
        assert!(!silent || case.outcome != Outcome::BlockedAddress, "{}", case.url);
    }
    assert!(good.attempts.first().map(ended) < slowest, "served while others were waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_is_a_success_with_its_beginning() {
    let stack = Stack::deploy("journey-endless", &SHORT);
    let place = receiver(|mut stream| {
        let _ = stream.read(&mut [0; 65_536]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
        while stream.write_all(&[b'x'; 65_536]).is_ok() {}
    });
    let endpoint = register(&stack, &format!("http://{place}/"), ACCOUNT).await;
    let body = event("a", ACCOUNT, "{}");
    stack.send(&body).await;
    let id = stack.delivery_of(&event_id(&body), &endpoint.id).await.id;
    let is_done = |d: &Delivery| d.status == Status::Succeeded;
    let delivery = stack.delivery_when(&id, "succeeded", is_done).await;
    let kept = delivery.attempts[0].answer.response_body.clone().unwrap_or_default();
    assert_eq!(kept, "x".repeat(RESPONSE_BODY_BYTES));
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_pushes_the_next_attempt() {
    let stack = Stack::deploy("journey-retry-after", &[]);
    let wait_s = 1_000;
    let answers = [
        "HTTP/1.1 503 X\r\nRetry-After: 1000\r\n\r\n",
        "HTTP/1.1 503 X\r\nRetry-After: soon\r\n\r\n",
    ];
    let mut waits = Vec::new();
    for (nth, answer) in answers.into_iter().enumerate() {
        let account = format!("acct_retry_{nth}");
        let url = format!("http://{}/", answering(answer));
        let endpoint = register(&stack, &url, &account).await;
        let body = event("a", &account, "{}");
        stack.send(&body).await;
        let id = stack.delivery_of(&event_id(&body), &endpoint.id).await.id;
        let made = |d: &Delivery| d.attempt_count == 1;
        stack.delivery_when(&id, "an attempt on record", made).await;
        let delivery = stack.store.delivery(&id).await.expect("read").expect("on record");
        let next = delivery.next_attempt_at.expect("waiting");
        waits.push(next.since(ended(&delivery.attempts[0])).as_secs());
    }
    assert!((wait_s - 1..=wait_s + 1).contains(&waits[0]), "asked for and granted: {waits:?}");
    assert!((299..=315).contains(&waits[1]), "garbage is ignored: {waits:?}");
}
