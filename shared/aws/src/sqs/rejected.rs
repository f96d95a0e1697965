//! Refused events, as people look at them and send them again.

use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName};
use domain::limits::SQS_BATCH;
use domain::ports::{DeadLetter, PortError, PortResult};

use super::dead_letters::letter;
use super::{Message, Queue, Queues};
use crate::error::port_error;

/// Seconds that a refused event is hidden from others who look: time to send it again.
const HIDDEN_S: i32 = 120;

/// A refused event on its queue.
#[derive(Debug)]
pub struct Refusal {
    /// The message; its body is the original.
    pub letter: DeadLetter,
    /// Why, as a code.
    pub code: String,
    /// Why, for people.
    pub message: String,
    /// The message it came in.
    pub source_message_id: String,
    /// Its place there, unless the whole body was refused.
    pub index: Option<String>,
}

impl Queues {
    /// Up to ten refused events, hidden from others for two minutes or until they are let go.
    ///
    /// # Errors
    /// If SQS does not answer, or with something else.
    pub async fn refused(&self) -> PortResult<Vec<Refusal>> {
        const CALL: &str = "rejected.receive";
        let url = self.urls.url(Queue::Rejected).map_err(|cause| PortError::new(CALL, cause))?;
        let request = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(i32::try_from(SQS_BATCH).unwrap_or(i32::MAX))
            .visibility_timeout(HIDDEN_S)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_attribute_names("All");
        let answer = request.send().await.map_err(|error| port_error(CALL, &error))?;
        let refusals = answer.messages.unwrap_or_default().into_iter().map(refusal);
        refusals.map(|refusal| refusal.map_err(|cause| PortError::new(CALL, cause))).collect()
    }

    /// Lets a refused event be seen again at once.
    ///
    /// # Errors
    /// If SQS does not answer; then it is seen again after its time.
    pub async fn let_go(&self, refusal: &Refusal) -> PortResult<()> {
        const CALL: &str = "rejected.let_go";
        let url = self.urls.url(Queue::Rejected).map_err(|cause| PortError::new(CALL, cause))?;
        let request = self.client.change_message_visibility().queue_url(url);
        let request = request.receipt_handle(&refusal.letter.receipt).visibility_timeout(0);
        request.send().await.map(drop).map_err(|error| port_error(CALL, &error))
    }

    /// Sends a refused event to the events queue, then takes it off its own: one that is
    /// interrupted doubles it at worst, and an event that is sent twice is one.
    ///
    /// # Errors
    /// If either could not be done.
    pub async fn send_again(&self, refusal: &Refusal) -> PortResult<()> {
        const CALL: &str = "rejected.send_again";
        let message = Message::new(Queue::Events, refusal.letter.body.clone());
        for answer in self.send_all(CALL, vec![message]).await {
            answer?;
        }
        self.forget(refusal).await
    }

    /// Takes a refused event off its queue; there is no other copy of it.
    ///
    /// # Errors
    /// If SQS does not answer, or with something else.
    pub async fn forget(&self, refusal: &Refusal) -> PortResult<()> {
        const CALL: &str = "rejected.delete";
        for answer in
            self.delete_batch(Queue::Rejected, std::slice::from_ref(&refusal.letter)).await
        {
            answer.map_err(|cause| PortError::new(CALL, cause))?;
        }
        Ok(())
    }
}

fn refusal(received: Received) -> Result<Refusal, &'static str> {
    let all = received.message_attributes.clone().unwrap_or_default();
    let text = |name: &str| all.get(name).and_then(|value| value.string_value.clone());
    Ok(Refusal {
        code: text("error_code").unwrap_or_default(),
        message: text("error_message").unwrap_or_default(),
        source_message_id: text("source_message_id").unwrap_or_default(),
        index: text("index"),
        letter: letter(received)?,
    })
}
