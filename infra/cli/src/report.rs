//! `webhooks report`: every stored event of an account in a window, and what became of it.

use clap::Args;
use domain::Timestamp;
use domain::ids::AccountId;
use serde_json::{Value, json};

use crate::api::{Answer, Api, text};
use crate::output::{self, Cell, dim, plain, status_words};
use crate::stack::Target;
use crate::when::moment;

/// Every stored event of an account in a window, and what became of each delivery.
///
/// Accepted is what succeeded, failed, was skipped or waits: the figures add up.
#[derive(Args)]
#[command(after_help = "\
Examples:
  webhooks report --account acct_42 --from 24h
  webhooks report --account acct_42 --from 2026-06-01T00:00:00Z --to 2026-07-01T00:00:00Z \\
      --csv > june.csv")]
pub struct Report {
    /// The Rackwave customer number.
    #[arg(long)]
    account: AccountId,
    /// Accepted from then on: 2026-06-07T09:39:00Z, or 2h for two hours ago.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    from: Timestamp,
    /// Accepted before then, likewise.
    #[arg(long, value_name = "WHEN", default_value = "now", value_parser = moment)]
    to: Timestamp,
    /// Comma-separated values, a line for each delivery.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

impl Report {
    pub async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        let api = Api::of(&on.open().await?)?;
        if self.csv {
            self.print_csv(&api).await?;
            return Ok(true);
        }
        let (mut events, mut totals) = (Vec::new(), Value::Null);
        let mut cursor = Some(String::new());
        while let Some(place) = cursor {
            let mut page = self.page(&api, &place, "application/json").await?.json()?;
            if let Value::Array(found) = page["data"].take() {
                events.extend(found);
            }
            totals = page["totals"].take();
            cursor = page["next_cursor"].as_str().map(str::to_owned);
        }
        if json {
            output::json(&json!({"data": events, "totals": totals}));
        } else {
            describe(&events, &totals);
        }
        Ok(true)
    }

    async fn page(&self, api: &Api, cursor: &str, accept: &str) -> anyhow::Result<Answer> {
        let Self { account, from, to, .. } = self;
        let cursor = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
        let path = format!(
            "v1/reports/messages?account_id={account}&from={from}&to={to}&limit=100{cursor}"
        );
        api.call("GET", &path, None, accept).await
    }

    /// Page by page, with one line of titles.
    async fn print_csv(&self, api: &Api) -> anyhow::Result<()> {
        let (mut cursor, mut skipped) = (Some(String::new()), 0);
        while let Some(place) = cursor {
            let page = self.page(api, &place, "text/csv").await?;
            let body = String::from_utf8_lossy(&page.body);
            for line in body.split_terminator("\r\n").skip(skipped) {
                output::say!("{line}\r");
            }
            skipped = 1;
            cursor = page.header("x-next-cursor").map(str::to_owned);
        }
        Ok(())
    }
}

fn describe(events: &[Value], totals: &Value) {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for event in events {
        for delivery in event["deliveries"].as_array().into_iter().flatten() {
            rows.push(row(event, delivery));
        }
    }
    let titles = ["ACCEPTED", "EVENT", "ID", "STATUS", "ATTEMPTS", "LAST ANSWER", "ENDPOINT"];
    output::table(&titles, &rows);
    output::say!();
    let names = ["events", "accepted", "succeeded", "failed", "skipped", "waiting"];
    output::list(&names.map(|name| (name, plain(&totals[name]))));
}

fn row(event: &Value, delivery: &Value) -> Vec<Cell> {
    vec![
        dim(text(event, "accepted_at")),
        plain(text(event, "event")),
        plain(text(event, "event_id")),
        status_words(text(delivery, "status"), delivery["reason"].as_str()),
        plain(&delivery["attempts"]),
        delivery["last_http_status"].as_u64().map_or(dim("-"), plain),
        plain(text(delivery, "endpoint_id")),
    ]
}
