//! The outbound HTTP client: one POST to a customer's endpoint, told as an [`Answer`].
//!
//! Nothing in here ever calls an address that [`domain::target`] has not judged, looks a name up
//! twice, follows a redirect, asks a proxy, decodes a body, keeps a connection or a TLS session,
//! repeats a request, waits past the one deadline, or keeps more of an answer than
//! [`domain::limits::RESPONSE_BODY_READ_BYTES`] (`infra/decisions/0007-own-client.md`).
//!
//! | module | does |
//! |---|---|
//! | `dns` | from a name to addresses |
//! | `connect` | from vetted addresses to a connection, with TLS |
//! | `exchange` | the request and its answer |
//! | `body` | how much of an answer is read, and how it becomes text |
//! | `classify` | from the errors of the libraries to ours |

mod body;
mod classify;
mod connect;
mod dns;
mod exchange;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use domain::delivery::{Answer, Outcome};
use domain::failure::{Failure, Place};
use domain::limits::RESOLVE_SHARE;
use domain::ports::{PortResult, Receiver};
use domain::target::Egress;
use domain::webhook::WebhookRequest;
use rustls::RootCertStore;
use tokio::time::Instant;
use url::{Host, Url};

use connect::Dialer;
use dns::Names;
use exchange::Heard;

/// The customers' side of the network.
#[derive(Debug, Clone)]
pub struct HttpReceiver {
    egress: Egress,
    names: Names,
    dialer: Dialer,
}

impl HttpReceiver {
    /// Trusts what browsers trust: Mozilla's roots, compiled in. Asks the machine's resolvers.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(egress: Egress) -> PortResult<Self> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        Self::trusting(egress, roots)
    }

    /// Trusts these authorities and no other: for benchmarks, whose endpoints no public authority
    /// vouches for. No function calls it.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn trusting(egress: Egress, roots: RootCertStore) -> PortResult<Self> {
        Ok(Self { egress, names: Names::of_the_machine(), dialer: Dialer::new(roots)? })
    }

    /// The request from its URL to the end of its answer, without a deadline. How far it got is
    /// in `heard`.
    async fn attempt(
        &self,
        url: &Url,
        request: &WebhookRequest,
        resolve_within: Duration,
        heard: &mut Heard,
    ) -> Result<(), Failure> {
        let addresses = self.vetted_addresses(url, resolve_within).await?;
        let stream = self.dialer.connect(url, &addresses, heard).await?;
        exchange::post(stream, url, request, heard).await
    }

    /// Every address that the URL leads to, if all of them may be called.
    async fn vetted_addresses(
        &self,
        url: &Url,
        resolve_within: Duration,
    ) -> Result<Vec<SocketAddr>, Failure> {
        let found: Vec<IpAddr> = match url.host() {
            Some(Host::Domain(name)) => self.names.resolve(name, resolve_within).await?,
            Some(Host::Ipv4(address)) => vec![address.into()],
            Some(Host::Ipv6(address)) => vec![address.into()],
            None => Vec::new(),
        };
        self.egress.check_answers(url, &found).map_err(|_| Failure::RefusedAddress)?;
        let port = url.port_or_known_default().unwrap_or_default();
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

impl Receiver for HttpReceiver {
    async fn post(&self, request: &WebhookRequest, timeout: Duration) -> Answer {
        let mut heard = Heard::new(Instant::now(), timeout);
        let checked = self.egress.check_url(&request.url);
        let place = checked.as_ref().map_or_else(|_| nowhere(), place_of);
        let result = match &checked {
            Err(refusal) => Err(Failure::RefusedUrl(*refusal)),
            Ok(url) => {
                let attempt = self.attempt(url, request, timeout / RESOLVE_SHARE, &mut heard);
                match tokio::time::timeout(timeout, Box::pin(attempt)).await {
                    Ok(result) => result,
                    Err(_) => Err(Failure::TooLate(heard.stage(), timeout)),
                }
            }
        };
        let failure = result.err();
        Answer {
            outcome: failure.as_ref().map_or(Outcome::Succeeded, Failure::outcome),
            http_status: heard.status(),
            response_body: body::text(&heard.body),
            error: failure.map(|failure| failure.sentence(&place)),
            duration_ms: heard.millis_until(Instant::now()),
            first_byte_ms: heard.first_byte_ms(),
            retry_after_s: heard.retry_after_s,
        }
    }

    async fn post_watched(
        &self,
        request: &WebhookRequest,
        timeout: Duration,
        patience: Duration,
        silent: impl Future<Output = ()> + Send,
    ) -> Answer {
        let mut post = std::pin::pin!(self.post(request, timeout));
        match tokio::time::timeout(patience, post.as_mut()).await {
            Ok(answer) => answer,
            Err(_) => futures::join!(post, silent).0,
        }
    }
}

/// Where a checked URL leads.
fn place_of(url: &Url) -> Place {
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_suffix('.').unwrap_or(host).to_owned();
    Place { host, port: url.port_or_known_default().unwrap_or_default() }
}

/// Where a URL leads that leads nowhere; no sentence about one names the place.
fn nowhere() -> Place {
    Place { host: String::new(), port: 0 }
}

#[cfg(test)]
mod tests;
