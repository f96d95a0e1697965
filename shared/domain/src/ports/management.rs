//! What the management API needs beyond the ports of the delivery path.

use std::future::Future;

use super::PortResult;
use crate::Timestamp;
use crate::api_key::{ApiKey, ApiKeyRecord};
use crate::delivery::Delivery;
use crate::endpoint::Endpoint;
use crate::ids::{AccountId, EndpointId, JobId, RetryId};
use crate::job::Job;
use crate::log::{LogPlace, LogQuery};
use crate::portal::PortalLink;
use crate::secret::{Secret, SigningSecrets};
use crate::test_event::{TestReply, TestRequest};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// At most as many as were asked for.
    pub items: Vec<T>,
    /// Where to go on, if there may be more.
    pub next: Option<C>,
}

/// What names an endpoint in its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointKey {
    /// Whose it is.
    pub account_id: AccountId,
    /// Its id.
    pub id: EndpointId,
}

impl EndpointKey {
    /// Of this endpoint.
    pub fn of(endpoint: &Endpoint) -> Self {
        Self { account_id: endpoint.account_id.clone(), id: endpoint.id.clone() }
    }
}

/// Endpoints, as people register and change them.
pub trait Registry: Sync {
    /// Registers an endpoint: its secrets first, so that one that can be found can be signed for.
    /// Answers what is on record under the id: what was given, or what an earlier call with this
    /// id left behind, whole or in half. MUST never change an existing record.
    fn create_endpoint(
        &self,
        endpoint: &Endpoint,
        secrets: &SigningSecrets,
    ) -> impl Future<Output = PortResult<(Endpoint, SigningSecrets)>> + Send;

    /// An endpoint of which only the id is known. MAY miss one that was registered a moment ago;
    /// one that is found MUST be as it is now.
    fn endpoint_by_id(
        &self,
        id: &EndpointId,
    ) -> impl Future<Output = PortResult<Option<Endpoint>>> + Send;

    /// One page of all endpoints of all accounts, in no order that means anything. MAY lag behind
    /// writes.
    fn all_endpoints(
        &self,
        after: Option<&EndpointKey>,
        limit: usize,
    ) -> impl Future<Output = PortResult<Page<Endpoint, EndpointKey>>> + Send;

    /// Writes what people set on an endpoint; a deleted one goes for good at `expires_at`. MUST be
    /// atomic: true only if state and `updated_at` on record were those of `was`. Notices that are
    /// new, and with a new state the endpoint's health, are written with it; MUST leave alone
    /// whatever else is on record.
    fn replace_endpoint(
        &self,
        was: &Endpoint,
        now: &Endpoint,
        expires_at: Option<Timestamp>,
    ) -> impl Future<Output = PortResult<bool>> + Send;

    /// Replaces an endpoint's secrets. MUST be atomic: true only if those on record were `was`.
    fn replace_secrets(
        &self,
        id: &EndpointId,
        was: &SigningSecrets,
        now: &SigningSecrets,
    ) -> impl Future<Output = PortResult<bool>> + Send;
}

/// The delivery log.
pub trait DeliveryLog: Sync {
    /// One page of an endpoint's deliveries, newest first over all its shards. MAY lag behind
    /// writes by a moment; MUST NOT repeat or leave out, from page to page, a delivery that was on
    /// record before the first page was read. A page with a place to go on may be short.
    fn log(
        &self,
        query: &LogQuery,
    ) -> impl Future<Output = PortResult<Page<Delivery, LogPlace>>> + Send;
}

/// API keys.
pub trait ApiKeys: Sync {
    /// A key's record. MUST see every change that was answered before the call began: a revoked
    /// key opens nothing from then on.
    fn api_key(&self, id: &str) -> impl Future<Output = PortResult<Option<ApiKeyRecord>>> + Send;

    /// Notes that a key was used. MUST do nothing if the record's last use is no longer the one
    /// in `was`, or there is no record.
    fn note_use(
        &self,
        was: &ApiKeyRecord,
        at: Timestamp,
    ) -> impl Future<Output = PortResult<()>> + Send;
}

