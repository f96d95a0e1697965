//! `webhooks demo`: the receiver that shows the main job, and ways to break it.

mod receiver;
mod verify;

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Subcommand;
use domain::api_key::Scope;
use domain::endpoint::register::Registration;
use domain::ids::{AccountId, DeliveryId};
use domain::ports::{Clock, Endpoints as _, Events as _};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::output::{self, Cell, dim, plain, verdict};
use crate::stack::{Stack, Target};
use crate::{endpoints, events, keys};
use receiver::{Receipt, Receiver};
use verify::Verdicts;

/// The account of the demo.
pub const ACCOUNT: &str = "acct_demo";
/// The sample event must arrive within this.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

#[derive(Subcommand)]
pub enum Demo {
    /// Receive, verify and print until standard input closes. `cargo local` runs this.
    #[command(hide = true)]
    Run,
    /// Make the demo receiver answer with an error from now on.
    #[command(after_help = "Example:\n  webhooks demo break --status 503")]
    Break {
        /// The status it answers with.
        #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(200..=599))]
        status: u16,
    },
    /// Make it answer 200 again.
    #[command(after_help = "Example:\n  webhooks demo mend")]
    Mend,
}

impl Demo {
    pub async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        match self {
            Self::Run => run(on).await,
            Self::Break { status } => answer_with(on, status, json).await,
            Self::Mend => answer_with(on, 200, json).await,
        }
    }
}

async fn run(on: &Target) -> anyhow::Result<bool> {
    let stack = on.only_local()?;
    let (receipts_in, mut receipts) = mpsc::channel(1_024);
    let receiver = Receiver::start(receipts_in).await?;
    let registration = Registration {
        account_id: ACCOUNT.into(),
        url: receiver.url(),
        event_types: vec!["*".into()],
        alert_email: "demo@example.com".into(),
        description: Some("the demo receiver of cargo local".into()),
        ..Registration::default()
    };
    let (endpoint, secret) = endpoints::register(&stack, registration).await?;
    receiver.knows(secret.reveal());
    output::say!("A demo receiver listens on {} as endpoint {}.", receiver.url(), endpoint.id);

    let first = show_the_main_job(&stack, &mut receipts).await?;
    let delivery = delivery_of(&stack, &first).await?;
    what_next(&stack, &delivery, &endpoint.id).await?;
    output::say!("READY");
    let mut left_alone = left_alone();
    loop {
        tokio::select! {
            Some(receipt) = receipts.recv() => receipt.print(),
            _ = &mut left_alone => return Ok(true),
        }
    }
}

/// Told when nobody holds our standard input any more. A thread waits for that, and not tokio: its
/// own standard input is a feature that no function has, and all of the SDK would be built twice.
fn left_alone() -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = tell.send(());
    });
    told
}

/// The sample event, sent as a product sends it, seen as a customer sees it.
async fn show_the_main_job(
    stack: &Stack,
    receipts: &mut mpsc::Receiver<Receipt>,
) -> anyhow::Result<Receipt> {
    let id = format!("demo-{}", aws::clock::SystemClock.now().as_millis());
    let body = events::sample(ACCOUNT, &id);
    let started = Instant::now();
    for answer in stack.queues()?.send_events(&[body]).await {
        answer?;
    }
    let sent = started.elapsed();
    output::say!("\nThe sample event was put on EventsQueue ({} ms).", sent.as_millis());
    let receipt =
        tokio::time::timeout(ARRIVES_WITHIN, receipts.recv()).await.ok().flatten().with_context(
            || format!("the sample event did not arrive within {ARRIVES_WITHIN:?}"),
        )?;
    let took = receipt.at.duration_since(started).as_millis();
    output::say!("It arrived, {took} ms after it was sent:\n");
    receipt.print_in_full();

    let flipped = receipt.with_flipped_byte();
    let place = flipped.flipped_at;
    output::say!("\nThe same delivery, with byte {place} of the body flipped:");
    flipped.receipt.verdicts.print();
    if !receipt.verdicts.both() || flipped.receipt.verdicts.either() {
        bail!("a verdict is not what it must be");
    }
    Ok(receipt)
}

async fn delivery_of(stack: &Stack, receipt: &Receipt) -> anyhow::Result<DeliveryId> {
    let id = receipt.header("webhook-id").parse()?;
    let event = stack.store()?.event(&id).await?.context("the event is not on record")?;
    let entry = event.fan_out.first().context("the event has no deliveries")?;
    Ok(entry.delivery_id.clone())
}

async fn what_next(
    stack: &Stack,
    delivery: &DeliveryId,
    endpoint: &domain::ids::EndpointId,
) -> anyhow::Result<()> {
    let command = |text: &str| plain(format!("cargo run -q -p cli -- {text}"));
    output::say!("\nThe record is in table {}:", stack.output("DeliveriesTable")?);
    let mut lines: Vec<(&str, Cell)> = vec![
        ("partition", plain(delivery.partition())),
        ("delivery_id", plain(delivery)),
        ("see it", command(&format!("deliveries show {delivery}"))),
    ];
    if let Some(url) = stack.api_url() {
        let key = keys::make(stack, Scope::Account(AccountId::parse(ACCOUNT)?), None).await?.0;
        lines.push(("the page", plain(format!("{url}#token={}", key.reveal()))));
        lines.push(("the API", plain(format!("{url}v1/openapi.json"))));
    }
    output::list(&lines);
    output::say!("\nTry next:");
    output::list(&[
        ("another event", command("send")),
        ("many", command("send --count 100 --rate 20")),
        ("what it got", command(&format!("deliveries list {endpoint}"))),
        ("break it", command("demo break --status 503")),
        ("mend it", command("demo mend")),
    ]);
    Ok(())
}

/// Tells the running demo receiver what to answer.
async fn answer_with(on: &Target, status: u16, json: bool) -> anyhow::Result<bool> {
    let account = AccountId::parse(ACCOUNT)?;
    let endpoints = on.only_local()?.store()?.of_account(&account).await?;
    let newest = endpoints.iter().max_by_key(|endpoint| endpoint.created_at);
    let endpoint = newest.context("no demo receiver is registered; `cargo local` starts one")?;
    receiver::tell(&endpoint.url, status)
        .await
        .context("the demo receiver does not answer; is `cargo local` still running?")?;
    if json {
        output::json(&json!({"answers": status}));
    } else {
        output::say!("the demo receiver answers {status} from now on");
    }
    Ok(true)
}

impl Receipt {
    fn print(&self) {
        let (event, number) = (self.header("X-Webhook-Event"), self.header("X-Webhook-Attempt"));
        let id = self.header("webhook-id");
        let answered = self.answered;
        output::say!(
            "{}  {event}  attempt {number}  answered {answered}  {}  {}",
            dim(aws::clock::SystemClock.now()),
            self.verdicts.short(),
            dim(id)
        );
    }

    fn print_in_full(&self) {
        for (name, value) in &self.headers {
            output::say!("  {}: {value}", dim(name));
        }
        output::say!("\n  {}\n", self.body);
        self.verdicts.print();
    }
}

impl Verdicts {
    fn print(&self) {
        let word = |good| match good {
            true => verdict(true, "verified"),
            false => verdict(false, "NOT verified"),
        };
        output::list(&[
            ("webhook-signature, by the standardwebhooks crate", word(self.standard)),
            ("X-Webhook-Signature, by one line of HMAC", word(self.rackwave)),
        ]);
    }

    fn short(&self) -> Cell {
        match self.both() {
            true => verdict(true, "verified"),
            false => verdict(false, "NOT verified"),
        }
    }
}
