//! Accepting one event: store it with its fan-out, put its deliveries on record, say which
//! wake-ups are due.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use domain::Timestamp;
use domain::delivery::{Delivery, Status};
use domain::endpoint::Endpoint;
use domain::event::Event;
use domain::ids::AccountId;
use domain::limits::COPY_DELAY_S;
use domain::ports::{Clock, Deliveries, Endpoints, Events, Outgoing, PortResult, Stored};
use domain::wakeup::{Lane, WakeUp};
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::OnceCell;

use crate::Ingest;
use crate::message::Group;

/// Deliveries of one event put on record at once.
const DELIVERIES_AT_ONCE: usize = 8;
/// What came of events with one id.
#[derive(Default)]
pub(crate) struct Accepted {
    /// To be sent.
    pub wake_ups: Vec<Outgoing>,
    /// Positions, in the group, of those with other content than the stored one.
    pub conflicts: Vec<usize>,
}

/// The endpoints of the accounts in a batch, each read once. Every event of the batch was sent
/// before the read began, so whatever was registered before an event was sent is seen.
#[derive(Default)]
pub(crate) struct Accounts(Mutex<HashMap<AccountId, Arc<OnceCell<Vec<Endpoint>>>>>);

impl Accounts {
    fn cell(&self, account: &AccountId) -> Arc<OnceCell<Vec<Endpoint>>> {
        let mut cells = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        cells.entry(account.clone()).or_default().clone()
    }
}

impl<S, Q, B, C> Ingest<S, Q, B, C>
where
    S: Endpoints + Events + Deliveries,
    Q: Sync,
    B: Sync,
    C: Clock,
{
    pub(crate) async fn accept(
        &self,
        accounts: &Accounts,
        group: &Group<'_>,
    ) -> PortResult<Accepted> {
        let account = &group.members[0].envelope.account_id;
        let cell = accounts.cell(account);
        let endpoints = cell.get_or_try_init(|| self.store.of_account(account)).await?;
        let Some((event, is_new)) = self.stored(group, endpoints).await? else {
            tracing::info!(event_id = %group.id, account_id = %account, "no endpoint wants the event");
            return Ok(Accepted::default());
        };
        let differs = |at: &usize| group.members[*at].content_hash != event.content_hash;
        let conflicts: Vec<usize> = (0..group.members.len()).filter(differs).collect();
        if conflicts.len() == group.members.len() {
            // The id belongs to an event of other messages; they see to it.
            return Ok(Accepted { wake_ups: Vec::new(), conflicts });
        }
        let now = self.clock.now();
        let wake_ups: Vec<Option<Outgoing>> = stream::iter(event.deliveries(endpoints))
            .map(|delivery| {
                let lane = Lane::of_attempt(0, stands_apart(endpoints, &delivery, now));
                self.put_on_record(delivery, lane, is_new)
            })
            .buffered(DELIVERIES_AT_ONCE)
            .try_collect()
            .await?;
        let wake_ups: Vec<Outgoing> = wake_ups.into_iter().flatten().collect();
        // The product's message, and the event it led to; the event's record says the rest.
        tracing::info!(
            event_id = %event.id,
            account_id = %account,
            source_message_id = group.members[0].source_message_id,
            is_new = (!is_new).then_some(false),
            "event accepted"
        );
        Ok(Accepted { wake_ups, conflicts })
    }

    /// The event as it is stored under the group's id, and whether this call stored it. The first
    /// one that anybody wants is stored.
    ///
    /// When nobody is interested any more, an earlier try of a message may still have stored it:
    /// only messages that were received before can have had one.
    async fn stored(
        &self,
        group: &Group<'_>,
        endpoints: &[Endpoint],
    ) -> PortResult<Option<(Event, bool)>> {
        let now = self.clock.now();
        let wanted = group.members.iter().find_map(|member| {
            let (envelope, trace) = (member.envelope.clone(), member.traceparent.clone());
            let event = Event::accept(envelope, endpoints, trace, self.retention, now)?;
            Some(Event { source_message_id: Some(member.source_message_id.to_owned()), ..event })
        });
        match wanted {
            Some(event) => Ok(Some(match self.store.store(&event).await? {
                Stored::New => (event, true),
                // Its own write, of which only the answer was lost: nobody else has this message.
                Stored::Existing(stored) if *stored == event => (event, true),
                Stored::Existing(event) => (*event, false),
            })),
            None if group.members.iter().any(|member| member.received > 1) => {
                Ok(self.store.event(&group.id).await?.map(|event| (event, false)))
            }
            None => Ok(None),
        }
    }

    /// Puts a delivery on record, and says which wake-up it needs.
    async fn put_on_record(
        &self,
        delivery: Delivery,
        lane: Lane,
        event_is_new: bool,
    ) -> PortResult<Option<Outgoing>> {
        match self.store.create(&delivery).await? {
            Status::Pending => {
                let (wake_up, delay_s) = match event_is_new {
                    true => (WakeUp::fresh(delivery.id, 0), 0),
                    // So an event sent twice in a row is still POSTed once.
                    false => (WakeUp::copy(delivery.id, 0), COPY_DELAY_S),
                };
                Ok(Some(Outgoing { lane, ..Outgoing::new(wake_up, delay_s) }))
            }
            Status::Retrying | Status::Succeeded | Status::Failed(_) | Status::Skipped => Ok(None),
        }
    }
}

/// Whether the delivery must not take the place of those to other endpoints.
fn stands_apart(endpoints: &[Endpoint], delivery: &Delivery, now: Timestamp) -> bool {
    let found = endpoints.iter().find(|endpoint| endpoint.id == *delivery.id.endpoint());
    found.is_some_and(|endpoint| endpoint.stands_apart(now))
}
