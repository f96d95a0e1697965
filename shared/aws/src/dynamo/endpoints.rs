//! Endpoints and their secrets: the ports of the delivery path.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use domain::endpoint::Endpoint;
use domain::ids::{AccountId, EndpointId};
use domain::ports::{Endpoints, PortError, PortResult, Secrets};
use domain::secret::SigningSecrets;

use super::endpoint_item::{from_item, key, secrets_from_item, secrets_key};
use super::item::{Item, text};
use super::request::{Place, Read};
use super::{Store, Table};

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

pub(super) fn at(call: &'static str) -> Place {
    Place { call, table: Table::Endpoints }
}

pub(super) fn at_secrets(call: &'static str) -> Place {
    Place { call, table: Table::EndpointSecrets }
}
