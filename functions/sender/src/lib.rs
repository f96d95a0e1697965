//! The sender: a wake-up arrives, the state machine says what it means, and the sender carries
//! that out: POST, commit, arrange the next, acknowledge (design 3.2).
//!
//! Beside wake-ups it takes requests for test events, one at a time.
//!
//! Nothing in here acknowledges a wake-up before what follows from it is committed and arranged,
//! and nothing POSTs for a delivery that was read as final.

mod attempt;
mod batch;
mod health;
mod job;
mod retry;
mod test_event;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use domain::arrange::{Arranged, arrange};
use domain::attempt::{Decision, Purpose, Waits, decide, end};
use domain::delivery::{Change, Delivery, FailedReason, Status};
use domain::endpoint::Endpoint;
use domain::ids::DeliveryId;
use domain::limits::DECISIONS;
use domain::metric::Metric;
use domain::pace::take_turn;
use domain::ports::{
    Bus, Clock, Deliveries, DeliveryLog, Dice, EndpointHealth, Endpoints, Events, Jobs, Metrics,
    Pace, PortError, PortResult, Receiver, Scheduler, Secrets, WakeUps,
};
use domain::schedule::RetrySchedule;
use domain::wakeup::{Call, Lane, NotAWakeUp, WakeUp};
use futures::FutureExt;
use futures::future::join_all;

use batch::Batch;

/// Everything the sender needs of the store.
pub trait Store:
    Endpoints + EndpointHealth + Pace + Secrets + Events + Deliveries + DeliveryLog + Jobs
{
}

impl<S> Store for S where
    S: Endpoints + EndpointHealth + Pace + Secrets + Events + Deliveries + DeliveryLog + Jobs
{
}

/// The use case, over its ports.
pub struct Sender<S, Q, H, R, B, C, M> {
    /// Endpoints, secrets, events and deliveries.
    pub store: S,
    /// The queues of wake-ups.
    pub queues: Q,
    /// One-time schedules.
    pub scheduler: H,
    /// The customers' side of the network.
    pub receiver: R,
    /// Where failed deliveries are announced.
    pub bus: B,
    /// The clock and the dice.
    pub chance: C,
    /// Where figures go.
    pub metrics: M,
    /// The numbers of this stack.
    pub rules: Rules,
}

/// The numbers of a stack.
#[derive(Debug, Clone)]
pub struct Rules {
    /// When attempts are made.
    pub schedule: RetrySchedule,
    /// How long things may take.
    pub waits: Waits,
    /// How finely endpoints' health is recorded, see [`domain::health::step`].
    pub health_step: Duration,
}

/// A message from one of the queues of wake-ups.
pub struct Message {
    /// SQS's id.
    pub id: String,
    /// What it says.
    pub body: String,
    /// How often it has been received, this time included.
    pub received: u32,
    /// Where it came from.
    pub lane: Lane,
}

/// Why a wake-up could not be dealt with. Each of these leaves it on its queue.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Unreadable(#[from] NotAWakeUp),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error("the {0} of the delivery is not there")]
    Missing(&'static str),
    #[error("lost the race {DECISIONS} times in a row")]
    Races,
    #[error("panicked")]
    Panic,
}

