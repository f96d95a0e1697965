//! `webhooks deliveries`.

use std::collections::HashMap;
use std::time::Duration;

use clap::Subcommand;
use domain::delivery::{Attempt, Delivery};
use domain::ids::{DeliveryId, EndpointId};
use domain::log::LogQuery;
use domain::ports::{Deliveries as _, DeliveryLog as _, Registry as _};
use domain::view;
use serde_json::json;

use crate::api::{Api, text};
use crate::output::{self, dim, outcome, plain, status};
use crate::stack::Target;

/// How often `tail` looks.
const LOOK: Duration = Duration::from_secs(1);
/// Deliveries of one endpoint that `tail` watches.
const WATCHED: usize = 100;
/// Endpoints that `tail` watches.
const ENDPOINTS: usize = 200;

#[derive(Subcommand)]
pub enum Deliveries {
    /// An endpoint's deliveries, newest first.
    #[command(after_help = "Example:\n  webhooks deliveries list ep_… --limit 100")]
    List {
        /// The endpoint.
        endpoint: EndpointId,
        /// How many.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
        limit: u16,
    },
    /// One delivery with every attempt.
    #[command(after_help = "Example:\n  webhooks deliveries show dlv_… --json")]
    Show {
        /// Its id.
        id: DeliveryId,
    },
    /// Retry Now: the original bytes again, at once, whatever the status.
    #[command(after_help = "Example:\n  webhooks deliveries retry dlv_…")]
    Retry {
        /// Its id.
        id: DeliveryId,
    },
    /// Attempts as they happen, until interrupted.
    #[command(after_help = "Example:\n  webhooks deliveries tail ep_…")]
    Tail {
        /// Only this endpoint's.
        endpoint: Option<EndpointId>,
    },
}

impl Deliveries {
    pub async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        match self {
            Self::List { endpoint, limit } => list(on, &endpoint, limit.into(), json).await,
            Self::Show { id } => show(on, &id, json).await,
            Self::Retry { id } => retry(on, &id, json).await,
            Self::Tail { endpoint } => tail(on, endpoint, json).await,
        }
    }
}

async fn list(on: &Target, id: &EndpointId, limit: usize, json: bool) -> anyhow::Result<bool> {
    let store = on.open().await?.store()?;
    let Some(endpoint) = store.endpoint_by_id(id).await? else {
        output::complain!("there is no endpoint {id}");
        return Ok(false);
    };
    let page = store.log(&LogQuery::newest(id, endpoint.shards, limit)).await?;
    let more = page.next.is_some();
    if json {
        let data: Vec<_> = page.items.iter().map(view::delivery).collect();
        output::json(&json!({"data": data, "more": more}));
        return Ok(true);
    }
    let row = |d: &Delivery| {
        let last = d.attempts.last().map(|a| &a.answer);
        vec![
            dim(d.created_at),
            plain(&d.event),
            status(d.status),
            plain(d.attempt_count),
            last.map_or(dim("-"), |a| outcome(a.outcome, a.http_status)),
            d.next_attempt_at.map_or(dim("-"), plain),
            plain(&d.id),
        ]
    };
    let rows: Vec<_> = page.items.iter().map(row).collect();
    let titles =
        ["CREATED", "EVENT", "STATUS", "ATTEMPTS", "LAST ANSWER", "NEXT ATTEMPT", "DELIVERY"];
    output::table(&titles, &rows);
    if more {
        output::say!("There are older ones; --limit shows up to 1000.");
    }
    Ok(true)
}

async fn show(on: &Target, id: &DeliveryId, json: bool) -> anyhow::Result<bool> {
    match on.open().await?.store()?.delivery(id).await? {
        None => {
            output::complain!("there is no delivery {id}");
            return Ok(false);
        }
        Some(delivery) if json => output::json(&view::delivery(&delivery)),
        Some(delivery) => describe(&delivery),
    }
    Ok(true)
}

async fn retry(on: &Target, id: &DeliveryId, json: bool) -> anyhow::Result<bool> {
    let api = Api::of(&on.open().await?)?;
    let asked = api.post(&format!("v1/deliveries/{id}/retry"), &json!({})).await?;
    if json {
        output::json(&asked);
    } else {
        output::say!(
            "{} is on its way; see webhooks deliveries show {id}",
            text(&asked, "retry_id")
        );
    }
    Ok(true)
}

