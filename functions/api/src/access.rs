//! What a key may see. A thing that is not the caller's is not there; naming another account or
//! product outright is refused, whether or not there is one of that name.

use domain::api_key::Scope;
use domain::delivery::Delivery;
use domain::endpoint::{Endpoint, EndpointState};
use domain::envelope::Product;
use domain::ids::{AccountId, DeliveryId, EndpointId};
use domain::ports::{Clock, Fresh};

use crate::auth::Caller;
use crate::error::{Answer, ApiError};
use crate::{Api, Call, Store};

impl Caller {
    /// Whether an endpoint is the caller's to see.
    pub fn sees(&self, endpoint: &Endpoint) -> bool {
        match &self.scope {
            Scope::Operator => true,
            Scope::Account(account) => endpoint.account_id == *account,
            Scope::Product(product) => endpoint.product == Some(*product),
        }
    }

    /// The account a call is about: the one named, or the key's own.
    pub fn account(&self, named: Option<AccountId>) -> Answer<Option<AccountId>> {
        match &self.scope {
            Scope::Operator | Scope::Product(_) => Ok(named),
            Scope::Account(own) => match named {
                Some(other) if other != *own => Err(ApiError::InsufficientScope),
                Some(_) | None => Ok(Some(own.clone())),
            },
        }
    }

    /// The product a call is about: the one named, or the key's own.
    pub fn product(&self, named: Option<Product>) -> Answer<Option<Product>> {
        match &self.scope {
            Scope::Operator | Scope::Account(_) => Ok(named),
            Scope::Product(own) => match named {
                Some(other) if other != *own => Err(ApiError::InsufficientScope),
                Some(_) | None => Ok(Some(*own)),
            },
        }
    }
}

impl<S: Store, C: Clock + Fresh> Api<S, C> {
    /// The endpoint in the path, if it is the caller's and not deleted.
    pub(crate) async fn living_endpoint(&self, call: &Call<'_>) -> Answer<Endpoint> {
        let id = EndpointId::parse(call.id).map_err(|_| ApiError::NotFound)?;
        let found = match &call.caller.scope {
            // Under the key's own account alone: another's cannot even be read.
            Scope::Account(account) => self.store.endpoint(account, &id).await?,
            Scope::Operator | Scope::Product(_) => self.store.endpoint_by_id(&id).await?,
        };
        found
            .filter(|endpoint| call.caller.sees(endpoint))
            .filter(|endpoint| !matches!(endpoint.state, EndpointState::Deleted { .. }))
            .ok_or(ApiError::NotFound)
    }

    /// The delivery in the path with its endpoint, deleted or not, if they are the caller's.
    pub(crate) async fn known_delivery(&self, call: &Call<'_>) -> Answer<(Delivery, Endpoint)> {
        let id = DeliveryId::parse(call.id).map_err(|_| ApiError::NotFound)?;
        let kept_since = self.kept_since(call.now);
        let found = self.store.delivery(&id).await?;
        let delivery = found.filter(|d| d.created_at >= kept_since).ok_or(ApiError::NotFound)?;
        let endpoint = self.store.endpoint(&delivery.account_id, id.endpoint()).await?;
        let endpoint = endpoint.filter(|endpoint| call.caller.sees(endpoint));
        Ok((delivery, endpoint.ok_or(ApiError::NotFound)?))
    }
}
