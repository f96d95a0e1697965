//! Clients that deliver and do nothing else, on one thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use aws::clock::{SystemClock, new_endpoint_id, new_secret};
use aws::receiver::HttpReceiver;
use domain::delivery::Outcome;
use domain::endpoint::Endpoint;
use domain::endpoint::register::Registration;
use domain::envelope::parse_body;
use domain::event::Event;
use domain::ports::{Clock, Receiver};
use domain::secret::SigningSecrets;
use domain::target::{Egress, TargetRules};
use domain::webhook::{self, USER_AGENT};
use futures::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Run;
use crate::payload::Payload;
use crate::process;

/// Requests under way at once: a batch of the queue of first attempts.
const AT_ONCE: usize = 10;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Who delivers.
#[derive(Clone, Copy)]
pub enum Client {
    /// Signs and POSTs.
    Raw {
        /// Ten connections for all, or one for each request.
        keep_alive: bool,
    },
    /// What the sender POSTs with.
    Product,
}

/// What is delivered, and to whom.
pub struct Load {
    events: Vec<Event>,
    bodies: Vec<Bytes>,
    endpoint: Endpoint,
    secrets: SigningSecrets,
    address: SocketAddr,
    host: String,
    path: String,
    /// For TLS.
    connector: Option<TlsConnector>,
    roots: RootCertStore,
}

/// An authority and its server's certificate.
pub struct Tls {
    roots: RootCertStore,
    server: Arc<ServerConfig>,
}

impl Tls {
    /// For 127.0.0.1.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new() -> anyhow::Result<Self> {
        aws::config::install_crypto();
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        let key =
            PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(|e| anyhow!(e))?;
        let chain = vec![made.cert.der().clone()];
        let server = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
        Ok(Self { roots, server: Arc::new(server) })
    }

    /// The server's side.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.server.clone()
    }

    /// As the product's: nothing is resumed.
    fn connector(&self) -> TlsConnector {
        let mut config = ClientConfig::builder()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        Arc::new(config).into()
    }
}

impl Load {
    /// So many events for an endpoint.
    ///
    /// # Errors
    /// If the product does not take them.
    pub fn new(
        account: &str,
        payload: &Payload,
        count: u64,
        url: String,
        tls: &Tls,
    ) -> anyhow::Result<Self> {
        let now = SystemClock.now();
        let (scheme, rest) = url.split_once("://").context("a URL")?;
        let (host, path) = rest.split_once('/').context("a path")?;
        let (host, path) = (host.to_owned(), format!("/{path}"));
        let connector = (scheme == "https").then(|| tls.connector());
        let wanted = Registration {
            account_id: account.to_owned(),
            url,
            event_types: vec!["*".to_owned()],
            alert_email: "owner@example.com".to_owned(),
            ..Registration::default()
        };
        let endpoint = wanted.check(new_endpoint_id()?, TargetRules::InsecureForLocal, now)?;
        let endpoints = [endpoint];
        let event = |nth| -> anyhow::Result<Event> {
            let text = payload.event(account, nth);
            let envelope = parse_body(&text).remove(0).verdict.map_err(|e| anyhow!("{e:?}"))?;
            Event::accept(envelope, &endpoints, None, TIMEOUT, now).context("nobody wants it")
        };
        let events = (0..count).map(event).collect::<anyhow::Result<Vec<Event>>>()?;
        let bodies = events.iter().map(|event| Bytes::from(webhook::body(event))).collect();
        let [endpoint] = endpoints;
        Ok(Self {
            events,
            bodies,
            endpoint,
            secrets: SigningSecrets { current: new_secret()?, previous: None },
            address: host.parse()?,
            host,
            path,
            connector,
            roots: tls.roots.clone(),
        })
    }
}

impl Client {
    /// Delivers all, and measures it. Blocks.
    ///
    /// # Errors
    /// If something is not delivered.
    pub fn run(self, load: &Load) -> anyhow::Result<Run> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let receiver =
            HttpReceiver::trusting(Egress::new(TargetRules::InsecureForLocal), load.roots.clone())?;
        let (begun, before) = (Instant::now(), process::cpu_of_this_thread()?);
        runtime.block_on(async {
            let next = AtomicUsize::new(0);
            let lines = (0..AT_ONCE).map(|_| self.line(load, &receiver, &next));
            join_all(lines).await.into_iter().collect::<anyhow::Result<()>>()
        })?;
        let cpu = process::cpu_of_this_thread()?.saturating_sub(before);
        Ok(Run { deliveries: u64::try_from(load.events.len())?, took: begun.elapsed(), cpu })
    }

    /// Delivers one after the other until nothing is left.
    async fn line(
        self,
        load: &Load,
        receiver: &HttpReceiver,
        next: &AtomicUsize,
    ) -> anyhow::Result<()> {
        let mut kept = None;
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            let Some(event) = load.events.get(nth) else { return Ok(()) };
            match self {
                Self::Product => {
                    let now = SystemClock.now();
                    let request = webhook::request(event, &load.endpoint, &load.secrets, 1, now);
                    let answer = receiver.post(&request, TIMEOUT).await;
                    ensure!(answer.outcome == Outcome::Succeeded, "{:?}", answer.error);
                }
                Self::Raw { keep_alive } => {
                    let mut connection = match kept.take() {
                        Some(connection) => connection,
                        None => load.connect().await?,
                    };
                    load.post(&mut connection, nth).await?;
                    kept = keep_alive.then_some(connection);
                }
            }
        }
    }
}

impl Load {
    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        match &self.connector {
            None => handshake(stream).await,
            Some(connector) => {
                let name = ServerName::from(self.address.ip());
                handshake(connector.connect(name, stream).await?).await
            }
        }
    }

    async fn post(
        &self,
        connection: &mut SendRequest<Full<Bytes>>,
        nth: usize,
    ) -> anyhow::Result<()> {
        let (event, body, now) = (&self.events[nth], &self.bodies[nth], SystemClock.now());
        let signed = self.secrets.sign(&event.id, std::str::from_utf8(body)?, now);
        let request = Request::post(self.path.as_str())
            .header("Host", &self.host)
            .header("Content-Type", "application/json")
            .header("User-Agent", USER_AGENT)
            .header("X-Webhook-Signature", signed.rackwave)
            .header("webhook-id", event.id.as_str())
            .header("webhook-timestamp", now.as_secs())
            .header("webhook-signature", signed.standard)
            .body(Full::new(body.clone()))?;
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        ensure!(response.status().is_success(), "{}", response.status());
        response.into_body().collect().await?;
        Ok(())
    }
}

async fn handshake<S>(stream: S) -> anyhow::Result<SendRequest<Full<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with its sender.
    tokio::spawn(connection);
    Ok(sender)
}
