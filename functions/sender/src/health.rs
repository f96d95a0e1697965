//! What an attempt says about its endpoint (design 3.7).
//!
//! A success is noted while its commit is under way, so that neither waits for the other and a kill
//! leaves out both rather than one; a failure, of which another follows soon, after everything
//! else. If noting fails, the delivery is long committed and arranged, but its wake-up comes again,
//! and what is on record is noted then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::Timestamp;
use domain::delivery::{Delivery, Outcome, Trigger};
use domain::endpoint::Endpoint;
use domain::ids::EndpointId;
use domain::limits::DECISIONS;
use domain::ports::{EndpointHealth, EndpointKey, Endpoints, PortResult};
use tokio::sync::Mutex as Turn;

use crate::Trouble;

/// The endpoints of a batch as they were last seen. Records take turns at an endpoint: of fifty
/// that fail together, one writes.
#[derive(Default)]
pub(crate) struct Healths(Mutex<HashMap<EndpointId, Arc<Turn<Endpoint>>>>);

impl Healths {
    /// Writes what `judge` makes of the endpoint, if anything, deciding again on what is there
    /// whenever somebody was faster.
    pub async fn note<S: Endpoints + EndpointHealth>(
        &self,
        store: &S,
        endpoint: &Endpoint,
        judge: impl Fn(&Endpoint) -> Option<Endpoint>,
    ) -> Result<(), Trouble> {
        let turn = self.turn(endpoint);
        let mut known = turn.lock().await;
        for _ in 0..DECISIONS {
            let Some(next) = judge(&known) else { return Ok(()) };
            if store.record_health(&known, &next).await? {
                *known = next;
                return Ok(());
            }
            match store.endpoint(&endpoint.account_id, &endpoint.id).await? {
                Some(current) => *known = current,
                None => return Ok(()),
            }
        }
        Err(Trouble::Races)
    }

    /// Notes that the endpoint stands apart until `until`, unless it is known to stand apart `now`.
    pub async fn note_silence<S: EndpointHealth>(
        &self,
        store: &S,
        endpoint: &Endpoint,
        until: Timestamp,
        now: Timestamp,
    ) -> PortResult<()> {
        let turn = self.turn(endpoint);
        let mut known = turn.lock().await;
        if known.stands_apart(now) {
            return Ok(());
        }
        store.note_silence(&EndpointKey::of(endpoint), until).await?;
        tracing::info!(endpoint_id = %endpoint.id, %until, "endpoint is silent");
        known.silent_until = Some(until);
        Ok(())
    }

    fn turn(&self, endpoint: &Endpoint) -> Arc<Turn<Endpoint>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Turn::new(endpoint.clone()));
        turns.entry(endpoint.id.clone()).or_insert_with(new).clone()
    }
}

/// What the last attempt on record says about the endpoint; asked when a wake-up comes again, since
/// whoever made the attempt may have died before noting it. One that began before the endpoint was
/// enabled says nothing.
pub(crate) fn on_record(
    delivery: &Delivery,
    endpoint: &Endpoint,
    step: std::time::Duration,
    now: Timestamp,
) -> Option<Endpoint> {
    let last = delivery.attempts.last().filter(|attempt| attempt.at >= endpoint.enabled_at)?;
    match (last.answer.outcome == Outcome::Succeeded, last.trigger) {
        (true, _) => endpoint.after_success(last.at, step),
        (false, Trigger::Schedule) => endpoint.after_old_failure(last.at, now, step),
        (false, Trigger::Manual | Trigger::Recover | Trigger::Test) => None,
    }
}
