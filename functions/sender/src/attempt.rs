//! One attempt: sign, POST, commit, follow up.

use domain::Timestamp;
use domain::attempt::{Posted, Purpose, Settlement, settle};
use domain::delivery::{Answer, Change, Delivery, Outcome};
use domain::endpoint::Endpoint;
use domain::event::Event;
use domain::limits::DECISIONS;
use domain::ports::{Bus, Clock, Dice, Metrics, Receiver, Scheduler, WakeUps};
use domain::webhook::{WebhookRequest, request};

use crate::batch::Batch;
use crate::health::on_record;
use crate::{Message, Sender, Store, Trouble};

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
    pub(crate) async fn attempt(
        &self,
        batch: &Batch<'_, S>,
        purpose: Purpose,
        delivery: &Delivery,
        (endpoint, event): (&Endpoint, &Event),
        message: &Message,
    ) -> Result<(), Trouble> {
        let secrets = batch.secrets(&endpoint.id).await?.ok_or(Trouble::Missing("secret"))?;
        let number = delivery.attempt_count.saturating_add(1);
        let at = self.chance.now();
        let request = request(event, endpoint, &secrets, number, at);
        let answer = self.post(batch, endpoint, &request, at).await;
        let is_scheduled = matches!(purpose, Purpose::Tier(_));
        let posted = Posted { purpose, number, url: endpoint.url.clone(), at, answer };
        let step = self.rules.health_step;
        if posted.answer.outcome == Outcome::Succeeded {
            let judge = |known: &Endpoint| known.after_success(at, step);
            let noting = batch.healths.note(&self.store, endpoint, judge);
            let committing = self.commit_and_follow_up(delivery, &posted, message);
            let (committed, noted) = futures::join!(committing, noting);
            return committed.and(noted);
        }
        self.commit_and_follow_up(delivery, &posted, message).await?;
        if !is_scheduled {
            return Ok(()); // what people try by hand and fails says nothing about the endpoint
        }
        let judge = |known: &Endpoint| known.after_failure(at, endpoint.enabled_at, step);
        batch.healths.note(&self.store, endpoint, judge).await
    }

    /// POSTs. An endpoint that keeps the request waiting is noted as silent while it does, so that
    /// no more first attempts of its own stand before those of others (design 3.8). Nothing is lost
    /// if that fails.
    async fn post(
        &self,
        batch: &Batch<'_, S>,
        endpoint: &Endpoint,
        request: &WebhookRequest,
        at: Timestamp,
    ) -> Answer {
        let waits = &self.rules.waits;
        let silent = async {
            // By then the attempt is on record, and says what the endpoint is.
            let (until, now) = (at + waits.attempt(), self.chance.now());
            let noting = batch.healths.note_silence(&self.store, endpoint, until, now);
            if let Err(error) = noting.await {
                tracing::warn!(endpoint_id = %endpoint.id, %error, "silence not noted");
            }
        };
        let timeout = waits.request_timeout;
        self.receiver.post_watched(request, timeout, waits.patience(), silent).await
    }

    async fn commit_and_follow_up(
        &self,
        delivery: &Delivery,
        posted: &Posted,
        message: &Message,
    ) -> Result<(), Trouble> {
        let change = self.commit(delivery, posted).await?;
        log(delivery, posted, change.as_ref(), message);
        match change {
            Some(change) => Ok(self.follow_up(delivery, &change).await?),
            None => Ok(()),
        }
    }

    /// Notes what is on record, if the one who put it there may have died before noting it.
    pub(crate) async fn note_again(
        &self,
        batch: &Batch<'_, S>,
        delivery: &Delivery,
        message: &Message,
    ) -> Result<(), Trouble> {
        if message.received <= 1 || delivery.attempts.is_empty() {
            return Ok(());
        }
        let Some(endpoint) = batch.endpoint(delivery).await? else { return Ok(()) };
        let (step, now) = (self.rules.health_step, self.chance.now());
        let judge = |known: &Endpoint| on_record(delivery, known, step, now);
        batch.healths.note(&self.store, &endpoint, judge).await
    }

    /// Commits what a POST changes, deciding again on what is there whenever somebody was faster.
    /// `None` if somebody else's result stands.
    async fn commit(
        &self,
        delivery: &Delivery,
        posted: &Posted,
    ) -> Result<Option<Change>, Trouble> {
        let roll = self.chance.roll();
        let mut delivery = delivery.clone();
        let mut tried = None;
        for _ in 0..DECISIONS {
            match settle(&delivery, posted, &self.rules.schedule, roll, self.chance.now()) {
                Settlement::Drop => return Ok(None),
                Settlement::OnRecord => return Ok(tried),
                Settlement::Commit(change) => {
                    if self.store.commit(&delivery.id, &delivery.stage(), &change).await? {
                        return Ok(Some(*change));
                    }
                    tried = Some(*change);
                }
            }
            let current = self.store.delivery(&delivery.id).await?;
            delivery = current.ok_or(Trouble::Missing("record"))?;
        }
        Err(Trouble::Races)
    }
}

/// The one wide line per attempt. Neither payload nor answer nor signature is in it, and nothing
/// that nearly always is the same: a tier says that the schedule asked for it.
fn log(delivery: &Delivery, posted: &Posted, change: Option<&Change>, message: &Message) {
    let Answer { outcome, http_status, duration_ms, first_byte_ms, .. } = posted.answer;
    let (tier, retry_id) = match &posted.purpose {
        Purpose::Tier(tier) => (Some(*tier), None),
        Purpose::Retry(id, _) => (None, Some(id)),
    };
    let next = change.and_then(|change| change.next_attempt_at).map(|at| at.to_string());
    tracing::info!(
        delivery_id = %delivery.id,
        event_id = %delivery.event_id,
        endpoint_id = %delivery.id.endpoint(),
        account_id = %delivery.account_id,
        event = delivery.event,
        message_id = message.id,
        received = Some(message.received).filter(|received| *received > 1),
        number = posted.number,
        trigger = retry_id.map(|_| posted.purpose.trigger().as_str()),
        tier,
        retry_id = retry_id.map(tracing::field::display),
        outcome = outcome.as_str(),
        http_status,
        duration_ms,
        first_byte_ms,
        status = change.map(|change| change.status.as_str()),
        next_attempt_at = next,
        dropped = change.is_none().then_some(true),
        waited_ms = posted.at.as_millis() - delivery.created_at.as_millis(),
        "attempt"
    );
}
