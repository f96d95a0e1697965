//! What people ask for, with whoever works on it dead at any call, and asked for again: the same
//! end. The jobs, retries and erasures that follow have loops of their own beside their tests.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::delivery::Status;
use domain::endpoint::EndpointState;
use serde_json::json;
use tests::world::{World, answer};

use super::client;
use crate::journeys::event;

/// A request to the API: what is asked for.
type Asked = (&'static str, &'static str, &'static str);

/// Everything that can be told of a world in the end.
#[derive(Debug, PartialEq)]
struct End {
    statuses: Vec<(Status, usize)>,
    endpoint: &'static str,
    rotating: bool,
    announced: BTreeSet<&'static str>,
    unfinished: usize,
}

/// Three deliveries, one of them succeeded, one waiting, one untouched; then somebody asks, dies at
/// the `point`-th call with the request, and asks again. Answers whether there was a death, and
/// how many POSTs.
fn ask(asked: Asked, point: Option<u32>) -> (End, bool, usize) {
    let world = World::new();
    world.register("ep_1", &["*"]);
    world.accept(&event("a", "acct_42", "{}"));
    world.send_due();
    world.answers(|_, before| answer(if before == 0 { 500 } else { 200 }));
    world.accept(&event("b", "acct_42", "{}"));
    world.send_due();
    world.accept(&event("c", "acct_42", "{}"));
    let (method, action, body) = asked;
    let operator = client(&world, "operator");
    if action == "/enable" {
        assert_eq!(operator.post("/v1/endpoints/ep_1/disable", &json!({})).status, 200);
    }
    let request = api::http::Request {
        method: method.into(),
        path: format!("/v1/endpoints/ep_1{action}"),
        headers: [("authorization".into(), format!("Bearer {}", operator.key))].into(),
        body: body.as_bytes().to_vec(),
        ..api::http::Request::default()
    };
    world.fuse().blow_at(point);
    let answered = tests::world::run(world.fuse(), world.api().handle(&request));
    world.fuse().blow_at(None);
    let died = answered.is_none();
    if died {
        let again = tests::world::run(world.fuse(), world.api().handle(&request));
        let status = again.expect("nobody dies").status;
        // What the first one had done already is refused the second time.
        assert!([200, 202, 204, 404, 409].contains(&status), "{action} again: {status}");
    }
    for _ in 0..100 {
        let later = world.state().now + Duration::from_secs(400);
        world.pass_until(later);
        world.send_due();
        world.sweep();
        world.tend();
    }
    let state = world.state();
    let endpoint = &state.endpoints[0];
    let posts = state.posts.len();
    let end = End {
        statuses: state.deliveries.values().map(|d| (d.status, d.attempts.len())).collect(),
        endpoint: match endpoint.state {
            EndpointState::Enabled => "enabled",
            EndpointState::Disabled { .. } => "disabled",
            EndpointState::Deleted { .. } => "deleted",
        },
        rotating: state.secrets[&endpoint.id].previous.is_some(),
        announced: state.announced.iter().map(|a| a.name).collect(),
        unfinished: state.queued.len()
            + state.schedules.len()
            + endpoint.notices.len()
            + state.jobs.values().filter(|job| job.notice).count()
            + state.deliveries.values().filter(|d| d.due_at.is_some()).count(),
    };
    (end, died, posts)
}

#[test]
fn a_death_at_any_call_of_a_request_and_asking_again_changes_nothing_of_its_end() {
    let window = r#"{"from":"2026-06-07T00:00:00Z","to":"2026-06-08T00:00:00Z"}"#;
    for asked in [
        ("POST", "/disable", "{}"),
        ("POST", "/enable", "{}"),
        ("DELETE", "", ""),
        ("POST", "/rotate-secret", "{}"),
        ("POST", "/recover", window),
        ("POST", "/cancel", window),
    ] {
        let (undisturbed, _, posts) = ask(asked, None);
        assert_eq!(undisturbed.unfinished, 0, "{asked:?}");
        for point in 0.. {
            let (end, died, disturbed) = ask(asked, Some(point));
            assert_eq!(end, undisturbed, "{asked:?}, dead at {point}");
            assert_eq!(disturbed, posts, "{asked:?}, dead at {point}: no duplicates");
            if !died {
                assert!(point >= 10, "{asked:?} has calls to die at: {point}");
                break;
            }
        }
    }
}
