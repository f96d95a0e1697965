//! Test events: sign and POST, and nothing on record.

use domain::Timestamp;
use domain::delivery::Outcome;
use domain::endpoint::{Endpoint, EndpointState};
use domain::ports::{
    Bus, Clock, Deliveries, Dice, EndpointHealth, Endpoints, Events, Metrics, PortError,
    PortResult, Receiver, Scheduler, Secrets, WakeUps,
};
use domain::test_event::{TestReply, TestRequest, attempt, event};
use domain::webhook::test_request;

use crate::Sender;
use crate::health::Healths;

impl<S, Q, H, R, B, C, M> Sender<S, Q, H, R, B, C, M>
where
    S: Endpoints + EndpointHealth + Secrets + Events + Deliveries,
    Q: WakeUps,
    H: Scheduler,
    R: Receiver,
    B: Bus,
    C: Clock + Dice,
    M: Metrics,
{
    /// Makes a test event. Where to, and what it is signed with, is read here.
    ///
    /// # Errors
    /// If the store cannot be read, or there is no secret. Whatever the endpoint does is an answer.
    pub async fn test(&self, wanted: &TestRequest) -> PortResult<TestReply> {
        let (account, id) = (&wanted.account_id, &wanted.endpoint_id);
        let Some(endpoint) = self.store.endpoint(account, id).await? else {
            return Ok(TestReply::Unknown);
        };
        match endpoint.state {
            EndpointState::Enabled => {}
            EndpointState::Disabled { .. } => return Ok(TestReply::Disabled),
            EndpointState::Deleted { .. } => return Ok(TestReply::Unknown),
        }
        let secrets = self.store.secrets(id).await?;
        let secrets = secrets.ok_or_else(|| PortError::new("secrets.secrets", "there is none"))?;
        let at = self.chance.now();
        let event = event(&endpoint, &wanted.event, at, self.chance.roll());
        let request = test_request(&event, &endpoint, &secrets, at);
        let answer = self.receiver.post(&request, self.rules.waits.request_timeout).await;
        tracing::info!(
            event_id = %event.id,
            endpoint_id = %id,
            account_id = %account,
            event = wanted.event,
            outcome = answer.outcome.as_str(),
            http_status = answer.http_status,
            duration_ms = answer.duration_ms,
            first_byte_ms = answer.first_byte_ms,
            "test"
        );
        if answer.outcome == Outcome::Succeeded {
            self.note_test(&endpoint, at).await;
        }
        Ok(TestReply::made(&attempt(at, answer)))
    }

    /// A test that was answered well counts as a success of the endpoint (design 3.7). Nothing is
    /// lost if it cannot be noted: the next success says the same.
    async fn note_test(&self, endpoint: &Endpoint, at: Timestamp) {
        let judge = |known: &Endpoint| known.after_success(at, self.rules.health_step);
        if let Err(trouble) = Healths::default().note(&self.store, endpoint, judge).await {
            tracing::warn!(endpoint_id = %endpoint.id, %trouble, "the test's success was not noted");
        }
    }
}
