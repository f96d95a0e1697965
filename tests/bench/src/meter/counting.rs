//! A loopback endpoint in front of the emulator that counts every request of one function: the
//! function takes it for AWS.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, anyhow};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tests::loopback::serve;
use tokio::net::{TcpListener, TcpStream};

use super::capacity::{self, Schema, Units};
use super::tally::{number, requests_of};

const DYNAMO: &str = "DynamoDB_20120810";

/// A request to AWS.
#[derive(Debug, Clone)]
pub struct Call {
    /// `DynamoDB`, `SQS`, `Scheduler`, `EventBridge` or `SES`.
    pub service: &'static str,
    /// Such as `PutItem`.
    pub operation: String,
    /// The table, index, queue, or nothing.
    pub target: String,
    /// What its service charges for: 1, or one for each 64 KB.
    pub requests: f64,
    /// What it consumed of DynamoDB.
    pub units: Units,
    /// The same as the emulator has it: reads and writes, indexes included.
    pub emulated: Option<f64>,
    /// A condition did not hold.
    pub refused: bool,
    /// Bytes by which what is stored has grown.
    pub stored: f64,
    /// The delivery that it put on record.
    pub delivery_id: Option<String>,
}

/// What is known of the tables, by name.
pub type Schemas = HashMap<String, Schema>;

/// The endpoint.
pub struct Counter {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    emulator: String,
    schemas: Schemas,
    calls: Mutex<Vec<Call>>,
    problems: Mutex<Vec<String>>,
}

impl Counter {
    /// Listens on a free port, and passes everything on to the emulator at this URL.
    pub async fn start(emulator_url: &str, schemas: Schemas) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            emulator: emulator_url.trim_start_matches("http://").trim_end_matches('/').to_owned(),
            schemas,
            calls: Mutex::default(),
            problems: Mutex::default(),
        });
        let known = Arc::clone(&shared);
        tokio::spawn(serve(listener, move |request| {
            let shared = Arc::clone(&known);
            async move { answer(&shared, request).await }
        }));
        Ok(Self { address, shared })
    }

    /// For `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked since the last time.
    ///
    /// # Errors
    /// If something could not be counted: then no figure is right.
    pub fn take(&self) -> anyhow::Result<Vec<Call>> {
        let problems = std::mem::take(&mut *lock(&self.shared.problems));
        match problems.first() {
            Some(problem) => Err(anyhow!("not counted: {problem}")),
            None => Ok(std::mem::take(&mut *lock(&self.shared.calls))),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let answered = count(shared, request).await.unwrap_or_else(|problem| {
        lock(&shared.problems).push(format!("{problem:#}"));
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = StatusCode::BAD_GATEWAY;
        answer
    });
    Ok(answered)
}

async fn count(
    shared: &Shared,
    request: Request<Incoming>,
) -> anyhow::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let target = head.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let (family, operation) = target.and_then(|target| target.split_once('.')).unwrap_or_default();
    if family == DYNAMO {
        return dynamo(shared, operation.to_owned(), Request::from_parts(head, body)).await;
    }
    let operation = operation.to_owned();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (path, method) = (head.uri.path().to_owned(), head.method.clone());
    let family = family.to_owned();
    let answer = pass_on(shared, Request::from_parts(head, body)).await?;
    let answered: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let call = |service, operation: &str, target: String, bytes| Call {
        service,
        operation: operation.to_owned(),
        target,
        requests: requests_of(bytes),
        units: Units::default(),
        emulated: None,
        refused: false,
        stored: 0.0,
        delivery_id: None,
    };
    let counted = match family.as_str() {
        "AmazonSQS" => {
            let queue = asked["QueueUrl"].as_str().unwrap_or_default();
            let queue = queue.rsplit(['/', '-']).next().unwrap_or_default();
            call("SQS", &operation, queue.to_owned(), sqs_bytes(&asked) + sqs_bytes(&answered))
        }
        "AWSEvents" => {
            call("EventBridge", &operation, String::new(), asked["Entries"].to_string().len())
        }
        _ if path.starts_with("/schedules/") && method == Method::POST => {
            call("Scheduler", "CreateSchedule", String::new(), 0)
        }
        _ if path.starts_with("/v2/email/") => call("SES", "SendEmail", String::new(), 0),
        other => return Err(anyhow!("{method} {path} {other} {operation}")),
    };
    lock(&shared.calls).push(counted);
    Ok(answer.map(Full::new))
}

/// Bodies and attributes of messages, sent or received.
fn sqs_bytes(message: &Value) -> usize {
    let of = |message: &Value| {
        let body = message["MessageBody"].as_str().or_else(|| message["Body"].as_str());
        let attributes = message["MessageAttributes"].as_object();
        body.map_or(0, str::len)
            + attributes.map_or(0, |all| Value::from(all.clone()).to_string().len())
    };
    let lists = [&message["Entries"], &message["Messages"]];
    let listed = lists.into_iter().filter_map(Value::as_array).flatten();
    of(message) + listed.map(of).sum::<usize>()
}

