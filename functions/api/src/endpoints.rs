//! Registering endpoints, and listing them.

mod change;
mod secrets;
mod test;

use std::time::Duration;

use domain::catalogue;
use domain::endpoint::register::Registration;
use domain::endpoint::{Endpoint, EndpointState};
use domain::ids::{EndpointId, hash_fields, hex};
use domain::limits::{
    ENDPOINTS_LISTED, ENDPOINTS_PER_ACCOUNT, IDEMPOTENCY_KEPT_S, IDEMPOTENCY_KEY_CHARS,
};
use domain::ports::{Clock, Fresh, Reservation};
use domain::secret::SigningSecrets;
use domain::view;
use serde_json::{Value, json};

use crate::cursor::{self, Cursors};
use crate::error::{Answer, ApiError};
use crate::fields::Fields;
use crate::http::Response;
use crate::{Api, Call, Outside, Rules, Store};

/// Endpoints read in one request, of all there are.
const AT_ONCE: usize = 1_000;

impl<S: Store, O: Outside, C: Clock + Fresh> Api<S, O, C> {
    pub(crate) async fn create_endpoint(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        if !call.caller.registers() {
            return Err(ApiError::InsufficientScope);
        }
        let mut fields = Fields::parse(&call.request.body)?;
        let request = fields.canonical();
        let registration = self.registration(call, &mut fields)?;
        fields.end()?;
        let id = self.chance.endpoint_id()?;
        let endpoint = registration.check(id, self.rules.targets, call.now)?;
        let wanted = Endpoint { id: self.reserve(call, &endpoint, &request).await?, ..endpoint };

        let of_account = self.store.of_account(&wanted.account_id).await?;
        let is_living = |e: &&Endpoint| !matches!(e.state, EndpointState::Deleted { .. });
        let others = of_account.iter().filter(is_living).filter(|e| e.id != wanted.id).count();
        if others >= ENDPOINTS_PER_ACCOUNT {
            return Err(ApiError::EndpointLimitReached);
        }
        let secrets = SigningSecrets { current: self.chance.secret()?, previous: None };
        let (endpoint, secrets) = self.store.create_endpoint(&wanted, &secrets).await?;
        if !is_living(&&endpoint) {
            // Registered by an earlier call with this idempotency key, and deleted since.
            return Err(ApiError::Conflict);
        }
        let mut body = self.rules.with_warnings(&endpoint);
        body["secret"] = secrets.current.reveal().into();
        Ok(Response::json(201, &body))
    }

    /// What a body asks for, within what the key opens.
    fn registration(&self, call: &Call<'_>, fields: &mut Fields) -> Answer<Registration> {
        let account = call.caller.account(fields.account_id()?)?;
        let account = account.ok_or(ApiError::MissingField("account_id"))?;
        for required in ["url", "event_types", "alert_email"] {
            if !fields.has(required) {
                return Err(ApiError::MissingField(required));
            }
        }
        let mut registration =
            Registration { account_id: account.to_string(), ..Registration::default() };
        fields.apply_to(&mut registration)?;
        self.keep_to_product(call, &mut registration)?;
        Ok(registration)
    }

    /// A product's key makes endpoints of its product, and no others.
    fn keep_to_product(&self, call: &Call<'_>, registration: &mut Registration) -> Answer<()> {
        let Some(own) = call.caller.product(None)? else {
            return Ok(());
        };
        match registration.product.as_deref() {
            Some(named) if named != own.as_str() => Err(ApiError::InsufficientScope),
            Some(_) | None => {
                registration.product = Some(own.as_str().to_owned());
                Ok(())
            }
        }
    }

    /// The id to register under: a new one, or the one that an earlier call with the same
    /// `X-Idempotency-Key` took.
    async fn reserve(
        &self,
        call: &Call<'_>,
        endpoint: &Endpoint,
        request: &str,
    ) -> Answer<EndpointId> {
        let Some(key) = call.request.header("x-idempotency-key") else {
            return Ok(endpoint.id.clone());
        };
        let printable = key.bytes().all(|b| (0x21..=0x7e).contains(&b));
        if !printable || !(1..=IDEMPOTENCY_KEY_CHARS).contains(&key.len()) {
            let rule = "must be 1 to 128 printable ASCII characters without spaces";
            return Err(ApiError::invalid("X-Idempotency-Key", rule));
        }
        let name = hex(&hash_fields(&[&call.caller.key_id, key]));
        let wanted = Reservation {
            name: format!("once#{name}"),
            request_hash: hex(&hash_fields(&["POST /v1/endpoints", request])),
            endpoint_id: endpoint.id.clone(),
            expires_at: call.now + Duration::from_secs(IDEMPOTENCY_KEPT_S),
        };
        let standing = self.store.reserve(&wanted, call.now).await?;
        if standing.request_hash == wanted.request_hash {
            Ok(standing.endpoint_id)
        } else {
            Err(ApiError::IdempotencyKeyReused)
        }
    }

