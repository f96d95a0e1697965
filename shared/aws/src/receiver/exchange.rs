//! The request and its answer, over one connection that is closed afterwards.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use domain::delivery::Outcome;
use domain::failure::{Failure, Stage};
use domain::limits::{RESPONSE_BYTES, RESPONSE_HEAD_BYTES, RESPONSE_HEADERS};
use domain::ports::Clock;
use domain::webhook::WebhookRequest;
use futures::future::{Either, select};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, InvalidHeaderName,
    LOCATION, RETRY_AFTER, TRANSFER_ENCODING,
};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use url::{Position, Url};

use super::connect::Connection;
use super::{body, classify};
use crate::clock::SystemClock;

/// How far a request got, and what of its answer has arrived.
pub(super) struct Heard {
    begun: Instant,
    limit: Duration,
    stage: Stage,
    first_byte: Arc<OnceLock<Instant>>,
    pub(super) retry_after_s: Option<u64>,
    pub(super) body: Vec<u8>,
}

impl Heard {
    /// Nothing yet.
    pub(super) fn new(begun: Instant, limit: Duration) -> Self {
        let first_byte = Arc::default();
        Self {
            begun,
            limit,
            stage: Stage::Connecting,
            first_byte,
            retry_after_s: None,
            body: Vec::new(),
        }
    }

    /// The time that the whole request has.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// What is left of it.
    pub(super) fn time_left(&self) -> Duration {
        self.limit.saturating_sub(self.begun.elapsed())
    }

    /// Notes how far it got.
    pub(super) fn reached(&mut self, stage: Stage) {
        self.stage = stage;
    }

    /// How far it got.
    pub(super) fn stage(&self) -> Stage {
        match self.stage {
            Stage::Waiting if self.first_byte.get().is_some() => Stage::Head,
            Stage::Connecting
            | Stage::Encrypting
            | Stage::Waiting
            | Stage::Head
            | Stage::Answering(_) => self.stage,
        }
    }

    /// The status, if an answer has begun.
    pub(super) fn status(&self) -> Option<u16> {
        match self.stage {
            Stage::Answering(status) => Some(status),
            Stage::Connecting | Stage::Encrypting | Stage::Waiting | Stage::Head => None,
        }
    }

    /// Milliseconds from the beginning to the answer's first byte.
    pub(super) fn first_byte_ms(&self) -> Option<u64> {
        self.first_byte.get().map(|at| self.millis_until(*at))
    }

