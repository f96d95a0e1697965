//! What a batch reads once: endpoints, secrets, events and jobs that several of its records share.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use domain::delivery::Delivery;
use domain::endpoint::Endpoint;
use domain::event::Event;
use domain::ids::{EndpointId, EventId, JobId};
use domain::job::Job;
use domain::ports::{Endpoints, Events, Jobs, PortResult, Secrets};
use domain::secret::SigningSecrets;
use tokio::sync::OnceCell;

use crate::health::Healths;

/// Reads through to the store, once per thing. A failed read is not kept: the next record that
/// needs the thing asks again.
pub(crate) struct Batch<'s, S> {
    store: &'s S,
    endpoints: Once<EndpointId, Option<Endpoint>>,
    secrets: Once<EndpointId, Option<SigningSecrets>>,
    /// Shared, since a payload may be large, and each of its records holds it while it POSTs.
    events: Once<EventId, Option<Arc<Event>>>,
    jobs: Once<JobId, Option<Job>>,
    /// What is known of the endpoints' health.
    pub healths: Healths,
}

impl<'s, S: Endpoints + Secrets + Events + Jobs> Batch<'s, S> {
    pub fn new(store: &'s S) -> Self {
        Self {
            store,
            endpoints: Once::new(),
            secrets: Once::new(),
            events: Once::new(),
            jobs: Once::new(),
            healths: Healths::default(),
        }
    }

    pub async fn endpoint(&self, delivery: &Delivery) -> PortResult<Option<Endpoint>> {
        let id = delivery.id.endpoint();
        let cell = self.endpoints.cell(id);
        cell.get_or_try_init(|| self.store.endpoint(&delivery.account_id, id)).await.cloned()
    }

    pub async fn secrets(&self, id: &EndpointId) -> PortResult<Option<SigningSecrets>> {
        self.secrets.cell(id).get_or_try_init(|| self.store.secrets(id)).await.cloned()
    }

    pub async fn job(&self, id: &JobId) -> PortResult<Option<Job>> {
        self.jobs.cell(id).get_or_try_init(|| self.store.job(id)).await.cloned()
    }

    pub async fn event(&self, id: &EventId) -> PortResult<Option<Arc<Event>>> {
        let read = async || Ok(self.store.event(id).await?.map(Arc::new));
        self.events.cell(id).get_or_try_init(read).await.cloned()
    }
}

struct Once<K, V>(Mutex<HashMap<K, Arc<OnceCell<V>>>>);

impl<K: Eq + Hash + Clone, V> Once<K, V> {
    fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    fn cell(&self, key: &K) -> Arc<OnceCell<V>> {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cells.entry(key.clone()).or_default().clone()
    }
}
