//! What the API remembers from one call to the next: call counts, idempotency keys, portal links.
//! Everything in here expires.

use domain::Timestamp;
use domain::envelope::Product;
use domain::portal::{PortalLink, PortalScope};
use domain::ports::{ApiMemory, CallWindow, PortError, PortResult, PortalLinks, Reservation};

use super::item::{Item, Reader, Unreadable, Writer, number, text};
use super::request::{Place, Read, Update};
use super::{Store, Table};

/// The format's version, of all that is in here.
const VERSION: u8 = 1;

impl ApiMemory for Store {
    async fn count_call(&self, window: &CallWindow) -> PortResult<Option<u32>> {
        let place = at("api_state.count_call");
        let mut update = Update::default();
        update.add("calls", number(1));
        expire(&mut update, window.expires_at);
        let calls = update.name("calls");
        let limit = update.value("limit", number(window.limit));
        update.only_if(format!("(attribute_not_exists({calls}) OR {calls} < {limit})"));
        let counted = self.update_and_read(place, key(&window.name), update).await?;
        let calls = counted.map(|item| readable(&item)?.number("calls"));
        calls.transpose().map_err(|e| place.unreadable(e))
    }

    async fn reserve(&self, wanted: &Reservation, now: Timestamp) -> PortResult<Reservation> {
        let place = at("api_state.reserve");
        let mut update = Update::default();
        update.set("request_hash", text(&wanted.request_hash));
        update.set("endpoint_id", text(&wanted.endpoint_id));
        expire(&mut update, wanted.expires_at);
        let (expires_at, now) = (update.name("expires_at"), update.value("now", text(now)));
        update.only_if(format!("(attribute_not_exists({expires_at}) OR {expires_at} <= {now})"));
        if self.update(place, key(&wanted.name), update).await? {
            return Ok(wanted.clone());
        }
        let standing = self.read(place, key(&wanted.name), Read::Consistent).await?;
        let standing = standing.ok_or_else(|| PortError::new(place.call, "it has just expired"))?;
        reservation(&standing).map_err(|e| place.unreadable(e))
    }
}

/// Here rather than among the API keys, where people and nobody else make records.
impl PortalLinks for Store {
    async fn keep_link(&self, link: &PortalLink) -> PortResult<()> {
        let mut update = Update::default();
        update.set("hash", text(&link.hash));
        update.set("account_id", text(&link.scope.account_id));
        if let Some(product) = link.scope.product {
            update.set("product", text(product.as_str()));
        }
        if let Some(endpoint_id) = &link.scope.endpoint_id {
            update.set("endpoint_id", text(endpoint_id));
        }
        update.set("made_with", text(&link.made_with));
        update.set("created_at", text(link.created_at));
        expire(&mut update, link.expires_at);
        let hash = update.name("hash");
        update.only_if(format!("attribute_not_exists({hash})"));
        // Ids are derived from random tokens: what is there is this link, kept by an earlier try.
        self.update(at("api_state.keep_link"), key(&link_name(&link.id)), update).await.map(drop)
    }

    async fn link(&self, id: &str) -> PortResult<Option<PortalLink>> {
        let place = at("api_state.link");
        let item = self.read(place, key(&link_name(id)), Read::Consistent).await?;
        let link = item.map(|item| portal_link(id, &item));
        link.transpose().map_err(|e| place.unreadable(e))
    }
}

fn link_name(id: &str) -> String {
    format!("portal#{id}")
}

fn portal_link(id: &str, item: &Item) -> Result<PortalLink, Unreadable> {
    let item = readable(item)?;
    let product = item.text_opt("product")?;
    let product = product.map(|name| Product::parse(name).ok_or(Unreadable("product")));
    let endpoint_id = item.text_opt("endpoint_id")?;
    let endpoint_id = endpoint_id.map(|id| id.parse().map_err(|_| Unreadable("endpoint_id")));
    Ok(PortalLink {
        id: id.to_owned(),
        hash: item.text("hash")?.to_owned(),
        scope: PortalScope {
            account_id: item.parsed("account_id")?,
            product: product.transpose()?,
            endpoint_id: endpoint_id.transpose()?,
        },
        made_with: item.text("made_with")?.to_owned(),
        created_at: item.moment("created_at")?,
        expires_at: item.moment("expires_at")?,
    })
}

pub(super) fn at(call: &'static str) -> Place {
    Place { call, table: Table::ApiState }
}

pub(super) fn key(name: &str) -> Item {
    Writer::default().with("name", text(name)).item()
}

/// What every item in here has.
pub(super) fn expire(update: &mut Update, at: Timestamp) {
    update.set("version", number(VERSION));
    update.set("expires_at", text(at));
    update.set("ttl", number(at.ceil_secs()));
}

/// An item whose format is known.
pub(super) fn readable(item: &Item) -> Result<Reader<'_>, Unreadable> {
    let item = Reader(item);
    item.no_newer_than(VERSION).map(|()| item)
}

fn reservation(item: &Item) -> Result<Reservation, Unreadable> {
    let item = readable(item)?;
    Ok(Reservation {
        name: item.text("name")?.to_owned(),
        request_hash: item.text("request_hash")?.to_owned(),
        endpoint_id: item.parsed("endpoint_id")?,
        expires_at: item.moment("expires_at")?,
    })
}
