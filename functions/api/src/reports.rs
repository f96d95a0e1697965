//! Reconciliation: every stored event in a window, and what became of each of its deliveries.

use std::fmt::Write as _;

use domain::delivery::{Delivery, Status};
use domain::endpoint::{Endpoint, EndpointState};
use domain::log::{LogPlace, LogQuery};
use domain::ports::{Clock, Fresh};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Map, Value, json};

use crate::cursor::{self, Cursors};
use crate::error::{Answer, ApiError};
use crate::http::Response;
use crate::{Api, Call, Outside, Store};

/// Endpoints whose logs are read at once.
const LOGS_AT_ONCE: usize = 10;
const COLUMNS: &str = "accepted_at,event_id,source_id,event,delivery_id,endpoint_id,status,reason,\
    attempts,last_http_status\r\n";

impl<S: Store, O: Outside, C: Clock + Fresh> Api<S, O, C> {
    /// Walks the account's endpoints, tombstones included, through their logs side by side.
    /// Deliveries of one event stand at the same place in each.
    pub(crate) async fn report_messages(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&["account_id", "from", "to", "limit", "cursor"])?;
        let account = call.caller.account(call.query.account_id()?)?;
        let account = account.ok_or(ApiError::MissingField("account_id"))?;
        let limit = call.query.limit()?;
        let kept_since = self.kept_since(call.now);
        let from = call.query.moment("from")?.map_or(kept_since, |from| from.max(kept_since));
        let to = call.query.moment("to")?;
        let cursors = Cursors::of(call, "report", &["account_id", "from", "to"]);
        let (before, totals) = match cursors.read(call)? {
            None => (None, Totals::default()),
            Some(text) => Totals::parse(&text).ok_or_else(cursor::wrong)?,
        };

        let endpoints = self.store.of_account(&account).await?;
        let logs: Vec<(Vec<Delivery>, bool)> = stream::iter(endpoints)
            .filter(|endpoint| std::future::ready(call.caller.sees(endpoint)))
            .filter(|endpoint| std::future::ready(is_kept(endpoint, kept_since)))
            .map(|endpoint| {
                let newest = LogQuery::newest(&endpoint.id, endpoint.shards, limit);
                let to = to.unwrap_or(newest.to);
                let query = LogQuery { from, to, before: before.clone(), ..newest };
                async move {
                    let page = self.store.log(&query).await?;
                    Ok::<_, ApiError>((page.items, page.next.is_some()))
                }
            })
            .buffer_unordered(LOGS_AT_ONCE)
            .try_collect()
            .await?;
        let page = Page::merge(logs, limit, totals);
        let as_csv = call.request.header("accept").is_some_and(|types| types.contains("text/csv"));
        Ok(if as_csv { page.csv(&cursors) } else { page.json(&cursors) })
    }
}

/// Whether a tombstone may still name something.
fn is_kept(endpoint: &Endpoint, kept_since: domain::Timestamp) -> bool {
    match endpoint.state {
        EndpointState::Deleted { at } => at >= kept_since,
        EndpointState::Enabled | EndpointState::Disabled { .. } => true,
    }
}

/// Figures from the first page up to and with this one: on the last page, of the whole window.
/// Every delivery counts as accepted, and once more as what became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Totals {
    events: u64,
    succeeded: u64,
    failed: u64,
    skipped: u64,
    waiting: u64,
}

impl Totals {
    fn count(&mut self, delivery: &Delivery) {
        match delivery.status {
            Status::Succeeded => self.succeeded += 1,
            Status::Failed(_) => self.failed += 1,
            Status::Skipped => self.skipped += 1,
            Status::Pending | Status::Retrying => self.waiting += 1,
        }
    }

    fn named(self) -> [(&'static str, &'static str, u64); 6] {
        let accepted = self.succeeded + self.failed + self.skipped + self.waiting;
        [
            ("events", "X-Report-Events", self.events),
            ("accepted", "X-Report-Accepted", accepted),
            ("succeeded", "X-Report-Succeeded", self.succeeded),
            ("failed", "X-Report-Failed", self.failed),
            ("skipped", "X-Report-Skipped", self.skipped),
            ("waiting", "X-Report-Waiting", self.waiting),
        ]
    }

    /// As it stands in a cursor, behind the place.
    fn write(self, place: &LogPlace) -> String {
        let Self { events, succeeded, failed, skipped, waiting } = self;
        format!("{}.{events}.{succeeded}.{failed}.{skipped}.{waiting}", place.as_str())
    }