/// Looks at an item before and after a write; reads show by themselves what they read.
async fn dynamo(
    shared: &Shared,
    operation: String,
    request: Request<Bytes>,
) -> anyhow::Result<Response<Full<Bytes>>> {
    let (mut head, body) = request.into_parts();
    let mut asked: Value = serde_json::from_slice(&body).context("a body that is no JSON")?;
    let table = asked["TableName"].as_str().unwrap_or_default().to_owned();
    let schema = shared.schemas.get(&table).with_context(|| format!("an unknown table {table}"))?;
    asked["ReturnConsumedCapacity"] = json!("INDEXES");
    head.headers.remove(CONTENT_LENGTH);
    let request = Request::from_parts(head, Bytes::from(asked.to_string()));
    let key = match operation.as_str() {
        "PutItem" => Some(key_of(schema, &asked["Item"])),
        "UpdateItem" | "DeleteItem" => Some(asked["Key"].clone()),
        "GetItem" | "Query" | "Scan" => None,
        other => return Err(anyhow!("DynamoDB {other}")),
    };
    let before = item(shared, &request, &table, key.as_ref()).await?;
    let answer = pass_on(shared, request.clone()).await?;
    let after = item(shared, &request, &table, key.as_ref()).await?;
    let answered: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let kind = answered["__type"].as_str().unwrap_or_default();
    let refused = kind.contains("ConditionalCheckFailed");
    if !answer.status().is_success() && !refused {
        return Err(anyhow!("{operation} on {table} failed: {answered}"));
    }
    let units = match &key {
        Some(_) => capacity::write(schema, before.as_ref(), after.as_ref()),
        None => {
            let whole = match asked.get("ProjectionExpression") {
                Some(_) => unprojected(shared, &request, &asked).await?,
                None => answered.clone(),
            };
            let one = whole.get("Item").into_iter();
            let items = one.chain(whole["Items"].as_array().into_iter().flatten());
            let items: Vec<Value> = items.cloned().collect();
            capacity::read(&items, asked["ConsistentRead"] == true)
        }
    };
    let index = asked["IndexName"].as_str().map(|index| format!("/{index}"));
    let new = after.as_ref().filter(|_| before.is_none());
    lock(&shared.calls).push(Call {
        delivery_id: new.and_then(|item| Some(item["delivery_id"]["S"].as_str()?.to_owned())),
        service: "DynamoDB",
        operation,
        target: format!("{table}{}", index.unwrap_or_default()),
        requests: 1.0,
        units,
        emulated: answered["ConsumedCapacity"]["CapacityUnits"].as_f64(),
        refused,
        stored: stored(after.as_ref()) - stored(before.as_ref()),
    });
    Ok(answer.map(Full::new))
}

/// What a read finds before it picks attributes: that is what it is charged for.
async fn unprojected(
    shared: &Shared,
    like: &Request<Bytes>,
    asked: &Value,
) -> anyhow::Result<Value> {
    let mut all = asked.clone();
    let fields = all.as_object_mut().context("a request that is no object")?;
    let conditions = ["KeyConditionExpression", "FilterExpression"]
        .map(|name| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned())
        .concat();
    fields.remove("ProjectionExpression");
    if let Some(names) = fields.get_mut("ExpressionAttributeNames").and_then(Value::as_object_mut) {
        names.retain(|name, _| conditions.contains(name.as_str()));
        if names.is_empty() {
            fields.remove("ExpressionAttributeNames");
        }
    }
    let mut request = like.clone();
    *request.body_mut() = Bytes::from(all.to_string());
    Ok(serde_json::from_slice(pass_on(shared, request).await?.body())?)
}

/// What an item takes up: itself, and what DynamoDB adds for its keys.
fn stored(item: Option<&Value>) -> f64 {
    const ADDED: usize = 100;
    number(item.map_or(0, |item| capacity::item_bytes(item) + ADDED))
}

fn key_of(schema: &Schema, item: &Value) -> Value {
    schema.key.iter().map(|name| (name.clone(), item[name].clone())).collect()
}

/// The item under a key, as it is now.
async fn item(
    shared: &Shared,
    like: &Request<Bytes>,
    table: &str,
    key: Option<&Value>,
) -> anyhow::Result<Option<Value>> {
    let Some(key) = key else { return Ok(None) };
    let mut request = like.clone();
    let wanted = json!({"TableName": table, "Key": key, "ConsistentRead": true});
    *request.body_mut() = Bytes::from(wanted.to_string());
    request.headers_mut().insert("x-amz-target", "DynamoDB_20120810.GetItem".parse()?);
    let answer = pass_on(shared, request).await?;
    let mut answer: Value = serde_json::from_slice(answer.body())?;
    Ok(answer.get_mut("Item").map(Value::take))
}

async fn pass_on(shared: &Shared, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
    let stream = TcpStream::connect(&shared.emulator).await.context("the emulator is gone")?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let (mut head, body) = request.into_parts();
    head.headers.remove(CONTENT_LENGTH);
    head.headers.insert(HOST, shared.emulator.parse()?);
    let answer = sender.send_request(Request::from_parts(head, Full::new(body))).await?;
    let (mut head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove("transfer-encoding");
    connection.abort();
    Ok(Response::from_parts(head, body))
}
