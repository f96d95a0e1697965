//! What the API remembers from one call to the next: call counts and idempotency keys. Everything
//! in here expires.

use domain::Timestamp;
use domain::ports::{ApiMemory, CallWindow, PortError, PortResult, Reservation};

use super::item::{Item, Reader, Unreadable, Writer, number, text};
use super::request::{Place, Read, Update};
use super::{Store, Table};

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
        let calls = counted.map(|item| Reader(&item).number("calls"));
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

fn at(call: &'static str) -> Place {
    Place { call, table: Table::ApiState }
}

fn key(name: &str) -> Item {
    Writer::default().with("name", text(name)).item()
}

fn expire(update: &mut Update, at: Timestamp) {
    update.set("expires_at", text(at));
    update.set("ttl", number(at.ceil_secs()));
}

fn reservation(item: &Item) -> Result<Reservation, Unreadable> {
    let item = Reader(item);
    Ok(Reservation {
        name: item.text("name")?.to_owned(),
        request_hash: item.text("request_hash")?.to_owned(),
        endpoint_id: item.parsed("endpoint_id")?,
        expires_at: item.moment("expires_at")?,
    })
}