/// Portal links.
pub trait PortalLinks: Sync {
    /// Keeps a new link until it expires. MUST never change one that is there.
    fn keep_link(&self, link: &PortalLink) -> impl Future<Output = PortResult<()>> + Send;

    /// A link, by its id. MUST see every one whose keeping was answered before the call began;
    /// MAY answer one that has expired.
    fn link(&self, id: &str) -> impl Future<Output = PortResult<Option<PortalLink>>> + Send;
}

/// A caller's calls within one stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallWindow {
    /// Whose calls, and which stretch; unique to both.
    pub name: String,
    /// The most calls within it.
    pub limit: u32,
    /// When nobody asks for it any more.
    pub expires_at: Timestamp,
}

/// A caller's own name for a request that must happen once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Derived from the caller and the caller's name for the request.
    pub name: String,
    /// Hash of the request: the same name with another request is a mistake of the caller's.
    pub request_hash: String,
    /// The endpoint the request registers.
    pub endpoint_id: EndpointId,
    /// Until when the name is kept.
    pub expires_at: Timestamp,
}

/// What the API remembers from one call to the next.
pub trait ApiMemory: Sync {
    /// Counts a call. Answers how many there have been in the window, this one included; `None`,
    /// and nothing is counted, if that would be above its limit. MUST be atomic.
    fn count_call(
        &self,
        window: &CallWindow,
    ) -> impl Future<Output = PortResult<Option<u32>>> + Send;

    /// Reserves a name at `now`. Answers the reservation that stands: the given one, or an earlier
    /// one that has not expired. MUST be atomic: of two callers with one name, both are answered
    /// the same.
    fn reserve(
        &self,
        wanted: &Reservation,
        now: Timestamp,
    ) -> impl Future<Output = PortResult<Reservation>> + Send;
}

/// What came of asking for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It runs.
    New,
    /// Another one of the endpoint runs already.
    Running(JobId),
}

/// A running job, or one whose end must be announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEntry {
    /// Which job.
    pub id: JobId,
    /// Its place among the others: when its next step is due.
    pub wakes_at: Timestamp,
}

/// Jobs over many deliveries.
pub trait Jobs: Sync {
    /// Puts a new job on record. MUST be atomic: of one endpoint's jobs at most one is running.
    fn begin(&self, job: &Job) -> impl Future<Output = PortResult<Begun>> + Send;

    /// A job. MUST see every write that was answered before the call began.
    fn job(&self, id: &JobId) -> impl Future<Output = PortResult<Option<Job>>> + Send;

    /// Writes what became of `was`; the revision is counted here. MUST be atomic: true only if the
    /// revision on record is that of `was`.
    fn save(&self, was: &Job, now: &Job) -> impl Future<Output = PortResult<bool>> + Send;

    /// Jobs that run or must be announced, whose next step was due by `until`, the oldest first.
    /// MAY lag behind writes; whoever acts on an entry reads the job first.
    fn unfinished(
        &self,
        until: Timestamp,
        limit: usize,
    ) -> impl Future<Output = PortResult<Vec<JobEntry>>> + Send;
}

/// Whoever makes test events: the sender, seen from the API.
pub trait TestRunner: Sync {
    /// Has a test made. MUST NOT ask twice, whatever happens to the answer: each asking is a POST.
    fn run_test(&self, request: &TestRequest)
    -> impl Future<Output = PortResult<TestReply>> + Send;
}

/// What must be new each time, and what nobody can guess.
pub trait Fresh: Sync {
    /// A new endpoint's id.
    ///
    /// # Errors
    /// If there is no randomness to be had.
    fn endpoint_id(&self) -> PortResult<EndpointId>;

    /// A new retry's id.
    ///
    /// # Errors
    /// If there is no randomness to be had.
    fn retry_id(&self) -> PortResult<RetryId>;

    /// A new job's id.
    ///
    /// # Errors
    /// If there is no randomness to be had.
    fn job_id(&self) -> PortResult<JobId>;

    /// A new secret.
    ///
    /// # Errors
    /// If there is no randomness to be had.
    fn secret(&self) -> PortResult<Secret>;

    /// A new portal link's token.
    ///
    /// # Errors
    /// If there is no randomness to be had.
    fn portal_token(&self) -> PortResult<ApiKey>;
}
