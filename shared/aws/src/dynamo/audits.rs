//! Audits: the port, and an audit and its item.

use std::time::Duration;

use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::Timestamp;
use domain::audit::{Audit, AuditedDelivery, AuditedEvent, Finding, Stage};
use domain::ids::{DeliveryId, EventId};
use domain::limits::AUDIT_KEPT_S;
use domain::ports::{Audits, PortError, PortResult, Scanned};

use super::delivery_item::status;
use super::item::{Item, Reader, Unreadable, Writer, number, text};
use super::request::{Place, Read};
use super::{Store, Table};
use crate::error::port_error;

/// The format's version.
const VERSION: u8 = 1;
/// The key of the latest audit, beside the jobs.
const LATEST: &str = "audit";

impl Audits for Store {
    async fn audit(&self) -> PortResult<Option<Audit>> {
        let place = Place { call: "audits.audit", table: Table::Jobs };
        let item = self.read(place, key(), Read::Consistent).await?;
        item.as_ref().map(from_item).transpose().map_err(|e| place.unreadable(e))
    }

    async fn save_audit(&self, was: Option<&Audit>, now: &Audit) -> PortResult<bool> {
        let place = Place { call: "audits.save", table: Table::Jobs };
        let revision = was.map_or(0, |was| was.revision) + 1;
        let item = to_item(&Audit { revision, ..now.clone() });
        self.put_over(place, item, was.map(|was| was.revision)).await
    }

    async fn scan_events(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> PortResult<Scanned<AuditedEvent>> {
        let place = Place { call: "audits.scan_events", table: Table::Events };
        let start = after.map(|id| Writer::default().with("event_id", text(id)).item());
        let scan = |request: ScanFluentBuilder| {
            request.projection_expression("event_id, accepted_at, expires_at, fan_out")
        };
        let (items, last) = self.scan(place, start, limit, scan).await?;
        Ok(scanned(&items, audited_event, "event_id", last.as_ref().map(place_of_event)))
    }

    async fn scan_deliveries(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> PortResult<Scanned<AuditedDelivery>> {
        let place = Place { call: "audits.scan_deliveries", table: Table::Deliveries };
        let key = |(partition, id): (&str, &str)| {
            Writer::default()
                .with("partition", text(partition))
                .with("delivery_id", text(id))
                .item()
        };
        let start = after.and_then(|after| after.split_once(' ')).map(key);
        let scan = |request: ScanFluentBuilder| {
            request
                .projection_expression(
                    "#partition, delivery_id, #status, reason, created_at, expires_at, due_at, \
                     due_shard",
                )
                .expression_attribute_names("#partition", "partition")
                .expression_attribute_names("#status", "status")
        };
        let (items, last) = self.scan(place, start, limit, scan).await?;
        let next = last.as_ref().map(place_of_delivery);
        Ok(scanned(&items, audited_delivery, "delivery_id", next))
    }
}

impl Store {
    /// One page of a table, and the key after which the next begins.
    async fn scan(
        &self,
        place: Place,
        start: Option<Item>,
        limit: usize,
        prepare: impl FnOnce(ScanFluentBuilder) -> ScanFluentBuilder,
    ) -> PortResult<(Vec<Item>, Option<Item>)> {
        let request = self
            .client
            .scan()
            .table_name(self.tables.name(place.table, place.call)?)
            .set_exclusive_start_key(start)
            .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX));
        match prepare(request).send().await {
            Ok(page) => Ok((page.items.unwrap_or_default(), page.last_evaluated_key)),
            Err(error) => Err(port_error(place.call, &error)),
        }
    }

    /// About how many items an audit of the stack has to read, as of the last few hours.
    ///
    /// # Errors
    /// If DynamoDB does not say.
    pub async fn audit_size(&self) -> PortResult<u64> {
        const CALL: &str = "audits.size";
        let mut size = 0;
        for table in [Table::Events, Table::Deliveries] {
            let request = self.client.describe_table().table_name(self.tables.name(table, CALL)?);
            let answer = request.send().await.map_err(|error| port_error(CALL, &error))?;
            let count = answer.table.and_then(|table| table.item_count);
            size += count
                .and_then(|count| u64::try_from(count).ok())
                .ok_or_else(|| PortError::new(CALL, "no count in the answer"))?;
        }
        Ok(size)
    }
}

fn place_of_event(last: &Item) -> String {
    Reader(last).text("event_id").unwrap_or_default().to_owned()
}

