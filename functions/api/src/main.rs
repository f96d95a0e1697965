//! The API function: wires the use case to AWS, behind a function URL.

use api::http::{Request, UrlRequest, UrlResponse};
use api::portal::PageAddress;
use api::{Api, Others, Rules};
use aws::dynamo::{Store, Table, Tables};
use aws::lambda::SenderFunction;
use aws::sqs::{Queue, QueueUrls, Queues};
use domain::settings::Lookup;
use futures::FutureExt;
use lambda_runtime::{LambdaEvent, service_fn};

/// The emulator tells its functions where it is; on AWS there is no such variable.
fn page(settings: &Lookup<'_>) -> anyhow::Result<PageAddress> {
    Ok(match (settings.public_base_url()?, settings.text("AWS_ENDPOINT_URL")) {
        (Some(url), _) => PageAddress::Public(url),
        (None, Ok(emulator)) => PageAddress::Emulator(emulator),
        (None, Err(_)) => PageAddress::FunctionUrl,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::logging::init();
    let environment = |name: &str| std::env::var(name).ok();
    let settings = Lookup::new(&environment);
    let config = aws::config::load()?;
    let tables = Tables::from_settings(&settings, &Table::ALL)?;
    let rules = Rules {
        retention: settings.retention()?,
        secret_overlap: settings.secret_overlap()?,
        disable_after: settings.disable_after()?,
        targets: settings.target_rules()?,
        page: page(&settings)?,
        frame_ancestors: settings.frame_ancestors()?,
    };
    let store = Store::new(&config, tables, rules.retention);
    let queues = QueueUrls::from_settings(&settings, &[Queue::Send, Queue::Retry])?;
    let outside = Others {
        sender: SenderFunction::new(&config, settings.text("SENDER_FUNCTION")?),
        queues: Queues::new(&config, queues),
    };
    let api = Api { store, outside, chance: aws::clock::SystemChance, rules };
    let api = &api;
    lambda_runtime::run(service_fn(|event: LambdaEvent<UrlRequest>| async move {
        // Boxed: too deep for the compiler to lay out together with the runtime's own futures.
        let request = Request::from(event.payload);
        let response = api.handle(&request).boxed_local().await;
        Ok::<_, lambda_runtime::Error>(UrlResponse::from(response))
    }))
    .await
    .map_err(|error| anyhow::anyhow!("{error}"))
}
