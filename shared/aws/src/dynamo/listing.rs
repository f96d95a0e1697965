//! The delivery log: an endpoint's deliveries, newest first.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use domain::delivery::Delivery;
use domain::ids::DeliveryId;
use domain::log::{LogPlace, LogQuery, newest_first};
use domain::ports::{DeliveryLog, Page, PortResult};
use futures::stream::{self, StreamExt, TryStreamExt};

use super::delivery_item::{from_item, key};
use super::item::{Item, Reader, text};
use super::request::{Place, Read};
use super::{Store, Table};

/// Shards read at once.
const SHARDS_AT_ONCE: usize = 8;
/// Deliveries read at once, of those that an index names.
const ITEMS_AT_ONCE: usize = 25;
const PLACE: Place = Place { call: "deliveries.log", table: Table::Deliveries };

impl DeliveryLog for Store {
    async fn log(&self, query: &LogQuery) -> PortResult<Page<Delivery, LogPlace>> {
        let found: Vec<Vec<Item>> = stream::iter(0..query.shards.max(1))
            .map(|shard| self.of_shard(query, shard))
            .buffer_unordered(SHARDS_AT_ONCE)
            .try_collect()
            .await?;
        let found = found.into_iter().flatten();
        if query.problems_only {
            return self.named_by_index(found, query.limit).await;
        }
        let found: Result<_, _> = found.map(|item| from_item(&item)).collect();
        let (items, next) = newest_first(found.map_err(|e| PLACE.unreadable(e))?, query.limit);
        Ok(Page { items, next })
    }
}

impl Store {
    /// The newest of a shard, up to the limit, or all there are.
    async fn of_shard(&self, query: &LogQuery, shard: u16) -> PortResult<Vec<Item>> {
        let Some((first, last)) = query.keys_of_shard(shard) else {
            return Ok(Vec::new());
        };
        let partition = format!("{}#{shard}", query.endpoint);
        let attribute = if query.problems_only { "problem" } else { "partition" };
        let index = query.problems_only.then(|| "problem".to_owned());
        let mut found = Vec::new();
        let mut start: Option<Item> = None;
        // A page ends at 1 MB, too; each brings at least one delivery nearer to the limit.
        while found.len() < query.limit {
            let missing = i32::try_from(query.limit - found.len()).unwrap_or(i32::MAX);
            let prepare = |request: QueryFluentBuilder| {
                request
                    .set_index_name(index.clone())
                    .key_condition_expression(
                        "#partition = :partition AND #id BETWEEN :first AND :last",
                    )
                    .expression_attribute_names("#partition", attribute)
                    .expression_attribute_names("#id", "delivery_id")
                    .expression_attribute_values(":partition", text(&partition))
                    .expression_attribute_values(":first", text(&first))
                    .expression_attribute_values(":last", text(&last))
                    .scan_index_forward(false)
                    .set_exclusive_start_key(start.take())
                    .limit(missing)
            };
            let (items, next) = self.page(PLACE, prepare).await?;
            found.extend(items);
            start = next;
            if start.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// Reads what the index named: only the deliveries of this page, each once. One that is no
    /// problem any more may be among them; the index lags a moment.
    async fn named_by_index(
        &self,
        found: impl Iterator<Item = Item>,
        limit: usize,
    ) -> PortResult<Page<Delivery, LogPlace>> {
        let id = |item: Item| Reader(&item).parsed::<DeliveryId>("delivery_id");
        let ids: Result<Vec<_>, _> = found.map(id).collect();
        let mut ids = ids.map_err(|e| PLACE.unreadable(e))?;
        ids.sort_by_cached_key(|id| std::cmp::Reverse(LogPlace::of(id)));
        let more = ids.len() >= limit;
        ids.truncate(limit);
        let next = ids.last().filter(|_| more).map(LogPlace::of);
        let read: Vec<Option<Item>> = stream::iter(ids.iter().map(key))
            .map(|key| self.read(PLACE, key, Read::Eventual))
            .buffered(ITEMS_AT_ONCE)
            .try_collect()
            .await?;
        let items: Result<_, _> = read.iter().flatten().map(from_item).collect();
        Ok(Page { items: items.map_err(|e| PLACE.unreadable(e))?, next })
    }
}
