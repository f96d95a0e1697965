//! Rotating an endpoint's secret.

use domain::endpoint::Endpoint;
use domain::ports::{Clock, Fresh};
use domain::secret::SigningSecrets;
use serde_json::json;

use crate::error::{Answer, ApiError};
use crate::http::Response;
use crate::{Api, Call, Outside, Store};

impl<S: Store, O: Outside, C: Clock + Fresh> Api<S, O, C> {
    /// Hands out a new secret. Until the overlap is over, or finished by hand, both sign.
    pub(crate) async fn rotate_secret(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let endpoint = self.living_endpoint(call).await?;
        let secrets = self.secrets_of(&endpoint).await?;
        let until = call.now + self.rules.secret_overlap;
        let rotated = secrets.rotated(self.chance.secret()?, until, call.now);
        let rotated = rotated.ok_or(ApiError::RotationInProgress)?;
        self.replace_secrets(&endpoint, &secrets, &rotated).await?;
        let secret = rotated.current.reveal();
        Ok(Response::json(200, &json!({"secret": secret, "previous_valid_until": until})))
    }

    /// Ends the overlap: from now on the new secret signs alone.
    pub(crate) async fn finish_rotation(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let endpoint = self.living_endpoint(call).await?;
        let secrets = self.secrets_of(&endpoint).await?;
        if secrets.previous.is_some() {
            self.replace_secrets(&endpoint, &secrets, &secrets.finished()).await?;
        }
        Ok(Response::json(200, &self.rules.shown(&endpoint)))
    }

    async fn secrets_of(&self, endpoint: &Endpoint) -> Answer<SigningSecrets> {
        let found = self.store.secrets(&endpoint.id).await?;
        found.ok_or_else(|| ApiError::Internal(format!("{} has no secret", endpoint.id)))
    }

    async fn replace_secrets(
        &self,
        endpoint: &Endpoint,
        was: &SigningSecrets,
        now: &SigningSecrets,
    ) -> Answer<()> {
        match self.store.replace_secrets(&endpoint.id, was, now).await? {
            true => Ok(()),
            false => Err(ApiError::Conflict),
        }
    }
}
