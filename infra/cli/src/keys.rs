//! `webhooks keys`.

use clap::Subcommand;
use domain::api_key::{ApiKeyRecord, Scope};
use domain::ports::Clock;
use serde_json::json;

use crate::output::{self, plain};
use crate::stack::Stack;

#[derive(Subcommand)]
pub enum Keys {
    /// Make a key; it is shown this once.
    Create {
        /// `operator`, `account:ID` or `product:NAME`.
        #[arg(long, value_parser = scope)]
        scope: Scope,
    },
}

fn scope(text: &str) -> Result<Scope, String> {
    text.parse().map_err(|_| "must be operator, account:ID or product:NAME".to_owned())
}

impl Keys {
    pub async fn run(self, json: bool) -> anyhow::Result<bool> {
        let Self::Create { scope } = self;
        let key = aws::clock::new_api_key()?;
        let record = ApiKeyRecord::new(&key, scope, aws::clock::SystemClock.now());
        Stack::local()?.store()?.create_api_key(&record).await?;
        if json {
            output::json(&json!({"id": record.id, "key": key.reveal()}));
        } else {
            output::list(&[("id", plain(&record.id)), ("key", plain(key.reveal()))]);
            anstream::println!("The key is not shown again.");
        }
        Ok(true)
    }
}