    fn parse(text: &str) -> Option<(Option<LogPlace>, Self)> {
        let mut parts = text.split('.');
        let place = LogPlace::parse(parts.next()?)?;
        // Nobody has counted further than this; a made-up figure must not overflow ours.
        let mut number = || parts.next()?.parse().ok().filter(|n: &u64| *n < 1 << 53);
        let totals = Self {
            events: number()?,
            succeeded: number()?,
            failed: number()?,
            skipped: number()?,
            waiting: number()?,
        };
        parts.next().is_none().then_some((Some(place), totals))
    }
}

/// One page of the report: events, newest first, each with its deliveries.
struct Page {
    events: Vec<Vec<Delivery>>,
    totals: Totals,
    end: Option<LogPlace>,
}

impl Page {
    /// Each log gave its newest `limit` or all it has, so the newest `limit` events are complete.
    fn merge(logs: Vec<(Vec<Delivery>, bool)>, limit: usize, mut totals: Totals) -> Self {
        let mut more = logs.iter().any(|(_, more)| *more);
        let mut all: Vec<Delivery> = logs.into_iter().flat_map(|(log, _)| log).collect();
        let place = |delivery: &Delivery| LogPlace::of(&delivery.id);
        all.sort_by_cached_key(|d| (std::cmp::Reverse(place(d)), d.id.clone()));
        let same_event = |a: &Delivery, b: &Delivery| place(a) == place(b);
        let mut events: Vec<Vec<Delivery>> =
            all.chunk_by(same_event).map(<[Delivery]>::to_vec).collect();
        more |= events.len() > limit;
        events.truncate(limit);
        totals.events += events.len() as u64;
        events.iter().flatten().for_each(|delivery| totals.count(delivery));
        let last = events.last().and_then(|event| event.first()).map(place);
        Self { events, totals, end: last.filter(|_| more) }
    }

    fn cursor(&self, cursors: &Cursors) -> Value {
        cursors.write(self.end.as_ref().map(|place| self.totals.write(place)))
    }

    fn json(&self, cursors: &Cursors) -> Response {
        let totals: Map<_, _> =
            self.totals.named().iter().map(|(n, _, f)| ((*n).to_owned(), json!(f))).collect();
        let data: Vec<Value> = self.events.iter().map(|event| event_json(event)).collect();
        let next = self.cursor(cursors);
        Response::json(200, &json!({"data": data, "next_cursor": next, "totals": totals}))
    }

    /// A line for each delivery; totals and the next cursor are headers.
    fn csv(&self, cursors: &Cursors) -> Response {
        let mut text = COLUMNS.to_owned();
        for d in self.events.iter().flatten() {
            let status = d.attempts.last().and_then(|a| a.answer.http_status);
            let _ = write!(
                text,
                "{},{},{},{},{},{},{},{},{},{}\r\n",
                d.created_at,
                d.event_id,
                quoted(d.source_id.as_deref().unwrap_or_default()),
                d.event,
                d.id,
                d.id.endpoint(),
                d.status.as_str(),
                d.status.reason().unwrap_or_default(),
                d.attempt_count,
                status.map(|status| status.to_string()).unwrap_or_default(),
            );
        }
        let mut response = Response::text(200, "text/csv; charset=utf-8", text);
        for (_, header, figure) in self.totals.named() {
            response.headers.push((header, figure.to_string()));
        }
        if let Value::String(next) = self.cursor(cursors) {
            response.headers.push(("X-Next-Cursor", next));
        }
        response
    }
}

fn event_json(deliveries: &[Delivery]) -> Value {
    let Some(first) = deliveries.first() else { return Value::Null };
    let mut event = json!({
        "event_id": first.event_id,
        "event": first.event,
        "accepted_at": first.created_at,
        "deliveries": deliveries.iter().map(delivery_json).collect::<Vec<_>>(),
    });
    if let Some(source_id) = &first.source_id {
        event["source_id"] = source_id.as_str().into();
    }
    event
}

fn delivery_json(delivery: &Delivery) -> Value {
    let mut value = json!({
        "id": delivery.id,
        "endpoint_id": delivery.id.endpoint(),
        "status": delivery.status.as_str(),
        "attempts": delivery.attempt_count,
    });
    if let Some(reason) = delivery.status.reason() {
        value["reason"] = reason.into();
    }
    if let Some(status) = delivery.attempts.last().and_then(|a| a.answer.http_status) {
        value["last_http_status"] = status.into();
    }
    value
}

/// RFC 4180, and no spreadsheet may take a product's text for a formula.
fn quoted(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}
