//! `webhooks endpoints`.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use domain::endpoint::register::Registration;
use domain::endpoint::{Endpoint, EndpointState};
use domain::ids::{AccountId, EndpointId};
use domain::limits::ENDPOINTS_PER_ACCOUNT;
use domain::ports::{Clock, Endpoints as _, Registry as _};
use domain::secret::{Secret, SigningSecrets};
use domain::target::TargetRules;
use domain::view;
use serde_json::{Value, json};

use crate::api::{Api, text};
use crate::deliveries::shown;
use crate::output::{self, dim, plain, verdict};
use crate::stack::{Stack, Target};
use crate::when::age;

/// Endpoints shown at most by one `list` without `--account`.
const LISTED: usize = 1_000;

#[derive(Subcommand)]
pub enum Endpoints {
    /// Register an endpoint; its secret is shown this once.
    Create(Box<Create>),
    /// All endpoints, or those of one account.
    #[command(after_help = "Example:\n  webhooks endpoints list --account acct_42")]
    List {
        /// Only this account's.
        #[arg(long)]
        account: Option<AccountId>,
    },
    /// One endpoint.
    #[command(after_help = "Example:\n  webhooks endpoints show ep_…")]
    Show {
        /// Its id.
        id: EndpointId,
    },
    /// Send it a test event, and see the answer; exit code 1 if it is not 2xx.
    #[command(after_help = "Example:\n  webhooks endpoints test ep_… email.delivered")]
    Test {
        /// Its id.
        id: EndpointId,
        /// The event's name; the data is the documentation's sample.
        event: String,
    },
    PortalLink(PortalLink),
}

/// A signed-in link to the page, for an account or for one endpoint.
#[derive(Args)]
#[command(after_help = "\
Examples:
  webhooks endpoints portal-link --account acct_42
  webhooks endpoints portal-link ep_… --lasts 15m")]
pub struct PortalLink {
    /// Only this endpoint.
    #[arg(required_unless_present = "account")]
    endpoint: Option<EndpointId>,
    /// The Rackwave customer number; the endpoint's own if there is one.
    #[arg(long, conflicts_with = "endpoint")]
    account: Option<AccountId>,
    /// How long it opens the page, 1m to 1d.
    #[arg(long, default_value = "1h", value_name = "AGE", value_parser = age)]
    lasts: Duration,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  webhooks endpoints create --account acct_42 --url https://hooks.example.com/in \\
      --event-types 'email.*,invoice_paid' --alert-email owner@example.com --header 'X-Tenant: 7'")]
pub struct Create {
    /// The Rackwave customer number.
    #[arg(long)]
    account: String,
    /// Where events go.
    #[arg(long)]
    url: String,
    /// Names, prefixes such as `email.*`, or `*`; joined by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    event_types: Vec<String>,
    /// Where the owner reads mail.
    #[arg(long)]
    alert_email: String,
    /// Only events of this product.
    #[arg(long)]
    product: Option<String>,
    /// Only events of this platform.
    #[arg(long)]
    platform_id: Option<String>,
    /// Your own words.
    #[arg(long)]
    description: Option<String>,
    /// Sent with every request, as `Name: value`; may be repeated.
    #[arg(long = "header", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The most requests a second it is sent; what is over waits.
    #[arg(long)]
    max_per_second: Option<u32>,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("must be `Name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl Endpoints {
    pub async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        match self {
            Self::Create(create) => create.run(on, json).await,
            Self::List { account } => list(on, account, json).await,
            Self::Show { id } => show(on, &id, json).await,
            Self::Test { id, event } => test(on, &id, &event, json).await,
            Self::PortalLink(link) => link.run(on, json).await,
        }
    }
}

impl Create {
    /// By the API, which has the say about what may be registered.
    async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        let api = Api::of(&on.open().await?)?;
        let created = api.post("v1/endpoints", &self.body()).await?;
        if json {
            output::json(&created);
            return Ok(true);
        }
        let types = created["event_types"].as_array().into_iter().flatten();
        let types: Vec<&str> = types.filter_map(Value::as_str).collect();
        output::list(&[
            ("id", plain(text(&created, "id"))),
            ("account_id", plain(text(&created, "account_id"))),
            ("status", plain(text(&created, "status"))),
            ("url", plain(text(&created, "url"))),
            ("event_types", plain(types.join(", "))),
            ("secret", plain(text(&created, "secret"))),
        ]);
        output::say!("The secret is not shown again.");
        let warnings = created["warnings"].as_array().into_iter().flatten();
        for warning in warnings.filter_map(Value::as_str) {
            output::say!("Is that meant? {warning}");
        }
        Ok(true)
    }

