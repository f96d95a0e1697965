//! The ports of the management API, in memory.

use std::time::Duration;

use api::portal::PageAddress;
use api::{Api, Rules};
use domain::Timestamp;
use domain::api_key::{ApiKey, ApiKeyRecord, Scope};
use domain::delivery::Delivery;
use domain::endpoint::Endpoint;
use domain::ids::{EndpointId, JobId, RetryId};
use domain::log::{LogPlace, LogQuery, newest_first};
use domain::portal::PortalLink;
use domain::ports::{
    ApiKeys, ApiMemory, CallWindow, DeliveryLog, EndpointKey, Fresh, Page, PortError, PortResult,
    PortalLinks, Registry, Reservation, TestRunner,
};
use domain::secret::{Secret, SigningSecrets};
use domain::target::TargetRules;
use domain::test_event::{TestReply, TestRequest};

use super::{RETENTION, State, World};

impl Registry for World {
    async fn create_endpoint(
        &self,
        endpoint: &Endpoint,
        secrets: &SigningSecrets,
    ) -> PortResult<(Endpoint, SigningSecrets)> {
        let create_secrets = |state: &mut State| {
            let new = || secrets.clone();
            state.secrets.entry(endpoint.id.clone()).or_insert_with(new).clone()
        };
        let secrets = self.call("secrets.create", create_secrets).await?;
        let create = |state: &mut State| {
            if let Some(there) = state.endpoints.iter().find(|e| e.id == endpoint.id) {
                return there.clone();
            }
            state.endpoints.push(endpoint.clone());
            endpoint.clone()
        };
        Ok((self.call("endpoints.create", create).await?, secrets))
    }

    async fn endpoint_by_id(&self, id: &EndpointId) -> PortResult<Option<Endpoint>> {
        let find = |state: &mut State| state.endpoints.iter().find(|e| e.id == *id).cloned();
        self.call("endpoints.by_id", find).await
    }

    async fn all_endpoints(
        &self,
        after: Option<&EndpointKey>,
        limit: usize,
    ) -> PortResult<Page<Endpoint, EndpointKey>> {
        let read = |state: &mut State| {
            let mut all = state.endpoints.clone();
            all.sort_by(|a, b| (&a.account_id, &a.id).cmp(&(&b.account_id, &b.id)));
            all.retain(|e| after.is_none_or(|k| (&e.account_id, &e.id) > (&k.account_id, &k.id)));
            let more = all.len() > limit;
            all.truncate(limit);
            Page { next: all.last().filter(|_| more).map(EndpointKey::of), items: all }
        };
        self.call("endpoints.all", read).await
    }

    async fn replace_endpoint(
        &self,
        was: &Endpoint,
        now: &Endpoint,
        _expires_at: Option<Timestamp>,
    ) -> PortResult<bool> {
        let replace = |state: &mut State| {
            let same = |e: &&mut Endpoint| {
                e.id == was.id && e.updated_at == was.updated_at && e.state == was.state
            };
            let found = state.endpoints.iter_mut().find(same);
            let replace = |endpoint: &mut Endpoint| {
                // Health is others' while the state stays, and so are notices, whatever happens.
                let health = if was.state == now.state { endpoint.health } else { now.health };
                let new = now.notices.difference(&was.notices).copied();
                let notices = endpoint.notices.iter().copied().chain(new).collect();
                // Partitions grow while people edit, and requests stay unanswered.
                let (shards, silent_until) = (endpoint.shards, endpoint.silent_until);
                *endpoint = Endpoint { health, notices, shards, silent_until, ..now.clone() };
            };
            found.map(replace).is_some()
        };
        self.call("endpoints.replace", replace).await
    }

    async fn replace_secrets(
        &self,
        id: &EndpointId,
        was: &SigningSecrets,
        now: &SigningSecrets,
    ) -> PortResult<bool> {
        let replace = |state: &mut State| match state.secrets.get_mut(id) {
            Some(there) if there == was => {
                *there = now.clone();
                true
            }
            Some(_) | None => false,
        };
        self.call("secrets.replace", replace).await
    }
}

impl DeliveryLog for World {
    async fn log(&self, query: &LogQuery) -> PortResult<Page<Delivery, LogPlace>> {
        let read = |state: &mut State| {
            let mut found = Vec::new();
            for shard in 0..query.shards {
                let Some((first, last)) = query.keys_of_shard(shard) else { continue };
                let within = |d: &&Delivery| {
                    (first.as_str()..=last.as_str()).contains(&d.id.as_str())
                        && (!query.problems_only || d.status.is_problem())
                };
                let newest = state.deliveries.values().rev().filter(within).take(query.limit);
                found.extend(newest.cloned());
            }
            let (items, next) = newest_first(found, query.limit);
            Page { items, next }
        };
        self.call("deliveries.log", read).await
    }
}