/// Where the loop of decisions stands.
enum Step {
    /// Dealt with.
    Done,
    /// Somebody was faster: read again, decide again.
    Again,
}

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
    /// Handles a batch, all records at once and apart from each other: an error or a panic is
    /// that record's alone. Answers the ids of the messages that must come again.
    pub async fn handle(&self, messages: &[Message]) -> Vec<String> {
        let batch = Batch::new(&self.store);
        let work = messages.iter().map(|message| async {
            let one = AssertUnwindSafe(self.wake(&batch, message)).catch_unwind();
            match one.await.unwrap_or(Err(Trouble::Panic)) {
                Ok(()) => None,
                Err(trouble) => {
                    tracing::error!(message_id = message.id, %trouble, "wake-up comes again");
                    Some(message.id.clone())
                }
            }
        });
        join_all(work).await.into_iter().flatten().collect()
    }

    async fn wake(&self, batch: &Batch<'_, S>, message: &Message) -> Result<(), Trouble> {
        let call = Call::parse(&message.body)?;
        for _ in 0..DECISIONS {
            let step = match &call {
                Call::Scheduled(wake_up) => self.scheduled(batch, wake_up, message).await?,
                Call::Retry(retry) => self.retry(batch, retry, message).await?,
                Call::Step(step) => self.job_step(step, message).await?,
            };
            match step {
                Step::Done => return Ok(()),
                Step::Again => {}
            }
        }
        Err(Trouble::Races)
    }

    async fn scheduled(
        &self,
        batch: &Batch<'_, S>,
        wake_up: &WakeUp,
        message: &Message,
    ) -> Result<Step, Trouble> {
        let Some(delivery) = self.read(&wake_up.delivery_id).await? else {
            return Ok(Step::Done);
        };
        let endpoint = match delivery.status.is_open() {
            true => batch.endpoint(&delivery).await?,
            false => None,
        };
        let state = endpoint.as_ref().map(|endpoint| endpoint.state);
        let now = self.chance.now();
        let apart = endpoint.as_ref().is_some_and(|endpoint| endpoint.stands_apart(now));
        let lane = Lane::of_attempt(wake_up.tier, apart);
        match decide(&delivery, wake_up, message.received, state, &self.rules.waits, now) {
            Decision::Post { claim } => {
                let endpoint = endpoint.ok_or(Trouble::Missing("endpoint"))?;
                if (message.lane, lane) == (Lane::Send, Lane::Retry) {
                    // It stood among others' first attempts already when that was learned.
                    self.arrange((&wake_up.again(), lane), now).await?;
                    return Ok(Step::Done);
                }
                if let Some(at) = take_turn(&self.store, &endpoint, now).await? {
                    return self.put_off(&delivery, (wake_up, lane), at).await;
                }
                if claim && !self.claim(&delivery).await? {
                    return Ok(Step::Again);
                }
                let event = batch.event(&delivery.event_id).await?;
                let event = event.ok_or(Trouble::Missing("event"))?;
                if !event.has_payload() {
                    // Put on record after the payload was erased: there is nothing to send.
                    return self.end(&delivery, FailedReason::Cancelled).await;
                }
                let purpose = Purpose::Tier(delivery.scheduled_attempts);
                self.attempt(batch, purpose, &delivery, (&endpoint, &event), message).await?;
                if delivery.scheduled_attempts == 0 {
                    self.note_rate(&endpoint, &delivery).await;
                }
            }
            Decision::Later(at) => {
                self.arrange((&wake_up.again(), lane), at).await?;
            }
            Decision::Arrange { tier, at } => {
                let copy = WakeUp::copy(delivery.id.clone(), tier);
                self.arrange((&copy, Lane::of_tier(tier)), at).await?;
                self.note_again(batch, &delivery, message).await?;
            }
            Decision::End(reason) => return self.end(&delivery, reason).await,
            Decision::Nothing(why) => {
                tracing::info!(delivery_id = %delivery.id, tier = wake_up.tier, ?why, "nothing to do");
                self.note_again(batch, &delivery, message).await?;
            }
        }
        Ok(Step::Done)
    }

    /// The delivery a wake-up is about. One that is gone has expired, or was removed by hand:
    /// there is nothing left to be delivered.
    async fn read(&self, id: &DeliveryId) -> PortResult<Option<Delivery>> {
        let delivery = self.store.delivery(id).await?;
        if delivery.is_none() {
            tracing::error!(delivery_id = %id, "no such delivery");
        }
        Ok(delivery)
    }

    /// Counts a first attempt towards its endpoint's rate. Nothing is lost if that fails, so it is no
    /// trouble of the delivery's.
    async fn note_rate(&self, endpoint: &Endpoint, delivery: &Delivery) {
        match domain::spread::count(&self.store, endpoint, delivery).await {
            Ok(None) => {}
            Ok(Some(shards)) => {
                tracing::info!(endpoint_id = %endpoint.id, shards, "spread further");
            }
            Err(error) => tracing::warn!(endpoint_id = %endpoint.id, %error, "rate not counted"),
        }
    }

    /// Over the endpoint's rate: no attempt is made, none is counted, and the delivery waits where
    /// the sweeper would find it.
    async fn put_off(
        &self,
        delivery: &Delivery,
        (wake_up, lane): (&WakeUp, Lane),
        at: domain::Timestamp,
    ) -> Result<Step, Trouble> {
        if !self.store.put_off(&delivery.id, &delivery.stage(), at).await? {
            return Ok(Step::Again);
        }
        self.arrange((&wake_up.again(), lane), at).await?;
        Ok(Step::Done)
    }

    async fn claim(&self, delivery: &Delivery) -> PortResult<bool> {
        let now = self.chance.now();
        let until = now + self.rules.waits.attempt();
        self.store.claim(&delivery.id, delivery.scheduled_attempts, until, now).await
    }

    async fn end(&self, delivery: &Delivery, reason: FailedReason) -> Result<Step, Trouble> {
        let change = end(delivery, reason, self.chance.now());
        if !self.store.commit(&delivery.id, &delivery.stage(), &change).await? {
            return Ok(Step::Again);
        }
        tracing::info!(delivery_id = %delivery.id, reason = reason.as_str(), "delivery ended");
        self.follow_up(delivery, &change).await?;
        Ok(Step::Done)
    }

    /// What a committed change asks for: the next wake-up, or an announcement.
    async fn follow_up(&self, delivery: &Delivery, change: &Change) -> PortResult<()> {
        if let (Status::Retrying, true, Some(at)) =
            (change.status, change.settles.tier(), change.next_attempt_at)
        {
            let next = WakeUp::fresh(delivery.id.clone(), change.scheduled_attempts);
            self.arrange((&next, Lane::of_tier(next.tier)), at).await?;
        }
        if change.notice.is_none() {
            return Ok(());
        }
        let mut changed = delivery.clone();
        changed.apply(change);
        let now = self.chance.now();
        domain::announce::finish_notice(&self.store, &self.bus, &changed, now).await
    }

    async fn arrange(
        &self,
        (wake_up, lane): (&WakeUp, Lane),
        at: domain::Timestamp,
    ) -> PortResult<()> {
        let (now, longest) = (self.chance.now(), self.rules.waits.sqs_delay_max_s);
        let how = arrange(&self.queues, &self.scheduler, longest, (wake_up, lane), at, now).await?;
        let hop = u8::from(how == Arranged::Hopped);
        if hop > 0 {
            self.metrics.tell(Metric::Hops, hop.into());
        }
        tracing::info!(
            delivery_id = %wake_up.delivery_id, tier = wake_up.tier, %at, ?how, hop,
            "wake-up arranged"
        );
        Ok(())
    }
}
