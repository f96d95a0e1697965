//! Every list of the document is walked the same way.

use std::time::Duration;

use api::openapi::document;
use serde_json::Value;
use tests::world::World;

use super::{Client, accept_at, client};

const ACCOUNT: &str = "acct_42";

/// A world with three endpoints and three events, each delivered to all of them.
fn world() -> World {
    let world = World::new();
    for name in ["ep_1", "ep_2", "ep_3"] {
        world.register(name, &["*"]);
    }
    let now = world.state().now;
    for nth in 0..3 {
        accept_at(&world, ACCOUNT, &format!("s{nth}"), now + Duration::from_secs(nth));
    }
    world.state().now = now + Duration::from_secs(10);
    world
}

/// The lists of the document, with a query for what each must be told.
fn lists() -> Vec<String> {
    let schemas = &document()["components"]["schemas"];
    let mut found = Vec::new();
    for (path, methods) in document()["paths"].as_object().expect("paths") {
        let answer = &methods["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        let name = answer["$ref"].as_str().and_then(|name| name.rsplit('/').next());
        let Some(name) = name.filter(|n| !schemas[*n]["properties"]["next_cursor"].is_null())
        else {
            continue;
        };
        let parameters = methods["get"]["parameters"].as_array().expect("a list");
        let names: Vec<&str> = parameters.iter().filter_map(|p| p["name"].as_str()).collect();
        assert!(names.contains(&"limit") && names.contains(&"cursor"), "{path}: {name}");
        let mut query = vec!["limit=".to_owned()];
        for (known, value) in [("account_id", ACCOUNT), ("source_id", "s1")] {
            if names.contains(&known) {
                query.insert(0, format!("{known}={value}"));
            }
        }
        if names.contains(&"source_id") {
            query.insert(0, "product=migosmtp".into());
        }
        found.push(format!("{}?{}", path.replace("{id}", "ep_1"), query.join("&")));
    }
    assert_eq!(found.len(), 5, "{found:?}");
    found
}

fn items(client: &Client, path: &str) -> (Vec<Value>, Value) {
    let reply = client.get(path);
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    (reply.body["data"].as_array().expect("a list").clone(), reply.body["next_cursor"].clone())
}

#[test]
fn every_list_takes_a_limit_and_its_own_cursors() {
    let world = world();
    let operator = client(&world, "operator");
    for list in lists() {
        for bad in ["0", "101", "-1", "1.0", "x", ""] {
            let reply = operator.get(&format!("{list}{bad}"));
            assert_eq!((reply.status, &reply.body["field"]), (400, &"limit".into()), "{list}{bad}");
        }
        let (whole, next) = items(&operator, &format!("{list}100"));
        assert!(!whole.is_empty() && next.is_null(), "{list}");
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let (page, next) = items(&operator, &format!("{list}1{cursor}"));
            assert!(page.len() <= 1, "{list}");
            walked.extend(page);
            let Some(next) = next.as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(walked, whole, "{list}");
        for bad in ["x", "", "MDAwMDAwMDAwMDAwMDAwMC4x"] {
            let reply = operator.get(&format!("{list}1&cursor={bad}"));
            assert_eq!(
                (reply.status, &reply.body["field"]),
                (400, &"cursor".into()),
                "{list}{bad}"
            );
        }
    }
}