impl ApiKeys for World {
    async fn api_key(&self, id: &str) -> PortResult<Option<ApiKeyRecord>> {
        self.call("api_keys.api_key", |state| state.api_keys.get(id).cloned()).await
    }

    async fn note_use(&self, was: &ApiKeyRecord, at: Timestamp) -> PortResult<()> {
        let note = |state: &mut State| {
            let found = state.api_keys.get_mut(&was.id);
            if let Some(record) = found.filter(|r| r.last_used_at == was.last_used_at) {
                record.last_used_at = Some(at);
            }
        };
        self.call("api_keys.note_use", note).await
    }
}

impl ApiMemory for World {
    async fn count_call(&self, window: &CallWindow) -> PortResult<Option<u32>> {
        let count = |state: &mut State| {
            let calls = state.calls.entry(window.name.clone()).or_insert(0);
            (*calls < window.limit).then(|| {
                *calls += 1;
                *calls
            })
        };
        self.call("api_state.count_call", count).await
    }

    async fn reserve(&self, wanted: &Reservation, now: Timestamp) -> PortResult<Reservation> {
        let reserve = |state: &mut State| {
            let standing = state.reservations.get(&wanted.name);
            if let Some(standing) = standing.filter(|r| now < r.expires_at) {
                return standing.clone();
            }
            state.reservations.insert(wanted.name.clone(), wanted.clone());
            wanted.clone()
        };
        self.call("api_state.reserve", reserve).await
    }
}

impl PortalLinks for World {
    async fn keep_link(&self, link: &PortalLink) -> PortResult<()> {
        let keep = |state: &mut State| {
            state.links.entry(link.id.clone()).or_insert_with(|| link.clone());
        };
        self.call("api_state.keep_link", keep).await
    }

    async fn link(&self, id: &str) -> PortResult<Option<PortalLink>> {
        self.call("api_state.link", |state| state.links.get(id).cloned()).await
    }
}

/// The sender itself, beside whatever else it does.
impl TestRunner for World {
    async fn run_test(&self, request: &TestRequest) -> PortResult<TestReply> {
        self.call("sender.test", |_| ()).await?;
        let wanted = TestRequest::parse(&request.to_json());
        let wanted = wanted.map_err(|e| PortError::new("sender.test", e))?;
        let reply = self.make_test(&wanted).await?;
        Ok(TestReply::parse(&reply.to_json()).unwrap_or(reply))
    }
}

/// New, and the same in every run.
impl Fresh for World {
    fn endpoint_id(&self) -> PortResult<EndpointId> {
        Ok(EndpointId::from_random(self.next_fresh()))
    }

    fn retry_id(&self) -> PortResult<RetryId> {
        Ok(RetryId::from_random(self.next_fresh()))
    }

    fn job_id(&self) -> PortResult<JobId> {
        Ok(JobId::from_random(self.next_fresh()))
    }

    fn secret(&self) -> PortResult<Secret> {
        Ok(Secret::from_random(self.next_fresh()))
    }

    fn portal_token(&self) -> PortResult<ApiKey> {
        Ok(ApiKey::portal_token(self.next_fresh()))
    }
}

impl World {
    /// The API over this world.
    pub fn api(&self) -> Api<World, World, World> {
        let rules = Rules {
            retention: RETENTION,
            secret_overlap: Duration::from_secs(86_400),
            disable_after: self.state().disable_after,
            targets: TargetRules::PublicHttps,
            page: PageAddress::FunctionUrl,
            frame_ancestors: String::new(),
        };
        Api { store: self.clone(), outside: self.clone(), chance: self.clone(), rules }
    }

    /// A new API key, on record.
    pub fn api_key(&self, scope: Scope) -> ApiKey {
        let key = ApiKey::from_random(self.next_fresh());
        let mut state = self.state();
        let record = ApiKeyRecord::new(&key, scope, state.now);
        state.api_keys.insert(record.id.clone(), record);
        key
    }

    /// Bytes that no other call has been given.
    fn next_fresh<const N: usize>(&self) -> [u8; N] {
        let mut state = self.state();
        state.next_fresh += 1;
        let count = state.next_fresh.to_le_bytes();
        std::array::from_fn(|nth| count[nth % count.len()])
    }
}
