//! One suite for each port, two implementations; `tests/in_process` has a third of the store.

mod queues;

use domain::api_key::{ApiKey, ApiKeyRecord, Scope};
use domain::ports::Clock;
use tests::conformance::store;
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
    assert_eq!(run(world.fuse(), store(&world, &record)), Some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_dynamodb() {
    let stack = Stack::deploy("conformance", &[]);
    let record = key();
    stack.store.create_api_key(&record).await.expect("created");
    store(&stack.store, &record).await;
}
