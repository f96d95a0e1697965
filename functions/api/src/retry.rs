//! Retry Now: one delivery again, at once, on any status (design 3.5).

use domain::delivery::RetryBy;
use domain::endpoint::EndpointState;
use domain::ports::{Clock, Fresh, Outgoing, send_one};
use domain::retry::open;
use domain::wakeup::{self, RetryCall};
use serde_json::json;

use crate::error::{Answer, ApiError};
use crate::http::Response;
use crate::{Api, Call, Outside, Store};

impl<S: Store, O: Outside, C: Clock + Fresh> Api<S, O, C> {
    pub(crate) async fn retry_delivery(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let (delivery, endpoint) = self.known_delivery(call).await?;
        if endpoint.state != EndpointState::Enabled {
            return Err(ApiError::EndpointDisabled);
        }
        let event = self.store.event(&delivery.event_id).await?;
        if delivery.erased_at.is_some() || !event.is_some_and(|event| event.has_payload()) {
            return Err(ApiError::PayloadExpired);
        }
        let retry = open(self.chance.retry_id()?, RetryBy::Manual, call.now);
        if !self.store.open_retry(&delivery.id, &retry).await? {
            return Err(ApiError::RetryInProgress);
        }
        let (delivery_id, retry_id) = (delivery.id.clone(), retry.id.clone());
        let by = RetryBy::Manual;
        let wake_up = wakeup::Call::Retry(RetryCall { delivery_id, retry_id, by, is_copy: false });
        if let Err(error) = send_one(&self.outside, Outgoing::new(wake_up, 0)).await {
            // It is on record and in `due`, so it will be made: the sweeper wakes it.
            tracing::warn!(delivery_id = %delivery.id, %error, "retry left to the sweeper");
        }
        Ok(Response::json(202, &json!({"delivery_id": delivery.id, "retry_id": retry.id})))
    }
}
