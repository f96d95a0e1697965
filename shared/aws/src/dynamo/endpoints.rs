//! Endpoints and their secrets: the ports, and registration.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use domain::endpoint::Endpoint;
use domain::ids::{AccountId, EndpointId};
use domain::ports::{Endpoints, PortError, PortResult, Secrets};
use domain::secret::SigningSecrets;

use super::endpoint_item::{
    from_item, key, secrets_from_item, secrets_key, secrets_to_item, to_item,
};
use super::item::{Item, Reader, Unreadable, text};
use super::request::{Place, Read};
use super::{Page, Store, Table};
use crate::error::port_error;

/// Pages of 1 MB read for one account. Fifty endpoints of the largest size fill less than one;
/// what takes more are tombstones, and so many that something is wrong.
const PAGES_PER_ACCOUNT: usize = 20;

impl Endpoints for Store {
    async fn of_account(&self, account: &AccountId) -> PortResult<Vec<Endpoint>> {
        let place = at("endpoints.of_account");
        let mut found = Vec::new();
        let mut start: Option<Item> = None;
        for _ in 0..PAGES_PER_ACCOUNT {
            let query = |request: QueryFluentBuilder| {
                request
                    .key_condition_expression("#account_id = :account_id")
                    .expression_attribute_names("#account_id", "account_id")
                    .expression_attribute_values(":account_id", text(account))
                    .consistent_read(true)
                    .set_exclusive_start_key(start.take())
            };
            let (items, last) = self.page(place, query).await?;
            for item in &items {
                found.push(from_item(item).map_err(|e| place.unreadable(e))?);
            }
            start = last;
            if start.is_none() {
                return Ok(found);
            }
        }
        Err(PortError::new(place.call, "more endpoints than can be read"))
    }

    async fn endpoint(&self, account: &AccountId, id: &EndpointId) -> PortResult<Option<Endpoint>> {
        let place = at("endpoints.endpoint");
        let item = self.read(place, key(account, id), Read::Consistent).await?;
        item.as_ref().map(from_item).transpose().map_err(|e| place.unreadable(e))
    }
}

impl Secrets for Store {
    async fn secrets(&self, id: &EndpointId) -> PortResult<Option<SigningSecrets>> {
        let place = at_secrets("secrets.secrets");
        let item = self.read(place, secrets_key(id), Read::Consistent).await?;
        item.as_ref().map(secrets_from_item).transpose().map_err(|e| place.unreadable(e))
    }
}

/// What names an endpoint in its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointKey {
    /// Whose it is.
    pub account_id: AccountId,
    /// Its id.
    pub id: EndpointId,
}

impl Store {
    /// Registers an endpoint: its secrets first, so that one that can be found can be signed for.
    /// May be called again with the same arguments after an error.
    ///
    /// # Errors
    /// If a write failed, or the id is taken.
    pub async fn create_endpoint(
        &self,
        endpoint: &Endpoint,
        secrets: &SigningSecrets,
    ) -> PortResult<()> {
        let place = at_secrets("secrets.create");
        let item = secrets_to_item(&endpoint.id, secrets);
        self.put_once(place, item).await?;

        let place = at("endpoints.create");
        self.put_once(place, to_item(endpoint)).await
    }

    /// An endpoint of which only the id is known. One that was registered a moment ago may not be
    /// found yet; one that is found is as it is now.
    ///
    /// # Errors
    /// If a read failed, or the item cannot be read.
    pub async fn endpoint_by_id(&self, id: &EndpointId) -> PortResult<Option<Endpoint>> {
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

    /// One page of all endpoints of all accounts, in no order that means anything.
    ///
    /// # Errors
    /// If the read failed, or an item cannot be read.
    pub async fn all_endpoints(
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
}

fn at(call: &'static str) -> Place {
    Place { call, table: Table::Endpoints }
}

fn at_secrets(call: &'static str) -> Place {
    Place { call, table: Table::EndpointSecrets }
}

fn endpoint_key(item: &Item) -> Result<EndpointKey, Unreadable> {
    let item = Reader(item);
    Ok(EndpointKey { account_id: item.parsed("account_id")?, id: item.parsed("endpoint_id")? })
}
