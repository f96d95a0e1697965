//! The API over a world of memory, without a network. Every answer of every test here is held to
//! the OpenAPI document: an undocumented status or field fails the test that saw it.

mod asked_again;
mod deliveries;
mod document;
mod endpoints;
mod erasure;
mod examples;
mod keys;
mod lists;
mod portal;
mod recoveries;
mod registration;
mod reports;
mod retry;
mod tenancy;
mod test_events;

use std::collections::BTreeMap;
use std::time::Duration;

use api::http::{Request, Response};
use domain::Timestamp;
use domain::api_key::Scope;
use domain::delivery::Delivery;
use domain::envelope::parse_body;
use domain::event::Event;
use domain::ids::EndpointId;
use serde_json::{Value, json};
use tests::world::{RETENTION, World, run};

/// What Lambda calls the function URL.
pub const DOMAIN: &str = "abcdef.lambda-url.us-east-1.on.aws";

/// Somebody with a key.
pub struct Client {
    world: World,
    key: String,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// The body; null if there is none, a string if it is no JSON.
    pub body: Value,
    pub response: Response,
}

impl Reply {
    /// The code of an error.
    pub fn error(&self) -> (u16, &str) {
        (self.status, self.body["error"].as_str().unwrap_or_default())
    }
}

/// A client with a new key of this scope; or, for `portal:` and what such a link is made of, with
/// a new link's token.
pub fn client(world: &World, scope: &str) -> Client {
    if let Some(link) = scope.strip_prefix("portal:") {
        return follower(world, link);
    }
    let scope: Scope = scope.parse().expect("a scope");
    Client { world: world.clone(), key: world.api_key(scope).reveal().to_owned() }
}

/// Somebody who follows a link: `ACCOUNT`, or `ACCOUNT/ENDPOINT`.
fn follower(world: &World, link: &str) -> Client {
    let (account, endpoint) = link.split_once('/').unwrap_or((link, ""));
    let mut body = json!({"account_id": account, "expires_in": 3_600});
    if !endpoint.is_empty() {
        body["endpoint_id"] = endpoint.into();
    }
    client(world, "operator").follow(&body)
}

impl Client {
    /// Its key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Where it is.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Makes a portal link and follows it.
    #[track_caller]
    pub fn follow(&self, link: &Value) -> Self {
        let reply = self.post("/v1/portal-links", link);
        assert_eq!(reply.status, 201, "{:?}", reply.body);
        let url = reply.body["url"].as_str().expect("a URL");
        let (_, token) = url.split_once("#token=").expect("a token in the fragment");
        let token = token.split('&').next().unwrap_or_default();
        Self { world: self.world.clone(), key: token.to_owned() }
    }

    pub fn get(&self, path: &str) -> Reply {
        self.call("GET", path, None, &[])
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.call("POST", path, Some(body), &[])
    }

    pub fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let authorization = format!("Bearer {}", self.key);
        let headers = [&[("authorization", authorization.as_str())], headers].concat();
        call(&self.world, method, path, body, &headers)
    }
}

/// One call, held to the document.
pub fn call(
    world: &World,
    method: &str,
    path: &str,
    body: Option<&Value>,
    headers: &[(&str, &str)],
) -> Reply {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let headers: BTreeMap<String, String> =
        headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let request = Request {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        headers,
        body: body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
        domain: DOMAIN.into(),
    };
    let response = run(world.fuse(), world.api().handle(&request)).expect("nobody kills the API");
    let body = match response.body.as_str() {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
    };
    document::check(method, path, response.status, &body);
    Reply { status: response.status, body, response }
}

/// What registers an endpoint of an account.
pub fn registration(account: &str) -> Value {
    json!({
        "account_id": account,
        "url": "https://hooks.example.com/in",
        "event_types": ["email.*"],
        "alert_email": "ops@example.com",
    })
}

/// Puts an event on record at a moment, with a delivery to each interested endpoint; nothing is
/// sent.
pub fn accept_at(world: &World, account: &str, source_id: &str, at: Timestamp) -> Vec<Delivery> {
    let body = crate::journeys::event(source_id, account, "{}");
    let envelope = parse_body(&body).remove(0).verdict.expect("good");
    let mut state = world.state();
    let endpoints: Vec<_> =
        state.endpoints.iter().filter(|e| e.account_id.as_str() == account).cloned().collect();
    let event = Event::accept(envelope, &endpoints, None, RETENTION, at).expect("wanted");
    let deliveries = event.deliveries(&endpoints);
    state.events.insert(event.id.clone(), event);
    for delivery in &deliveries {
        state.deliveries.insert(delivery.id.clone(), delivery.clone());
    }
    deliveries
}

/// Lets time pass.
pub fn pass(world: &World, seconds: u64) {
    let mut state = world.state();
    state.now = state.now + Duration::from_secs(seconds);
}

/// Walks a list to its end; answers the ids met, by page.
#[track_caller]
pub fn walk(client: &Client, path: &str, mut between: impl FnMut(usize)) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let join = if path.contains('?') { '&' } else { '?' };
        let more = if cursor.is_empty() { String::new() } else { format!("{join}cursor={cursor}") };
        let reply = client.get(&format!("{path}{more}"));
        assert_eq!(reply.status, 200, "{:?}", reply.body);
        let id =
            |item: &Value| item["id"].as_str().or(item["event_id"].as_str()).map(str::to_owned);
        pages.push(reply.body["data"].as_array().expect("a list").iter().filter_map(id).collect());
        match reply.body["next_cursor"].as_str() {
            None => return pages,
            Some(next) => next.clone_into(&mut cursor),
        }
        between(pages.len());
        assert!(pages.len() < 1_000, "the list does not end");
    }
}

/// The id of an endpoint that was just created.
#[track_caller]
pub fn created(reply: &Reply) -> EndpointId {
    assert_eq!(reply.status, 201, "{:?}", reply.body);
    reply.body["id"].as_str().and_then(|id| EndpointId::parse(id).ok()).expect("an id")
}
