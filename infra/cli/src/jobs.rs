//! `webhooks recover`, `webhooks cancel` and `webhooks recoveries`: many deliveries of one endpoint
//! at a time.

use std::time::Duration;

use clap::{Args, Subcommand};
use domain::Timestamp;
use domain::ids::{EndpointId, JobId};
use serde_json::{Value, json};

use crate::api::{Api, number, text};
use crate::bar::Bar;
use crate::output::{self, plain, verdict};
use crate::stack::Target;
use crate::when::moment;

/// How often it looks how far a job is.
const LOOK: Duration = Duration::from_millis(500);

/// Which deliveries, by when their events were accepted.
#[derive(Args)]
struct Range {
    /// The endpoint.
    endpoint: EndpointId,
    /// From then on: 2026-06-07T09:39:00Z, or 2h for two hours ago.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    from: Timestamp,
    /// Before then, likewise.
    #[arg(long, value_name = "WHEN", default_value = "now", value_parser = moment)]
    to: Timestamp,
    /// Only say how many they are.
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for the end.
    #[arg(long, conflicts_with = "dry_run")]
    no_wait: bool,
}

/// Send again what an endpoint did not get.
///
/// Follows it to its end; Ctrl-C ends the following only, `webhooks recoveries stop` the sending.
/// Exit code 1 if something failed again.
#[derive(Args)]
#[command(after_help = "\
Examples:
  webhooks recover ep_… --from 2h --dry-run
  webhooks recover ep_… --from 2026-06-07T09:00:00Z --to 2026-06-07T12:00:00Z \\
      --status failed,skipped --max-per-second 5")]
pub struct Recover {
    #[command(flatten)]
    range: Range,
    /// Only these, joined by commas or repeated; all three without it.
    #[arg(long, value_delimiter = ',', value_parser = ["retrying", "failed", "skipped"])]
    status: Vec<String>,
    /// Requests a second, 1 to 100.
    #[arg(long, value_name = "N")]
    max_per_second: Option<u32>,
}

/// End what still waits for an endpoint: the brake for events sent by mistake.
///
/// What is cancelled is not sent by itself any more, and counts as failed; Retry Now still works.
#[derive(Args)]
#[command(after_help = "\
Examples:
  webhooks cancel ep_… --from 30m --dry-run
  webhooks cancel ep_… --from 30m --event email.delivered")]
pub struct Cancel {
    #[command(flatten)]
    range: Range,
    /// Only of events of this name.
    #[arg(long)]
    event: Option<String>,
}

#[derive(Subcommand)]
pub enum Recoveries {
    /// How far a recovery or cancellation is.
    #[command(after_help = "Example:\n  webhooks recoveries show rec_…")]
    Show {
        /// Its id, `rec_…`.
        id: JobId,
    },
    /// Stop it; what has been done stays done.
    #[command(after_help = "Example:\n  webhooks recoveries stop rec_…")]
    Stop {
        /// Its id, `rec_…`.
        id: JobId,
    },
}

impl Recover {
    pub async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        let mut body = json!({});
        if !self.status.is_empty() {
            body["status"] = self.status.into();
        }
        if let Some(rate) = self.max_per_second {
            body["max_per_second"] = rate.into();
        }
        self.range.run(on, "recover", body, json).await
    }
}

impl Cancel {
    pub async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        let mut body = json!({});
        if let Some(event) = self.event {
            body["event"] = event.into();
        }
        self.range.run(on, "cancel", body, json).await
    }
}

impl Recoveries {
    pub async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        let api = Api::of(&on.open().await?)?;
        let job = match self {
            Self::Show { id } => api.get(&format!("v1/recoveries/{id}")).await?,
            Self::Stop { id } => {
                api.post(&format!("v1/recoveries/{id}/cancel"), &json!({})).await?
            }
        };
        print(&job, json);
        Ok(true)
    }
}

impl Range {
    async fn run(
        self,
        on: &Target,
        what: &str,
        mut body: Value,
        json: bool,
    ) -> anyhow::Result<bool> {
        let api = Api::of(&on.open().await?)?;
        body["from"] = self.from.to_string().into();
        body["to"] = self.to.to_string().into();
        body["dry_run"] = self.dry_run.into();
        let asked = api.post(&format!("v1/endpoints/{}/{what}", self.endpoint), &body).await?;
        if self.dry_run {
            counted(&asked, json)?;
            return Ok(true);
        }
        if self.no_wait {
            print(&asked, json);
            return Ok(true);
        }
        let ended = follow(&api, asked).await?;
        print(&ended, json);
        let failed_again = text(&ended, "kind") == "recover" && number(&ended, "failed")? > 0;
        Ok(text(&ended, "status") == "finished" && !failed_again)
    }
}

fn counted(asked: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        output::json(asked);
    } else {
        let at_least = if asked["at_least"] == true { "at least " } else { "" };
        output::say!("{at_least}{} deliveries; nothing was changed", number(asked, "total")?);
    }
    Ok(())
}

/// Waits for a job's end.
async fn follow(api: &Api, mut job: Value) -> anyhow::Result<Value> {
    let mut bar = Bar::new();
    let path = format!("v1/recoveries/{}", text(&job, "id"));
    while text(&job, "status") == "running" {
        let (done, total) = (number(&job, "done")?, number(&job, "total")?);
        bar.draw(done, total, &format!("{done} of {total}, {}", text(&job, "id")));
        tokio::time::sleep(LOOK).await;
        job = api.get(&path).await.inspect_err(|_| bar.clear())?;
    }
    bar.clear();
    Ok(job)
}

fn print(job: &Value, json: bool) {
    if json {
        output::json(job);
        return;
    }
    let is_over = text(job, "status") == "finished";
    let mut lines = vec![("id", plain(text(job, "id"))), ("kind", plain(text(job, "kind")))];
    lines.push(("status", verdict(is_over, text(job, "status"))));
    for name in ["total", "done", "succeeded", "failed"] {
        lines.push((name, plain(&job[name])));
    }
    output::list(&lines);
}