fn describe(delivery: &Delivery) {
    let or_dash = |text: Option<String>| text.map_or(dim("-"), plain);
    output::list(&[
        ("id", plain(&delivery.id)),
        ("account_id", plain(&delivery.account_id)),
        ("endpoint_id", plain(delivery.id.endpoint())),
        ("url", or_dash(delivery.url.clone())),
        ("event", plain(&delivery.event)),
        ("event_id", plain(&delivery.event_id)),
        ("source_id", or_dash(delivery.source_id.clone())),
        ("status", status(delivery.status)),
        ("created_at", plain(delivery.created_at)),
        ("next_attempt_at", or_dash(delivery.next_attempt_at.map(|at| at.to_string()))),
        ("gives_up_at", or_dash(delivery.gives_up_at.map(|at| at.to_string()))),
    ]);
    output::say!();
    let row = |attempt: &Attempt| {
        let answer = &attempt.answer;
        vec![
            plain(attempt.number),
            dim(attempt.at),
            outcome(answer.outcome, answer.http_status),
            plain(format!("{} ms", answer.duration_ms)),
            plain(one_line(answer.error.as_deref().unwrap_or_default())),
        ]
    };
    let rows: Vec<_> = delivery.attempts.iter().map(row).collect();
    output::table(&["#", "AT", "OUTCOME", "TOOK", "WHAT WENT WRONG"], &rows);
    for attempt in &delivery.attempts {
        if let Some(body) = attempt.answer.response_body.as_deref() {
            output::say!("\n{}\n{}", dim(format!("answer {}:", attempt.number)), shown(body));
        }
    }
}

/// A customer's answer, line by line; what could move the cursor is left out.
pub fn shown(body: &str) -> String {
    let harmless = |c: &char| *c == '\n' || *c == '\t' || !(c.is_control() || turns_text(*c));
    body.chars().filter(harmless).collect()
}

/// Marks, embeddings, overrides and isolates: what follows would be shown in another order than it
/// stands there, and could pass for words of ours.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A customer's text must not move the cursor or fill the screen.
fn one_line(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() || turns_text(c) { ' ' } else { c });
    let mut line: String = plain.take(100).collect();
    if text.chars().count() > 100 {
        line.push('…');
    }
    line
}

async fn tail(on: &Target, only: Option<EndpointId>, json: bool) -> anyhow::Result<bool> {
    let store = on.open().await?.store()?;
    if let Some(id) = &only
        && store.endpoint_by_id(id).await?.is_none()
    {
        output::complain!("there is no endpoint {id}");
        return Ok(false);
    }
    let mut seen: HashMap<DeliveryId, (&'static str, u32)> = HashMap::new();
    let mut first = true;
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        let endpoints = match &only {
            Some(id) => store.endpoint_by_id(id).await?.into_iter().collect(),
            None => store.all_endpoints(None, ENDPOINTS).await?.items,
        };
        let mut changed = Vec::new();
        for endpoint in &endpoints {
            let newest = LogQuery::newest(&endpoint.id, endpoint.shards, WATCHED);
            let page = store.log(&newest).await?;
            for delivery in page.items {
                let stage = (delivery.status.as_str(), delivery.attempt_count);
                if seen.insert(delivery.id.clone(), stage) != Some(stage) && !first {
                    changed.push(delivery);
                }
            }
        }
        first = false;
        changed.sort_by_key(|delivery| delivery.attempts.last().map(|attempt| attempt.at));
        changed.iter().for_each(|delivery| print_change(delivery, json));
    }
}

fn print_change(delivery: &Delivery, json: bool) {
    if json {
        output::say!("{}", view::delivery(delivery));
        return;
    }
    let last = delivery.attempts.last();
    let at = last.map_or(delivery.created_at, |attempt| attempt.at);
    let made = match last {
        Some(a) => {
            let answer = outcome(a.answer.outcome, a.answer.http_status);
            format!("attempt {}: {answer}", delivery.attempt_count)
        }
        None => "no attempt yet".to_owned(),
    };
    let (event, id) = (&delivery.event, &delivery.id);
    output::say!("{}  {event}  {}  {made}  {id}", dim(at), status(delivery.status));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customers_text_stays_in_its_place() {
        assert_eq!(shown("a\u{202e}b\u{2066}\x1b[2J\tc\n"), "ab[2J\tc\n");
        assert_eq!(one_line("a\u{202e}b\r\nc"), "a b  c");
        assert_eq!(shown("שלום"), "שלום", "text that is written that way is shown that way");
    }
}
