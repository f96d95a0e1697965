//! Ingest: takes events from the queue, stores each with its fan-out, puts one delivery per
//! endpoint on record and wakes the sender (design 3.1).
//!
//! Nothing in here acknowledges a message before all that follows from it is stored and sent:
//! whatever fails, the message comes again, and finds the fan-out that was decided first.

mod accept;
mod message;

use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use domain::announce::event_rejected;
use domain::envelope::presumed_event_id;
use domain::ports::{
    Bus, Clock, Deliveries, Endpoints, Events, Outgoing, PortError, PortResult, Refused, Rejected,
    WakeUps,
};
use futures::stream::{self, StreamExt};

pub use message::Message;

use accept::{Accepted, Accounts};
use message::{Group, Sorted, sort};

/// Groups of equal events in work at once; each may write for several endpoints.
const GROUPS_AT_ONCE: usize = 24;

/// The use case, over its ports.
pub struct Ingest<S, Q, B, C> {
    /// Endpoints, events and deliveries.
    pub store: S,
    /// The queues of wake-ups and of refused events.
    pub queues: Q,
    /// Where refusals are announced.
    pub bus: B,
    /// The clock.
    pub clock: C,
    /// How long records are kept.
    pub retention: Duration,
}

/// What must be sent for a message before it may be acknowledged.
#[derive(Default)]
struct Duties {
    wake_ups: Vec<(Arc<[usize]>, Outgoing)>,
    refused: Vec<(usize, Refused)>,
}

impl<S, Q, B, C> Ingest<S, Q, B, C>
where
    S: Endpoints + Events + Deliveries,
    Q: WakeUps + Rejected,
    B: Bus,
    C: Clock,
{
    /// Handles a batch. Answers the ids of the messages that must come again. Starts nothing new
    /// after `stop_at`; what is left by then comes again, too.
    pub async fn handle(&self, messages: &[Message], stop_at: Timestamp) -> Vec<String> {
        let Sorted { groups, refused } = sort(messages);
        let mut failed = vec![false; messages.len()];
        let mut duties = Duties { refused, ..Duties::default() };
        let accounts = Accounts::default();
        let mut work = stream::iter(groups)
            .map(|group| async {
                let outcome = self.accept_group(&accounts, &group, stop_at).await;
                (group, outcome)
            })
            .buffer_unordered(GROUPS_AT_ONCE);
        while let Some((group, outcome)) = work.next().await {
            match outcome {
                Ok(outcome) => duties.add(&group, outcome),
                Err(error) => {
                    tracing::error!(event_id = %group.id, %error, "event not accepted yet");
                    group.members.iter().for_each(|member| failed[member.message] = true);
                }
            }
        }
        self.fulfil(messages, duties, &mut failed).await;
        let again = messages.iter().zip(failed).filter(|(_, failed)| *failed);
        again.map(|(message, _)| message.id.clone()).collect()
    }

    /// Takes events with one id: one of them is, or becomes, the stored one; those with its
    /// content are the same event, the others are refused.
    async fn accept_group(
        &self,
        accounts: &Accounts,
        group: &Group<'_>,
        stop_at: Timestamp,
    ) -> PortResult<Accepted> {
        if self.clock.now() >= stop_at {
            return Err(PortError::new("ingest", "out of time; the message comes again"));
        }
        self.accept(accounts, group).await
    }

    /// Sends everything, in as few requests as possible, and notes which messages' things failed.
    async fn fulfil(&self, messages: &[Message], duties: Duties, failed: &mut [bool]) {
        let (owners, wake_ups): (Vec<_>, Vec<Outgoing>) = duties.wake_ups.into_iter().unzip();
        if !wake_ups.is_empty() {
            note(&owners, &self.queues.send(&wake_ups).await, failed);
        }
        let (owners, refused): (Vec<_>, Vec<Refused>) =
            duties.refused.into_iter().map(|(owner, refused)| ([owner], refused)).unzip();
        if refused.is_empty() {
            return;
        }
        note(&owners, &self.queues.reject(&refused).await, failed);
        let now = self.clock.now();
        let announcements: Vec<_> = owners
            .iter()
            .zip(&refused)
            .map(|([owner], refused)| {
                event_rejected(refused, messages[*owner].sender.as_deref(), now)
            })
            .collect();
        note(&owners, &self.bus.announce(&announcements).await, failed);
        for refused in &refused {
            tracing::warn!(
                source_message_id = refused.source_message_id,
                event_id = presumed_event_id(&refused.original).map(tracing::field::display),
                index = refused.index,
                code = refused.rejection.code.as_str(),
                field = refused.rejection.field,
                "event rejected"
            );
        }
    }
}

impl Duties {
    /// Every message of the group answers for its wake-ups: which of them came first may differ
    /// from try to try.
    fn add(&mut self, group: &Group<'_>, accepted: Accepted) {
        let owners: Arc<[usize]> = group.members.iter().map(|member| member.message).collect();
        for wake_up in accepted.wake_ups {
            self.wake_ups.push((owners.clone(), wake_up));
        }
        for at in accepted.conflicts {
            let member = &group.members[at];
            self.refused.push((member.message, member.refused_as_conflict(&group.id)));
        }
    }
}

/// A missing answer counts as a failure.
fn note(owners: &[impl AsRef<[usize]>], answers: &[PortResult<()>], failed: &mut [bool]) {
    for (nth, owners) in owners.iter().enumerate() {
        match answers.get(nth) {
            Some(Ok(())) => continue,
            Some(Err(error)) => tracing::error!(%error, "not sent; the message comes again"),
            None => tracing::error!("no answer; the message comes again"),
        }
        owners.as_ref().iter().for_each(|owner| failed[*owner] = true);
    }
}
