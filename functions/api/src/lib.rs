//! The management API: endpoints, the delivery log, events and reports (design 4.3).
//!
//! Nothing in here ever calls out, shows a cause or an item to a caller, lets a key see another
//! account's things, or reads without a bound. A cause goes to the log, a fixed sentence to the
//! caller.
//!
//! | module | is |
//! |---|---|
//! | [`http`] | a request and a response, as Lambda and the tests share them |
//! | [`route`] | every route, and which one a request means |
//! | [`error`] | what a caller is told when something is wrong |
//! | `auth` | whose call it is, and whether there are too many of them |
//! | `access` | what a key may see |
//! | `params`, `fields`, `cursor` | reading queries, bodies and cursors |
//! | `endpoints` | registering, changing, deleting, switching on and off, secrets |
//! | `deliveries`, `events`, `reports` | what became of events |
//! | `retry`, `recoveries` | sending again, one or many; ending what waits |
//! | [`page`], [`portal`] | the delivery-log page, links to it |
//! | [`openapi`] | the document, made from the table of routes |

mod access;
mod auth;
mod cursor;
mod deliveries;
mod endpoints;
pub mod error;
mod events;
mod fields;
pub mod http;
pub mod openapi;
pub mod page;
mod params;
pub mod portal;
mod recoveries;
mod reports;
mod retry;
pub mod route;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use domain::Timestamp;
use domain::limits::API_BODY_BYTES;
use domain::ports::{
    ApiKeys, ApiMemory, Clock, Deliveries, DeliveryLog, Endpoints, Events, Fresh, Jobs, Outgoing,
    PortResult, PortalLinks, Registry, Secrets, TestRunner, WakeUps,
};
use domain::target::TargetRules;
use domain::test_event::{TestReply, TestRequest};
use futures::FutureExt;

use auth::Caller;
use error::{Answer, ApiError};
use http::{Request, Response};
use params::Query;
use portal::PageAddress;
use route::Route;

/// Everything the API needs of the store.
pub trait Store:
    Endpoints
    + Registry
    + Secrets
    + Events
    + Deliveries
    + DeliveryLog
    + ApiKeys
    + ApiMemory
    + PortalLinks
    + Jobs
{
}

impl<S> Store for S where
    S: Endpoints
        + Registry
        + Secrets
        + Events
        + Deliveries
        + DeliveryLog
        + ApiKeys
        + ApiMemory
        + PortalLinks
        + Jobs
{
}

/// Everything the API has others do.
pub trait Outside: TestRunner + WakeUps {}

impl<O: TestRunner + WakeUps> Outside for O {}

/// Those others, each for its part.
pub struct Others<T, Q> {
    /// Who makes test events.
    pub sender: T,
    /// The queues of wake-ups.
    pub queues: Q,
}

impl<T: TestRunner, Q: Sync> TestRunner for Others<T, Q> {
    async fn run_test(&self, request: &TestRequest) -> PortResult<TestReply> {
        self.sender.run_test(request).await
    }
}

impl<T: Sync, Q: WakeUps> WakeUps for Others<T, Q> {
    async fn send(&self, wake_ups: &[Outgoing]) -> Vec<PortResult<()>> {
        self.queues.send(wake_ups).await
    }
}

/// The use case, over its ports.
pub struct Api<S, O, C> {
    /// The tables.
    pub store: S,
    /// The other functions, and the queues to them.
    pub outside: O,
    /// The clock, and whatever must be new each time.
    pub chance: C,
    /// The numbers of this stack.
    pub rules: Rules,
}

/// The numbers of a stack.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How long events, deliveries and tombstones are kept.
    pub retention: Duration,
    /// How long two secrets sign side by side.
    pub secret_overlap: Duration,
    /// How long an endpoint may fail until it is disabled.
    pub disable_after: Duration,
    /// What an endpoint's URL may be.
    pub targets: TargetRules,
    /// Where people find the page.
    pub page: PageAddress,
    /// Whose pages may show ours in a frame: CSP sources; empty for nobody's.
    pub frame_ancestors: String,
}

/// One authenticated call.
pub(crate) struct Call<'r> {
    /// Whose it is.
    pub caller: Caller,
    /// As it arrived.
    pub request: &'r Request,
    /// What stands for `{id}` in the path; empty if the path has none.
    pub id: &'r str,
    /// The query, read.
    pub query: Query,
    /// The moment of the call.
    pub now: Timestamp,
}

