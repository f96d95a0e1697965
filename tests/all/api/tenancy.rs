//! No key and no portal link sees or touches what is not its own, by any route of the OpenAPI
//! document.

use std::time::Duration;

use api::openapi::document;
use api::route::{Route, find};
use domain::endpoint::EndpointState;
use domain::envelope::Product;
use domain::ids::{AccountId, JobId};
use domain::job::JobState;
use domain::ports::Fresh;
use serde_json::{Value, json};
use tests::world::World;

use super::{Client, accept_at, call, client};

/// Whatever belongs to somebody else has this in it.
const MARK: &str = "foreign";

/// One side: whose key it is, and where its things are.
struct Side {
    client: Client,
    account: String,
    product: &'static str,
    endpoint: String,
    delivery: String,
    event: String,
    source_id: String,
    recovery: String,
}

impl Side {
    /// What an id of somebody else's is answered: no link opens what cannot be undone, whosever
    /// it is.
    fn refused(&self, method: &str, path: &str) -> (u16, &'static str) {
        let path = path.split('?').next().unwrap_or_default();
        let is_link = self.client.key.starts_with("rwp_");
        let route = find(method, path).expect("a route").0.route;
        match matches!(route, Route::DeleteEndpoint | Route::ErasePayload) && is_link {
            true => (403, "insufficient_scope"),
            false => (404, "not_found"),
        }
    }
}

