//! Customers' endpoints on loopback, one address for all: the path says what they do.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// Answers `ok` at once.
pub const OK: &str = "ok";
/// Takes the request, and never answers.
pub const HANG: &str = "hang";
/// Answers 200 and a body without end.
pub const ENDLESS: &str = "endless";

/// A piece of an answer without end.
static PIECE: [u8; 16_384] = [b'x'; 16_384];

/// Running endpoints; they end with the program.
pub struct Customers {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// When each event was received first, by its `webhook-id`.
    arrived: Mutex<HashMap<String, Instant>>,
    count: watch::Sender<u64>,
}

impl Customers {
    /// Listens on a free port; with TLS if there is a certificate.
    ///
    /// # Errors
    /// If there is none.
    pub async fn start(tls: Option<Arc<ServerConfig>>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::<Shared>::default();
        tokio::spawn(accept(listener, tls.map(TlsAcceptor::from), shared.clone()));
        Ok(Self { address, scheme, shared })
    }

    /// An endpoint that does what the path says.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}/{path}", self.scheme, self.address)
    }

    /// When an event was received first.
    pub fn arrived(&self, event_id: &str) -> Option<Instant> {
        let arrived = self.shared.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        arrived.get(event_id).copied()
    }

    /// Requests received so far.
    pub fn count(&self) -> u64 {
        *self.shared.count.borrow()
    }

    /// Waits until so many requests were received in all.
    pub async fn wait_for(&self, count: u64) {
        let mut counted = self.shared.count.subscribe();
        // It cannot fail: the sender is in `shared`.
        let _ = counted.wait_for(|seen| *seen >= count).await;
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let (tls, shared) = (tls.clone(), shared.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(stream, &shared).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, &shared).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared) {
    let service = service_fn(|request| answer(shared, request));
    let connection = hyper::server::conn::http1::Builder::new();
    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

async fn answer(shared: &Shared, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let id = request.headers().get("webhook-id").and_then(|value| value.to_str().ok());
    let id = id.unwrap_or_default().to_owned();
    let path = request.uri().path().trim_start_matches('/').to_owned();
    // The whole request: that is when an endpoint has it.
    let _ = request.into_body().collect().await;
    let now = Instant::now();
    shared.arrived.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_insert(now);
    shared.count.send_modify(|count| *count += 1);
    Ok(Response::new(match path.as_str() {
        HANG => std::future::pending().await,
        ENDLESS => {
            let piece = || Ok(Frame::data(Bytes::from_static(&PIECE)));
            StreamBody::new(futures::stream::repeat_with(piece)).boxed_unsync()
        }
        _ => Full::new(Bytes::from_static(b"ok")).boxed_unsync(),
    }))
}
