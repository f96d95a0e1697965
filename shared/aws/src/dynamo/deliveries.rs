//! Delivery records: the port.

use domain::Timestamp;
use domain::delivery::{Change, Delivery, Notice, OpenRetry, Stage, Status};
use domain::ids::{DeliveryId, RetryId};
use domain::ports::{Deliveries, DueEntry, DuePage, PortResult};
use domain::schedule::Tier;

use super::change;
use super::delivery_item::{due_shard, from_item, key, retry_attributes, status, to_item};
use super::item::{Item, Reader, Unreadable, number, text};
use super::request::{Place, Read, Update};
use super::{Store, Table};

impl Deliveries for Store {
    async fn create(&self, delivery: &Delivery) -> PortResult<Status> {
        let place = at("deliveries.create");
        let item = to_item(delivery, delivery.created_at + self.retention);
        match self.put_new(place, item).await? {
            None => Ok(delivery.status),
            Some(existing) => status(Reader(&existing)).map_err(|e| place.unreadable(e)),
        }
    }

    async fn delivery(&self, id: &DeliveryId) -> PortResult<Option<Delivery>> {
        let place = at("deliveries.delivery");
        let item = self.read(place, key(id), Read::Consistent).await?;
        item.as_ref().map(from_item).transpose().map_err(|e| place.unreadable(e))
    }

    async fn claim(
        &self,
        id: &DeliveryId,
        tier: Tier,
        until: Timestamp,
        now: Timestamp,
    ) -> PortResult<bool> {
        let mut update = Update::default();
        update.set("busy_until", text(until));
        update.only_if_is("scheduled_attempts", number(tier));
        let open = is_open(&mut update);
        update.only_if(open);
        let (busy, now) = (update.name("busy_until"), update.value("now", text(now)));
        update.only_if(format!("(attribute_not_exists({busy}) OR {busy} <= {now})"));
        self.update(at("deliveries.claim"), key(id), update).await
    }

    async fn open_retry(&self, id: &DeliveryId, retry: &OpenRetry) -> PortResult<bool> {
        let mut update = Update::default();
        for (attribute, value) in retry_attributes(retry) {
            update.set(attribute, value);
        }
        update.set("due_at", text(retry.opened_at));
        update.set("due_shard", due_shard(id));
        let (status, open) = (update.name("status"), update.name("retry_id"));
        update.only_if(format!("attribute_exists({status}) AND attribute_not_exists({open})"));
        if let Some(job) = retry.by.job() {
            update.set("job_id", text(job));
            let (last, this) = (update.name("job_id"), update.value("job_id", text(job)));
            update.only_if(format!("(attribute_not_exists({last}) OR {last} <> {this})"));
        }
        self.update(at("deliveries.open_retry"), key(id), update).await
    }

    async fn claim_retry(
        &self,
        id: &DeliveryId,
        retry: &RetryId,
        until: Timestamp,
        now: Timestamp,
    ) -> PortResult<bool> {
        let mut update = Update::default();
        update.set("retry_busy_until", text(until));
        update.only_if_is("retry_id", text(retry));
        let (busy, now) = (update.name("retry_busy_until"), update.value("now", text(now)));
        update.only_if(format!("(attribute_not_exists({busy}) OR {busy} <= {now})"));
        self.update(at("deliveries.claim_retry"), key(id), update).await
    }

    async fn commit(&self, id: &DeliveryId, expected: &Stage, change: &Change) -> PortResult<bool> {
        let update = change::commit(id, expected, change);
        self.update(at("deliveries.commit"), key(id), update).await
    }

    async fn erase_answers(&self, was: &Delivery, at: Timestamp) -> PortResult<bool> {
        let update = change::erase_answers(was, at);
        self.update(self::at("deliveries.erase_answers"), key(&was.id), update).await
    }

