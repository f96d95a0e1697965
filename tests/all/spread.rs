//! Partitions of busy endpoints (design 4.4): who gets more, and that nothing is moved by it.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::delivery::Status;
use domain::envelope::{Product, derive_event_id_of};
use domain::ids::{AccountId, DeliveryId};
use domain::limits::{SHARD_PER_SECOND, SHARD_SAMPLE, SHARD_WINDOW_S, SHARDS_MAX};
use domain::log::LogQuery;
use domain::ports::DeliveryLog;
use tests::world::{World, answer, run};

/// Deliveries of the sample in five minutes that one partition takes.
const ROOM: usize = (SHARD_PER_SECOND * SHARD_WINDOW_S) as usize / SHARD_SAMPLE as usize;

fn event(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","account_id":"acct_42","event":"email.sent","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{{}}}}"#
    )
}

/// Source ids of events that are in the sample, as anybody can compute them.
fn sample() -> impl Iterator<Item = String> {
    let account = AccountId::parse("acct_42").expect("valid");
    let ids = (0u32..).map(|nth| format!("e{nth}"));
    ids.filter(move |id| {
        let event = derive_event_id_of(&account, Product::Migosmtp, id);
        let digits = &event.as_str()["evt_".len()..][4..8];
        u16::from_str_radix(digits, 16).expect("hex").is_multiple_of(SHARD_SAMPLE)
    })
}

fn busy() -> World {
    let world = World::new();
    world.register("ep_busy", &["*"]);
    world.state().requests_take_time = false;
    world
}

/// As many deliveries of these five minutes have been counted.
fn fill(world: &World, counted: u32) {
    let mut state = world.state();
    let window = state.now.as_secs() / i64::from(SHARD_WINDOW_S);
    state.calls.insert(format!("spread#ep_busy#{window}"), counted);
}

fn shards(world: &World) -> u16 {
    world.state().endpoints[0].shards
}

/// Deliveries by partition.
fn spread(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for id in world.state().deliveries.keys() {
        *counts.entry(id.partition()).or_default() += 1;
    }
    counts
}

#[test]
fn shard_0_alone_until_there_is_more_than_it_takes() {
    let world = busy();
    let mut ids = sample();
    for id in ids.by_ref().take(ROOM) {
        world.accept(&event(&id));
    }
    world.send_due();
    assert_eq!(shards(&world), 1);
    let later = world.state().now + Duration::from_secs(SHARD_WINDOW_S.into());
    world.pass_until(later);
    for id in ids.by_ref().take(ROOM) {
        world.accept(&event(&id));
    }
    world.send_due();
    assert_eq!(shards(&world), 1, "each is counted when it was accepted");
    let before: Vec<DeliveryId> = world.state().deliveries.keys().cloned().collect();

    world.accept(&event(&ids.next().expect("endless")));
    world.send_due();
    assert_eq!(shards(&world), 2);
    for id in ids.by_ref().take(ROOM - 1) {
        world.accept(&event(&id));
    }
    world.send_due();
    assert_eq!(shards(&world), 2, "two partitions take twice as much");
    world.accept(&event(&ids.next().expect("endless")));
    world.accept(&event(&ids.next().expect("endless")));
    world.send_due();
    assert_eq!(shards(&world), 4);

    let counts = spread(&world);
    let on = |shard: u16| counts.get(&format!("ep_busy#{shard}")).copied().unwrap_or(0);
    assert!(on(0) > 2 * ROOM && on(1) > ROOM / 3, "{counts:?}");
    let state = world.state();
    assert!(before.iter().all(|id| id.partition() == "ep_busy#0"));
    assert!(before.iter().all(|id| state.deliveries.contains_key(id)), "none has moved");
    assert!(state.deliveries.values().all(|delivery| delivery.status == Status::Succeeded));
}

#[test]
fn what_was_accepted_before_goes_on_in_its_place() {
    let world = busy();
    world.answers(|_, before| answer(if before == 0 { 500 } else { 200 }));
    world.accept(&event("early"));
    world.send_due();
    let early = world.only_delivery().id;
    let later = world.state().now + Duration::from_secs(1);
    world.pass_until(later);
    world.state().endpoints[0].shards = 4;
    for nth in 0..40 {
        world.accept(&event(&format!("late{nth}")));
    }
    world.settle();
    let state = world.state();
    assert_eq!(state.deliveries[&early].attempts.len(), 2, "retried where it is");
    assert_eq!(early.partition(), "ep_busy#0");
    let endpoint = state.endpoints[0].id.clone();
    drop(state);
    assert_eq!(spread(&world).len(), 4, "new ones use all partitions");
    let log = run(world.fuse(), world.log(&LogQuery::newest(&endpoint, 4, 100)));
    let log = log.expect("not killed").expect("read");
    assert_eq!(log.items.len(), 41, "one log over all of them");
    assert_eq!(log.items.last().map(|delivery| &delivery.id), Some(&early), "newest first");
}

/// Whether the count or the growth fails, or both are done by several at once: the delivery ends as
/// it would have, and partitions double once.
#[test]
fn counting_never_stands_in_a_deliverys_way() {
    for failing in ["pace.count_request", "endpoints.spread"] {
        let world = busy();
        fill(&world, u32::try_from(ROOM).expect("small"));
        for id in sample().take(8) {
            world.accept(&event(&id));
        }
        world.fail_next(failing);
        world.send_due();
        let state = world.state();
        assert!(state.deliveries.values().all(|d| d.status == Status::Succeeded), "{failing}");
        assert_eq!(state.posts.len(), 8, "{failing}");
        assert_eq!(state.endpoints[0].shards, 2, "{failing}");
    }
}

#[test]
fn there_is_a_last_partition() {
    let world = busy();
    world.state().endpoints[0].shards = SHARDS_MAX;
    fill(&world, u32::MAX);
    world.accept(&event(&sample().next().expect("endless")));
    world.send_due();
    assert_eq!(shards(&world), SHARDS_MAX);
    assert_eq!(world.only_delivery().status, Status::Succeeded);
}
