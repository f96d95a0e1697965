//! `webhooks keys`.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use domain::api_key::{ApiKey, ApiKeyRecord, Scope};
use domain::ports::Clock;
use domain::view;
use serde_json::json;

use crate::output::{self, dim, plain, verdict};
use crate::stack::{Stack, Target};

#[derive(Subcommand)]
pub enum Keys {
    /// Make a key; it is shown this once.
    #[command(
        after_help = "Examples:\n  webhooks keys create --scope account:acct_42 --name dashboard\n  \
                      webhooks keys create --scope operator --out key --stack rackwave-webhooks"
    )]
    Create {
        /// `operator`, `account:ID` or `product:NAME`.
        #[arg(long, value_parser = scope)]
        scope: Scope,
        /// Your own word for it.
        #[arg(long, value_parser = name)]
        name: Option<String>,
        /// A new file for the key, readable by you alone, rather than the screen; `--key-file`
        /// takes it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// All keys, by what is kept of them; that one is used is noted once an hour.
    #[command(after_help = "Example:\n  webhooks keys list")]
    List,
    /// Make a key open nothing any more.
    #[command(after_help = "Example:\n  webhooks keys revoke key_…")]
    Revoke {
        /// Its id, `key_…`.
        id: String,
    },
}

fn scope(text: &str) -> Result<Scope, String> {
    text.parse().map_err(|_| "must be operator, account:ID or product:NAME".to_owned())
}

fn name(text: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned()).ok_or_else(|| "must be 1 to 64 characters".to_owned())
}

impl Keys {
    pub async fn run(self, on: &Target, json: bool) -> anyhow::Result<bool> {
        match self {
            Self::Create { scope, name, out } => create(on, scope, name, out, json).await,
            Self::List => list(on, json).await,
            Self::Revoke { id } => revoke(on, &id, json).await,
        }
    }
}

/// Makes a key; the record is what is kept of it.
pub async fn make(
    stack: &Stack,
    scope: Scope,
    name: Option<String>,
) -> anyhow::Result<(ApiKey, ApiKeyRecord)> {
    let key = aws::clock::new_api_key()?;
    let now = aws::clock::SystemClock.now();
    let record = ApiKeyRecord { name, ..ApiKeyRecord::new(&key, scope, now) };
    stack.store()?.create_api_key(&record).await?;
    Ok((key, record))
}

async fn create(
    on: &Target,
    scope: Scope,
    name: Option<String>,
    out: Option<PathBuf>,
    json: bool,
) -> anyhow::Result<bool> {
    let stack = on.open().await?;
    let Some(path) = out else {
        let (key, record) = make(&stack, scope, name).await?;
        if json {
            output::json(&json!({"id": record.id, "key": key.reveal()}));
        } else {
            output::list(&[("id", plain(&record.id)), ("key", plain(key.reveal()))]);
            output::say!("The key is not shown again.");
        }
        return Ok(true);
    };
    // The file first: a key that could not be kept would open the API for nobody's use.
    let mut file = private(&path).with_context(|| path.display().to_string())?;
    let made = make(&stack, scope, name).await.inspect_err(|_| drop(fs::remove_file(&path)));
    let (key, record) = made?;
    writeln!(file, "{}", key.reveal()).with_context(|| path.display().to_string())?;
    if json {
        output::json(&json!({"id": record.id, "file": path}));
    } else {
        output::list(&[("id", plain(&record.id)), ("file", plain(path.display()))]);
    }
    Ok(true)
}

/// A new file that only its owner reads.
fn private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

async fn list(on: &Target, json: bool) -> anyhow::Result<bool> {
    let keys = on.open().await?.store()?.all_api_keys().await?;
    if json {
        output::json(&json!({"data": keys.iter().map(view::api_key).collect::<Vec<_>>()}));
        return Ok(true);
    }
    let row = |key: &ApiKeyRecord| {
        vec![
            plain(&key.id),
            dim(format!("…{}", key.last4)),
            plain(&key.scope),
            key.name.as_ref().map_or(dim("-"), plain),
            plain(key.created_at),
            key.last_used_at.map_or(dim("never"), plain),
            match key.revoked_at {
                None => verdict(true, "active"),
                Some(at) => verdict(false, &format!("revoked at {at}")),
            },
        ]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    let titles = ["KEY", "ENDS IN", "SCOPE", "NAME", "CREATED", "LAST USED", "STATE"];
    output::table(&titles, &rows);
    Ok(true)
}

async fn revoke(on: &Target, id: &str, json: bool) -> anyhow::Result<bool> {
    let now = aws::clock::SystemClock.now();
    let found = on.open().await?.store()?.revoke_api_key(id, now).await?;
    if json {
        output::json(&json!({"id": id, "revoked": found}));
    } else if found {
        output::say!("{id} opens nothing any more.");
    }
    if !found {
        output::complain!("there is no key {id}");
    }
    Ok(found)
}
