//! One suite, two stores.

use tests::conformance::{claims, commits, due, events};
use tests::stack::Stack;
use tests::world::{World, run};

#[test]
fn the_store_in_memory() {
    let world = World::new();
    let all = async {
        events(&world).await;
        commits(&world).await;
        claims(&world).await;
        due(&world).await;
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
}