    pub(crate) async fn list_endpoints(&self, call: &Call<'_>) -> Answer<Response> {
        let filters = ["account_id", "product", "status"];
        call.query.only(&["account_id", "product", "status", "limit", "cursor"])?;
        let account = call.caller.account(call.query.account_id()?)?;
        let product = call.caller.product(call.query.product()?)?;
        let status = call.query.one("status")?;
        if status.is_some_and(|status| !["enabled", "disabled"].contains(&status)) {
            return Err(ApiError::invalid("status", "must be enabled or disabled"));
        }
        let limit = call.query.limit()?;
        let cursors = Cursors::of(call, "endpoints", &filters);
        let before = cursors.read(call)?.map(|place| Place::parse(&place)).transpose()?;

        let mut found = match &account {
            Some(account) => self.store.of_account(account).await?,
            None => self.every_endpoint().await?,
        };
        let wanted = status.map(|status| status == "enabled");
        found.retain(|endpoint| {
            let enabled = match endpoint.state {
                EndpointState::Enabled => true,
                EndpointState::Disabled { .. } => false,
                EndpointState::Deleted { .. } => return false,
            };
            call.caller.sees(endpoint)
                && product.is_none_or(|product| endpoint.product == Some(product))
                && wanted.is_none_or(|wanted| wanted == enabled)
                && before.as_ref().is_none_or(|before| Place::of(endpoint) < *before)
        });
        found.sort_by_cached_key(|endpoint| std::cmp::Reverse(Place::of(endpoint)));
        let more = found.len() > limit;
        found.truncate(limit);
        let end = found.last().filter(|_| more).map(Place::of);
        Ok(Response::json(
            200,
            &json!({
                "data": found.iter().map(|endpoint| self.rules.shown(endpoint)).collect::<Vec<_>>(),
                "next_cursor": cursors.write(end),
            }),
        ))
    }

    /// All there are, since they are to be sorted; above a bound the caller must name an account.
    async fn every_endpoint(&self) -> Answer<Vec<Endpoint>> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.all_endpoints(after.as_ref(), AT_ONCE).await?;
            found.extend(page.items);
            if found.len() > ENDPOINTS_LISTED {
                let rule = "must be given: there are too many endpoints to list them all";
                return Err(ApiError::invalid("account_id", rule));
            }
            after = page.next;
            if after.is_none() {
                return Ok(found);
            }
        }
    }
}

impl Rules {
    /// An endpoint as callers see it.
    pub(crate) fn shown(&self, endpoint: &Endpoint) -> Value {
        let mut body = view::endpoint(endpoint);
        if let Some(at) = endpoint.disable_due_at(self.disable_after) {
            body["disable_due_at"] = at.to_string().into();
        }
        body
    }

    /// The endpoint, and what its owner should have another look at.
    pub(crate) fn with_warnings(&self, endpoint: &Endpoint) -> Value {
        let mut body = self.shown(endpoint);
        let warnings = catalogue::warnings(&endpoint.event_types);
        if !warnings.is_empty() {
            body["warnings"] = warnings.into();
        }
        body
    }
}

/// Where an endpoint stands in a list, newest first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    created_at_ms: i64,
    id: EndpointId,
}

impl Place {
    fn of(endpoint: &Endpoint) -> Self {
        Self { created_at_ms: endpoint.created_at.as_millis(), id: endpoint.id.clone() }
    }

    fn parse(text: &str) -> Answer<Self> {
        let read = || {
            let (millis, id) = text.split_once('.')?;
            Some(Self { created_at_ms: millis.parse().ok()?, id: EndpointId::parse(id).ok()? })
        };
        read().ok_or_else(cursor::wrong)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.created_at_ms, self.id)
    }
}
