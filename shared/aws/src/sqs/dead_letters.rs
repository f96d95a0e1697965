//! The dead-letter queues, and how far the queues of wake-ups are behind.

use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message as Received, MessageSystemAttributeName,
    QueueAttributeName,
};
use domain::Timestamp;
use domain::limits::{DEAD_LETTER_HIDDEN_S, SQS_BATCH};
use domain::ports::{Backlog, DeadLetter, DeadLetters, Dlq, PortError, PortResult};
use domain::wakeup::Lane;

use super::{Message, Queue, Queues, queue_of};
use crate::error::{cause, port_error};

const TRACEPARENT: &str = "traceparent";

/// Where the messages of a dead-letter queue come from.
fn source_of(queue: Dlq) -> Queue {
    match queue {
        Dlq::Events => Queue::Events,
        Dlq::Send => Queue::Send,
        Dlq::Retry => Queue::Retry,
    }
}

fn dead(queue: Dlq) -> Queue {
    match queue {
        Dlq::Events => Queue::EventsDlq,
        Dlq::Send => Queue::SendDlq,
        Dlq::Retry => Queue::RetryDlq,
    }
}

impl DeadLetters for Queues {
    async fn receive(&self, queue: Dlq) -> PortResult<Vec<DeadLetter>> {
        const CALL: &str = "dead_letters.receive";
        let url = self.urls.url(dead(queue)).map_err(|cause| PortError::new(CALL, cause))?;
        let request = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(i32::try_from(SQS_BATCH).unwrap_or(i32::MAX))
            .visibility_timeout(i32::try_from(DEAD_LETTER_HIDDEN_S).unwrap_or(i32::MAX))
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .message_attribute_names(TRACEPARENT);
        let answer = request.send().await.map_err(|error| port_error(CALL, &error))?;
        let letters = answer.messages.unwrap_or_default().into_iter().map(letter);
        letters.map(|letter| letter.map_err(|cause| PortError::new(CALL, cause))).collect()
    }

    async fn delete(&self, queue: Dlq, letters: &[DeadLetter]) -> Vec<PortResult<()>> {
        let mut answers = Vec::with_capacity(letters.len());
        for batch in letters.chunks(SQS_BATCH) {
            answers.extend(self.delete_batch(dead(queue), batch).await);
        }
        let failed = |cause| PortError::new("dead_letters.delete", cause);
        answers.into_iter().map(|answer| answer.map_err(failed)).collect()
    }

    async fn send_back(&self, queue: Dlq, letters: &[DeadLetter]) -> Vec<PortResult<()>> {
        let message = |letter: &DeadLetter| Message {
            group: letter.group.clone(),
            attributes: letter.traceparent.iter().map(|t| (TRACEPARENT, t.clone())).collect(),
            ..Message::new(source_of(queue), letter.body.clone())
        };
        self.send_all("dead_letters.send_back", letters.iter().map(message).collect()).await
    }
}

impl Backlog for Queues {
    async fn visible(&self, lane: Lane) -> PortResult<u64> {
        self.count("backlog.visible", queue_of(lane)).await
    }
}

/// How many messages a queue has, approximately.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Could be received now.
    pub visible: u64,
    /// Received, neither deleted nor visible again.
    pub in_flight: u64,
    /// Not to be received yet.
    pub delayed: u64,
}

impl Queues {
    /// How many messages a queue has.
    ///
    /// # Errors
    /// If SQS does not say.
    pub async fn depth(&self, queue: Queue) -> PortResult<Depth> {
        use QueueAttributeName as Name;
        const CALL: &str = "queues.depth";
        Ok(Depth {
            visible: self.count_of(CALL, queue, Name::ApproximateNumberOfMessages).await?,
            in_flight: self
                .count_of(CALL, queue, Name::ApproximateNumberOfMessagesNotVisible)
                .await?,
            delayed: self.count_of(CALL, queue, Name::ApproximateNumberOfMessagesDelayed).await?,
        })
    }

    /// How many messages a dead-letter queue has; in flight are those that the sweeper looks at.
    ///
    /// # Errors
    /// If SQS does not say.
    pub async fn dead(&self, queue: Dlq) -> PortResult<Depth> {
        self.depth(dead(queue)).await
    }

    async fn count(&self, call: &'static str, queue: Queue) -> PortResult<u64> {
        self.count_of(call, queue, QueueAttributeName::ApproximateNumberOfMessages).await
    }

    async fn count_of(
        &self,
        call: &'static str,
        queue: Queue,
        name: QueueAttributeName,
    ) -> PortResult<u64> {
        let wrong = |cause: &str| PortError::new(call, cause);
        let url = self.urls.url(queue).map_err(|cause| wrong(&cause))?;
        let request = self.client.get_queue_attributes().queue_url(url);
        let request = request.attribute_names(name.clone());
        let answer = request.send().await.map_err(|error| port_error(call, &error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let count = attributes.get(&name);
        count.and_then(|text| text.parse().ok()).ok_or_else(|| wrong("no count in the answer"))
    }

    pub(super) async fn delete_batch(
        &self,
        queue: Queue,
        batch: &[DeadLetter],
    ) -> Vec<Result<(), String>> {
        let all = |cause: String| vec![Err(cause); batch.len()];
        let entry = |(place, letter): (usize, &DeadLetter)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string());
            entry.receipt_handle(&letter.receipt).build().map_err(|e| e.to_string())
        };
        let entries: Result<Vec<_>, _> = batch.iter().enumerate().map(entry).collect();
        let (entries, url) = match (entries, self.urls.url(queue)) {
            (Ok(entries), Ok(url)) => (entries, url),
            (Err(cause), _) | (_, Err(cause)) => return all(cause),
        };
        let request = self.client.delete_message_batch().queue_url(url);
        let deleted = match request.set_entries(Some(entries)).send().await {
            Ok(deleted) => deleted,
            Err(error) => return all(cause(&error)),
        };
        let answer = |place: usize| {
            let id = place.to_string();
            if deleted.successful().iter().any(|entry| entry.id() == id) {
                return Ok(());
            }
            let failed = deleted.failed().iter().find(|entry| entry.id() == id);
            Err(failed.map_or("not mentioned in the answer", |entry| entry.code()).to_owned())
        };
        (0..batch.len()).map(answer).collect()
    }
}

pub(super) fn letter(received: Received) -> Result<DeadLetter, &'static str> {
    let system = |name| received.attributes.as_ref().and_then(|all| all.get(&name)).cloned();
    let sent_at = system(MessageSystemAttributeName::SentTimestamp);
    let sent_at = sent_at.and_then(|text| text.parse().ok()).map(Timestamp::from_millis);
    let group = system(MessageSystemAttributeName::MessageGroupId);
    let traceparent = received
        .message_attributes
        .as_ref()
        .and_then(|all| all.get(TRACEPARENT)?.string_value.clone());
    Ok(DeadLetter {
        id: received.message_id.ok_or("a message without an id")?,
        receipt: received.receipt_handle.ok_or("a message without a receipt")?,
        body: received.body.unwrap_or_default(),
        sent_at: sent_at.ok_or("a message without its time")?,
        group,
        traceparent,
    })
}
