//! Endpoints' health, rates and mails: the ports in memory, and who looks after endpoints.

use std::time::Duration;

use daily::Unfinished;
use domain::Timestamp;
use domain::care::{Cared, Visit};
use domain::endpoint::Endpoint;
use domain::endpoint::notice::EndpointNotice;
use domain::health::HealthRules;
use domain::mail::{Mail, Words};
use domain::ports::{CallWindow, EndpointHealth, EndpointKey, Line, Mails, Pace, Page, PortResult};
use domain::tell::Teller;

use super::{DISABLE_AFTER, RETENTION, State, World, run};

impl Pace for World {
    async fn count_request(&self, window: &CallWindow) -> PortResult<bool> {
        let count = |state: &mut State| {
            let calls = state.calls.entry(window.name.clone()).or_insert(0);
            let within = *calls < window.limit;
            *calls += u32::from(within);
            within
        };
        self.call("pace.count_request", count).await
    }

    async fn take_place(&self, line: &Line) -> PortResult<Timestamp> {
        let take = |state: &mut State| {
            let free_at = state.lines.entry(line.name.clone()).or_insert(line.from);
            let place = line.from.max(*free_at);
            *free_at = place + line.apart;
            place
        };
        self.call("pace.take_place", take).await
    }

    async fn spread(&self, whose: &EndpointKey, had: u16, more: u16) -> PortResult<bool> {
        let spread = |state: &mut State| {
            let same = |e: &&mut Endpoint| e.id == whose.id && e.shards == had;
            let found = state.endpoints.iter_mut().find(same);
            found.map(|endpoint| endpoint.shards = more).is_some()
        };
        self.call("endpoints.spread", spread).await
    }
}

impl EndpointHealth for World {
    async fn record_health(&self, was: &Endpoint, now: &Endpoint) -> PortResult<bool> {
        let record = |state: &mut State| {
            let same = |e: &&mut Endpoint| {
                e.id == was.id
                    && (e.state, e.enabled_at, e.health) == (was.state, was.enabled_at, was.health)
            };
            let record = |endpoint: &mut Endpoint| {
                (endpoint.state, endpoint.health) = (now.state, now.health);
                endpoint.notices.extend(now.notices.difference(&was.notices));
            };
            state.endpoints.iter_mut().find(same).map(record).is_some()
        };
        self.call("endpoints.record_health", record).await
    }

    async fn note_silence(&self, key: &EndpointKey, until: Timestamp) -> PortResult<()> {
        let note = |state: &mut State| {
            if let Some(found) = state.endpoints.iter_mut().find(|e| e.id == key.id) {
                found.silent_until = Some(until);
            }
        };
        self.call("endpoints.note_silence", note).await
    }

    async fn in_trouble(
        &self,
        shard: u8,
        after: Option<&EndpointKey>,
        limit: usize,
    ) -> PortResult<Page<EndpointKey, EndpointKey>> {
        let read = |state: &mut State| {
            let here = |e: &&Endpoint| e.needs_attention() && e.id.trouble_shard() == shard;
            let mut items: Vec<EndpointKey> =
                state.endpoints.iter().filter(here).map(EndpointKey::of).collect();
            items.sort_by(|a, b| a.id.cmp(&b.id));
            items.retain(|key| after.is_none_or(|after| key.id > after.id));
            let more = items.len() > limit;
            items.truncate(limit);
            Page { next: items.last().filter(|_| more).cloned(), items }
        };
        self.call("endpoints.in_trouble", read).await
    }

    async fn claim_notices(
        &self,
        key: &EndpointKey,
        until: Timestamp,
        now: Timestamp,
    ) -> PortResult<bool> {
        let claim = |state: &mut State| {
            let free = state.telling.get(&key.id).is_none_or(|busy_until| *busy_until <= now);
            let there = state.endpoints.iter().any(|e| e.id == key.id);
            if free && there {
                state.telling.insert(key.id.clone(), until);
            }
            free && there
        };
        self.call("endpoints.claim_notices", claim).await
    }

    async fn free_notices(&self, key: &EndpointKey, until: Timestamp) -> PortResult<()> {
        let free = |state: &mut State| state.telling.retain(|id, at| (id, *at) != (&key.id, until));
        self.call("endpoints.free_notices", free).await
    }

    async fn finish_notice(&self, key: &EndpointKey, notice: &EndpointNotice) -> PortResult<()> {
        let finish = |state: &mut State| {
            let found = state.endpoints.iter_mut().find(|e| e.id == key.id);
            found.map(|endpoint| endpoint.notices.remove(notice));
        };
        self.call("endpoints.finish_notice", finish).await
    }
}

impl Mails for World {
    async fn send(&self, mail: &Mail) -> PortResult<()> {
        self.call("mails.send", |state| state.mails.push(mail.clone())).await
    }
}

/// The documented numbers.
pub fn words() -> Words {
    Words {
        page_url: "https://webhooks.example.com/".into(),
        retention: RETENTION,
        health: HealthRules {
            alert_after: Some(Duration::from_secs(3_600)),
            warn_after: Duration::from_secs(3 * 86_400),
            disable_after: DISABLE_AFTER,
        },
    }
}

/// Far enough for any visit.
const FAR: Duration = Duration::from_secs(10_000_000);

impl World {
    /// The numbers of this world: when so much less than a week means the end, alert and warning
    /// come the sooner, too.
    fn words(&self) -> Words {
        let disable_after = self.state().disable_after;
        let mut words = words();
        if disable_after != DISABLE_AFTER {
            let (alert_after, warn_after) = (Some(disable_after / 12), disable_after / 3);
            words.health = HealthRules { alert_after, warn_after, disable_after };
        }
        words
    }

    /// The sweeper's visit to the endpoints in trouble; `None` if the fuse killed it.
    pub fn tend(&self) -> Option<Cared> {
        let words = self.words();
        let stop_at = self.state().now + FAR;
        run(self.fuse(), self.teller(&words).visit(Visit::Sweeper, stop_at))
    }

    /// One run of daily; `None` if the fuse killed it.
    pub fn daily(&self) -> Option<Result<Cared, Unfinished>> {
        let stop_at = self.state().now + FAR;
        self.daily_until(stop_at)
    }

    /// One run of daily that begins nothing after `stop_at`.
    pub fn daily_until(&self, stop_at: Timestamp) -> Option<Result<Cared, Unfinished>> {
        let words = self.words();
        run(self.fuse(), daily::run(&self.teller(&words), self, stop_at))
    }

    /// Whoever tells, over this world.
    pub fn teller<'t>(&'t self, words: &'t Words) -> Teller<'t, World, World, World, World> {
        Teller { store: self, bus: self, mails: Some(self), clock: self, words }
    }
}
