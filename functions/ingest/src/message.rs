//! Sorting a batch: events by id, and what is refused at the door.

use std::collections::HashMap;

use domain::envelope::{Element, Envelope, Rejection, content_hash, derive_event_id, parse_body};
use domain::event::traceparent;
use domain::ids::EventId;
use domain::ports::Refused;

/// A message from the events queue.
pub struct Message {
    /// SQS's id.
    pub id: String,
    /// What the product sent.
    pub body: String,
    /// How often it has been received, this time included.
    pub received: u32,
    /// The product's trace context.
    pub traceparent: Option<String>,
    /// The sender's identity as SQS knows it.
    pub sender: Option<String>,
}

/// Events with one id, in the order they came.
pub(crate) struct Group<'m> {
    pub id: EventId,
    /// At least one.
    pub members: Vec<Member<'m>>,
}

/// One event of a message.
pub(crate) struct Member<'m> {
    /// The message's position in the batch.
    pub message: usize,
    pub source_message_id: &'m str,
    pub index: Option<usize>,
    pub original: &'m str,
    pub envelope: Envelope,
    pub content_hash: String,
    pub received: u32,
    pub traceparent: Option<String>,
}

impl Member<'_> {
    pub fn refused_as_conflict(&self, id: &EventId) -> Refused {
        Refused {
            original: self.original.to_owned(),
            rejection: Rejection::conflict(id),
            source_message_id: self.source_message_id.to_owned(),
            index: self.index,
        }
    }
}

/// A batch, sorted. Refused elements come with their message's position.
pub(crate) struct Sorted<'m> {
    pub groups: Vec<Group<'m>>,
    pub refused: Vec<(usize, Refused)>,
}

/// Groups the events of a batch by id, so that two with one id are never in work side by side.
pub(crate) fn sort(messages: &[Message]) -> Sorted<'_> {
    let mut sorted = Sorted { groups: Vec::new(), refused: Vec::new() };
    let mut places: HashMap<EventId, usize> = HashMap::new();
    for (position, message) in messages.iter().enumerate() {
        let trace = message.traceparent.as_deref().and_then(traceparent);
        for Element { index, original, verdict } in parse_body(&message.body) {
            match verdict {
                Err(rejection) => sorted.refused.push((
                    position,
                    Refused {
                        original: original.to_owned(),
                        rejection,
                        source_message_id: message.id.clone(),
                        index,
                    },
                )),
                Ok(envelope) => {
                    let id = derive_event_id(&envelope);
                    let place = *places.entry(id.clone()).or_insert_with(|| {
                        sorted.groups.push(Group { id, members: Vec::new() });
                        sorted.groups.len() - 1
                    });
                    sorted.groups[place].members.push(Member {
                        message: position,
                        source_message_id: &message.id,
                        index,
                        original,
                        content_hash: content_hash(&envelope),
                        envelope,
                        received: message.received,
                        traceparent: trace.clone(),
                    });
                }
            }
        }
    }
    sorted
}