/// A world with two sides: `ours`, and the foreign one, by account or by product.
fn sides(
    scopes: [&str; 2],
    accounts: [&str; 2],
    products: [&'static str; 2],
) -> (World, [Side; 2]) {
    let world = World::new();
    let names = ["own", MARK];
    for nth in [0, 1] {
        let id = world.register(&format!("ep_{}", names[nth]), &["*"]);
        world.change(&id, |endpoint| {
            endpoint.account_id = AccountId::parse(accounts[nth]).expect("valid");
            endpoint.product = Product::parse(products[nth]);
            endpoint.url = format!("https://{}.example.com/", names[nth]);
            endpoint.description = Some(names[nth].into());
        });
    }
    let sides = [0, 1].map(|nth| {
        let mut deliveries = Vec::new();
        for many in 0..3 {
            let now = world.state().now + Duration::from_secs(1);
            world.state().now = now;
            let source_id = format!("{}{many}", names[nth]);
            deliveries.extend(of_product(&world, accounts[nth], products[nth], &source_id, now));
        }
        let first = &deliveries[0];
        Side {
            client: client(&world, scopes[nth]),
            account: accounts[nth].into(),
            product: products[nth],
            endpoint: format!("ep_{}", names[nth]),
            delivery: first.id.to_string(),
            event: first.event_id.to_string(),
            source_id: format!("{}0", names[nth]),
            recovery: finished(&world, first).to_string(),
        }
    });
    (world, sides)
}

/// A recovery of a delivery's endpoint, over and done with.
fn finished(world: &World, delivery: &domain::delivery::Delivery) -> JobId {
    let mut job = tests::conformance::jobs::job(0, delivery.id.endpoint().as_str());
    job.id = world.job_id().expect("never fails");
    job.account_id = delivery.account_id.clone();
    job.state = JobState::Finished;
    let id = job.id.clone();
    world.state().jobs.insert(id.clone(), job);
    id
}

fn of_product(
    world: &World,
    account: &str,
    product: &str,
    source_id: &str,
    at: domain::Timestamp,
) -> Vec<domain::delivery::Delivery> {
    // The sample event is migosmtp's; with another product it reaches that product's endpoints.
    let hidden: Vec<_> = {
        let mut state = world.state();
        let other = |e: &mut domain::endpoint::Endpoint| {
            let was = (e.id.clone(), e.product, e.state);
            if e.product == Product::parse(product) {
                e.product = None;
            } else {
                e.state = EndpointState::Deleted { at };
            }
            was
        };
        state.endpoints.iter_mut().map(other).collect()
    };
    let deliveries = accept_at(world, account, source_id, at);
    let mut state = world.state();
    for (id, product, was) in hidden {
        let endpoint = state.endpoints.iter_mut().find(|e| e.id == id).expect("there");
        (endpoint.product, endpoint.state) = (product, was);
    }
    for delivery in &deliveries {
        let event = state.events.get_mut(&delivery.event_id).expect("there");
        event.envelope.product = Product::parse(product).expect("a product");
    }
    deliveries
}

/// Every route of the document, filled with the things of one side; the last is its query names.
fn routes(side: &Side) -> Vec<(String, String, Vec<String>)> {
    let mut all = Vec::new();
    for (template, methods) in document()["paths"].as_object().expect("paths") {
        let id = match template {
            t if !t.contains("{id}") => "",
            t if t.starts_with("/v1/endpoints/{id}") => &side.endpoint,
            t if t.starts_with("/v1/deliveries/{id}") => &side.delivery,
            t if t.starts_with("/v1/events/{id}") => &side.event,
            t if t.starts_with("/v1/recoveries/{id}") => &side.recovery,
            t => panic!("whose id is it in {t}? tell this test"),
        };
        for (method, operation) in methods.as_object().expect("methods") {
            if operation["security"] == json!([]) {
                continue;
            }
            let names = operation["parameters"].as_array().expect("a list").iter();
            let names = names.filter(|p| p["in"] == "query").filter_map(|p| p["name"].as_str());
            let names = names.map(str::to_owned).collect();
            all.push((method.to_uppercase(), template.replace("{id}", id), names));
        }
    }
    assert!(all.len() >= 16, "the document has routes");
    all
}

/// A query that names the foreign side, and one that names nobody.
fn queries(names: &[String], side: &Side) -> Vec<String> {
    let named = |name: &String| {
        let value = match name.as_str() {
            "account_id" => &side.account,
            "product" => side.product,
            "source_id" => &side.source_id,
            _ => return None,
        };
        Some(format!("{name}={value}"))
    };
    let foreign: Vec<String> = names.iter().filter_map(named).collect();
    let needed: Vec<&String> = foreign.iter().filter(|q| q.starts_with("source_id")).collect();
    let mut all = vec![foreign.join("&"), needed.iter().map(|q| q.as_str()).collect()];
    all.extend(foreign);
    all
}

fn things(world: &World) -> String {
    let state = world.state();
    let secrets: Vec<_> = state.secrets.iter().map(|(id, s)| (id, s.current.reveal())).collect();
    let links: Vec<_> = state.links.keys().collect();
    let things = (&state.endpoints, &state.deliveries, &state.events, &state.queued, &state.jobs);
    format!("{things:?}{secrets:?}{links:?}{:?}", state.posts)
}

/// What a call about the other side is made with. Fields that the route does not know would have
/// it refused for that alone.
fn body_of(method: &str, path: &str, foreign: &Side) -> Value {
    if path.starts_with("/v1/portal-links") {
        let (account, endpoint) = (&foreign.account, &foreign.endpoint);
        return json!({"account_id": account, "endpoint_id": endpoint, "expires_in": 60});
    }
    if path.ends_with("/recover") || path.ends_with("/cancel") {
        return json!({"from": "2026-06-01T00:00:00Z", "to": "2026-07-01T00:00:00Z"});
    }
    if path.contains("/test") {
        return json!({"event": "email.delivered"});
    }
    let mut body = json!({
        "product": foreign.product, "url": "https://x.example.com/", "event_types": ["*"],
        "alert_email": "a@example.com",
    });
    if method != "PATCH" {
        body["account_id"] = foreign.account.as_str().into();
    }
    body
}

#[track_caller]
fn sees_nothing(world: &World, ours: &Side, foreign: &Side) {
    let before = things(world);
    for (method, path, names) in routes(foreign) {
        for query in queries(&names, foreign) {
            // Whatever the owner got to go on with.
            let owned = foreign.client.get(&format!("{path}?limit=1&{query}"));
            let cursor = owned.body["next_cursor"].as_str().filter(|_| method == "GET");
            let copied = cursor.map(|cursor| format!("{query}&cursor={cursor}"));
            for query in [Some(query), copied].into_iter().flatten() {
                let path = format!("{path}?{query}");
                let path = path.trim_end_matches('?');
                let body = body_of(&method, path, foreign);
                let reply = ours.client.call(&method, path, Some(&body), &[]);
                let words = format!("{method} {path}: {} {}", reply.status, reply.body);
                assert!(!reply.response.body.contains(MARK), "{words}");
                assert!([200, 400, 403, 404].contains(&reply.status), "{words}");
                let names = [&foreign.endpoint, &foreign.event, &foreign.recovery];
                if names.iter().any(|id| path.contains(*id)) {
                    let refused = ours.refused(&method, path);
                    assert_eq!(reply.error(), refused, "{words}");
                }
                if let Some(totals) = reply.body.get("totals") {
                    assert!(totals["events"].as_u64() <= Some(3), "counts others': {words}");
                }
                assert_eq!(things(world), before, "{words}");
            }
        }
    }
}

/// The side's own things are there, by the same routes: what is refused above is not refused to
/// everybody.
#[track_caller]
fn sees_its_own(side: &Side) {
    for (method, path, names) in routes(side) {
        if method == "GET" {
            let reply = side.client.get(&format!("{path}?{}", queries(&names, side)[0]));
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        }
    }
}

#[test]
fn an_account_and_another() {
    let scopes = ["account:acct_1", "account:acct_2"];
    let (world, [ours, foreign]) = sides(scopes, ["acct_1", "acct_2"], ["migosmtp", "migosmtp"]);
    sees_its_own(&ours);
    sees_its_own(&foreign);
    sees_nothing(&world, &ours, &foreign);
}

#[test]
fn a_product_and_another_in_one_account() {
    let scopes = ["product:migosmtp", "product:telnxo"];
    let (world, [ours, foreign]) = sides(scopes, ["acct_1", "acct_1"], ["migosmtp", "telnxo"]);
    sees_its_own(&ours);
    sees_its_own(&foreign);
    sees_nothing(&world, &ours, &foreign);
}

#[test]
fn a_link_and_another_account() {
    let scopes = ["portal:acct_1", "portal:acct_2"];
    let (world, [ours, foreign]) = sides(scopes, ["acct_1", "acct_2"], ["migosmtp", "migosmtp"]);
    sees_its_own(&ours);
    sees_its_own(&foreign);
    sees_nothing(&world, &ours, &foreign);
}

#[test]
fn a_link_for_an_endpoint_and_another_endpoint_of_its_account() {
    let scopes = ["portal:acct_1/ep_own", "portal:acct_1/ep_foreign"];
    let (world, [ours, foreign]) = sides(scopes, ["acct_1", "acct_1"], ["migosmtp", "telnxo"]);
    sees_its_own(&ours);
    sees_its_own(&foreign);
    sees_nothing(&world, &ours, &foreign);
}

#[test]
fn no_route_without_a_key() {
    let (world, [ours, _]) =
        sides(["account:acct_1", "account:acct_2"], ["acct_1", "acct_2"], ["migosmtp", "telnxo"]);
    let revoked = client(&world, "operator");
    let last = domain::api_key::ApiKey::parse(&revoked.key).expect("a key").id();
    let follower = client(&world, "portal:acct_1");
    let now = world.state().now;
    world.state().api_keys.get_mut(&last).expect("there").revoked_at = Some(now);
    world.state().links.values_mut().for_each(|link| link.expires_at = now);
    let before = things(&world);
    for (method, path, names) in routes(&ours) {
        let path = format!("{path}?{}", queries(&names, &ours)[0]);
        let body: Option<Value> = Some(json!({}));
        let none = call(&world, &method, &path, body.as_ref(), &[]);
        assert_eq!(none.error(), (401, "authentication_required"), "{method} {path}");
        for key in ["rwk_x", revoked.key.as_str(), follower.key.as_str()] {
            let bearer = format!("Bearer {key}");
            let reply = call(&world, &method, &path, body.as_ref(), &[("authorization", &bearer)]);
            assert_eq!(reply.error(), (401, "invalid_api_key"), "{method} {path}");
        }
    }
    assert_eq!(things(&world), before);
}
