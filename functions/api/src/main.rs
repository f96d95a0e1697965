//! The API function: wires the use case to AWS, behind a function URL.

use api::http::{Request, UrlRequest, UrlResponse};
use api::{Api, Rules};
use aws::dynamo::{Store, Table, Tables};
use domain::settings::Lookup;
use lambda_runtime::{LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::logging::init();
    let environment = |name: &str| std::env::var(name).ok();
    let settings = Lookup::new(&environment);
    let config = aws::config::load()?;
    let tables = Tables::from_settings(
        &settings,
        &[
            Table::Endpoints,
            Table::EndpointSecrets,
            Table::Events,
            Table::Deliveries,
            Table::ApiKeys,
            Table::ApiState,
        ],
    )?;
    let rules = Rules {
        retention: settings.retention()?,
        secret_overlap: settings.secret_overlap()?,
        targets: settings.target_rules()?,
    };
    let store = Store::new(&config, tables, rules.retention);
    let api = Api { store, chance: aws::clock::SystemChance, rules };
    let api = &api;
    lambda_runtime::run(service_fn(|event: LambdaEvent<UrlRequest>| async move {
        let response = api.handle(&Request::from(event.payload)).await;
        Ok::<_, lambda_runtime::Error>(UrlResponse::from(response))
    }))
    .await
    .map_err(|error| anyhow::anyhow!("{error}"))
}
