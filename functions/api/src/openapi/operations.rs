//! What each route takes and answers.

use crate::route::Route;

/// A query parameter or header.
pub(super) struct Parameter {
    pub name: &'static str,
    pub place: &'static str,
    pub required: bool,
    /// See [`super::schemas::of_parameter`].
    pub schema: &'static str,
    pub words: &'static str,
}

/// A route, as the document describes it.
pub(super) struct Operation {
    pub id: &'static str,
    pub summary: &'static str,
    pub parameters: Vec<Parameter>,
    /// Schema of the body, if one is taken.
    pub body: Option<&'static str>,
    /// Status and schema of the answer when all is well.
    pub success: (u16, Option<&'static str>),
    /// Another answer when all is well.
    pub also: Option<(u16, &'static str)>,
    /// What else it answers, besides what every call may be answered.
    pub refusals: Vec<(u16, &'static str)>,
    /// Answers CSV, too.
    pub csv: bool,
    /// Takes no key.
    pub public: bool,
}

const BAD: (u16, &str) = (400, "A field or parameter is wrong; `field` names it");
const SCOPE: (u16, &str) = (403, "The key, or the link, does not open this");
const GONE: (u16, &str) = (404, "No such thing, or not yours");
const LOST: (u16, &str) = (409, "Changed by somebody else meanwhile");
const LARGE: (u16, &str) = (413, "The body is too large");

fn query(name: &'static str, schema: &'static str, words: &'static str) -> Parameter {
    Parameter { name, place: "query", required: false, schema, words }
}

fn paging() -> [Parameter; 2] {
    [
        query("limit", "limit", "Things on a page"),
        query("cursor", "cursor", "`next_cursor` of the page before"),
    ]
}

fn window() -> [Parameter; 2] {
    [
        query("from", "time", "Accepted at this moment or later"),
        query("to", "time", "Accepted before this moment"),
    ]
}

fn account() -> Parameter {
    query("account_id", "account_id", "An account; needed unless the key is for one")
}

fn product() -> Parameter {
    query("product", "product", "A product; needed unless the key is for one")
}

fn plain(
    id: &'static str,
    summary: &'static str,
    schema: &'static str,
    refusals: &[(u16, &'static str)],
) -> Operation {
    Operation {
        id,
        summary,
        parameters: Vec::new(),
        body: None,
        success: (200, Some(schema)),
        also: None,
        refusals: [&[BAD, LARGE], refusals].concat(),
        csv: false,
        public: false,
    }
}

/// The description of a route.
pub(super) fn of(route: Route) -> Operation {
    match route {
        Route::CreateEndpoint => Operation {
            parameters: vec![Parameter {
                name: "X-Idempotency-Key",
                place: "header",
                required: false,
                schema: "idempotency_key",
                words: "Your name for this request; sent again within a day it registers nothing \
                    new and gets the same answer",
            }],
            body: Some("NewEndpoint"),
            success: (201, Some("EndpointWithSecret")),
            ..plain(
                "createEndpoint",
                "Register an endpoint; its secret is shown once",
                "",
                &[SCOPE, (409, "Too many endpoints, or the idempotency key is taken")],
            )
        },
        Route::ListEndpoints => Operation {
            parameters: [account(), product(), query("status", "endpoint_status", "Only these")]
                .into_iter()
                .chain(paging())
                .collect(),
            ..plain("listEndpoints", "Endpoints, newest first", "EndpointList", &[SCOPE])
        },
        Route::ShowEndpoint => plain("showEndpoint", "One endpoint", "Endpoint", &[GONE]),
        Route::EditEndpoint => Operation {
            body: Some("EndpointChange"),
            ..plain(
                "editEndpoint",
                "Change what is given; null clears",
                "ChangedEndpoint",
                &[SCOPE, GONE, LOST],
            )
        },
        Route::DeleteEndpoint => Operation {
            success: (204, None),
            ..plain(
                "deleteEndpoint",
                "Delete an endpoint; what waits for it ends",
                "",
                &[SCOPE, GONE, LOST],
            )
        },
        Route::EnableEndpoint => plain(
            "enableEndpoint",
            "Enable an endpoint, and say what it missed",
            "EnabledEndpoint",
            &[GONE, LOST],
        ),
        Route::DisableEndpoint => plain(
            "disableEndpoint",
            "Disable an endpoint; events for it are recorded as skipped",
            "Endpoint",
            &[GONE, LOST],
        ),
        Route::RotateSecret => plain(
            "rotateSecret",
            "A new secret; the old one signs beside it for the overlap",
            "RotatedSecret",
            &[GONE, (409, "A rotation is under way, or somebody else was faster")],
        ),
        Route::FinishRotation => plain(
            "finishRotation",
            "End the overlap: the new secret signs alone",
            "Endpoint",
            &[GONE, LOST],
        ),
        Route::TestEndpoint => Operation {
            body: Some("NewTest"),
            ..plain(
                "testEndpoint",
                "Send a test event with sample data and show the attempt; no delivery is stored, \
                    and at most 5 are sent in a minute",
                "Attempt",
                &[GONE, (409, "The endpoint is disabled")],
            )
        },
        Route::ListDeliveries => Operation {
            parameters: [
                query("status", "delivery_status", "Only these; may be repeated"),
                query("event", "event", "Only this event"),
            ]
            .into_iter()
            .chain(window())
            .chain(paging())
            .collect(),
            ..plain(
                "listDeliveries",
                "The delivery log, newest first; a page may be short and still go on",
                "DeliveryList",
                &[GONE],
            )
        },
        Route::ShowDelivery => plain(
            "showDelivery",
            "One delivery with payload, headers and every attempt",
            "DeliveryDetail",
            &[GONE],
        ),
        Route::RetryDelivery => Operation {
            success: (202, Some("OpenRetry")),
            ..plain(
                "retryDelivery",
                "Retry Now: send the original bytes again at once, whatever the status",
                "",
                &[
                    GONE,
                    (409, "The endpoint is disabled, or a retry is under way"),
                    (410, "The payload is gone"),
                ],
            )
        },
        Route::Recover => Operation {
            body: Some("NewRecovery"),
            success: (202, Some("Recovery")),
            also: Some((200, "DryRun")),
            ..plain(
                "recover",
                "Send again what is retrying, failed or skipped; a dry run only counts",
                "",
                &[GONE, (409, "The endpoint is disabled, or a job of it is running")],
            )
        },
        Route::Cancel => Operation {
            body: Some("NewCancellation"),
            success: (202, Some("Recovery")),
            also: Some((200, "DryRun")),
            ..plain(
                "cancelWaiting",
                "End what waits as failed, cancelled; a dry run only counts",
                "",
                &[GONE, (409, "A job of the endpoint is running")],
            )
        },
        Route::ShowRecovery => {
            plain("showRecovery", "How far a recovery or cancellation is", "Recovery", &[GONE])
        }
        Route::CancelRecovery => plain(
            "cancelRecovery",
            "Stop a recovery or cancellation; what it has done stays done",
            "Recovery",
            &[GONE, LOST],
        ),
        Route::ShowEvent => plain("showEvent", "An event and all its deliveries", "Event", &[GONE]),
        Route::FindEvents => Operation {
            parameters: [
                account(),
                product(),
                Parameter {
                    required: true,
                    ..query("source_id", "source_id", "The product's own id for the event")
                },
            ]
            .into_iter()
            .chain(paging())
            .collect(),
            ..plain(
                "findEvents",
                "The event that a product calls by this id",
                "EventList",
                &[SCOPE],
            )
        },
        Route::ErasePayload => Operation {
            success: (204, None),
            ..plain(
                "erasePayload",
                "End what waits as cancelled, then erase payload and answers; record and content \
                    hash stay",
                "",
                &[SCOPE, GONE, (409, "The event is still being accepted; try again")],
            )
        },
        Route::ListEventTypes => Operation {
            parameters: paging().into(),
            ..plain("listEventTypes", "The published events and their fields", "EventTypeList", &[])
        },
        Route::ReportMessages => Operation {
            parameters: [account()].into_iter().chain(window()).chain(paging()).collect(),
            csv: true,
            ..plain(
                "reportMessages",
                "Reconciliation: every event in the window and what became of it; `totals` \
                    count from the first page on, so the last page has those of the window",
                "Report",
                &[SCOPE],
            )
        },
        Route::CreatePortalLink => Operation {
            body: Some("NewPortalLink"),
            success: (201, Some("PortalLink")),
            ..plain(
                "createPortalLink",
                "A signed-in link to the page for one account, or one endpoint of it",
                "",
                &[SCOPE, GONE],
            )
        },
        Route::OpenApi => Operation {
            public: true,
            refusals: vec![LARGE, (500, "Our fault")],
            ..plain("openApi", "This document", "Document", &[])
        },
    }
}
