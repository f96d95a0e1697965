//! Endpoints as people register and change them: the port.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use domain::Timestamp;
use domain::endpoint::Endpoint;
use domain::ids::EndpointId;
use domain::ports::{EndpointKey, Endpoints, Page, PortResult, Registry};
use domain::secret::SigningSecrets;

use super::endpoint_item::{
    from_item, key, secrets_from_item, secrets_key, secrets_to_item, status, to_item,
};
use super::endpoints::{at, at_secrets};
use super::item::{Item, Reader, Unreadable, number, text};
use super::request::Update;
use super::{Store, health};
use crate::error::port_error;

/// What people set, and what follows from it. Whatever else is on an endpoint's item belongs to
/// others and stays.
const SETTINGS: [&str; 14] = [
    "url",
    "event_types",
    "product",
    "platform_id",
    "description",
    "alert_email",
    "headers",
    "max_per_second",
    "status",
    "disabled_reason",
    "disabled_at",
    "deleted_at",
    "enabled_at",
    "updated_at",
];

impl Registry for Store {
    async fn create_endpoint(
        &self,
        endpoint: &Endpoint,
        secrets: &SigningSecrets,
    ) -> PortResult<(Endpoint, SigningSecrets)> {
        let place = at_secrets("secrets.create");
        let there = self.put_new(place, secrets_to_item(&endpoint.id, secrets)).await?;
        let there = there.as_ref().map(secrets_from_item).transpose();
        let secrets = there.map_err(|e| place.unreadable(e))?.unwrap_or_else(|| secrets.clone());

        let place = at("endpoints.create");
        let there = self.put_new(place, to_item(endpoint)).await?;
        let there = there.as_ref().map(from_item).transpose();
        let endpoint = there.map_err(|e| place.unreadable(e))?.unwrap_or_else(|| endpoint.clone());
        Ok((endpoint, secrets))
    }

    async fn endpoint_by_id(&self, id: &EndpointId) -> PortResult<Option<Endpoint>> {
        let place = at("endpoints.by_id");
        let query = |request: QueryFluentBuilder| {
            request
                .index_name("by_endpoint_id")
                .key_condition_expression("#endpoint_id = :endpoint_id")
                .expression_attribute_names("#endpoint_id", "endpoint_id")
                .expression_attribute_values(":endpoint_id", text(id))
                .limit(1)
        };
        let (items, _) = self.page(place, query).await?;
        let Some(item) = items.first() else {
            return Ok(None);
        };
        let key = endpoint_key(item).map_err(|e| place.unreadable(e))?;
        self.endpoint(&key.account_id, &key.id).await
    }

    async fn all_endpoints(
        &self,
        after: Option<&EndpointKey>,
        limit: usize,
    ) -> PortResult<Page<Endpoint, EndpointKey>> {
        let place = at("endpoints.all");
        let request = self
            .client
            .scan()
            .table_name(self.tables.name(place.table, place.call)?)
            .set_exclusive_start_key(after.map(|after| key(&after.account_id, &after.id)))
            .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX));
        let page = match request.send().await {
            Ok(page) => page,
            Err(error) => return Err(port_error(place.call, &error)),
        };
        let items: Result<_, _> = page.items().iter().map(from_item).collect();
        let next = page.last_evaluated_key().map(endpoint_key).transpose();
        Ok(Page {
            items: items.map_err(|e| place.unreadable(e))?,
            next: next.map_err(|e| place.unreadable(e))?,
        })
    }

    async fn replace_endpoint(
        &self,
        was: &Endpoint,
        now: &Endpoint,
        expires_at: Option<Timestamp>,
    ) -> PortResult<bool> {
        let mut update = replacement(was, now);
        if let Some(at) = expires_at {
            expire(&mut update, at);
        }
        let key = key(&now.account_id, &now.id);
        if !self.update(at("endpoints.replace"), key, update).await? {
            return Ok(false);
        }
        if let Some(at) = expires_at {
            // Nothing is signed for a deleted endpoint: its secrets go when it goes.
            let mut update = Update::default();
            expire(&mut update, at);
            let id = update.name("endpoint_id");
            update.only_if(format!("attribute_exists({id})"));
            self.update(at_secrets("secrets.expire"), secrets_key(&now.id), update).await?;
        }
        Ok(true)
    }

    async fn replace_secrets(
        &self,
        id: &EndpointId,
        was: &SigningSecrets,
        now: &SigningSecrets,
    ) -> PortResult<bool> {
        let previous = now.previous.as_ref();
        let mut update = Update::default();
        update.set("current", text(now.current.reveal()));
        update.set_or_remove("previous", previous.map(|(old, _)| text(old.reveal())));
        update.set_or_remove("previous_valid_until", previous.map(|(_, until)| text(until)));
        update.only_if_is("current", text(was.current.reveal()));
        match &was.previous {
            Some((_, until)) => update.only_if_is("previous_valid_until", text(until)),
            None => {
                let until = update.name("previous_valid_until");
                update.only_if(format!("attribute_not_exists({until})"));
            }
        }
        self.update(at_secrets("secrets.replace"), secrets_key(id), update).await
    }
}

/// The update that makes `was` into `now`, if `was` still stands.
fn replacement(was: &Endpoint, now: &Endpoint) -> Update {
    let mut item = to_item(now);
    let mut update = Update::default();
    for attribute in SETTINGS {
        update.set_or_remove(attribute, item.remove(attribute));
    }
    health::reset(&mut update, was, now);
    update.only_if_is("updated_at", text(was.updated_at));
    update.only_if_is("status", text(status(was)));
    update
}

fn expire(update: &mut Update, at: Timestamp) {
    update.set("expires_at", text(at));
    update.set("ttl", number(at.ceil_secs()));
}

pub(super) fn endpoint_key(item: &Item) -> Result<EndpointKey, Unreadable> {
    let item = Reader(item);
    Ok(EndpointKey { account_id: item.parsed("account_id")?, id: item.parsed("endpoint_id")? })
}
