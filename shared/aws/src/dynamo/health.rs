//! Endpoint health: the port, and how health stands on an endpoint's item.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::Timestamp;
use domain::endpoint::Endpoint;
use domain::endpoint::notice::EndpointNotice;
use domain::health::Health;
use domain::ports::{EndpointHealth, EndpointKey, Page, PortResult};

use super::Store;
use super::endpoint_item::{key, state_attributes, status};
use super::endpoints::at;
use super::item::{Item, Reader, Unreadable, Writer, text};
use super::registry::endpoint_key;
use super::request::Update;

const NOTICES: &str = "notices";
/// The partition of index `in_trouble`, for those that belong there.
const TROUBLE: &str = "trouble";
const SILENT_UNTIL: &str = "silent_until";
const TOLD_BY: &str = "notices_busy_until";

impl EndpointHealth for Store {
    async fn record_health(&self, was: &Endpoint, now: &Endpoint) -> PortResult<bool> {
        let mut update = Update::default();
        update.only_if_is("status", text(status(was)));
        update.only_if_is("enabled_at", text(was.enabled_at));
        for (attribute, known) in attributes(&was.health) {
            update.only_if_is_or_absent(attribute, known.map(text));
        }
        for (attribute, value) in attributes(&now.health) {
            update.set_or_remove(attribute, value.map(text));
        }
        for (attribute, value) in state_attributes(now) {
            update.set_or_remove(attribute, value);
        }
        update.set_or_remove(TROUBLE, trouble(now));
        add_notices(&mut update, was, now);
        let key = key(&now.account_id, &now.id);
        self.update(at("endpoints.record_health"), key, update).await
    }

    async fn note_silence(&self, whose: &EndpointKey, until: Timestamp) -> PortResult<()> {
        let mut update = Update::default();
        update.set(SILENT_UNTIL, text(until));
        update.only_if_there("endpoint_id");
        let key = key(&whose.account_id, &whose.id);
        self.update(at("endpoints.note_silence"), key, update).await.map(|_| ())
    }

    async fn in_trouble(
        &self,
        shard: u8,
        after: Option<&EndpointKey>,
        limit: usize,
    ) -> PortResult<Page<EndpointKey, EndpointKey>> {
        let place = at("endpoints.in_trouble");
        let start = after.map(|after| {
            let mut start = key(&after.account_id, &after.id);
            start.insert(TROUBLE.into(), text(shard));
            start
        });
        let query = |request: QueryFluentBuilder| {
            request
                .index_name("in_trouble")
                .key_condition_expression("#trouble = :shard")
                .expression_attribute_names("#trouble", TROUBLE)
                .expression_attribute_values(":shard", text(shard))
                .set_exclusive_start_key(start)
                .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX))
        };
        let (items, last) = self.page(place, query).await?;
        let items: Result<_, _> = items.iter().map(endpoint_key).collect();
        let next = last.as_ref().map(endpoint_key).transpose();
        Ok(Page {
            items: items.map_err(|e| place.unreadable(e))?,
            next: next.map_err(|e| place.unreadable(e))?,
        })
    }

    async fn claim_notices(
        &self,
        whose: &EndpointKey,
        until: Timestamp,
        now: Timestamp,
    ) -> PortResult<bool> {
        let mut update = Update::default();
        update.set(TOLD_BY, text(until));
        update.only_if_there("endpoint_id");
        let (busy, now) = (update.name(TOLD_BY), update.value("now", text(now)));
        update.only_if(format!("(attribute_not_exists({busy}) OR {busy} <= {now})"));
        let key = key(&whose.account_id, &whose.id);
        self.update(at("endpoints.claim_notices"), key, update).await
    }

    async fn free_notices(&self, whose: &EndpointKey, until: Timestamp) -> PortResult<()> {
        let mut update = Update::default();
        update.remove(TOLD_BY);
        update.only_if_is(TOLD_BY, text(until));
        let key = key(&whose.account_id, &whose.id);
        self.update(at("endpoints.free_notices"), key, update).await.map(|_| ())
    }

    async fn finish_notice(&self, whose: &EndpointKey, notice: &EndpointNotice) -> PortResult<()> {
        let mut update = Update::default();
        update.delete(NOTICES, AttributeValue::Ss(vec![notice.to_string()]));
        update.only_if_there("endpoint_id"); // or an expired one would come back as a stub
        let key = key(&whose.account_id, &whose.id);
        self.update(at("endpoints.finish_notice"), key, update).await.map(|_| ())
    }
}

