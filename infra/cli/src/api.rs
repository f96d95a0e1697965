//! Calls of the management API, as a dashboard makes them: what may be sent again, and what it
//! takes, is decided there alone.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::output;
use crate::stack::Stack;

/// A test event may take a receiver's whole time; everything else is faster.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest answer read: a Lambda's.
const ANSWER_BYTES: usize = 6 * 1024 * 1024;
/// Waits for a minute to end, one after the other, before it is given up.
const WAITS: usize = 3;

/// What the API says no with.
#[derive(Debug)]
pub struct Refusal(String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// The API of a stack, with its operator's key.
pub struct Api {
    host: String,
    is_encrypted: bool,
    /// Before every path; ends in a slash.
    prefix: String,
    key: String,
}

/// What came back.
pub struct Answer {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).context("the API did not answer with JSON")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Api {
    pub fn of(stack: &Stack) -> anyhow::Result<Self> {
        let url = stack.api_url().context("the stack has no API")?;
        let key = stack.key()?.to_owned();
        let (scheme, address) = url.split_once("://").context("the API's address is no URL")?;
        let (host, prefix) = address.split_once('/').context("it must end in a slash")?;
        // A key in plain text may cross this machine, and nothing else.
        let is_encrypted = scheme == "https";
        let is_here = host.starts_with("127.0.0.1:") || host.starts_with("localhost:");
        ensure!(is_encrypted || is_here, "{url} is not https");
        Ok(Self { host: host.to_owned(), is_encrypted, prefix: format!("/{prefix}"), key })
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call("GET", path, None, "application/json").await?.json()
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call("POST", path, Some(body), "application/json").await?.json()
    }

    /// Any call; waits if there were too many. The path is relative to the API's address.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        accept: &str,
    ) -> anyhow::Result<Answer> {
        let sent = body.map(Value::to_string).unwrap_or_default();
        for wait in 0..=WAITS {
            let request = Request::builder()
                .method(method)
                .uri(format!("{}{path}", self.prefix))
                .header("host", &self.host)
                .header("accept", accept)
                .header("authorization", format!("Bearer {}", self.key))
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from(sent.clone())))?;
            let answering = tokio::time::timeout(PATIENCE, self.send(request)).await;
            let (status, answer) = answering.context("the API did not answer in time")??;
            if status.is_success() {
                return Ok(answer);
            }
            let again_in = answer.header("retry-after").and_then(|wait| wait.parse().ok());
            match again_in {
                Some(seconds) if status == StatusCode::TOO_MANY_REQUESTS && wait < WAITS => {
                    output::complain!("too many calls; going on in {seconds} s");
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                }
                Some(_) | None => return Err(refusal(status, &answer)),
            }
        }
        bail!("the API takes no more calls for now")
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Answer)> {
        let stream = self.connect().await.with_context(|| format!("calling {}", self.host))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await;
        connection.abort();
        let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        Ok((parts.status, Answer { headers: parts.headers, body }))
    }
}

impl Api {
    async fn connect(&self) -> anyhow::Result<Box<dyn Connection>> {
        if !self.is_encrypted {
            return Ok(Box::new(TcpStream::connect(&self.host).await?));
        }
        let name = self.host.split(':').next().unwrap_or_default();
        let port = self.host.split_once(':').map_or(Ok(443), |(_, port)| port.parse())?;
        let stream = TcpStream::connect((name, port)).await?;
        let name = ServerName::try_from(name.to_owned())?;
        Ok(Box::new(tls()?.connect(name, stream).await?))
    }
}

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Trusts what the machine trusts, or what `SSL_CERT_FILE` says, as the SDK does.
fn tls() -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ensure!(!roots.is_empty(), "this machine has no root certificates to verify the API with");
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}

/// The caller's fault, as the API words it; or ours.
fn refusal(status: StatusCode, answer: &Answer) -> anyhow::Error {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let words = body["message"].as_str().unwrap_or("the API gives no reason");
    let text = format!("{words} ({status})");
    if status.is_client_error() { Refusal(text).into() } else { anyhow::anyhow!(text) }
}

/// A number in an answer.
pub fn number(value: &Value, name: &str) -> anyhow::Result<u64> {
    let found = value[name].as_u64();
    ensure!(found.is_some(), "the API's answer has no {name}");
    Ok(found.unwrap_or_default())
}

/// A text in an answer; empty if there is none.
pub fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}