    async fn due(
        &self,
        shard: u8,
        until: Timestamp,
        after: Option<&DueEntry>,
        limit: usize,
    ) -> PortResult<DuePage> {
        let after = after.map(|entry| {
            let mut start = key(&entry.id);
            start.insert("due_shard".into(), due_shard(&entry.id));
            start.insert("due_at".into(), text(entry.due_at));
            start
        });
        let limit = i32::try_from(limit.max(1)).unwrap_or(i32::MAX);
        let query = |request: aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder| {
            request
                .index_name("due")
                .key_condition_expression("#due_shard = :shard AND #due_at <= :until")
                .expression_attribute_names("#due_shard", "due_shard")
                .expression_attribute_names("#due_at", "due_at")
                .expression_attribute_values(":shard", text(shard))
                .expression_attribute_values(":until", text(until))
                .set_exclusive_start_key(after)
                .limit(limit)
        };
        let place = at("deliveries.due");
        let (items, last) = self.page(place, query).await?;
        let next = last.as_ref().map(due_entry).transpose();
        Ok(DuePage {
            entries: items.iter().filter_map(readable).collect(),
            next: next.map_err(|e| place.unreadable(e))?,
        })
    }

    async fn back_off(&self, entry: &DueEntry, to: Timestamp, back_off_s: u32) -> PortResult<bool> {
        let mut update = Update::default();
        update.set("due_at", text(to));
        update.set("back_off_s", number(back_off_s));
        update.only_if_is("due_at", text(entry.due_at));
        let place = at("deliveries.back_off");
        self.update(place, key(&entry.id), update).await
    }

    async fn enter_due(&self, id: &DeliveryId, at: Timestamp) -> PortResult<bool> {
        let mut update = Update::default();
        update.set("due_at", text(at));
        update.set("due_shard", due_shard(id));
        let open = is_open(&mut update);
        let (due_at, shard) = (update.name("due_at"), update.name("due_shard"));
        let outside = format!("attribute_not_exists({due_at}) OR attribute_not_exists({shard})");
        update.only_if(format!("{open} AND ({outside})"));
        self.update(self::at("deliveries.enter_due"), key(id), update).await
    }

    async fn put_off(
        &self,
        id: &DeliveryId,
        expected: &Stage,
        due_at: Timestamp,
    ) -> PortResult<bool> {
        let mut update = Update::default();
        update.set("due_at", text(due_at));
        update.set("due_shard", due_shard(id));
        change::only_at(&mut update, expected);
        self.update(at("deliveries.put_off"), key(id), update).await
    }

    async fn take_out(&self, id: &DeliveryId, announced: Option<Notice>) -> PortResult<bool> {
        let mut update = Update::default();
        for attribute in ["due_at", "due_shard", "notice"] {
            update.remove(attribute);
        }
        let (status, open) = (update.name("status"), is_open(&mut update));
        update.only_if(format!("attribute_exists({status}) AND NOT {open}"));
        update.only_if_is_or_absent("notice", announced.map(|notice| text(notice.as_str())));
        update.only_if_is_or_absent("retry_id", None);
        self.update(at("deliveries.take_out"), key(id), update).await
    }

    async fn announced(&self, id: &DeliveryId, notice: Notice) -> PortResult<bool> {
        let mut update = Update::default();
        update.remove("notice");
        update.only_if_is("notice", text(notice.as_str()));
        self.update(at("deliveries.announced"), key(id), update).await
    }
}

fn at(call: &'static str) -> Place {
    Place { call, table: Table::Deliveries }
}

/// The condition that scheduled attempts may still be made, see [`Status::is_open`].
fn is_open(update: &mut Update) -> String {
    let status = update.name("status");
    let pending = update.value("pending", text(Status::Pending.as_str()));
    let retrying = update.value("retrying", text(Status::Retrying.as_str()));
    format!("{status} IN ({pending}, {retrying})")
}

fn due_entry(item: &Item) -> Result<DueEntry, Unreadable> {
    let item = Reader(item);
    Ok(DueEntry { id: item.parsed("delivery_id")?, due_at: item.moment("due_at")? })
}

/// One entry that cannot be read must not keep the sweeper from all others.
fn readable(item: &Item) -> Option<DueEntry> {
    due_entry(item)
        .inspect_err(|problem| tracing::error!(index = "due", %problem, "entry skipped"))
        .ok()
}
