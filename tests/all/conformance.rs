//! One suite for each port, two implementations.

mod queues;

use domain::api_key::{ApiKey, ApiKeyRecord, Scope};
use domain::ports::Clock;
use tests::conformance::audits::audits;
use tests::conformance::erasure::erasure;
use tests::conformance::health::{health, pace, spread};
use tests::conformance::jobs::jobs;
use tests::conformance::management::{keys, links, log, memory, registry};
use tests::conformance::retries::retries;
use tests::conformance::{claims, commits, due, entering_due, events};
use tests::stack::Stack;
use tests::world::{World, run};

/// A key nobody has used yet.
fn key() -> ApiKeyRecord {
    let key = ApiKey::from_random([77; 24]);
    ApiKeyRecord::new(&key, Scope::Operator, aws::clock::SystemClock.now())
}

#[test]
fn the_store_in_memory() {
    let world = World::new();
    let record = key();
    world.state().api_keys.insert(record.id.clone(), record.clone());
    let all = async {
        events(&world).await;
        commits(&world).await;
        claims(&world).await;
        due(&world).await;
        retries(&world).await;
        erasure(&world).await;
        jobs(&world).await;
        entering_due(&world).await;
        audits(&world).await;
        registry(&world).await;
        health(&world).await;
        pace(&world).await;
        spread(&world).await;
        log(&world).await;
        keys(&world, &record).await;
        memory(&world).await;
        links(&world).await;
    };
    assert_eq!(run(world.fuse(), all), Some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_dynamodb() {
    let stack = Stack::deploy("conformance", &[]);
    events(&stack.store).await;
    commits(&stack.store).await;
    claims(&stack.store).await;
    due(&stack.store).await;
    retries(&stack.store).await;
    erasure(&stack.store).await;
    jobs(&stack.store).await;
    entering_due(&stack.store).await;
    audits(&stack.store).await;
    registry(&stack.store).await;
    health(&stack.store).await;
    pace(&stack.store).await;
    spread(&stack.store).await;
    log(&stack.store).await;
    let record = key();
    stack.store.create_api_key(&record).await.expect("created");
    keys(&stack.store, &record).await;
    memory(&stack.store).await;
    links(&stack.store).await;
}
