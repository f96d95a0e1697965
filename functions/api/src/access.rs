//! What a key may see. A thing that is not the caller's is not there; naming another account or
//! product outright is refused, whether or not there is one of that name.

use domain::api_key::Scope;
use domain::delivery::Delivery;
use domain::endpoint::{Endpoint, EndpointState};
use domain::envelope::Product;
use domain::event::Event;
use domain::ids::{AccountId, DeliveryId, EndpointId};
use domain::portal::PortalScope;
use domain::ports::{Clock, Fresh};

use crate::auth::Caller;
use crate::error::{Answer, ApiError};
use crate::{Api, Call, Outside, Store};

impl Caller {
    /// Whether an endpoint is the caller's to see.
    pub fn sees(&self, endpoint: &Endpoint) -> bool {
        match &self.scope {
            Scope::Operator => true,
            Scope::Account(account) => endpoint.account_id == *account,
            Scope::Product(product) => endpoint.product == Some(*product),
            Scope::Portal(portal) => {
                endpoint.account_id == portal.account_id
                    && portal.product.is_none_or(|product| endpoint.product == Some(product))
                    && portal.endpoint_id.as_ref().is_none_or(|id| endpoint.id == *id)
            }
        }
    }

    /// Whether an event itself is the caller's to see.
    pub fn opens(&self, event: &Event) -> bool {
        match &self.scope {
            Scope::Operator => true,
            Scope::Account(account) => event.envelope.account_id == *account,
            Scope::Product(product) => event.envelope.product == *product,
            Scope::Portal(PortalScope { account_id, product, endpoint_id }) => {
                let went_to = |id| event.fan_out.iter().any(|e| e.delivery_id.endpoint() == id);
                event.envelope.account_id == *account_id
                    && product.is_none_or(|product| event.envelope.product == product)
                    && endpoint_id.as_ref().is_none_or(went_to)
            }
        }
    }

    /// Whether the caller follows a link, and not with a key.
    pub fn is_portal(&self) -> bool {
        match self.scope {
            Scope::Portal(_) => true,
            Scope::Operator | Scope::Account(_) | Scope::Product(_) => false,
        }
    }

    /// Whether the caller may register endpoints.
    pub fn registers(&self) -> bool {
        match &self.scope {
            Scope::Portal(portal) => portal.registers(),
            Scope::Operator | Scope::Account(_) | Scope::Product(_) => true,
        }
    }

    /// The one account that the caller is for, if it is for one.
    fn own_account(&self) -> Option<&AccountId> {
        match &self.scope {
            Scope::Account(account) => Some(account),
            Scope::Portal(portal) => Some(&portal.account_id),
            Scope::Operator | Scope::Product(_) => None,
        }
    }

    /// The one product that the caller is for, if it is for one.
    fn own_product(&self) -> Option<Product> {
        match &self.scope {
            Scope::Product(product) => Some(*product),
            Scope::Portal(portal) => portal.product,
            Scope::Operator | Scope::Account(_) => None,
        }
    }

    /// The account a call is about: the one named, or the key's own.
    pub fn account(&self, named: Option<AccountId>) -> Answer<Option<AccountId>> {
        match (self.own_account(), named) {
            (None, named) => Ok(named),
            (Some(own), Some(other)) if other != *own => Err(ApiError::InsufficientScope),
            (Some(own), Some(_) | None) => Ok(Some(own.clone())),
        }
    }

    /// The product a call is about: the one named, or the key's own.
    pub fn product(&self, named: Option<Product>) -> Answer<Option<Product>> {
        match (self.own_product(), named) {
            (None, named) => Ok(named),
            (Some(own), Some(other)) if other != own => Err(ApiError::InsufficientScope),
            (Some(own), Some(_) | None) => Ok(Some(own)),
        }
    }
}

impl<S: Store, O: Outside, C: Clock + Fresh> Api<S, O, C> {
    /// The endpoint in the path, if it is the caller's and not deleted.
    pub(crate) async fn living_endpoint(&self, call: &Call<'_>) -> Answer<Endpoint> {
        let id = EndpointId::parse(call.id).map_err(|_| ApiError::NotFound)?;
        self.living_endpoint_of(&call.caller, &id).await
    }

    /// An endpoint, if it is the caller's and not deleted.
    pub(crate) async fn living_endpoint_of(
        &self,
        caller: &Caller,
        id: &EndpointId,
    ) -> Answer<Endpoint> {
        let found = match caller.own_account() {
            // Under the key's own account alone: another's cannot even be read.
            Some(account) => self.store.endpoint(account, id).await?,
            None => self.store.endpoint_by_id(id).await?,
        };
        found
            .filter(|endpoint| caller.sees(endpoint))
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
