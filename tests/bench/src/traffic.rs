//! Events at a steady rate, and when they arrive.

use std::time::{Duration, Instant};

use cli::bar::Bar;
use domain::ids::EventId;

use crate::customer::Customers;
use crate::fleet::Fleet;
use crate::payload::{Payload, event_id};

/// As a mail product sends them.
const PAYLOAD: Payload = Payload { bytes: 2_048, compresses: true };

/// Events for accounts in turn.
pub struct Traffic<'a> {
    /// Whose events they are.
    pub accounts: &'a [String],
    /// Events a second.
    pub rate: u64,
    /// How long.
    pub seconds: u64,
}

/// An event that was put on the products' queue.
pub struct Put {
    /// Its account, by its place.
    pub account: usize,
    /// Its name at the endpoint.
    pub id: EventId,
    /// When.
    pub at: Instant,
}

impl Traffic<'_> {
    /// Puts them on the queue, each as a message of its own, evenly.
    ///
    /// # Errors
    /// If an account is none.
    pub async fn put(&self, fleet: &Fleet, words: &str, bar: &mut Bar) -> anyhow::Result<Vec<Put>> {
        let mut put = Vec::new();
        let mut tick = tokio::time::interval(Duration::from_secs(1) / u32::try_from(self.rate)?);
        for (nth, account) in (0..self.rate * self.seconds).zip((0..self.accounts.len()).cycle()) {
            let name = &self.accounts[account];
            let event = PAYLOAD.event(name, nth);
            let id = event_id(name, nth)?;
            tick.tick().await;
            put.push(Put { account, id, at: Instant::now() });
            fleet.send(event);
            if nth % self.rate == 0 {
                bar.draw(nth / self.rate, self.seconds, words);
            }
        }
        Ok(put)
    }
}

impl Put {
    /// Milliseconds until its endpoint had it; nothing if it has not.
    pub fn waited_ms(&self, customers: &Customers) -> Option<f64> {
        let arrived = customers.arrived(self.id.as_str())?;
        Some(arrived.duration_since(self.at).as_secs_f64() * 1e3)
    }
}
