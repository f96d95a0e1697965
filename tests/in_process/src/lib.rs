//! DynamoDB in the test's own process: the SDK's requests, as the store makes them, are answered by
//! dynoxide, and nothing is listened to or dialled.

use std::sync::Arc;
use std::time::Duration;

use aws::dynamo::{Store, Table, Tables};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use dynoxide::Database;
use dynoxide::errors::DynoxideError;

use ::tests::world::RETENTION;

/// A table's key, and its indexes; each index holds keys only.
type Shape = (Table, &'static [&'static str], &'static [(&'static str, [&'static str; 2])]);

/// As in `template.yaml`; an index with one key has an empty second.
const TABLES: [Shape; 7] = [
    (
        Table::Endpoints,
        &["account_id", "endpoint_id"],
        &[("by_endpoint_id", ["endpoint_id", ""]), ("in_trouble", ["trouble", "endpoint_id"])],
    ),
    (Table::EndpointSecrets, &["endpoint_id"], &[]),
    (Table::Events, &["event_id"], &[]),
    (
        Table::Deliveries,
        &["partition", "delivery_id"],
        &[("due", ["due_shard", "due_at"]), ("problem", ["problem", "delivery_id"])],
    ),
    (Table::ApiKeys, &["key_id"], &[]),
    (Table::ApiState, &["name"], &[]),
    (Table::Jobs, &["job_id"], &[("unfinished", ["unfinished", "wakes_at"])]),
];

/// The store over a new, empty database.
pub async fn store() -> Store {
    let database = Arc::new(Database::memory().expect("SQLite in memory"));
    let config = config(InProcess(database));
    let client = Client::new(&config);
    for shape in &TABLES {
        create(&client, shape).await;
    }
    let names = TABLES.map(|(table, _, _)| (table, table.variable().to_owned()));
    Store::new(&config, Tables::new(names), RETENTION)
}

async fn create(client: &Client, (table, keys, indexes): &Shape) {
    let mut request = client
        .create_table()
        .table_name(table.variable())
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(schema(keys)));
    let of_indexes = indexes.iter().flat_map(|(_, keys)| keys);
    let mut attributes: Vec<&str> = keys.iter().chain(of_indexes).copied().collect();
    attributes.sort_unstable();
    attributes.dedup();
    for name in attributes.into_iter().filter(|name| !name.is_empty()) {
        let attribute = AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S);
        request = request.attribute_definitions(attribute.build().expect("complete"));
    }
    for (name, keys) in *indexes {
        let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        let index = GlobalSecondaryIndex::builder()
            .index_name(*name)
            .set_key_schema(Some(schema(keys)))
            .projection(keys_only);
        request = request.global_secondary_indexes(index.build().expect("complete"));
    }
    request.send().await.expect("created");
}

fn schema(keys: &[&str]) -> Vec<KeySchemaElement> {
    let kinds = [KeyType::Hash, KeyType::Range];
    let named = keys.iter().zip(kinds).filter(|(name, _)| !name.is_empty());
    let element = |(name, kind): (&&str, KeyType)| {
        KeySchemaElement::builder().attribute_name(*name).key_type(kind).build().expect("complete")
    };
    named.map(element).collect()
}

fn config(connector: InProcess) -> SdkConfig {
    let credentials = Credentials::builder()
        .access_key_id("test")
        .secret_access_key("test")
        .provider_name("in process")
        .build();
    let connector = SharedHttpConnector::new(connector);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url("http://in-process.invalid")
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build()
}

/// Answers the SDK's requests instead of a network.
#[derive(Clone)]
struct InProcess(Arc<Database>);

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InProcess")
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = operation.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let database = self.0.clone();
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(Duration::ZERO).await; // others have their turn, as on a network
            let (status, body) = match answer(&database, &operation, &body) {
                Ok(body) => (200, body),
                Err(error) => (error.status_code(), error.to_json()),
            };
            let status = StatusCode::try_from(status);
            let status = status.map_err(|error| ConnectorError::user(error.into()))?;
            let mut response = HttpResponse::new(status, SdkBody::from(body));
            response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
            Ok(response)
        })
    }
}

/// The operations that the store uses.
fn answer(database: &Database, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
    match operation {
        "CreateTable" => with(body, |request| database.create_table(request)),
        "GetItem" => with(body, |request| database.get_item(request)),
        "PutItem" => with(body, |request| database.put_item(request)),
        "UpdateItem" => with(body, |request| database.update_item(request)),
        "DeleteItem" => with(body, |request| database.delete_item(request)),
        "Query" => with(body, |request| database.query(request)),
        "Scan" => with(body, |request| database.scan(request)),
        "TransactWriteItems" => with(body, |request| database.transact_write_items(request)),
        other => Err(DynoxideError::ValidationException(format!("{other} is not used"))),
    }
}

fn with<Q: serde::de::DeserializeOwned, A: serde::Serialize>(
    body: &[u8],
    act: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Result<String, DynoxideError> {
    let wrong = |error: serde_json::Error| DynoxideError::ValidationException(error.to_string());
    let request = serde_json::from_slice(body).map_err(wrong)?;
    serde_json::to_string(&act(request)?).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use domain::api_key::{ApiKey, ApiKeyRecord, Scope};
    use domain::ports::Clock;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_store_on_dynoxide() {
        let store = super::store().await;
        let now = aws::clock::SystemClock.now();
        let record = ApiKeyRecord::new(&ApiKey::from_random([77; 24]), Scope::Operator, now);
        store.create_api_key(&record).await.expect("created");
        ::tests::conformance::store(&store, &record).await;
    }
}
