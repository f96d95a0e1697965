//! A loopback endpoint before the emulator that notes what DynamoDB is asked for.

use std::sync::{Arc, Mutex, PoisonError};

use aws::dynamo::Store;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use crate::loopback::serve;

/// A request to DynamoDB.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Such as `Query`.
    pub operation: String,
    /// As it went over the line.
    pub body: Value,
}

/// A stack's tables, and what was asked of them.
pub struct Counted {
    /// What asks.
    pub store: Store,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Counted {
    pub(super) async fn new(emulator_url: &str, store: impl FnOnce(&str) -> Store) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let emulator = emulator_url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let notes = Arc::clone(&asked);
        tokio::spawn(serve(listener, move |request| {
            let (emulator, notes) = (emulator.clone(), Arc::clone(&notes));
            async move { pass_on(&emulator, &notes, request).await }
        }));
        Self { store: store(&format!("http://{address}")), asked }
    }

    /// What was asked since the last time.
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn pass_on(
    emulator: &str,
    notes: &Mutex<Vec<Asked>>,
    request: Request<Incoming>,
) -> hyper::Result<Response<Incoming>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
    let asked = Asked {
        operation: operation.to_owned(),
        body: serde_json::from_slice(&body).expect("JSON, as DynamoDB takes it"),
    };
    notes.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    let stream = TcpStream::connect(emulator).await.expect("the emulator listens");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(Request::from_parts(parts, Full::<Bytes>::new(body))).await
}