impl<S: Store, O: Outside, C: Clock + Fresh> Api<S, O, C> {
    /// Answers a request, whatever is wrong with it. Logs it in one line.
    pub async fn handle(&self, request: &Request) -> Response {
        let mut notes = Notes::default();
        let answering = AssertUnwindSafe(self.answer(request, &mut notes)).catch_unwind();
        let answer = answering.await.unwrap_or(Err(ApiError::Internal("panicked".into())));
        let cause = answer.as_ref().err().and_then(ApiError::cause);
        let mut response = answer.unwrap_or_else(|error| error.response());
        response.headers.extend(notes.headers);
        let (method, status) = (request.method.as_str(), response.status);
        match cause {
            Some(cause) => {
                tracing::error!(method, route = notes.route, key_id = notes.key_id, status, cause);
            }
            None => tracing::info!(method, route = notes.route, key_id = notes.key_id, status),
        }
        response
    }

    async fn answer(&self, request: &Request, notes: &mut Notes) -> Answer<Response> {
        if request.body.len() > API_BODY_BYTES {
            return Err(ApiError::BodyTooLarge);
        }
        if let Some(page) = page::answer(request, &self.rules.frame_ancestors) {
            notes.route = Some("/");
            return Ok(page);
        }
        let (entry, id) = route::find(&request.method, &request.path)?;
        notes.route = Some(entry.path);
        if entry.route == Route::OpenApi {
            return Ok(Response::json(200, openapi::document()));
        }
        let now = self.chance.now();
        let caller = self.authenticate(request, now).await?;
        notes.key_id = Some(caller.key_id.clone());
        notes.headers = self.count(&caller, now).await?;
        if caller.is_portal() && !entry.route.is_for_portals() {
            return Err(ApiError::InsufficientScope);
        }
        let query = Query::parse(&request.query)?;
        let call = Call { caller, request, id, query, now };
        self.dispatch(entry.route, &call).await
    }

    async fn dispatch(&self, route: Route, call: &Call<'_>) -> Answer<Response> {
        match route {
            Route::CreateEndpoint => self.create_endpoint(call).await,
            Route::ListEndpoints => self.list_endpoints(call).await,
            Route::ShowEndpoint => {
                call.query.only(&[])?;
                Ok(Response::json(200, &self.rules.shown(&self.living_endpoint(call).await?)))
            }
            Route::EditEndpoint => self.edit_endpoint(call).await,
            Route::DeleteEndpoint => self.delete_endpoint(call).await,
            Route::EnableEndpoint => self.enable_endpoint(call).await,
            Route::DisableEndpoint => self.disable_endpoint(call).await,
            Route::RotateSecret => self.rotate_secret(call).await,
            Route::FinishRotation => self.finish_rotation(call).await,
            Route::TestEndpoint => self.test_endpoint(call).await,
            Route::ListDeliveries => self.list_deliveries(call).await,
            Route::ShowDelivery => self.show_delivery(call).await,
            Route::RetryDelivery => self.retry_delivery(call).await,
            Route::Recover => self.recover(call).await,
            Route::Cancel => self.cancel(call).await,
            Route::ShowRecovery => self.show_recovery(call).await,
            Route::CancelRecovery => self.cancel_recovery(call).await,
            Route::ShowEvent => self.show_event(call).await,
            Route::FindEvents => self.find_events(call).await,
            Route::ErasePayload => self.erase_payload(call).await,
            Route::ListEventTypes => events::list_event_types(call),
            Route::ReportMessages => self.report_messages(call).await,
            Route::CreatePortalLink => self.create_portal_link(call).await,
            Route::OpenApi => Ok(Response::json(200, openapi::document())),
        }
    }

    /// From when on there are records: what should have expired may still be in the store.
    pub(crate) fn kept_since(&self, now: Timestamp) -> Timestamp {
        now - self.rules.retention
    }
}

/// What is known of a call by the time it is answered.
#[derive(Default)]
struct Notes {
    route: Option<&'static str>,
    key_id: Option<String>,
    headers: Vec<(&'static str, String)>,
}
