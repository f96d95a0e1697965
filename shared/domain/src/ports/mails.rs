//! Mail to endpoints' owners.

use std::future::Future;

use super::PortResult;
use crate::mail::Mail;

/// Where mail is handed over.
pub trait Mails: Sync {
    /// Hands a mail over. MUST answer with an error unless it was taken.
    fn send(&self, mail: &Mail) -> impl Future<Output = PortResult<()>> + Send;
}
