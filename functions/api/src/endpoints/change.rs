//! Changing an endpoint. Every change is written only if the endpoint is still as it was read.

use std::time::Duration;

use domain::Timestamp;
use domain::delivery::{Delivery, FailedReason, Status};
use domain::endpoint::register::Registration;
use domain::endpoint::{Endpoint, EndpointState};
use domain::limits::{GIVE_UP_AFTER_MAX_S, JOB_COUNTED_S, MISSED_EXAMINED, PAGE_MAX};
use domain::log::LogQuery;
use domain::ports::{Clock, Fresh};
use serde_json::{Value, json};

use crate::error::{Answer, ApiError};
use crate::fields::Fields;
use crate::http::Response;
use crate::{Api, Call, Outside, Store};

/// No delivery was open for longer when its endpoint was disabled.
const OPEN_AT_MOST: Duration = Duration::from_secs(GIVE_UP_AFTER_MAX_S);

impl<S: Store, O: Outside, C: Clock + Fresh> Api<S, O, C> {
    pub(crate) async fn edit_endpoint(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let mut fields = Fields::parse(&call.request.body)?;
        let endpoint = self.living_endpoint(call).await?;
        let mut wanted = Registration::of(&endpoint);
        fields.apply_to(&mut wanted)?;
        fields.end()?;
        if call.caller.product(None)?.is_some()
            && wanted.product.as_deref() != endpoint.product.map(|product| product.as_str())
        {
            return Err(ApiError::InsufficientScope);
        }
        if same(&wanted, &endpoint) {
            return Ok(Response::json(200, &self.rules.with_warnings(&endpoint)));
        }
        let edited = endpoint.edited(wanted, self.rules.targets, call.now)?;
        self.replace(&endpoint, &edited, None).await?;
        Ok(Response::json(200, &self.rules.with_warnings(&edited)))
    }

    pub(crate) async fn delete_endpoint(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let endpoint = self.living_endpoint(call).await?;
        if let Some(deleted) = endpoint.deleted(call.now) {
            let expires_at = deleted.updated_at + self.rules.retention;
            self.replace(&endpoint, &deleted, Some(expires_at)).await?;
        }
        Ok(Response::empty(204))
    }

    pub(crate) async fn disable_endpoint(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let endpoint = self.living_endpoint(call).await?;
        let disabled = match endpoint.disabled(call.now) {
            None => endpoint,
            Some(disabled) => {
                self.replace(&endpoint, &disabled, None).await?;
                disabled
            }
        };
        Ok(Response::json(200, &self.rules.shown(&disabled)))
    }

    pub(crate) async fn enable_endpoint(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let endpoint = self.living_endpoint(call).await?;
        let (enabled, missed) = match (endpoint.enabled(call.now), endpoint.state) {
            (Some(enabled), EndpointState::Disabled { at, .. }) => {
                self.replace(&endpoint, &enabled, None).await?;
                let missed = self.missed(&enabled, at, call.now).await?;
                (enabled, missed)
            }
            (Some(_) | None, _) => (endpoint, Missed::nothing(call.now)),
        };
        let mut body = self.rules.shown(&enabled);
        body["missed"] = missed.to_json();
        Ok(Response::json(200, &body))
    }

    async fn replace(
        &self,
        was: &Endpoint,
        now: &Endpoint,
        expires_at: Option<Timestamp>,
    ) -> Answer<()> {
        match self.store.replace_endpoint(was, now, expires_at).await? {
            true => Ok(()),
            false => Err(ApiError::Conflict),
        }
    }

    /// What an endpoint did not get while it was disabled: skipped, or open when it was disabled
    /// and ended for that reason. The time it names holds all of that; where there is more than
    /// anybody would wait for, the figures are at least so many.
    async fn missed(
        &self,
        endpoint: &Endpoint,
        disabled_at: Timestamp,
        now: Timestamp,
    ) -> Answer<Missed> {
        let kept = self.kept_since(now);
        // What was accepted in the very moment of enabling may have been skipped.
        let to = endpoint.enabled_at + Duration::from_millis(1);
        let mut missed = Missed { from: disabled_at.max(kept), ..Missed::nothing(to) };
        let open_since = (disabled_at - OPEN_AT_MOST).max(kept);
        for (from, to) in [(open_since, disabled_at), (disabled_at.max(kept), to)] {
            let newest = LogQuery::newest(&endpoint.id, endpoint.shards, PAGE_MAX);
            let query = LogQuery { problems_only: true, from, to, ..newest };
            missed.at_least |= !self.count_missed(query, &mut missed, now).await?;
        }
        Ok(missed)
    }

    /// Counts what a part of the log holds; whether it came to its end.
    async fn count_missed(
        &self,
        mut query: LogQuery,
        missed: &mut Missed,
        now: Timestamp,
    ) -> Answer<bool> {
        let until = now + Duration::from_secs(JOB_COUNTED_S);
        for _ in 0..MISSED_EXAMINED / PAGE_MAX {
            let page = self.store.log(&query).await?;
            page.items.iter().for_each(|delivery| missed.add(delivery));
            query.before = page.next;
            if query.before.is_none() {
                return Ok(true);
            }
            if self.chance.now() > until {
                break;
            }
        }
        Ok(false)
    }
}

/// Whether a registration says what the endpoint says already.
fn same(wanted: &Registration, endpoint: &Endpoint) -> bool {
    let there = Registration::of(endpoint);
    (&wanted.url, &wanted.event_types, &wanted.alert_email, &wanted.product)
        == (&there.url, &there.event_types, &there.alert_email, &there.product)
        && (&wanted.platform_id, &wanted.description, &wanted.headers, &wanted.max_per_second)
            == (&there.platform_id, &there.description, &there.headers, &there.max_per_second)
}

/// What an endpoint did not get in a stretch of time.
struct Missed {
    skipped: usize,
    failed: usize,
    from: Timestamp,
    to: Timestamp,
    at_least: bool,
}

impl Missed {
    fn nothing(now: Timestamp) -> Self {
        Self { skipped: 0, failed: 0, from: now, to: now, at_least: false }
    }

    fn add(&mut self, delivery: &Delivery) {
        match delivery.status {
            Status::Skipped => self.skipped += 1,
            Status::Failed(FailedReason::EndpointDisabled) => self.failed += 1,
            Status::Failed(_) | Status::Pending | Status::Retrying | Status::Succeeded => return,
        }
        self.from = self.from.min(delivery.created_at);
    }

    fn to_json(&self) -> Value {
        let mut body = json!({
            "skipped": self.skipped, "failed": self.failed, "from": self.from, "to": self.to
        });
        if self.at_least {
            body["at_least"] = true.into();
        }
        body
    }
}