/// Adds the notices that `now` has and `was` had not, and with them the endpoint to the index.
pub(super) fn add_notices(update: &mut Update, was: &Endpoint, now: &Endpoint) {
    let new: Vec<String> = now.notices.difference(&was.notices).map(ToString::to_string).collect();
    if !new.is_empty() {
        update.add(NOTICES, AttributeValue::Ss(new));
    }
}

/// What a change of state by a person makes of health and index.
pub(super) fn reset(update: &mut Update, was: &Endpoint, now: &Endpoint) {
    if was.state == now.state {
        return;
    }
    for (attribute, value) in attributes(&now.health) {
        update.set_or_remove(attribute, value.map(text));
    }
    if let Some(shard) = trouble(now) {
        update.set(TROUBLE, shard);
    }
    add_notices(update, was, now);
}

/// Adds health and notices to an endpoint's item.
pub(super) fn write(item: Writer, endpoint: &Endpoint) -> Writer {
    let moments = attributes(&endpoint.health);
    let item =
        moments.into_iter().fold(item, |item, (name, at)| item.with_some(name, at.map(text)));
    let notices: Vec<String> = endpoint.notices.iter().map(ToString::to_string).collect();
    let notices = (!notices.is_empty()).then_some(AttributeValue::Ss(notices));
    item.with_some(NOTICES, notices)
        .with_some(TROUBLE, trouble(endpoint))
        .with_some(SILENT_UNTIL, endpoint.silent_until.map(text))
}

/// Reads health from an endpoint's item.
pub(super) fn read(item: Reader<'_>) -> Result<Health, Unreadable> {
    Ok(Health {
        last_failure_at: item.moment_opt("last_failure_at")?,
        failing_since: item.moment_opt("failing_since")?,
        last_success_at: item.moment_opt("last_success_at")?,
        alerted_for: item.moment_opt("alerted_for")?,
        warned_for: item.moment_opt("warned_for")?,
    })
}

/// Reads until when an endpoint stands apart from its item.
pub(super) fn read_silent_until(item: Reader<'_>) -> Result<Option<Timestamp>, Unreadable> {
    item.moment_opt(SILENT_UNTIL)
}

/// Reads the notices of an endpoint's item.
pub(super) fn read_notices(item: &Item) -> Result<BTreeSet<EndpointNotice>, Unreadable> {
    let Some(notices) = item.get(NOTICES) else {
        return Ok(BTreeSet::new());
    };
    let notices = notices.as_ss().map_err(|_| Unreadable(NOTICES))?;
    let notice = |text: &String| EndpointNotice::parse(text).ok_or(Unreadable(NOTICES));
    notices.iter().map(notice).collect()
}

fn attributes(health: &Health) -> [(&'static str, Option<Timestamp>); 5] {
    let Health { last_failure_at, failing_since, last_success_at, alerted_for, warned_for } =
        *health;
    [
        ("last_failure_at", last_failure_at),
        ("failing_since", failing_since),
        ("last_success_at", last_success_at),
        ("alerted_for", alerted_for),
        ("warned_for", warned_for),
    ]
}

fn trouble(endpoint: &Endpoint) -> Option<AttributeValue> {
    endpoint.needs_attention().then(|| text(endpoint.id.trouble_shard()))
}
