//! How fast endpoints are called, counted over all senders: the port, in the table `ApiState`. What
//! follows from it for an endpoint stands on its own item.

use std::time::Duration;

use domain::Timestamp;
use domain::limits::DECISIONS;
use domain::ports::{ApiMemory, CallWindow, EndpointKey, Line, Pace, PortError, PortResult};

use super::Store;
use super::api_state::{at, expire, key, readable};
use super::endpoint_item;
use super::endpoints;
use super::item::{Item, Unreadable, number};
use super::request::Update;

/// When the line's next place is free, in milliseconds.
const FREE_AT_MS: &str = "free_at_ms";
/// How long a line is remembered beyond the place taken last.
const KEPT: Duration = Duration::from_secs(3_600);

impl Pace for Store {
    async fn count_request(&self, window: &CallWindow) -> PortResult<bool> {
        self.count_call(window).await.map(|counted| counted.is_some())
    }

    async fn take_place(&self, line: &Line) -> PortResult<Timestamp> {
        let place = at("api_state.take_place");
        let apart_ms = i64::try_from(line.apart.as_millis()).unwrap_or(i64::MAX).max(1);
        for _ in 0..DECISIONS {
            if let Some(item) =
                self.update_and_read(place, key(&line.name), behind(line, apart_ms)).await?
            {
                return taken(&item, apart_ms).map_err(|e| place.unreadable(e));
            }
            if self.update(place, key(&line.name), first(line, apart_ms)).await? {
                return Ok(line.from);
            }
        }
        Err(PortError::new(place.call, "lost the race again and again"))
    }

    async fn spread(&self, whose: &EndpointKey, had: u16, more: u16) -> PortResult<bool> {
        let mut update = Update::default();
        update.set("shards", number(more));
        update.only_if_is("shards", number(had));
        let key = endpoint_item::key(&whose.account_id, &whose.id);
        self.update(endpoints::at("endpoints.spread"), key, update).await
    }
}

/// The place after the one given last, if that is later than the line's beginning.
fn behind(line: &Line, apart_ms: i64) -> Update {
    let mut update = Update::default();
    let (free_at, apart) = (update.name(FREE_AT_MS), update.value("apart", number(apart_ms)));
    update.set_expression(format!("{free_at} = {free_at} + {apart}"));
    expire(&mut update, line.from + KEPT);
    let from = update.value("from", number(line.from.as_millis()));
    update.only_if(format!("{free_at} > {from}"));
    update
}

/// The line's beginning.
fn first(line: &Line, apart_ms: i64) -> Update {
    let mut update = Update::default();
    update.set(FREE_AT_MS, number(line.from.as_millis() + apart_ms));
    expire(&mut update, line.from + KEPT);
    let (free_at, from) =
        (update.name(FREE_AT_MS), update.value("from", number(line.from.as_millis())));
    update.only_if(format!("(attribute_not_exists({free_at}) OR {free_at} <= {from})"));
    update
}

fn taken(item: &Item, apart_ms: i64) -> Result<Timestamp, Unreadable> {
    let free_at: i64 = readable(item)?.number(FREE_AT_MS)?;
    Ok(Timestamp::from_millis(free_at - apart_ms))
}