    fn body(self) -> Value {
        let headers: BTreeMap<_, _> = self.headers.into_iter().collect();
        let mut body = json!({
            "account_id": self.account,
            "url": self.url,
            "event_types": self.event_types,
            "alert_email": self.alert_email,
            "headers": headers,
        });
        let options = [
            ("product", self.product.map(Value::from)),
            ("platform_id", self.platform_id.map(Value::from)),
            ("description", self.description.map(Value::from)),
            ("max_per_second", self.max_per_second.map(Value::from)),
        ];
        for (name, value) in options {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        body
    }
}

/// Registers an endpoint with a new secret, as the API does; for the demo, which comes before it.
pub async fn register(
    stack: &Stack,
    registration: Registration,
) -> anyhow::Result<(Endpoint, Secret)> {
    let now = aws::clock::SystemClock.now();
    let id = aws::clock::new_endpoint_id()?;
    let endpoint = registration.check(id, TargetRules::InsecureForLocal, now)?;
    let store = stack.store()?;
    let others = store.of_account(&endpoint.account_id).await?;
    let living = others.iter().filter(|e| !matches!(e.state, EndpointState::Deleted { .. }));
    if living.count() >= ENDPOINTS_PER_ACCOUNT {
        bail!("account_id has {ENDPOINTS_PER_ACCOUNT} endpoints, the most an account may have");
    }
    let secret = aws::clock::new_secret()?;
    let secrets = SigningSecrets { current: secret.clone(), previous: None };
    store.create_endpoint(&endpoint, &secrets).await?;
    Ok((endpoint, secret))
}

async fn list(on: &Target, account: Option<AccountId>, json: bool) -> anyhow::Result<bool> {
    let store = on.open().await?.store()?;
    let endpoints = match account {
        Some(account) => store.of_account(&account).await?,
        None => store.all_endpoints(None, LISTED).await?.items,
    };
    if json {
        output::json(&json!({"data": endpoints.iter().map(view::endpoint).collect::<Vec<_>>()}));
        return Ok(true);
    }
    let row = |e: &Endpoint| {
        vec![plain(&e.id), plain(&e.account_id), state(e), plain(types(e)), plain(&e.url)]
    };
    let rows: Vec<_> = endpoints.iter().map(row).collect();
    output::table(&["ENDPOINT", "ACCOUNT", "STATUS", "EVENTS", "URL"], &rows);
    Ok(true)
}

async fn show(on: &Target, id: &EndpointId, json: bool) -> anyhow::Result<bool> {
    match on.open().await?.store()?.endpoint_by_id(id).await? {
        None => {
            output::complain!("there is no endpoint {id}");
            return Ok(false);
        }
        Some(endpoint) if json => output::json(&view::endpoint(&endpoint)),
        Some(endpoint) => describe(&endpoint),
    }
    Ok(true)
}

async fn test(on: &Target, id: &EndpointId, event: &str, json: bool) -> anyhow::Result<bool> {
    let api = Api::of(&on.open().await?)?;
    let attempt = api.post(&format!("v1/endpoints/{id}/test"), &json!({"event": event})).await?;
    let succeeded = text(&attempt, "outcome") == "succeeded";
    if json {
        output::json(&attempt);
        return Ok(succeeded);
    }
    let or_dash = |name: &str| match (attempt.get(name), attempt[name].as_str()) {
        (None, _) => dim("-"),
        (_, Some(text)) => plain(shown(text)),
        (Some(number), None) => plain(number),
    };
    output::list(&[
        ("outcome", verdict(succeeded, text(&attempt, "outcome"))),
        ("http_status", or_dash("http_status")),
        ("took", plain(format!("{} ms", attempt["duration_ms"]))),
        ("what went wrong", or_dash("error")),
        ("answer", or_dash("response_body")),
    ]);
    Ok(succeeded)
}

impl PortalLink {
    async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        let api = Api::of(&on.open().await?)?;
        let mut body = json!({"account_id": self.account, "expires_in": self.lasts.as_secs()});
        if let Some(id) = self.endpoint {
            let mut endpoint = api.get(&format!("v1/endpoints/{id}")).await?;
            body["account_id"] = endpoint["account_id"].take();
            body["endpoint_id"] = id.to_string().into();
        }
        let link = api.post("v1/portal-links", &body).await?;
        if json {
            output::json(&link);
        } else {
            output::say!("{}", text(&link, "url"));
        }
        Ok(true)
    }
}

fn describe(endpoint: &Endpoint) {
    let optional = |text: &Option<String>| text.as_ref().map_or(dim("-"), plain);
    let names: Vec<&str> = endpoint.headers.iter().map(|h| h.name.as_str()).collect();
    output::list(&[
        ("id", plain(&endpoint.id)),
        ("account_id", plain(&endpoint.account_id)),
        ("status", state(endpoint)),
        ("url", plain(&endpoint.url)),
        ("event_types", plain(types(endpoint))),
        ("product", endpoint.product.map_or(dim("-"), |p| plain(p.as_str()))),
        ("platform_id", optional(&endpoint.platform_id)),
        ("description", optional(&endpoint.description)),
        ("alert_email", plain(&endpoint.alert_email)),
        ("headers", if names.is_empty() { dim("-") } else { plain(names.join(", ")) }),
        ("created_at", plain(endpoint.created_at)),
    ]);
}

fn types(endpoint: &Endpoint) -> String {
    endpoint.event_types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn state(endpoint: &Endpoint) -> output::Cell {
    match endpoint.state {
        EndpointState::Enabled => match endpoint.failing_since() {
            Some(at) => verdict(false, &format!("enabled, failing since {at}")),
            None => verdict(true, "enabled"),
        },
        EndpointState::Disabled { reason, at } => {
            verdict(false, &format!("disabled ({}) since {at}", reason.as_str()))
        }
        EndpointState::Deleted { at } => verdict(false, &format!("deleted at {at}")),
    }
}
