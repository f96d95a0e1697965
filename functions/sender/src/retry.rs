//! A retry that somebody asked for (design 3.5).

use domain::Timestamp;
use domain::arrange::seconds_until;
use domain::attempt::Purpose;
use domain::delivery::{Delivery, RetryBy};
use domain::endpoint::EndpointState;
use domain::job::JobState;
use domain::pace::take_turn;
use domain::ports::{
    Bus, Clock, Dice, Metrics, Outgoing, PortResult, Receiver, Scheduler, WakeUps, send_one,
};
use domain::retry::{Leave, RetryDecision, decide_retry};
use domain::wakeup::{Call, RetryCall};

use crate::batch::Batch;
use crate::{Message, Sender, Step, Store, Trouble};

impl<S, Q, H, R, B, C, M> Sender<S, Q, H, R, B, C, M>
where
    S: Store,
    Q: WakeUps,
    H: Scheduler,
    R: Receiver,
    B: Bus,
    C: Clock + Dice,
    M: Metrics,
{
    pub(crate) async fn retry(
        &self,
        batch: &Batch<'_, S>,
        call: &RetryCall,
        message: &Message,
    ) -> Result<Step, Trouble> {
        let Some(delivery) = self.read(&call.delivery_id).await? else {
            return Ok(Step::Done);
        };
        let endpoint = batch.endpoint(&delivery).await?;
        let event = batch.event(&delivery.event_id).await?;
        let leave = Leave {
            endpoint: endpoint.as_ref().map(|endpoint| endpoint.state),
            job_runs: self.job_runs(batch, &call.by).await?,
            payload: delivery.erased_at.is_none()
                && event.as_ref().is_some_and(|event| event.has_payload()),
        };
        let now = self.chance.now();
        match decide_retry(&delivery, call, message.received, leave, &self.rules.waits, now) {
            RetryDecision::Post { claim } => {
                let endpoint = endpoint.filter(|e| e.state == EndpointState::Enabled);
                let endpoint = endpoint.ok_or(Trouble::Missing("endpoint"))?;
                if let Some(at) = take_turn(&self.store, &endpoint, now).await? {
                    if !self.store.put_off(&delivery.id, &delivery.stage(), at).await? {
                        return Ok(Step::Again);
                    }
                    self.call_again(call, at, now).await?;
                    return Ok(Step::Done);
                }
                if claim && !self.claim_retry(&delivery, call).await? {
                    return Ok(Step::Again);
                }
                let event = event.ok_or(Trouble::Missing("event"))?;
                let purpose = Purpose::Retry(call.retry_id.clone(), call.by.clone());
                self.attempt(batch, purpose, &delivery, (&endpoint, &event), message).await?;
            }
            RetryDecision::Later(at) => {
                self.call_again(call, at, now).await?;
            }
            RetryDecision::Close(change) => {
                if !self.store.commit(&delivery.id, &delivery.stage(), &change).await? {
                    return Ok(Step::Again);
                }
                tracing::info!(delivery_id = %delivery.id, retry_id = %call.retry_id, ?leave, "retry not made");
            }
            RetryDecision::Nothing(why) => {
                tracing::info!(delivery_id = %delivery.id, retry_id = %call.retry_id, ?why, "nothing to do");
                self.note_again(batch, &delivery, message).await?;
            }
        }
        Ok(Step::Done)
    }

    async fn call_again(&self, call: &RetryCall, at: Timestamp, now: Timestamp) -> PortResult<()> {
        let copy = Call::Retry(RetryCall { is_copy: true, ..call.clone() });
        let delay_s = seconds_until(at, now).min(self.rules.waits.sqs_delay_max_s);
        send_one(&self.queues, Outgoing::new(copy, delay_s)).await
    }

    async fn claim_retry(&self, delivery: &Delivery, call: &RetryCall) -> PortResult<bool> {
        let now = self.chance.now();
        let until = now + self.rules.waits.attempt();
        self.store.claim_retry(&delivery.id, &call.retry_id, until, now).await
    }

    /// A person's retry is always wanted; a recovery's, unless the recovery was cancelled. One that
    /// has finished has only stopped counting.
    async fn job_runs(&self, batch: &Batch<'_, S>, by: &RetryBy) -> PortResult<bool> {
        let RetryBy::Recover(id) = by else {
            return Ok(true);
        };
        Ok(batch.job(id).await?.is_some_and(|job| job.state != JobState::Cancelled))
    }
}
