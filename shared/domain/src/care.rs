//! Looking after endpoints in trouble: the sweeper tends them, daily judges them, and both tell
//! what is pending. All of it page by page, each endpoint for itself; running twice, or being
//! killed anywhere, changes nothing about what comes of it in the end.

use futures::stream::{self, StreamExt};
use serde::Serialize;

use crate::Timestamp;
use crate::endpoint::notice::Happening;
use crate::endpoint::{Endpoint, EndpointState};
use crate::limits::{DECISIONS, TROUBLE_PAGE, TROUBLE_SHARDS};
use crate::ports::{
    Bus, Clock, DeliveryLog, EndpointHealth, EndpointKey, Endpoints, Mails, PortError, PortResult,
};
use crate::tell::{Teller, Told};

/// Endpoints of one shard in work at once; all shards are worked on side by side.
const ENDPOINTS_AT_ONCE: usize = 4;
/// Troubles that are told one by one.
const TROUBLES_TOLD: usize = 20;

/// Who comes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    /// Every few minutes: alerts, what has recovered, what can be forgotten.
    Sweeper,
    /// Once a day: warnings, and the end.
    Daily,
}

/// What came of a visit.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Cared {
    /// Endpoints looked at.
    pub seen: u64,
    /// Found to have been failing for a while.
    pub alerted: u64,
    /// Found to work again.
    pub recovered: u64,
    /// Whose owner is to be warned.
    pub warned: u64,
    /// Disabled.
    pub disabled: u64,
    /// Announced on the bus.
    pub announced: u64,
    /// Mails sent.
    pub mailed: u64,
    /// Mails that nobody will send.
    pub given_up: u64,
    /// Could not be dealt with; the next visit tries again.
    pub errors: u64,
    /// Shards not read to their end, for want of time.
    pub unfinished_shards: u64,
    /// The first of the errors, for the log; neither payload nor secret is in them.
    #[serde(skip)]
    pub troubles: Vec<String>,
}

/// What is done with each endpoint of the index.
#[derive(Clone, Copy)]
enum Work {
    Decide(Visit),
    Tell,
}

impl<S, B, M, C> Teller<'_, S, B, M, C>
where
    S: Endpoints + EndpointHealth + DeliveryLog,
    B: Bus,
    M: Mails,
    C: Clock,
{
    /// Looks after every endpoint of the index; begins nothing after `stop_at`. Everything is
    /// decided before anything is told: no mail delays that an endpoint is disabled.
    pub async fn visit(&self, visit: Visit, stop_at: Timestamp) -> Cared {
        let decided = self.pass(Work::Decide(visit), stop_at).await;
        let told = self.pass(Work::Tell, stop_at).await;
        let unfinished_shards = decided.unfinished_shards.max(told.unfinished_shards);
        Cared { seen: decided.seen, unfinished_shards, ..decided.clone().plus(told) }
    }

    async fn pass(&self, work: Work, stop_at: Timestamp) -> Cared {
        let shards = (0..TROUBLE_SHARDS).map(|shard| self.shard(shard, work, stop_at));
        let all = futures::future::join_all(shards).await;
        all.into_iter().fold(Cared::default(), Cared::plus)
    }

    async fn shard(&self, shard: u8, work: Work, stop_at: Timestamp) -> Cared {
        let mut total = Cared::default();
        let mut after = None;
        while self.clock.now() < stop_at {
            let page = match self.store.in_trouble(shard, after.as_ref(), TROUBLE_PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    return total.plus(Cared { unfinished_shards: 1, ..Cared::failed(error) });
                }
            };
            total = stream::iter(&page.items)
                .map(|key| self.look_at(key, work, stop_at))
                .buffer_unordered(ENDPOINTS_AT_ONCE)
                .fold(total, async |total, one| total.plus(one))
                .await;
            after = page.next;
            if after.is_none() {
                return total;
            }
        }
        Cared { unfinished_shards: total.unfinished_shards + 1, ..total }
    }

    async fn look_at(&self, key: &EndpointKey, work: Work, stop_at: Timestamp) -> Cared {
        if self.clock.now() >= stop_at {
            return Cared { unfinished_shards: 1, ..Cared::default() };
        }
        let done = match work {
            Work::Decide(visit) => self.decide(key, visit).await,
            Work::Tell => self.tell_if_pending(key).await,
        };
        let cared = done.unwrap_or_else(|error| Cared::failed(format!("{}: {error}", key.id)));
        Cared { seen: 1, ..cared }
    }

    /// Writes what the visit makes of an endpoint, deciding again on what is there whenever
    /// somebody was faster: a success, or a person.
    async fn decide(&self, key: &EndpointKey, visit: Visit) -> PortResult<Cared> {
        for _ in 0..DECISIONS {
            let Some(was) = self.store.endpoint(&key.account_id, &key.id).await? else {
                return Ok(Cared::default());
            };
            let now = self.clock.now();
            let next = match visit {
                Visit::Sweeper => was.tended(&self.words.health, now),
                Visit::Daily => was.judged(&self.words.health, now),
            };
            let Some(next) = next else { return Ok(Cared::default()) };
            if self.store.record_health(&was, &next).await? {
                return Ok(Cared::of(&was, &next));
            }
        }
        Err(PortError::new("endpoints.record_health", "lost the race again and again"))
    }

    async fn tell_if_pending(&self, key: &EndpointKey) -> PortResult<Cared> {
        let endpoint = self.store.endpoint(&key.account_id, &key.id).await?;
        match endpoint.is_some_and(|endpoint| !endpoint.notices.is_empty()) {
            true => self.tell(key).await.map(|told| Cared::told(key, &told)),
            false => Ok(Cared::default()),
        }
    }
}

impl Cared {
    fn failed(error: impl ToString) -> Self {
        Self { errors: 1, troubles: vec![error.to_string()], ..Self::default() }
    }

    fn of(was: &Endpoint, next: &Endpoint) -> Self {
        let new = |what| next.notices.difference(&was.notices).any(|notice| notice.what == what);
        let disabled = was.state == EndpointState::Enabled && next.state != EndpointState::Enabled;
        Self {
            alerted: new(Happening::Failing).into(),
            recovered: new(Happening::Recovered).into(),
            warned: new(Happening::Warned).into(),
            disabled: disabled.into(),
            ..Self::default()
        }
    }

    fn told(key: &EndpointKey, told: &Told) -> Self {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let trouble = |(notice, error): &(_, PortError)| format!("{}: {notice}: {error}", key.id);
        Self {
            announced: told.announced,
            mailed: told.mailed,
            given_up: count(told.given_up.len()),
            errors: count(told.failed.len()),
            troubles: told.failed.iter().map(trouble).collect(),
            ..Self::default()
        }
    }

    fn plus(mut self, other: Self) -> Self {
        self.troubles.extend(other.troubles);
        self.troubles.truncate(TROUBLES_TOLD);
        Self {
            seen: self.seen + other.seen,
            alerted: self.alerted + other.alerted,
            recovered: self.recovered + other.recovered,
            warned: self.warned + other.warned,
            disabled: self.disabled + other.disabled,
            announced: self.announced + other.announced,
            mailed: self.mailed + other.mailed,
            given_up: self.given_up + other.given_up,
            errors: self.errors + other.errors,
            unfinished_shards: self.unfinished_shards + other.unfinished_shards,
            troubles: self.troubles,
        }
    }
}
