//! A customer's endpoint: a small HTTP server on loopback.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use anyhow::Context;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::verify::Verdicts;

/// The largest body taken: twice what is ever sent.
const BODY_BYTES: usize = 512 * 1024;
/// Where `demo break` and `demo mend` are heard.
const CONTROL: &str = "/_demo/answer/";

/// A running receiver; it ends with the process.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    secret: OnceLock<String>,
    answer: AtomicU16,
    receipts: mpsc::Sender<Receipt>,
}

/// A delivery as it arrived.
pub struct Receipt {
    /// When its last byte was there.
    pub at: Instant,
    /// As received.
    pub headers: Vec<(String, String)>,
    /// As received.
    pub body: String,
    /// What was answered.
    pub answered: u16,
    /// Whether it is genuine.
    pub verdicts: Verdicts,
    raw: hyper::HeaderMap,
    secret: String,
}

/// A delivery that was tampered with.
pub struct Flipped {
    pub receipt: Receipt,
    pub flipped_at: usize,
}

impl Receipt {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// The same, with one byte in the middle of the body flipped.
    pub fn with_flipped_byte(&self) -> Flipped {
        let flipped_at = self.body.len() / 2;
        let mut body = self.body.clone().into_bytes();
        if let Some(byte) = body.get_mut(flipped_at) {
            *byte ^= 1;
        }
        let verdicts = Verdicts::of(&self.secret, &self.raw, &body);
        let receipt = Receipt {
            at: self.at,
            headers: self.headers.clone(),
            body: String::from_utf8_lossy(&body).into_owned(),
            answered: self.answered,
            verdicts,
            raw: self.raw.clone(),
            secret: self.secret.clone(),
        };
        Flipped { receipt, flipped_at }
    }
}

impl Receiver {
    /// Listens on a free port of loopback.
    pub async fn start(receipts: mpsc::Sender<Receipt>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared =
            Arc::new(Shared { secret: OnceLock::new(), answer: AtomicU16::new(200), receipts });
        tokio::spawn(serve(listener, shared.clone()));
        Ok(Self { address, shared })
    }

    pub fn url(&self) -> String {
        format!("http://{}/webhooks", self.address)
    }

    /// The secret it verifies with.
    pub fn knows(&self, secret: &str) {
        let _ = self.shared.secret.set(secret.to_owned());
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(&shared, request));
            // A connection that breaks is the sender's business.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let respond = |status: u16, text: &str| {
        let mut response = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        Ok(response)
    };
    if let Some(wanted) = request.uri().path().strip_prefix(CONTROL) {
        let wanted = wanted.parse().unwrap_or(200);
        shared.answer.store(wanted, Ordering::Relaxed);
        return respond(200, "ok");
    }
    if request.method() != Method::POST {
        return respond(405, "POST webhooks here");
    }
    let raw = request.headers().clone();
    let Ok(body) = Limited::new(request.into_body(), BODY_BYTES).collect().await else {
        return respond(413, "too large");
    };
    let body = body.to_bytes();
    let answered = shared.answer.load(Ordering::Relaxed);
    let secret = shared.secret.get().cloned().unwrap_or_default();
    let headers = raw
        .iter()
        .map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let receipt = Receipt {
        at: Instant::now(),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
        answered,
        verdicts: Verdicts::of(&secret, &raw, &body),
        raw,
        secret,
    };
    // Nobody reading any more means that the demo is ending.
    let _ = shared.receipts.try_send(receipt);
    match StatusCode::from_u16(answered).is_ok_and(|status| status.is_success()) {
        true => respond(answered, "thank you"),
        false => respond(answered, "the demo receiver is broken on purpose"),
    }
}

/// Tells a receiver at `url` what to answer from now on.
pub async fn tell(url: &str, status: u16) -> anyhow::Result<()> {
    let rest = url.strip_prefix("http://").context("not a demo receiver's URL")?;
    let address = rest.split('/').next().unwrap_or_default();
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "POST {CONTROL}{status} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(4_096).read_to_end(&mut answer).await?;
    anyhow::ensure!(answer.starts_with(b"HTTP/1.1 200"), "it refused");
    Ok(())
}
