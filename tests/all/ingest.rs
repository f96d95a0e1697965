//! Ingest in a world of memory: what is one event, what is refused, and that no crash changes
//! what was decided first.

use domain::delivery::Status;
use domain::endpoint::{DisabledReason, EndpointState};
use tests::world::World;

fn event(id: &str, account: &str, product: &str, data: &str) -> String {
    format!(
        r#"{{"id":"{id}","account_id":"{account}","event":"email.sent","product":"{product}","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{data}}}"#
    )
}

fn plain(id: &str) -> String {
    event(id, "acct_42", "migosmtp", "{}")
}

fn world(endpoints: &[&str]) -> World {
    let world = World::new();
    endpoints.iter().for_each(|id| drop(world.register(id, &["email.*"])));
    world
}

/// Stored events, delivery records, wake-ups, refused elements.
#[track_caller]
fn check(world: &World, expected: (usize, usize, usize, usize)) {
    let state = world.state();
    let found =
        (state.events.len(), state.deliveries.len(), state.queued.len(), state.rejected.len());
    assert_eq!(found, expected, "(events, deliveries, wake-ups, refused)");
}

#[test]
fn the_same_event_twice_is_one() {
    for bodies in [
        vec![plain("a"), plain("a")],
        vec![format!("[{},{}]", plain("a"), plain("a"))],
        vec![plain("a").replace(r#""id":"a","#, ""), plain("a").replace(r#""id":"a","#, "")],
    ] {
        let world = world(&["ep_1"]);
        let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
        assert_eq!(world.ingest_batch(&bodies, 1), Some(vec![]));
        check(&world, (1, 1, 1, 0));
        world.settle();
        assert_eq!(world.state().posts.len(), 1);
    }
}

#[test]
fn sent_again_later_it_is_still_posted_once() {
    let world = world(&["ep_1"]);
    world.accept(&plain("a"));
    world.accept(&plain("a"));
    check(&world, (1, 1, 2, 0));
    world.settle();
    assert_eq!(world.state().posts.len(), 1);
    world.accept(&plain("a"));
    check(&world, (1, 1, 0, 0));
}

#[test]
fn the_same_id_with_other_content_is_refused() {
    let other = event("a", "acct_42", "migosmtp", r#"{"other":1}"#);
    for bodies in [vec![plain("a"), other.clone()], vec![format!("[{},{other}]", plain("a"))]] {
        let world = world(&["ep_1"]);
        let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
        assert_eq!(world.ingest_batch(&bodies, 1), Some(vec![]));
        check(&world, (1, 1, 1, 1));
        let state = world.state();
        let refused = &state.rejected[0];
        assert_eq!(refused.rejection.code.as_str(), "event_id_conflict");
        assert_eq!(refused.original, other, "the first one is the event");
        assert_eq!(state.announced[0].name, "event.rejected");
        assert_eq!(state.announced[0].detail["producer"], "AIDAPRODUCER");
    }
}

#[test]
fn a_conflict_ahead_of_an_unfinished_event_does_not_hide_it() {
    let world = world(&["ep_1"]);
    world.fuse().blow_at(Some(4)); // stored, but no delivery yet
    assert_eq!(world.ingest_batch(&[&plain("a")], 1), None);
    check(&world, (1, 0, 0, 0));
    world.fuse().blow_at(None);
    let other = event("a", "acct_42", "migosmtp", r#"{"other":1}"#);
    assert_eq!(world.ingest_batch(&[&other, &plain("a")], 2), Some(vec![]));
    check(&world, (1, 1, 1, 1));
}

#[test]
fn ids_are_per_account_and_product() {
    let world = world(&["ep_1"]);
    world.register("ep_2", &["email.*"]);
    world.change(&"ep_2".parse().expect("valid"), |endpoint| {
        endpoint.account_id = "acct_43".parse().expect("valid");
    });
    world.accept(&event("a", "acct_42", "migosmtp", "{}"));
    world.accept(&event("a", "acct_43", "migosmtp", "{}"));
    world.accept(&event("a", "acct_42", "telnxo", "{}"));
    check(&world, (3, 3, 3, 0));
}

#[test]
fn three_bad_ones_among_a_hundred() {
    let world = world(&["ep_1"]);
    let mut elements: Vec<String> = (0..100).map(|n| plain(&format!("e{n}"))).collect();
    elements[3] = "17".into();
    elements[50] = elements[50].replace("migosmtp", "smtp");
    elements[99] = elements[99].replace(r#""data":{}"#, r#""data":{},"extra":1"#);
    let body = format!("[{}]", elements.join(",\n "));
    world.accept(&body);
    check(&world, (97, 97, 97, 3));
    let state = world.state();
    let refused: Vec<_> = (state.rejected.iter())
        .map(|r| (r.index, r.rejection.code.as_str(), r.original.clone(), &*r.source_message_id))
        .collect();
    let expected = [(3, "invalid_envelope"), (50, "invalid_field"), (99, "unknown_field")]
        .map(|(index, code)| (Some(index), code, elements[index].clone(), "m0@1"));
    assert_eq!(refused, expected);
}

#[test]
fn fan_out_and_nobody() {
    let world = world(&["ep_1", "ep_2", "ep_3"]);
    world.register("ep_4", &["sms.*"]);
    world.accept(&plain("a"));
    check(&world, (1, 3, 3, 0));
    world.accept(&event("b", "acct_99", "migosmtp", "{}"));
    check(&world, (1, 3, 3, 0));
}

#[test]
fn a_disabled_endpoint_is_skipped_on_record() {
    let world = world(&["ep_1"]);
    let at = world.state().now;
    world.change(&"ep_1".parse().expect("valid"), |endpoint| {
        endpoint.state = EndpointState::Disabled { reason: DisabledReason::Manual, at };
    });
    world.accept(&plain("a"));
    check(&world, (1, 1, 0, 0));
    assert_eq!(world.only_delivery().status, Status::Skipped);
}

#[test]
fn nothing_is_begun_once_time_is_short() {
    let world = world(&["ep_1"]);
    let message = ingest::Message {
        id: "m0".into(),
        body: format!("[{},17]", plain("a")),
        received: 1,
        traceparent: None,
        sender: None,
    };
    let now = world.state().now;
    let again = tests::world::run(world.fuse(), world.ingest().handle(&[message], now));
    assert_eq!(again, Some(vec!["m0".into()]));
    check(&world, (0, 0, 0, 1));
}

/// Something that may happen to the endpoints between two tries.
type Meanwhile = (&'static str, fn(&World));
const MEANWHILE: [Meanwhile; 4] = [
    ("nothing", |_| {}),
    ("one added", |world| drop(world.register("ep_9", &["*"]))),
    ("one removed", |world| {
        let at = world.state().now;
        let id = "ep_1".parse().expect("valid");
        world.change(&id, |endpoint| endpoint.state = EndpointState::Deleted { at });
    }),
    ("all disabled", |world| {
        let at = world.state().now;
        let reason = DisabledReason::Manual;
        for endpoint in &mut world.state().endpoints {
            endpoint.state = EndpointState::Disabled { reason, at };
        }
    }),
];

#[test]
fn killed_between_any_two_calls_the_first_decision_stands() {
    for (what, meanwhile) in MEANWHILE {
        for point in 0.. {
            let world = world(&["ep_1", "ep_2"]);
            let body = format!("[{},17,{}]", plain("a"), plain("b"));
            world.fuse().blow_at(Some(point));
            world.ingest_batch(&[&body], 1);
            let killed = world.fuse().is_blown();
            let story = format!("{what}, killed at {point}: {:?}", world.fuse().log());
            let decided = world.state().events.clone();
            world.fuse().blow_at(None);
            meanwhile(&world);
            if killed {
                assert_eq!(world.ingest_batch(&[&body], 2), Some(vec![]), "{story}");
            }
            let state = world.state();
            for (id, event) in &decided {
                assert_eq!(state.events[id].fan_out, event.fan_out, "{story}");
            }
            for event in state.events.values() {
                for entry in &event.fan_out {
                    let delivery = state.deliveries.get(&entry.delivery_id);
                    let status = delivery.unwrap_or_else(|| panic!("missing: {story}")).status;
                    let expected = if entry.skipped { Status::Skipped } else { Status::Pending };
                    assert_eq!(status, expected, "{story}");
                    let wake_up =
                        |q: &&tests::world::Queued| q.body.contains(entry.delivery_id.as_str());
                    let woken = state.queued.iter().filter(wake_up).count();
                    assert_eq!(woken > 0, !entry.skipped, "{story}");
                    assert!(woken <= 2, "{story}");
                }
            }
            assert!(state.events.len() == 2, "{story}");
            assert!((1..=2).contains(&state.rejected.len()), "{story}");
            if !killed {
                assert!(point > 15, "the scenario has calls to be killed at");
                break;
            }
        }
    }
}
