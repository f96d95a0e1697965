//! Endpoints' health and rates: the ports, in memory.

use domain::Timestamp;
use domain::endpoint::Endpoint;
use domain::endpoint::notice::EndpointNotice;
use domain::ports::{CallWindow, EndpointHealth, EndpointKey, Line, Pace, Page, PortResult};

use super::{State, World};

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

    async fn finish_notice(&self, key: &EndpointKey, notice: &EndpointNotice) -> PortResult<()> {
        let finish = |state: &mut State| {
            let found = state.endpoints.iter_mut().find(|e| e.id == key.id);
            found.map(|endpoint| endpoint.notices.remove(notice));
        };
        self.call("endpoints.finish_notice", finish).await
    }
}
