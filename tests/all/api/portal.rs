//! Portal links: who may make which, where they lead, what they open, and for how long.

use std::time::Duration;

use api::portal::PageAddress;
use domain::envelope::Product;
use domain::ids::EndpointId;
use domain::limits::{PORTAL_LINK_MAX_S, PORTAL_LINK_MIN_S};
use serde_json::json;
use tests::world::{World, run};

use super::{Reply, accept_at, call, client, created, pass, registration};

const LINKS: &str = "/v1/portal-links";

#[track_caller]
fn refused(reply: &Reply, field: &str) {
    assert_eq!((reply.status, &reply.body["field"]), (400, &json!(field)), "{:?}", reply.body);
}

#[test]
fn a_link_leads_to_the_function_url_and_opens_the_account() {
    let world = World::new();
    let operator = client(&world, "operator");
    let id = created(&operator.post("/v1/endpoints", &registration("acct_1")));
    operator.post("/v1/endpoints", &registration("acct_2"));
    let link = operator.post(LINKS, &json!({"account_id": "acct_1", "expires_in": 60}));
    let url = link.body["url"].as_str().expect("a URL");
    assert!(url.starts_with(&format!("https://{}/#token=rwp_", super::DOMAIN)), "{url}");
    let follower = operator.follow(&json!({"account_id": "acct_1", "expires_in": 60}));
    let seen = follower.get("/v1/endpoints");
    assert_eq!(seen.body["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(seen.body["data"][0]["id"], json!(id));
    assert!(!format!("{:?}", world.state().links).contains(&follower.key), "only its hash is kept");
}

#[test]
fn no_header_decides_where_a_link_leads() {
    let world = World::new();
    let key = client(&world, "operator").key;
    let bearer = format!("Bearer {key}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example"),
        ("origin", "https://evil.example"),
    ];
    let body = json!({"account_id": "acct_1", "expires_in": 60});
    let reply = call(&world, "POST", LINKS, Some(&body), &headers);
    assert_eq!(reply.status, 201);
    assert!(!reply.response.body.contains("evil"), "{}", reply.response.body);
}

#[test]
fn a_public_address_or_the_emulators_path_is_preferred() {
    let world = World::new();
    let key = client(&world, "operator").key;
    let request = |domain: &str| api::http::Request {
        method: "POST".into(),
        path: LINKS.into(),
        headers: [("authorization".into(), format!("Bearer {key}"))].into(),
        body: json!({"account_id": "acct_1", "expires_in": 60}).to_string().into_bytes(),
        domain: domain.into(),
        ..api::http::Request::default()
    };
    let public = PageAddress::Public("https://hooks.example.com/".into());
    let emulator = PageAddress::Emulator("http://127.0.0.1:4566".into());
    for (page, domain, status, start) in [
        (public.clone(), super::DOMAIN, 201, "https://hooks.example.com/#token="),
        (public, "", 201, "https://hooks.example.com/#token="),
        (emulator, super::DOMAIN, 201, "http://127.0.0.1:4566/_aws/lambda-url/abcdef/#token="),
        (PageAddress::FunctionUrl, "", 500, "{"),
        (PageAddress::FunctionUrl, "a.example/x", 500, "{"),
    ] {
        let mut api = world.api();
        api.rules.page = page;
        let kept = world.state().links.len();
        let response = run(world.fuse(), api.handle(&request(domain))).expect("alive");
        assert_eq!(response.status, status, "{}", response.body);
        assert!(response.body.contains(start), "{}", response.body);
        assert_eq!(world.state().links.len() > kept, status == 201, "no link that nobody has");
    }
}

#[test]
fn a_link_ends() {
    let world = World::new();
    let operator = client(&world, "operator");
    let follower = operator.follow(&json!({"account_id": "acct_1", "expires_in": 60}));
    pass(&world, 59);
    assert_eq!(follower.get("/v1/endpoints").status, 200);
    pass(&world, 1);
    assert_eq!(follower.get("/v1/endpoints").error(), (401, "invalid_api_key"));
}

#[test]
fn a_revoked_keys_links_are_revoked() {
    let world = World::new();
    let (first, second) = (client(&world, "account:acct_1"), client(&world, "account:acct_1"));
    let link = json!({"expires_in": 600});
    let (ended, stands) = (first.follow(&link), second.follow(&link));
    let id = domain::api_key::ApiKey::parse(&first.key).expect("a key").id();
    let now = world.state().now;
    world.state().api_keys.get_mut(&id).expect("there").revoked_at = Some(now);
    assert_eq!(ended.get("/v1/endpoints").error(), (401, "invalid_api_key"));
    assert_eq!(stands.get("/v1/endpoints").status, 200);
}

#[test]
fn a_link_is_for_what_the_key_is_for() {
    let world = World::new();
    let operator = client(&world, "operator");
    let mine = created(&operator.post("/v1/endpoints", &registration("acct_1")));
    let theirs = created(&operator.post("/v1/endpoints", &registration("acct_2")));
    world.change(&mine, |endpoint| endpoint.product = Some(Product::Telnxo));
    let make = |scope: &str, body| client(&world, scope).post(LINKS, &body);

    let foreign = json!({"account_id": "acct_2", "expires_in": 60});
    assert_eq!(make("account:acct_1", foreign.clone()).error(), (403, "insufficient_scope"));
    refused(&make("operator", json!({"expires_in": 60})), "account_id");
    for (scope, account, endpoint) in [
        ("operator", "acct_1", theirs.as_str()),
        ("account:acct_1", "acct_1", theirs.as_str()),
        ("product:migosmtp", "acct_1", mine.as_str()),
        ("operator", "acct_1", "ep_nobody"),
        ("operator", "acct_1", "?"),
    ] {
        let body = json!({"account_id": account, "endpoint_id": endpoint, "expires_in": 60});
        assert_eq!(make(scope, body).error(), (404, "not_found"), "{endpoint}");
    }
    let all = operator.post("/v1/endpoints", &registration("acct_1"));
    let other = created(&all);
    // A product's link shows the account's endpoints of that product.
    let product = client(&world, "product:telnxo");
    let follower = product.follow(&json!({"account_id": "acct_1", "expires_in": 60}));
    let list = follower.get("/v1/endpoints");
    assert_eq!(list.body["data"].as_array().map(Vec::len), Some(1), "{:?}", list.body);
    let path = format!("/v1/endpoints/{other}");
    assert_eq!(follower.get(&path).error(), (404, "not_found"));
    assert_eq!(operator.get(&path).status, 200);
}

#[test]
fn one_endpoint_of_an_account() {
    let world = World::new();
    let operator = client(&world, "operator");
    let id = created(&operator.post("/v1/endpoints", &registration("acct_1")));
    let other = created(&operator.post("/v1/endpoints", &registration("acct_1")));
    let now = world.state().now;
    let both = accept_at(&world, "acct_1", "s1", now);
    world.change(&id, |endpoint| endpoint.event_types.clear());
    let others = accept_at(&world, "acct_1", "s2", now + Duration::from_secs(1));
    let link = json!({"account_id": "acct_1", "endpoint_id": id, "expires_in": 600});
    let follower = operator.follow(&link);

    let list = follower.get("/v1/endpoints");
    assert_eq!(list.body["data"].as_array().map(Vec::len), Some(1));
    let not_found = (404, "not_found");
    assert_eq!(follower.get(&format!("/v1/endpoints/{other}")).error(), not_found);
    let shown = follower.get(&format!("/v1/events/{}", both[0].event_id));
    assert_eq!(shown.body["deliveries"].as_array().map(Vec::len), Some(1), "{:?}", shown.body);
    assert_eq!(shown.body["deliveries"][0]["endpoint_id"], json!(id));
    assert_eq!(follower.get(&format!("/v1/events/{}", others[0].event_id)).error(), not_found);
    assert_eq!(follower.get(&format!("/v1/deliveries/{}", others[0].id)).error(), not_found);
    let report = follower.get("/v1/reports/messages");
    assert_eq!(report.body["totals"]["events"], 1, "{:?}", report.body);
}

#[test]
fn what_a_link_does_not_open() {
    let world = World::new();
    let operator = client(&world, "operator");
    let id = created(&operator.post("/v1/endpoints", &registration("acct_1")));
    let follower = operator.follow(&json!({"account_id": "acct_1", "expires_in": 60}));
    let endpoint = format!("/v1/endpoints/{id}");
    let link = json!({"account_id": "acct_1", "expires_in": 60});
    for (method, path, body) in [
        ("POST", LINKS.to_owned(), link),
        ("DELETE", endpoint.clone(), json!({})),
        ("DELETE", format!("/v1/events/evt_{:032}/payload", 0), json!({})),
    ] {
        let reply = follower.call(method, &path, Some(&body), &[]);
        assert_eq!(reply.error(), (403, "insufficient_scope"), "{method} {path}");
    }
}

#[test]
fn a_link_looks_after_what_it_shows() {
    let world = World::new();
    let operator = client(&world, "operator");
    let own = created(&operator.post("/v1/endpoints", &registration("acct_1")));
    let other = created(&operator.post("/v1/endpoints", &registration("acct_1")));
    let foreign = created(&operator.post("/v1/endpoints", &registration("acct_2")));
    let whole = operator.follow(&json!({"account_id": "acct_1", "expires_in": 60}));
    let one = json!({"account_id": "acct_1", "endpoint_id": own, "expires_in": 60});
    let one = operator.follow(&one);
    let look_after = |follower: &super::Client, id: &EndpointId, status: u16| {
        let endpoint = format!("/v1/endpoints/{id}");
        let url = json!({"url": "https://elsewhere.example.com/"});
        let edited = follower.call("PATCH", &endpoint, Some(&url), &[]);
        assert_eq!(edited.status, status, "{id}: {}", edited.body);
        for way in ["rotate-secret", "rotate-secret/finish", "disable", "enable"] {
            let reply = follower.post(&format!("{endpoint}/{way}"), &json!({}));
            assert_eq!(reply.status, status, "{id} {way}: {}", reply.body);
        }
    };
    look_after(&one, &own, 200);
    look_after(&one, &other, 404);
    look_after(&whole, &own, 200);
    look_after(&whole, &other, 200);
    look_after(&whole, &foreign, 404);

    let registered = whole.post("/v1/endpoints", &registration("acct_1"));
    assert_eq!((registered.status, &registered.body["account_id"]), (201, &json!("acct_1")));
    let closed = (403, "insufficient_scope");
    assert_eq!(whole.post("/v1/endpoints", &registration("acct_2")).error(), closed);
    assert_eq!(one.post("/v1/endpoints", &registration("acct_1")).error(), closed);
}

#[test]
fn a_products_link_stays_with_its_product() {
    let world = World::new();
    let product = client(&world, "product:telnxo");
    let follower = product.follow(&json!({"account_id": "acct_1", "expires_in": 60}));
    let registered = follower.post("/v1/endpoints", &registration("acct_1"));
    assert_eq!((registered.status, &registered.body["product"]), (201, &json!("telnxo")));
    let path = format!("/v1/endpoints/{}", created(&registered));
    for wider in [json!(null), json!("migosmtp")] {
        let reply = follower.call("PATCH", &path, Some(&json!({"product": wider})), &[]);
        assert_eq!(reply.error(), (403, "insufficient_scope"), "{wider}");
    }
}

#[test]
fn a_link_for_an_endpoint_leads_to_it() {
    let world = World::new();
    let operator = client(&world, "operator");
    let id = created(&operator.post("/v1/endpoints", &registration("acct_1")));
    let link = json!({"account_id": "acct_1", "endpoint_id": id, "expires_in": 60});
    let url = operator.post(LINKS, &link).body["url"].clone();
    let url = url.as_str().expect("a URL");
    assert!(url.ends_with(&format!("&endpoint={id}")), "{url}");
}

#[test]
fn how_long_a_link_may_last() {
    let world = World::new();
    let account = client(&world, "account:acct_1");
    refused(&account.post(LINKS, &json!({})), "expires_in");
    for bad in [
        json!(PORTAL_LINK_MIN_S - 1),
        json!(PORTAL_LINK_MAX_S + 1),
        json!(-60),
        json!(90.5),
        json!("60"),
        json!(null),
    ] {
        refused(&account.post(LINKS, &json!({"expires_in": bad})), "expires_in");
    }
    for good in [PORTAL_LINK_MIN_S, PORTAL_LINK_MAX_S] {
        assert_eq!(account.post(LINKS, &json!({"expires_in": good})).status, 201);
    }
    refused(&account.post(LINKS, &json!({"expires_in": 60, "expires": 60})), "expires");
}

#[test]
fn a_links_calls_are_its_own() {
    let world = World::new();
    let account = client(&world, "account:acct_1");
    let link = json!({"expires_in": 600});
    let (one, other) = (account.follow(&link), account.follow(&link));
    let left = |client: &super::Client| {
        let reply = client.get("/v1/event-types");
        reply.response.header("X-RateLimit-Remaining").map(str::to_owned)
    };
    assert_eq!(left(&one).as_deref(), Some("599"));
    assert_eq!(left(&one).as_deref(), Some("598"));
    assert_eq!(left(&other).as_deref(), Some("599"));
    assert_eq!(left(&account).as_deref(), Some("597"), "making links counts");
}
