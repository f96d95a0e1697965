//! The outbound HTTP client: one POST to a customer's endpoint, told as an [`Answer`].
//!
//! Nothing in here ever follows a redirect, asks a proxy, decodes a body, keeps a connection,
//! repeats a request, waits past the one deadline, or keeps more of an answer than
//! [`domain::limits::RESPONSE_BODY_READ_BYTES`].

mod body;
mod classify;
mod dns;

use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{Answer, Outcome};
use domain::ports::{PortError, PortResult, Receiver};
use domain::target::{TargetRules, check_url};
use domain::webhook::WebhookRequest;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Url};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::Instant;

use classify::Failure;

/// The customers' side of the network.
#[derive(Debug, Clone)]
pub struct HttpReceiver {
    client: Client,
    rules: TargetRules,
}

impl HttpReceiver {
    /// Trusts what browsers trust: Mozilla's roots, compiled in.
    ///
    /// # Errors
    /// If the client cannot be set up.
    pub fn new(rules: TargetRules) -> PortResult<Self> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        Self::with_roots(rules, roots)
    }

    /// Trusts only the given roots.
    ///
    /// # Errors
    /// If the client cannot be set up.
    pub fn with_roots(rules: TargetRules, roots: RootCertStore) -> PortResult<Self> {
        let failed = |e: &dyn std::fmt::Display| PortError::new("receiver.new", e);
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(ring)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|e| failed(&e))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(dns::Names)
            .http1_only()
            // As documented (`X-Webhook-Signature`), for receivers that forget that header names
            // have no case.
            .http1_title_case_headers()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            // A frozen function's idle connections are dead when it wakes.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|e| failed(&e))?;
        Ok(Self { client, rules })
    }

    /// The exchange itself, without a limit. What arrived before it broke off is in `heard`.
    async fn exchange(
        &self,
        url: Url,
        request: &WebhookRequest,
        begun: Instant,
        heard: &mut Heard,
    ) -> Result<(), Failure> {
        let target = classify::name_of(&url);
        let failed = |error: &reqwest::Error| classify::failure(error, &target);
        let mut outgoing = self.client.post(url).body(request.body.clone());
        for (name, value) in &request.headers {
            outgoing = outgoing.header(name, value);
        }
        let mut response = outgoing.send().await.map_err(|e| failed(&e))?;
        let status = response.status().as_u16();
        heard.first_byte_ms = Some(millis_since(begun));
        heard.http_status = Some(status);
        heard.retry_after_s = retry_after_s(status, response.headers());
        body::read(&mut response, &mut heard.body).await.map_err(|e| failed(&e))?;
        let outcome = Outcome::of_status(status);
        if outcome == Outcome::Succeeded {
            return Ok(());
        }
        let error = classify::status_sentence(status, &target);
        Err(Failure { outcome, error })
    }
}

impl Receiver for HttpReceiver {
    async fn post(&self, request: &WebhookRequest, timeout: Duration) -> Answer {
        let begun = Instant::now();
        let mut heard = Heard::default();
        let result = match check_url(&request.url, self.rules) {
            Err(refused) => Err(Failure {
                outcome: Outcome::BlockedAddress,
                error: format!("the request was not sent: {refused}"),
            }),
            Ok(url) => {
                let target = classify::name_of(&url);
                let exchange = self.exchange(url, request, begun, &mut heard);
                match tokio::time::timeout(timeout, exchange).await {
                    Ok(result) => result,
                    Err(_) => Err(classify::too_late(&target, timeout, heard.http_status)),
                }
            }
        };
        let failure = result.err();
        Answer {
            outcome: failure.as_ref().map_or(Outcome::Succeeded, |failure| failure.outcome),
            http_status: heard.http_status,
            response_body: body::text(&heard.body),
            error: failure.map(|failure| classify::cut(failure.error)),
            duration_ms: millis_since(begun),
            first_byte_ms: heard.first_byte_ms,
            retry_after_s: heard.retry_after_s,
        }
    }
}

/// What has arrived so far.
#[derive(Default)]
struct Heard {
    http_status: Option<u16>,
    first_byte_ms: Option<u64>,
    retry_after_s: Option<u64>,
    body: Vec<u8>,
}

fn millis_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// `Retry-After` in seconds, where it has a meaning. What is no number is ignored.
fn retry_after_s(status: u16, headers: &HeaderMap) -> Option<u64> {
    if !matches!(status, 429 | 503) {
        return None;
    }
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
