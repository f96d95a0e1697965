//! Verifying as a customer does, with nothing of ours.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What two independent verifiers say of one delivery.
#[derive(Debug, Clone, Copy)]
pub struct Verdicts {
    /// The `standardwebhooks` crate, on `webhook-signature`.
    pub standard: bool,
    /// A line of HMAC, on `X-Webhook-Signature`.
    pub rackwave: bool,
}

impl Verdicts {
    /// Asks both.
    pub fn of(secret: &str, headers: &hyper::HeaderMap, body: &[u8]) -> Self {
        let standard = standardwebhooks::Webhook::new(secret)
            .is_ok_and(|webhook| webhook.verify(body, headers).is_ok());
        let signature = headers.get("x-webhook-signature").and_then(|value| value.to_str().ok());
        Self { standard, rackwave: signature == Some(&rackwave_signature(secret, body)) }
    }

    pub fn both(self) -> bool {
        self.standard && self.rackwave
    }

    pub fn either(self) -> bool {
        self.standard || self.rackwave
    }
}

fn rackwave_signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length will do");
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    digest.iter().fold("sha256=".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}