fn place_of_delivery(last: &Item) -> String {
    let part = |name| Reader(last).text(name).unwrap_or_default();
    format!("{} {}", part("partition"), part("delivery_id"))
}

fn scanned<T>(
    items: &[Item],
    read: impl Fn(Reader<'_>) -> Result<T, Unreadable>,
    key: &'static str,
    next: Option<String>,
) -> Scanned<T> {
    let mut scanned = Scanned { items: Vec::new(), unreadable: Vec::new(), next };
    for item in items {
        match read(Reader(item)) {
            Ok(one) => scanned.items.push(one),
            Err(problem) => {
                let id = Reader(item).text(key).unwrap_or("?").to_owned();
                tracing::error!(id, %problem, "not audited");
                scanned.unreadable.push(id);
            }
        }
    }
    scanned
}

fn audited_event(item: Reader<'_>) -> Result<AuditedEvent, Unreadable> {
    let deliveries = item.maps("fan_out")?.into_iter().map(|entry| entry.parsed("delivery_id"));
    Ok(AuditedEvent {
        id: item.parsed::<EventId>("event_id")?,
        accepted_at: item.moment("accepted_at")?,
        expires_at: item.moment("expires_at")?,
        deliveries: deliveries.collect::<Result<Vec<DeliveryId>, _>>()?,
    })
}

/// The index has an item that carries both of its keys, and only then.
fn audited_delivery(item: Reader<'_>) -> Result<AuditedDelivery, Unreadable> {
    Ok(AuditedDelivery {
        id: item.parsed::<DeliveryId>("delivery_id")?,
        created_at: item.moment("created_at")?,
        expires_at: item.moment("expires_at")?,
        status: status(item)?,
        in_due: item.text_opt("due_at")?.is_some() && item.text_opt("due_shard")?.is_some(),
    })
}

fn key() -> Item {
    Writer::default().with("job_id", text(LATEST)).item()
}

pub(super) fn to_item(audit: &Audit) -> Item {
    let (stage, place) = match &audit.stage {
        Stage::Events(place) => ("events", place.as_ref()),
        Stage::Deliveries(place) => ("deliveries", place.as_ref()),
        Stage::Finished(_) => ("finished", None),
    };
    let moment = |at: Option<Timestamp>| at.map(text);
    let expires_at = audit.started_at + Duration::from_secs(AUDIT_KEPT_S);
    Writer(key())
        .with("started_at", text(audit.started_at))
        .with_some("cutoff", moment(audit.cutoff))
        .with("stage", text(stage))
        .with_some("place", place.map(text))
        .with_some("finished_at", moment(audit.finished_at()))
        .with("examined", number(audit.examined))
        .with("checked", number(audit.checked))
        .with("unexplained", number(audit.unexplained))
        .with("findings", names(&audit.findings))
        .with("repairing", names(&audit.repairing))
        .with_some("whole_at", moment(audit.whole_at))
        .with("revision", number(audit.revision))
        .with("expires_at", text(expires_at))
        .with("ttl", number(expires_at.ceil_secs()))
        .with("version", number(VERSION))
        .item()
}

fn names(findings: &[Finding]) -> AttributeValue {
    AttributeValue::L(findings.iter().map(text).collect())
}

pub(super) fn from_item(item: &Item) -> Result<Audit, Unreadable> {
    let item = Reader(item);
    item.no_newer_than(VERSION)?;
    let place = item.text_opt("place")?.map(str::to_owned);
    let findings = |name: &'static str| {
        let read = |text: &str| text.parse::<Finding>().map_err(|_| Unreadable(name));
        item.texts(name)?.into_iter().map(read).collect::<Result<Vec<_>, _>>()
    };
    Ok(Audit {
        started_at: item.moment("started_at")?,
        cutoff: item.moment_opt("cutoff")?,
        stage: match item.text("stage")? {
            "events" => Stage::Events(place),
            "deliveries" => Stage::Deliveries(place),
            "finished" => Stage::Finished(item.moment("finished_at")?),
            _ => return Err(Unreadable("stage")),
        },
        examined: item.number("examined")?,
        checked: item.number("checked")?,
        unexplained: item.number("unexplained")?,
        findings: findings("findings")?,
        repairing: findings("repairing")?,
        whole_at: item.moment_opt("whole_at")?,
        revision: item.number("revision")?,
    })
}
