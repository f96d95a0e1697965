//! What a page of the log costs, counted on the way to the tables (issue 5, Seen 3).

use domain::Timestamp;
use domain::log::LogQuery;
use domain::ports::DeliveryLog;
use serde_json::Value;
use tests::conformance::management::{logged, sharded};
use tests::stack::{Asked, Stack};

const SHARDS: u16 = 4;
const PAGE: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_failed_ones_is_a_query_a_shard_and_a_plain_read_each() {
    let stack = Stack::deploy("journey-log", &[]);
    let endpoint = sharded("ep_counted", SHARDS);
    let all = logged(&stack.store, &endpoint, 400, 5).await;
    let counted = stack.counted().await;
    let newest = LogQuery {
        from: Timestamp::from_secs(0),
        problems_only: true,
        ..LogQuery::newest(&endpoint.id, SHARDS, PAGE)
    };
    let page = counted.store.log(&newest).await.expect("read");
    let failed = page.items.iter().filter(|delivery| delivery.status.is_problem()).count();
    assert_eq!((page.items.len(), failed), (PAGE, PAGE), "of {} on record", all.len());
    let asked = counted.take();
    let of = |operation: &str| -> Vec<&Asked> {
        asked.iter().filter(|one| one.operation == operation).collect()
    };
    let (queries, reads) = (of("Query"), of("GetItem"));
    assert_eq!(queries.len(), usize::from(SHARDS));
    assert!(queries.iter().all(|one| one.body["IndexName"] == "problem"), "{queries:?}");
    assert_eq!(reads.len(), PAGE);
    for asked in &asked {
        assert_ne!(asked.body["ConsistentRead"], Value::Bool(true), "{asked:?}");
    }
    assert_eq!(asked.len(), queries.len() + reads.len(), "and nothing else: {asked:?}");

    // The next page costs the same: what is newer is not walked over again.
    let next = LogQuery { before: page.next, limit: 30, ..newest };
    assert_eq!(counted.store.log(&next).await.expect("read").items.len(), 30);
    assert_eq!(counted.take().len(), usize::from(SHARDS) + 30);
}
