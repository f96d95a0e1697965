//! An endpoint's deliveries, newest first.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use domain::delivery::Delivery;
use domain::ids::{DeliveryId, EndpointId};
use domain::ports::PortResult;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::delivery_item::from_item;
use super::item::{Item, text};
use super::request::Place;
use super::{Page, Store, Table};

/// Shards read at once.
const SHARDS_AT_ONCE: usize = 8;
const PLACE: Place = Place { call: "deliveries.of_endpoint", table: Table::Deliveries };

impl Store {
    /// An endpoint's deliveries over all its shards, newest first. `before` is the last one of
    /// the page before. May lag behind writes by a moment.
    ///
    /// # Errors
    /// If a read fails, or an item cannot be read.
    pub async fn deliveries_of(
        &self,
        endpoint: &EndpointId,
        shards: u16,
        before: Option<&DeliveryId>,
        limit: usize,
    ) -> PortResult<Page<Delivery, DeliveryId>> {
        let of_shard = |shard: u16| self.of_shard(endpoint, shard, before, limit);
        let found: Vec<Vec<Delivery>> = stream::iter(0..shards.max(1))
            .map(of_shard)
            .buffer_unordered(SHARDS_AT_ONCE)
            .try_collect()
            .await?;
        Ok(newest(found.into_iter().flatten().collect(), limit))
    }

    /// The newest `limit` of a shard, or all there are.
    async fn of_shard(
        &self,
        endpoint: &EndpointId,
        shard: u16,
        before: Option<&DeliveryId>,
        limit: usize,
    ) -> PortResult<Vec<Delivery>> {
        let partition = format!("{endpoint}#{shard}");
        let end = before.map(|id| place_in_shard(id, shard));
        let mut found = Vec::new();
        let mut start: Option<Item> = None;
        // A page ends at 1 MB, too; each brings at least one delivery nearer to the limit.
        while found.len() < limit {
            let missing = i32::try_from(limit - found.len()).unwrap_or(i32::MAX);
            let query = |request: QueryFluentBuilder| {
                let request = request
                    .expression_attribute_names("#partition", "partition")
                    .expression_attribute_values(":partition", text(&partition))
                    .scan_index_forward(false)
                    .set_exclusive_start_key(start.take())
                    .limit(missing);
                match &end {
                    None => request.key_condition_expression("#partition = :partition"),
                    Some(end) => request
                        .key_condition_expression("#partition = :partition AND #id < :end")
                        .expression_attribute_names("#id", "delivery_id")
                        .expression_attribute_values(":end", text(end)),
                }
            };
            let (items, last) = self.page(PLACE, query).await?;
            for item in &items {
                found.push(from_item(item).map_err(|e| PLACE.unreadable(e))?);
            }
            start = last;
            if start.is_none() {
                break;
            }
        }
        Ok(found)
    }
}

/// Merges what the shards gave.
fn newest(mut found: Vec<Delivery>, limit: usize) -> Page<Delivery, DeliveryId> {
    found.sort_by(|a, b| moment_and_event(&b.id).cmp(moment_and_event(&a.id)));
    let more = found.len() >= limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|d| d.id.clone());
    Page { items: found, next }
}

/// Where a delivery would stand in another shard of its endpoint.
fn place_in_shard(id: &DeliveryId, shard: u16) -> String {
    let (stem, _) = id.as_str().split_at(id.as_str().len() - moment_and_event(id).len() - 1);
    let endpoint = stem.rsplit_once('_').map_or(stem, |(endpoint, _)| endpoint);
    format!("{endpoint}_{shard}_{}", moment_and_event(id))
}

/// The part of the id that orders deliveries across shards.
fn moment_and_event(id: &DeliveryId) -> &str {
    let text = id.as_str();
    let cut = text.rmatch_indices('_').nth(1);
    cut.map_or(text, |(at, _)| &text[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::super::delivery_item::tests::delivery;
    use super::*;

    fn id(shard: u16, millis: u16) -> DeliveryId {
        let text = format!("dlv_abc_{shard}_00000000{millis:04x}_00112233445566778899aabbccddeeff");
        DeliveryId::parse(&text).expect("valid")
    }

    #[test]
    fn a_place_in_another_shard() {
        assert_eq!(place_in_shard(&id(3, 7), 12), id(12, 7).to_string());
        assert_eq!(moment_and_event(&id(3, 7)), &id(0, 7).as_str()[10..]);
    }

    #[test]
    fn shards_are_merged_newest_first() {
        let with_id = |id| Delivery { id, ..delivery() };
        let found = [id(0, 1), id(0, 5), id(1, 9), id(1, 2)].map(with_id).to_vec();
        let page = newest(found.clone(), 3);
        let ids: Vec<_> = page.items.iter().map(|d| d.id.clone()).collect();
        assert_eq!(ids, [id(1, 9), id(0, 5), id(1, 2)]);
        assert_eq!(page.next, Some(id(1, 2)));
        assert_eq!(newest(found, 5).next, None);
    }
}
