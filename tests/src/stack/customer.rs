//! A customer's endpoint on loopback: answers as told, and keeps what it received.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::loopback::serve;

/// A running endpoint; it ends with the test's runtime.
pub struct Customer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

type Answer = Box<dyn Fn(usize) -> (u16, Vec<u8>) + Send + Sync>;

struct Shared {
    answer: Mutex<Answer>,
    received: Mutex<Vec<Received>>,
    count: watch::Sender<usize>,
}

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Vec<u8>,
    /// Unix seconds.
    pub at: u64,
}

impl Received {
    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == &name.to_ascii_lowercase());
        found.map_or("", |(_, value)| value)
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// As `tests/verify/run.py --captures` reads it.
    pub fn capture(&self, secret: &str) -> Value {
        json!({
            "secret": secret,
            "method": "POST",
            "path": "/",
            "headers": self.headers,
            "body_base64": base64::engine::general_purpose::STANDARD.encode(&self.body),
        })
    }
}

impl Customer {
    /// Listens on a free port; answers 200 until told otherwise.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            answer: Mutex::new(Box::new(|_| (200, b"ok".to_vec()))),
            received: Mutex::new(Vec::new()),
            count: watch::Sender::new(0),
        });
        let known = shared.clone();
        tokio::spawn(serve(listener, move |request| {
            let shared = known.clone();
            async move { answer(&shared, request).await }
        }));
        Self { address, shared }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// What it answers from now on, given how many requests came before.
    pub fn answers(&self, answer: impl Fn(usize) -> (u16, Vec<u8>) + Send + Sync + 'static) {
        *self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(answer);
    }

    /// Waits until it has received `count` requests in all, and answers them.
    pub async fn received(&self, count: usize) -> Vec<Received> {
        let mut counted = self.shared.count.subscribe();
        let enough = counted.wait_for(|seen| *seen >= count);
        let waited = tokio::time::timeout(super::PATIENCE, enough).await;
        let so_far = self.so_far();
        assert!(waited.is_ok(), "{} of {count} requests arrived", so_far.len());
        so_far
    }

    /// What it has received by now.
    pub fn so_far(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let headers = request.headers().iter().map(header).collect();
    let body = request.into_body().collect().await.map(|body| body.to_bytes().to_vec());
    let Ok(body) = body else { return Ok(Response::default()) };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let at = now.expect("after 1970").as_secs();
    let before = {
        let mut received = shared.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.push(Received { headers, body, at });
        received.len() - 1
    };
    shared.count.send_replace(before + 1);
    let (status, text) = (shared.answer.lock().unwrap_or_else(PoisonError::into_inner))(before);
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    Ok(response)
}