    /// Milliseconds from the beginning to a moment.
    pub(super) fn millis_until(&self, at: Instant) -> u64 {
        u64::try_from(at.duration_since(self.begun).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Sends the request and hears the answer to its end, or to the end of what is read.
pub(super) async fn post(
    connection: Box<dyn Connection>,
    url: &Url,
    request: &WebhookRequest,
    heard: &mut Heard,
) -> Result<(), Failure> {
    let request = outgoing(url, request).ok_or(Failure::Unsendable)?;
    heard.reached(Stage::Waiting);
    let first_byte = heard.first_byte.clone();
    let io = TokioIo::new(Listening::new(connection, first_byte));
    let opened = http1::Builder::new()
        // As documented (`X-Webhook-Signature`), for receivers that forget that header names have
        // no case.
        .title_case_headers(true)
        .max_headers(RESPONSE_HEADERS)
        .max_buf_size(RESPONSE_HEAD_BYTES)
        .handshake(io)
        .await;
    let (mut sender, connection) = opened.map_err(|e| classify::http(&e, heard.stage()))?;
    let exchange = std::pin::pin!(async {
        let sent = sender.send_request(request).await;
        let response = sent.map_err(|e| classify::http(&e, heard.stage()))?;
        hear(response, url, heard).await
    });
    // Both run in this task: when it is dropped at the deadline, nothing goes on.
    match select(exchange, std::pin::pin!(connection)).await {
        Either::Left((result, _)) => result,
        Either::Right((_, exchange)) => exchange.await,
    }
}

async fn hear(
    mut response: Response<Incoming>,
    url: &Url,
    heard: &mut Heard,
) -> Result<(), Failure> {
    let status = response.status().as_u16();
    heard.reached(Stage::Answering(status));
    let now = SystemClock.now();
    let retry_after = text_of(response.headers(), RETRY_AFTER);
    heard.retry_after_s =
        retry_after.and_then(|value| domain::retry_after::seconds(status, value, now));
    let redirect = redirect_host(response.headers(), url);
    let has_end = [CONTENT_LENGTH, TRANSFER_ENCODING]
        .iter()
        .any(|name| response.headers().contains_key(name));
    match body::read(response.body_mut(), &mut heard.body).await {
        // The end of the connection is the end of such an answer. Many a server closes it without
        // TLS's goodbye; to call that a failure would deliver again what was delivered.
        Err(error) if !has_end && classify::is_end(&error) => {}
        read => read.map_err(|e| classify::http(&e, heard.stage()))?,
    }
    if Outcome::of_status(status) == Outcome::Succeeded {
        Ok(())
    } else {
        Err(Failure::Status { status, redirect })
    }
}

fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The host that an answer's `Location` points to; nothing else of it is told.
fn redirect_host(headers: &HeaderMap, url: &Url) -> Option<String> {
    let to = url.join(text_of(headers, LOCATION)?).ok()?;
    // Of other schemes the library checks nothing: the peer's own bytes would be on record.
    let is_web = matches!(to.scheme(), "http" | "https");
    to.host_str().filter(|_| is_web).map(str::to_owned)
}

/// A body that is not copied to be sent.
struct Shared(Arc<String>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// `None` if a header cannot be written.
fn outgoing(url: &Url, request: &WebhookRequest) -> Option<Request<Full<Bytes>>> {
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let body = Full::new(Bytes::from_owner(Shared(request.body.clone())));
    let mut outgoing = Request::new(body);
    *outgoing.method_mut() = Method::POST;
    *outgoing.uri_mut() = target.parse().ok()?;
    let headers = outgoing.headers_mut();
    let host = &url[Position::BeforeHost..Position::AfterPort];
    headers.insert(HOST, HeaderValue::from_str(host).ok()?);
    for (name, value) in &request.headers {
        let name: Result<HeaderName, InvalidHeaderName> = name.parse();
        headers.append(name.ok()?, HeaderValue::from_str(value).ok()?);
    }
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Some(outgoing)
}

/// A connection that notes when its first byte arrived, ends what goes on without end, and hears
/// nothing before we have spoken: what a peer says first (an SSH or SMTP server's greeting, a 429
/// sent on accept) is then judged as the answer that it is, not as a broken connection.
struct Listening {
    connection: Box<dyn Connection>,
    first_byte: Arc<OnceLock<Instant>>,
    spoken: bool,
    reader: Option<Waker>,
    /// Bytes that may still arrive, give or take one buffer.
    left: usize,
}

impl Listening {
    fn new(connection: Box<dyn Connection>, first_byte: Arc<OnceLock<Instant>>) -> Self {
        Self { connection, first_byte, spoken: false, reader: None, left: RESPONSE_BYTES }
    }

    fn noting_that_we_spoke(
        &mut self,
        written: Poll<std::io::Result<usize>>,
    ) -> Poll<std::io::Result<usize>> {
        if !self.spoken && written.is_ready() {
            self.spoken = true;
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
        }
        written
    }
}

/// More has arrived than any answer needs: interim answers, say, one after the other.
#[derive(Debug, thiserror::Error)]
#[error("more than {RESPONSE_BYTES} bytes")]
pub(super) struct TooMuch;

impl AsyncRead for Listening {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if !self.spoken {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        if self.left == 0 {
            return Poll::Ready(Err(std::io::Error::other(TooMuch)));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.connection).poll_read(context, buffer);
        let arrived = buffer.filled().len() - before;
        if arrived > 0 {
            self.first_byte.get_or_init(Instant::now);
            self.left = self.left.saturating_sub(arrived);
        }
        read
    }
}

impl AsyncWrite for Listening {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.connection).poll_write(context, bytes);
        self.noting_that_we_spoke(written)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(context)
    }

    // Without these two, hyper would copy the whole body once more.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.connection).poll_write_vectored(context, slices);
        self.noting_that_we_spoke(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }
}
