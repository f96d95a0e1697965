//! Events with all their deliveries, and the published kinds of events.

use domain::Timestamp;
use domain::catalogue::CATALOGUE;
use domain::delivery::Delivery;
use domain::envelope::derive_event_id_of;
use domain::erasure::{self, Erasing};
use domain::event::Event;
use domain::ids::{DeliveryId, EventId};
use domain::limits::{DECISIONS, SOURCE_ID_CHARS};
use domain::ports::{Clock, Fresh};
use domain::view;
use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::cursor::{self, Cursors};
use crate::error::{Answer, ApiError};
use crate::http::Response;
use crate::{Api, Call, Outside, Store};

/// The catalogue, in its own order.
pub(crate) fn list_event_types(call: &Call<'_>) -> Answer<Response> {
    call.query.only(&["limit", "cursor"])?;
    let limit = call.query.limit()?;
    let cursors = Cursors::of(call, "event-types", &[]);
    let before: usize = match cursors.read(call)? {
        None => 0,
        Some(place) => place.parse().map_err(|_| cursor::wrong())?,
    };
    let rest = CATALOGUE.get(before..).ok_or_else(cursor::wrong)?;
    let data: Vec<Value> = rest.iter().take(limit).map(view::event_type).collect();
    let end = Some(before + data.len()).filter(|end| *end < CATALOGUE.len());
    Ok(Response::json(200, &json!({"data": data, "next_cursor": cursors.write(end)})))
}

impl<S: Store, O: Outside, C: Clock + Fresh> Api<S, O, C> {
    pub(crate) async fn show_event(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let id = EventId::parse(call.id).map_err(|_| ApiError::NotFound)?;
        let shown = self.visible_event(call, &id).await?;
        Ok(Response::json(200, &shown.ok_or(ApiError::NotFound)?))
    }

    /// By the product's own id for the event: at most one, since the event's id follows from it.
    pub(crate) async fn find_events(&self, call: &Call<'_>) -> Answer<Response> {
        let filters = ["account_id", "product", "source_id"];
        call.query.only(&[&filters[..], &["limit", "cursor"]].concat())?;
        call.query.limit()?;
        if Cursors::of(call, "events", &filters).read(call)?.is_some() {
            // There is one page, so none was ever handed out.
            return Err(cursor::wrong());
        }
        let account = call.caller.account(call.query.account_id()?)?;
        let account = account.ok_or(ApiError::MissingField("account_id"))?;
        let product = call.caller.product(call.query.product()?)?;
        let product = product.ok_or(ApiError::MissingField("product"))?;
        let source_id = call.query.one("source_id")?.ok_or(ApiError::MissingField("source_id"))?;
        let printable = source_id.bytes().all(|b| (0x20..=0x7e).contains(&b));
        if !printable || !(1..=SOURCE_ID_CHARS).contains(&source_id.len()) {
            let rule = "must be 1 to 128 printable ASCII characters";
            return Err(ApiError::invalid("source_id", rule));
        }
        let id = derive_event_id_of(&account, product, source_id);
        let data: Vec<Value> = self.visible_event(call, &id).await?.into_iter().collect();
        Ok(Response::json(200, &json!({"data": data, "next_cursor": null})))
    }

    /// Ends what waits, erases answers, then the payload. What an earlier try has done is found
    /// done.
    pub(crate) async fn erase_payload(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let id = EventId::parse(call.id).map_err(|_| ApiError::NotFound)?;
        let event = self.known_event(call, &id).await?.ok_or(ApiError::NotFound)?;
        for entry in &event.fan_out {
            self.erase_delivery(&entry.delivery_id, call.now).await?;
        }
        // Answered whether or not it was there: it is not there any more.
        self.store.erase_payload(&id, call.now).await?;
        Ok(Response::empty(204))
    }

    async fn erase_delivery(&self, id: &DeliveryId, now: Timestamp) -> Answer<()> {
        for _ in 0..2 * DECISIONS {
            // One that is not there yet would be put on record, and sent, later.
            let delivery = self.store.delivery(id).await?.ok_or(ApiError::DeliveryMissing)?;
            match erasure::next(&delivery, now) {
                Erasing::End(change) => {
                    self.store.commit(id, &delivery.stage(), &change).await?;
                }
                Erasing::Answers => {
                    self.store.erase_answers(&delivery, now).await?;
                }
                Erasing::Done => return Ok(()),
            }
        }
        Err(ApiError::Conflict)
    }

    /// An event that is the caller's and has not expired.
    async fn known_event(&self, call: &Call<'_>, id: &EventId) -> Answer<Option<Event>> {
        let kept_since = self.kept_since(call.now);
        let event = self.store.event(id).await?.filter(|event| event.accepted_at >= kept_since);
        Ok(event.filter(|event| call.caller.opens(event)))
    }

    /// An event and its deliveries, as far as they are the caller's.
    async fn visible_event(&self, call: &Call<'_>, id: &EventId) -> Answer<Option<Value>> {
        let Some(event) = self.known_event(call, id).await? else {
            return Ok(None);
        };
        let endpoints = self.store.of_account(&event.envelope.account_id).await?;
        let seen = endpoints.iter().filter(|endpoint| call.caller.sees(endpoint));
        let seen: Vec<_> = seen.map(|endpoint| &endpoint.id).collect();
        let ids = event.fan_out.iter().map(|entry| &entry.delivery_id);
        let ids = ids.filter(|id| seen.contains(&id.endpoint()));
        let found: Vec<Option<Delivery>> =
            try_join_all(ids.map(|id| self.store.delivery(id))).await?;
        let mut shown = view::event(&event);
        shown["deliveries"] = found.iter().flatten().map(view::delivery).collect();
        Ok(Some(shown))
    }
}
