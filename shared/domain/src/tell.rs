//! Telling what is pending on an endpoint (design 3.4): on the bus, and by mail to its owner.
//!
//! Whoever tells reserves that first, so that sweeper and daily, or two of one kind, never send
//! the same mail side by side. Each notice goes when it was taken; so a mail is doubled only if
//! somebody is killed between its being taken and that being noted, and nothing is ever forgotten.

use std::time::Duration;

use crate::announce::endpoint_changed;
use crate::endpoint::notice::{Channel, EndpointNotice};
use crate::endpoint::{Endpoint, EndpointState};
use crate::limits::{MAIL_GIVEN_UP_S, TELLING_S};
use crate::mail::facts::Failures;
use crate::mail::{Words, compose};
use crate::ports::{
    Bus, Clock, DeliveryLog, EndpointHealth, EndpointKey, Endpoints, Mails, PortError, PortResult,
};

/// What it takes to tell.
pub struct Teller<'t, S, B, M, C> {
    /// Endpoints, and the log that mails quote from.
    pub store: &'t S,
    /// The bus.
    pub bus: &'t B,
    /// The post office; `None` if the stack has no sender's address: then nothing is mailed.
    pub mails: Option<&'t M>,
    /// The clock.
    pub clock: &'t C,
    /// What all mails have in common.
    pub words: &'t Words,
}

/// What was told.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Told {
    /// Announced on the bus.
    pub announced: u64,
    /// Mailed.
    pub mailed: u64,
    /// Mails that nobody will send: no sender's address, no endpoint any more, or too old.
    pub given_up: Vec<EndpointNotice>,
    /// Not told, and why; they stay pending.
    pub failed: Vec<(EndpointNotice, PortError)>,
}

impl<S, B, M, C> Teller<'_, S, B, M, C>
where
    S: Endpoints + EndpointHealth + DeliveryLog,
    B: Bus,
    M: Mails,
    C: Clock,
{
    /// Tells everything that is pending on an endpoint, in the order it happened. A notice that
    /// cannot be told keeps none of the others back.
    ///
    /// # Errors
    /// If the endpoint cannot be reserved or read.
    pub async fn tell(&self, key: &EndpointKey) -> PortResult<Told> {
        let mut told = Told::default();
        let now = self.clock.now();
        let until = now + Duration::from_secs(TELLING_S);
        if !self.store.claim_notices(key, until, now).await? {
            return Ok(told);
        }
        // Read after the reservation: what was told before it is gone.
        let Some(endpoint) = self.store.endpoint(&key.account_id, &key.id).await? else {
            return Ok(told);
        };
        for notice in &endpoint.notices {
            if self.clock.now() >= until - Duration::from_secs(TELLING_S / 2) {
                break; // the reservation must outlive the last mail
            }
            if let Err(error) = self.tell_one(key, &endpoint, notice, &mut told).await {
                told.failed.push((*notice, error));
            }
        }
        self.store.free_notices(key, until).await?;
        Ok(told)
    }

    async fn tell_one(
        &self,
        key: &EndpointKey,
        endpoint: &Endpoint,
        notice: &EndpointNotice,
        told: &mut Told,
    ) -> PortResult<()> {
        match notice.channel {
            Channel::Bus => {
                if let Some(announcement) = endpoint_changed(endpoint, notice, &self.words.health) {
                    let answer = self.bus.announce(&[announcement]).await.pop();
                    answer.unwrap_or_else(|| Err(PortError::new("bus.announce", "no answer")))?;
                }
                told.announced += 1;
            }
            Channel::Mail => match self.mails.filter(|_| self.is_news(endpoint, notice)) {
                Some(mails) => {
                    self.mail(mails, endpoint, notice).await?;
                    told.mailed += 1;
                }
                None => told.given_up.push(*notice),
            },
        }
        self.store.finish_notice(key, notice).await
    }

    fn is_news(&self, endpoint: &Endpoint, notice: &EndpointNotice) -> bool {
        let given_up = notice.at + Duration::from_secs(MAIL_GIVEN_UP_S);
        let deleted = matches!(endpoint.state, EndpointState::Deleted { .. });
        !deleted && self.clock.now() < given_up
    }

    async fn mail(
        &self,
        mails: &M,
        endpoint: &Endpoint,
        notice: &EndpointNotice,
    ) -> PortResult<()> {
        let since = notice.since.unwrap_or(notice.at);
        let failures = Failures::read(self.store, endpoint, (since, notice.at)).await?;
        match compose(endpoint, notice, &failures, self.words) {
            Some(mail) => mails.send(&mail).await,
            None => Ok(()),
        }
    }
}
