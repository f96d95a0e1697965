//! A stub of AWS on loopback: answers at once, from memory. It says yes to every condition but
//! "not there yet", and judges nothing else: what is measured is the functions, not AWS.
//!
//! | module | is |
//! |---|---|
//! | `tables` | DynamoDB: items by their keys |
//! | `update` | DynamoDB's update expressions, as far as the product writes them |

mod tables;
mod update;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, anyhow};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tests::loopback::serve;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::template::Template;
use tables::Tables;

/// The running stub; it ends with the program.
pub struct Cloud {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// A message that was sent to a queue.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The queue's logical name.
    pub queue: String,
    /// Its text.
    pub body: String,
    /// Seconds before it may be received.
    pub delay_s: u64,
}

struct Shared {
    tables: Mutex<Tables>,
    calls: Mutex<BTreeMap<String, u64>>,
    /// What could not be answered: the product does something that the stub does not know.
    unknown: Mutex<Option<String>>,
    sent: mpsc::UnboundedSender<Sent>,
}

impl Cloud {
    /// Starts it, with the template's tables, empty. Whatever is sent to a queue can be received
    /// from the other part.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start(
        template: &Template,
    ) -> anyhow::Result<(Self, mpsc::UnboundedReceiver<Sent>)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (sent, received) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            tables: Mutex::new(Tables::new(template.table_keys())),
            calls: Mutex::default(),
            unknown: Mutex::default(),
            sent,
        });
        let known = shared.clone();
        tokio::spawn(serve(listener, move |request| {
            let shared = known.clone();
            async move { answer(&shared, request).await }
        }));
        Ok((Self { address, shared }, received))
    }

    /// Where it is, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Calls so far, by service and operation.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        lock(&self.shared.calls).clone()
    }

    /// How many items of a table have this text in this attribute.
    pub fn count(&self, table: &str, attribute: &str, text: &str) -> usize {
        lock(&self.shared.tables).count(table, attribute, text)
    }

    /// # Errors
    /// If it was asked something that it does not know: then figures mean nothing.
    pub fn was_understood(&self) -> anyhow::Result<()> {
        match &*lock(&self.shared.unknown) {
            None => Ok(()),
            Some(what) => Err(anyhow!("the stub of AWS does not know {what}")),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok());
    let call = match target.and_then(|target| target.split_once('.')) {
        Some((service, operation)) => {
            let service = service.split('_').next().unwrap_or_default();
            format!("{service} {operation}")
        }
        None => format!("{} {}", request.method(), request.uri().path()),
    };
    let body = request.into_body().collect().await.map(|body| body.to_bytes());
    let body: Value = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
    let answered = shared.answer(&call, body);
    *lock(&shared.calls).entry(call.clone()).or_default() += 1;
    let (status, answer) = answered.unwrap_or_else(|problem| {
        lock(&shared.unknown).get_or_insert(format!("{call}: {problem:#}"));
        (400, json!({"__type": "UnknownOperationException", "message": "unknown"}))
    });
    let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    Ok(response)
}

impl Shared {
    fn answer(&self, call: &str, body: Value) -> anyhow::Result<(u16, Value)> {
        if let Some(operation) = call.strip_prefix("DynamoDB ") {
            return lock(&self.tables).answer(operation, body);
        }
        Ok((
            200,
            match call {
                "AmazonSQS SendMessageBatch" => self.send(&body)?,
                "AmazonSQS ReceiveMessage" => json!({}),
                "AmazonSQS GetQueueAttributes" => json!({"Attributes": {
                    "ApproximateNumberOfMessages": "0",
                    "ApproximateNumberOfMessagesNotVisible": "0",
                    "ApproximateNumberOfMessagesDelayed": "0",
                }}),
                "AWSEvents PutEvents" => {
                    let entries = body["Entries"].as_array().context("Entries")?;
                    let entries: Vec<Value> =
                        entries.iter().map(|_| json!({"EventId": "e"})).collect();
                    json!({"FailedEntryCount": 0, "Entries": entries})
                }
                path if path.starts_with("POST /schedules/") => json!({"ScheduleArn": "arn"}),
                _ => return Err(anyhow!("no such call")),
            },
        ))
    }

    fn send(&self, body: &Value) -> anyhow::Result<Value> {
        let url = body["QueueUrl"].as_str().context("QueueUrl")?;
        let queue = url.rsplit('/').next().unwrap_or_default();
        let mut taken = Vec::new();
        for entry in body["Entries"].as_array().context("Entries")? {
            let id = entry["Id"].as_str().context("Id")?;
            // Nobody listens where what is sent does not matter.
            let _ = self.sent.send(Sent {
                queue: queue.to_owned(),
                body: entry["MessageBody"].as_str().context("MessageBody")?.to_owned(),
                delay_s: entry["DelaySeconds"].as_u64().unwrap_or(0),
            });
            taken.push(json!({"Id": id, "MessageId": id, "MD5OfMessageBody": ""}));
        }
        Ok(json!({"Successful": taken, "Failed": []}))
    }
}
