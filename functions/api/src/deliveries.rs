//! The delivery log, and one delivery with everything about it.

use domain::delivery::{Delivery, Status};
use domain::endpoint::Endpoint;
use domain::envelope::is_event_name;
use domain::event::Event;
use domain::limits::LOG_EXAMINED;
use domain::log::{LogPlace, LogQuery};
use domain::ports::{Clock, Fresh};
use domain::view;
use domain::webhook::{curl, shown};
use serde_json::{Map, Value, json};

use crate::cursor::{self, Cursors};
use crate::error::{Answer, ApiError};
use crate::http::Response;
use crate::{Api, Call, Outside, Store};

const STATUSES: [&str; 5] = ["pending", "retrying", "succeeded", "failed", "skipped"];
/// Those that the index of problems holds, and nothing else.
const PROBLEMS: [&str; 3] = ["retrying", "failed", "skipped"];

/// What a caller wants of the log.
struct Filter<'q> {
    statuses: Vec<&'q str>,
    event: Option<&'q str>,
}

impl<S: Store, O: Outside, C: Clock + Fresh> Api<S, O, C> {
    pub(crate) async fn list_deliveries(&self, call: &Call<'_>) -> Answer<Response> {
        let filters = ["status", "event", "from", "to"];
        call.query.only(&["status", "event", "from", "to", "limit", "cursor"])?;
        let endpoint = self.living_endpoint(call).await?;
        let filter = Filter::read(call)?;
        let limit = call.query.limit()?;
        let (from, to) = (call.query.moment("from")?, call.query.moment("to")?);
        let cursors = Cursors::of(call, "deliveries", &filters);
        let before = cursors.read(call)?;
        let before = before.map(|text| LogPlace::parse(&text).ok_or_else(cursor::wrong));

        let newest = LogQuery::newest(&endpoint.id, endpoint.shards, limit);
        let kept_since = self.kept_since(call.now);
        let query = LogQuery {
            problems_only: filter.is_for_problems(),
            from: from.map_or(kept_since, |from| from.max(kept_since)),
            to: to.unwrap_or(newest.to),
            before: before.transpose()?,
            ..newest
        };
        let (found, end) = self.search(query, &filter).await?;
        Ok(Response::json(
            200,
            &json!({
                "data": found.iter().map(view::delivery).collect::<Vec<_>>(),
                "next_cursor": cursors.write(end.as_ref().map(LogPlace::as_str)),
            }),
        ))
    }

    /// Reads on until the page is full, the log ends, or enough has been looked at.
    async fn search(
        &self,
        mut query: LogQuery,
        filter: &Filter<'_>,
    ) -> Answer<(Vec<Delivery>, Option<LogPlace>)> {
        let limit = query.limit;
        let (mut found, mut examined) = (Vec::new(), 0);
        loop {
            let page = self.store.log(&query).await?;
            examined += query.limit;
            let mut items = page.items.into_iter();
            for delivery in items.by_ref().filter(|delivery| filter.takes(delivery)) {
                found.push(delivery);
                if found.len() == limit {
                    break;
                }
            }
            if found.len() == limit {
                let more = page.next.is_some() || items.len() > 0;
                let end = found.last().filter(|_| more).map(|last| LogPlace::of(&last.id));
                return Ok((found, end));
            }
            query.before = page.next;
            if query.before.is_none() || examined >= LOG_EXAMINED {
                return Ok((found, query.before));
            }
        }
    }

    pub(crate) async fn show_delivery(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let (delivery, endpoint) = self.known_delivery(call).await?;
        let event = self.store.event(&delivery.event_id).await?;
        let mut body = view::delivery(&delivery);
        if let Some(url) = &delivery.url {
            body["url"] = url.as_str().into();
        }
        if let Some(event) = event.filter(Event::has_payload) {
            show_request(&mut body, &delivery, endpoint, &event);
        }
        Ok(Response::json(200, &body))
    }
}

/// What was sent last, or, before the first attempt, what would be.
fn show_request(body: &mut Value, delivery: &Delivery, endpoint: Endpoint, event: &Event) {
    let url = delivery.url.clone().unwrap_or_else(|| endpoint.url.clone());
    let endpoint = Endpoint { url, ..endpoint };
    let last = delivery.attempts.last();
    let (number, at) = last.map_or((1, delivery.created_at), |last| (last.number, last.at));
    let request = shown(event, &endpoint, number, at);
    body["curl"] = curl(&request, event).into();
    if last.is_some() {
        let header = |(name, value): &(String, String)| (name.clone(), Value::from(value.as_str()));
        body["headers"] = request.headers.iter().map(header).collect::<Map<_, _>>().into();
    }
    body["payload"] = request.body.as_str().into();
}

impl<'q> Filter<'q> {
    fn read(call: &'q Call<'_>) -> Answer<Self> {
        let statuses: Vec<&str> = call.query.all("status").collect();
        if statuses.iter().any(|status| !STATUSES.contains(status)) {
            let rule = "must be pending, retrying, succeeded, failed or skipped";
            return Err(ApiError::invalid("status", rule));
        }
        let event = call.query.one("event")?;
        if event.is_some_and(|event| !is_event_name(event)) {
            return Err(ApiError::invalid("event", "must be an event name"));
        }
        Ok(Self { statuses, event })
    }

    fn is_for_problems(&self) -> bool {
        !self.statuses.is_empty() && self.statuses.iter().all(|status| PROBLEMS.contains(status))
    }

    fn takes(&self, delivery: &Delivery) -> bool {
        let status = Status::as_str(delivery.status);
        (self.statuses.is_empty() || self.statuses.contains(&status))
            && self.event.is_none_or(|event| delivery.event == event)
    }
}
