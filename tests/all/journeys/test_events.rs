//! Test events on the real template, with real sockets: the sender dials what a delivery would be
//! sent to, and nothing else; what it may not dial is told the same, whatever listens there.

use domain::endpoint::Endpoint;
use domain::endpoint::register::Registration;
use serde_json::{Value, json};
use tests::stack::{ApiClient, Customer, Reply, Stack};
use tokio::net::TcpListener;

const ACCOUNT: &str = "acct_1";

async fn test(api: &ApiClient, endpoint: &Endpoint) -> Reply {
    let path = format!("v1/endpoints/{}/test", endpoint.id);
    api.post(&path, &json!({"event": "email.delivered"})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_reaches_the_endpoint_signed_and_marked() {
    let stack = Stack::deploy("journey-tests", &[]);
    let api = stack.client("account:acct_1").await;
    let customer = Customer::start().await;
    let (endpoint, secret) = stack.register(&customer, ACCOUNT, |_| {}).await;
    let reply = test(&api, &endpoint).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        (&reply.body["trigger"], &reply.body["outcome"]),
        (&json!("test"), &json!("succeeded"))
    );
    let received = customer.received(1).await.remove(0);
    assert_eq!(received.header("X-Webhook-Test"), "true");
    let mut headers = hyper::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, received.header(name).parse().expect("a value"));
    }
    let webhook = standardwebhooks::Webhook::new(secret.reveal()).expect("a secret");
    assert!(webhook.verify(&received.body, &headers).is_ok());

    let log = api.get(&format!("v1/endpoints/{}/deliveries", endpoint.id)).await;
    assert_eq!(log.body["data"], json!([]), "no delivery is stored");
    customer.answers(|_| (503, b"later".to_vec()));
    let failed = test(&api, &endpoint).await.body;
    assert_eq!((&failed["outcome"], &failed["http_status"]), (&json!("http_status"), &json!(503)));

    // Nobody listens: said plainly, to the owner of the endpoint.
    let free = free_port().await;
    let gone = |registration: &mut Registration| {
        registration.url = format!("http://127.0.0.1:{free}/");
    };
    let (gone, _) = stack.register(&customer, ACCOUNT, gone).await;
    assert_eq!(test(&api, &gone).await.body["outcome"], "connection_refused");
    let text = secret.reveal().trim_start_matches("whsec_");
    for function in ["ApiFunction", "SenderFunction"] {
        assert!(!stack.log(function).contains(text), "no secret in the log of {function}");
    }
}

/// A port that was free a moment ago.
async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Without what differs from one attempt to the next.
fn told(mut attempt: Value) -> Value {
    let fields = attempt.as_object_mut().expect("an attempt");
    assert!(fields.remove("at").is_some() && fields.remove("duration_ms").is_some());
    attempt
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_be_called_is_not_and_nobody_learns_what_is_there() {
    let stack = Stack::deploy("journey-tests-blocked", &[("AllowInsecureTargets", "false")]);
    let api = stack.client("account:acct_1").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let open = listener.local_addr().expect("an address").port();
    let closed = free_port().await;

    // At the door.
    for url in [format!("https://127.0.0.1:{open}/"), "https://169.254.169.254/".into()] {
        let registration =
            json!({"url": url, "event_types": ["*"], "alert_email": "a@example.com"});
        let refused = api.post("v1/endpoints", &registration).await;
        assert_eq!((refused.status, &refused.body["field"]), (400, &json!("url")), "{url}");
    }
    // Should one be on record all the same, the sender does not dial it.
    let mut answers = Vec::new();
    for url in [
        format!("https://127.0.0.1:{open}/"),
        format!("https://127.0.0.1:{closed}/"),
        format!("https://localhost:{open}/"),
        format!("https://localhost:{closed}/"),
        "https://169.254.169.254/latest/meta-data/".into(),
        "https://169.254.100.1:9001/2018-06-01/runtime/invocation/next".into(),
    ] {
        let endpoint = stack.store_unchecked(ACCOUNT, &url).await;
        let reply = test(&api, &endpoint).await;
        assert_eq!(reply.body["outcome"], "blocked_address", "{url}: {reply:?}");
        answers.push(told(reply.body));
    }
    assert_eq!(answers[0], answers[1], "open or closed, the same is told");
    assert_eq!(answers[2], answers[3], "open or closed, the same is told");
    let knocked = std::future::poll_fn(|context| match listener.poll_accept(context) {
        std::task::Poll::Ready(_) => std::task::Poll::Ready(true),
        std::task::Poll::Pending => std::task::Poll::Ready(false),
    });
    assert!(!knocked.await, "nobody knocked");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_holds_and_the_runtime_is_spared() {
    let stack = Stack::deploy("journey-tests-limit", &[]);
    let api = stack.client("account:acct_1").await;
    let customer = Customer::start().await;
    let (endpoint, _) = stack.register(&customer, ACCOUNT, |_| {}).await;
    let all = (0..16).map(|_| test(&api, &endpoint));
    let replies = futures::future::join_all(all).await;
    let made = replies.iter().filter(|reply| reply.status == 200).count();
    // A minute may turn while they are made; then each of the two has its own five.
    assert!((5..=10).contains(&made), "{replies:?}");
    let refused = replies.iter().find(|reply| reply.status != 200).expect("more than the limit");
    assert_eq!((refused.status, &refused.body["error"]), (429, &json!("rate_limited")));
    assert!(refused.headers.iter().any(|(name, _)| name == "retry-after"), "{refused:?}");
    assert_eq!(customer.so_far().len(), made, "refused is not sent");

    for url in ["http://169.254.100.1:9001/", "http://169.254.169.254/"] {
        let endpoint = stack.store_unchecked(ACCOUNT, url).await;
        assert_eq!(test(&api, &endpoint).await.body["outcome"], "blocked_address", "{url}");
    }
}
