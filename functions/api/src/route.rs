//! Every route, and which one a request means. The OpenAPI document is made from the same table,
//! so that neither can know a route that the other does not.

use std::sync::LazyLock;

use crate::error::ApiError;

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it, the OpenAPI document says the rest")]
pub enum Route {
    CreateEndpoint,
    ListEndpoints,
    ShowEndpoint,
    EditEndpoint,
    DeleteEndpoint,
    EnableEndpoint,
    DisableEndpoint,
    RotateSecret,
    FinishRotation,
    TestEndpoint,
    ListDeliveries,
    ShowDelivery,
    RetryDelivery,
    Recover,
    Cancel,
    ShowRecovery,
    CancelRecovery,
    ShowEvent,
    FindEvents,
    ErasePayload,
    ListEventTypes,
    ReportMessages,
    CreatePortalLink,
    OpenApi,
}

impl Route {
    /// Whether a portal link's token opens it, for what the link shows: all that the page offers,
    /// and nothing that cannot be undone (see [`domain::portal`]). A link for one endpoint
    /// registers no others.
    pub fn is_for_portals(self) -> bool {
        match self {
            Route::CreateEndpoint
            | Route::ListEndpoints
            | Route::ShowEndpoint
            | Route::EditEndpoint
            | Route::EnableEndpoint
            | Route::DisableEndpoint
            | Route::RotateSecret
            | Route::FinishRotation
            | Route::TestEndpoint
            | Route::ListDeliveries
            | Route::ShowDelivery
            | Route::RetryDelivery
            | Route::Recover
            | Route::Cancel
            | Route::ShowRecovery
            | Route::CancelRecovery
            | Route::ShowEvent
            | Route::FindEvents
            | Route::ListEventTypes
            | Route::ReportMessages
            | Route::OpenApi => true,
            Route::DeleteEndpoint | Route::ErasePayload | Route::CreatePortalLink => false,
        }
    }
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// What it does.
    pub route: Route,
    /// In upper case.
    pub method: &'static str,
    /// `{id}` stands for one segment.
    pub path: &'static str,
}

const fn on(method: &'static str, path: &'static str, route: Route) -> Entry {
    Entry { route, method, path }
}

/// Every route there is.
pub const ROUTES: [Entry; 24] = [
    on("POST", "/v1/endpoints", Route::CreateEndpoint),
    on("GET", "/v1/endpoints", Route::ListEndpoints),
    on("GET", "/v1/endpoints/{id}", Route::ShowEndpoint),
    on("PATCH", "/v1/endpoints/{id}", Route::EditEndpoint),
    on("DELETE", "/v1/endpoints/{id}", Route::DeleteEndpoint),
    on("POST", "/v1/endpoints/{id}/enable", Route::EnableEndpoint),
    on("POST", "/v1/endpoints/{id}/disable", Route::DisableEndpoint),
    on("POST", "/v1/endpoints/{id}/rotate-secret", Route::RotateSecret),
    on("POST", "/v1/endpoints/{id}/rotate-secret/finish", Route::FinishRotation),
    on("POST", "/v1/endpoints/{id}/test", Route::TestEndpoint),
    on("GET", "/v1/endpoints/{id}/deliveries", Route::ListDeliveries),
    on("GET", "/v1/deliveries/{id}", Route::ShowDelivery),
    on("POST", "/v1/deliveries/{id}/retry", Route::RetryDelivery),
    on("POST", "/v1/endpoints/{id}/recover", Route::Recover),
    on("POST", "/v1/endpoints/{id}/cancel", Route::Cancel),
    on("GET", "/v1/recoveries/{id}", Route::ShowRecovery),
    on("POST", "/v1/recoveries/{id}/cancel", Route::CancelRecovery),
    on("GET", "/v1/events/{id}", Route::ShowEvent),
    on("GET", "/v1/events", Route::FindEvents),
    on("DELETE", "/v1/events/{id}/payload", Route::ErasePayload),
    on("GET", "/v1/event-types", Route::ListEventTypes),
    on("GET", "/v1/reports/messages", Route::ReportMessages),
    on("POST", "/v1/portal-links", Route::CreatePortalLink),
    on("GET", "/v1/openapi.json", Route::OpenApi),
];

/// By path, the lines that have it.
static ROUTER: LazyLock<matchit::Router<Vec<Entry>>> = LazyLock::new(|| {
    let mut router = matchit::Router::new();
    for (nth, Entry { path, .. }) in ROUTES.iter().enumerate() {
        if ROUTES[..nth].iter().any(|earlier| earlier.path == *path) {
            continue;
        }
        let of_path = ROUTES.iter().filter(|entry| entry.path == *path).copied().collect();
        router.insert(*path, of_path).expect("a test asks for every path");
    }
    router
});

/// The route a request means, and what stands for `{id}`.
///
/// # Errors
/// [`ApiError::NotFound`] if no route has this path, [`ApiError::MethodNotAllowed`] if none of
/// those that have it takes the method.
pub fn find<'p>(method: &str, path: &'p str) -> Result<(Entry, &'p str), ApiError> {
    let matched = ROUTER.at(path).map_err(|_| ApiError::NotFound)?;
    let id = matched.params.get("id").unwrap_or_default();
    match matched.value.iter().find(|entry| entry.method == method) {
        Some(entry) => Ok((*entry, id)),
        None => {
            let allowed: Vec<&str> = matched.value.iter().map(|entry| entry.method).collect();
            Err(ApiError::MethodNotAllowed(allowed.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_found() {
        for entry in ROUTES {
            let path = entry.path.replace("{id}", "x_1");
            let (found, id) = find(entry.method, &path).expect(entry.path);
            assert_eq!(found.route, entry.route);
            assert_eq!(id, if entry.path.contains("{id}") { "x_1" } else { "" });
        }
    }

    #[test]
    fn what_is_no_route() {
        for path in ["", "/", "/v1", "/v1/endpoints/", "/v1/endpoints/a/b", "/v2/endpoints", "x"] {
            assert_eq!(find("GET", path).err(), Some(ApiError::NotFound), "{path}");
        }
        let allow = "GET, PATCH, DELETE".to_owned();
        let error = find("PUT", "/v1/endpoints/ep_1").err();
        assert_eq!(error, Some(ApiError::MethodNotAllowed(allow)));
    }
}
