//! The real template on the emulator, as products, customers and ops see it.

mod alarms;
mod cli;
mod counted;
mod customer;
mod http;
mod post;
mod tls;
mod trouble;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use aws::dynamo::{Store, Tables};
use aws_config::SdkConfig;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use domain::api_key::ApiKeyRecord;
use domain::audit::Audit;
use domain::delivery::{Change, Delivery, Settles};
use domain::endpoint::Endpoint;
use domain::endpoint::register::Registration;
use domain::ids::{DeliveryId, EndpointId, EventId};
use domain::ports::{Audits, Clock, Deliveries, Events, Registry};
use domain::secret::{Secret, SigningSecrets};
use domain::target::TargetRules;
use domain::wakeup::WakeUp;
use local::{Emulator, Layout, Options, Profile, StackSpec, Venv, binaries, venv};

pub use alarms::{Alarm, Told, Verdict};
pub use cli::Cli;
pub use counted::{Asked, Counted};
pub use customer::{Customer, Received};
pub use http::{ApiClient, Reply};
pub use post::Sent;

/// Everything awaited must happen within this; it is no measure of speed.
pub const PATIENCE: Duration = Duration::from_secs(180);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Schedules of seconds: the first wait by SQS, the others by Scheduler.
pub const SHORT: [(&str, &str); 3] =
    [("RetryDelaysSeconds", "2,4,6,8"), ("GiveUpAfterSeconds", "40"), ("SqsDelayMaxSeconds", "3")];

/// The environment of the Python parts; made on first use.
pub fn python() -> &'static Venv {
    static VENV: LazyLock<Venv> = LazyLock::new(|| {
        let layout = Layout::of_this_clone();
        venv::ensure(&layout, |line| eprintln!("{line}")).unwrap_or_else(|e| panic!("{e}"))
    });
    &VENV
}

/// The emulator all journeys share; it ends with the process.
pub fn emulator() -> &'static Emulator {
    static EMULATOR: LazyLock<Emulator> = LazyLock::new(|| {
        let options = Options { judge: true, ..Options::default() };
        Emulator::start(python(), options).unwrap_or_else(|e| panic!("{e}"))
    });
    &EMULATOR
}

/// The folder with the functions and the CLI of this clone, built.
pub fn built() -> &'static Path {
    static BINARIES: LazyLock<PathBuf> = LazyLock::new(|| {
        let layout = Layout::of_this_clone();
        binaries::build(&layout, Profile::Debug).unwrap_or_else(|e| panic!("{e}"))
    });
    &BINARIES
}

/// The template of this clone, its binaries built, under a name of its own.
pub fn spec(name: &str) -> StackSpec {
    StackSpec::new(&Layout::of_this_clone(), name, built())
}

/// A deployed stack.
pub struct Stack {
    outputs: local::Stack,
    config: SdkConfig,
    /// Logical and physical ids.
    physical: OnceLock<BTreeMap<String, String>>,
    /// Its tables.
    pub store: Store,
}

impl Stack {
    /// Deploys the clone's template.
    pub fn deploy(name: &str, parameters: &[(&str, &str)]) -> Self {
        let with = |spec: StackSpec, (name, value): &(&str, &str)| spec.with(name, *value);
        Self::of(&parameters.iter().fold(spec(name), with))
    }

    /// Deploys any template.
    pub fn of(spec: &StackSpec) -> Self {
        let outputs = emulator().deploy(spec).unwrap_or_else(|e| panic!("{e}"));
        let config = aws::config::emulator(emulator().endpoint_url(), Emulator::REGION);
        let store = store_of(&outputs, &config);
        Self { outputs, config, physical: OnceLock::new(), store }
    }

    /// Its tables, with a note of every request on the way there.
    pub async fn counted(&self) -> Counted {
        Counted::new(emulator().endpoint_url(), |url| {
            store_of(&self.outputs, &aws::config::emulator(url, Emulator::REGION))
        })
        .await
    }

    /// One of its outputs.
    pub fn output(&self, name: &str) -> &str {
        self.outputs.output(name)
    }

    /// Somebody with a new API key of a scope such as `operator`.
    pub async fn client(&self, scope: &str) -> ApiClient {
        let key = aws::clock::new_api_key().expect("random");
        let scope = scope.parse().expect("a scope");
        let record = ApiKeyRecord::new(&key, scope, aws::clock::SystemClock.now());
        self.store.create_api_key(&record).await.expect("created");
        let url = self.outputs.output("ApiUrl").to_owned();
        ApiClient { url, key: Some(key.reveal().to_owned()) }
    }

    /// Registers a customer's endpoint; further fields by `change`.
    pub async fn register(
        &self,
        customer: &Customer,
        account: &str,
        change: impl FnOnce(&mut Registration),
    ) -> (Endpoint, Secret) {
        let mut registration = Registration {
            account_id: account.into(),
            url: customer.url(),
            event_types: vec!["*".into()],
            alert_email: "owner@example.com".into(),
            ..Registration::default()
        };
        change(&mut registration);
        let id = aws::clock::new_endpoint_id().expect("random");
        let now = aws::clock::SystemClock.now();
        let endpoint = registration.check(id, TargetRules::InsecureForLocal, now).expect("valid");
        let secret = aws::clock::new_secret().expect("random");
        let secrets = SigningSecrets { current: secret.clone(), previous: None };
        self.store.create_endpoint(&endpoint, &secrets).await.expect("created");
        (endpoint, secret)
    }

    /// Puts an endpoint on record with a URL that no registration would take.
    pub async fn store_unchecked(&self, account: &str, url: &str) -> Endpoint {
        let registration = Registration {
            account_id: account.into(),
            url: "https://hooks.example.com/".into(),
            event_types: vec!["*".into()],
            alert_email: "owner@example.com".into(),
            ..Registration::default()
        };
        let id = aws::clock::new_endpoint_id().expect("random");
        let now = aws::clock::SystemClock.now();
        let checked = registration.check(id, TargetRules::PublicHttps, now).expect("valid");
        let endpoint = Endpoint { url: url.into(), ..checked };
        let current = aws::clock::new_secret().expect("random");
        let secrets = SigningSecrets { current, previous: None };
        self.store.create_endpoint(&endpoint, &secrets).await.expect("created");
        endpoint
    }

    /// Puts a body on the events queue, as a product does; answers SQS's message id.
    pub async fn send(&self, body: &str) -> String {
        let queue = self.output("EventsQueueUrl");
        let sent = self.sqs().send_message().queue_url(queue).message_body(body).send().await;
        sent.expect("sent").message_id.expect("SQS gives one")
    }

    /// Takes refused elements off their queue until there are `count`.
    pub async fn rejected(&self, count: usize) -> Vec<Message> {
        let queue = self.output("RejectedQueueUrl");
        let mut all = Vec::new();
        for _ in 0..20 {
            let answer = self
                .sqs()
                .receive_message()
                .queue_url(queue)
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .max_number_of_messages(10)
                .wait_time_seconds(if all.len() < count { 3 } else { 0 })
                .send()
                .await
                .expect("received");
            let messages = answer.messages.unwrap_or_default();
            if messages.is_empty() && all.len() >= count {
                break;
            }
            for message in messages {
                let handle = message.receipt_handle.clone().unwrap_or_default();
                let delete = self.sqs().delete_message().queue_url(queue).receipt_handle(handle);
                delete.send().await.expect("deleted");
                all.push(message);
            }
        }
        assert_eq!(all.len(), count, "refused elements");
        all
    }

    /// The deliveries an event was given, as they are now.
    pub async fn deliveries(&self, id: &EventId) -> Vec<Delivery> {
        let Some(event) = self.store.event(id).await.expect("read") else { return Vec::new() };
        let mut all = Vec::new();
        for entry in &event.fan_out {
            all.extend(self.store.delivery(&entry.delivery_id).await.expect("read"));
        }
        all
    }

    /// Waits until a delivery is as wanted, and answers it.
    pub async fn delivery_when(
        &self,
        id: &DeliveryId,
        what: &str,
        wanted: impl Fn(&Delivery) -> bool,
    ) -> Delivery {
        until(what, || async {
            self.store.delivery(id).await.expect("read").filter(|delivery| wanted(delivery))
        })
        .await
    }

    /// Waits until an event has its delivery to an endpoint on record.
    pub async fn delivery_of(&self, event: &EventId, endpoint: &EndpointId) -> Delivery {
        until("a delivery on record", || async {
            self.deliveries(event).await.into_iter().find(|d| d.id.endpoint() == endpoint)
        })
        .await
    }

    /// Whether the one-time schedule of an attempt is there.
    pub async fn is_scheduled(&self, wake_up: &WakeUp) -> bool {
        let client = aws_sdk_scheduler::Client::new(&self.config);
        let group = self.output("RetryScheduleGroup");
        let found = client.get_schedule().group_name(group).name(wake_up.schedule_name());
        found.send().await.is_ok()
    }

    /// Makes the open attempt of a waiting delivery due now, and wakes it.
    pub async fn make_due(&self, id: &DeliveryId) {
        let delivery = self.store.delivery(id).await.expect("read").expect("on record");
        let now = aws::clock::SystemClock.now();
        let change = Change {
            attempt: None,
            url: None,
            status: delivery.status,
            scheduled_attempts: delivery.scheduled_attempts,
            settles: Settles::Tier,
            next_attempt_at: Some(now),
            gives_up_at: delivery.gives_up_at,
            due_at: Some(now),
            notice: None,
        };
        assert!(self.store.commit(id, &delivery.stage(), &change).await.expect("written"));
        let wake_up = WakeUp::fresh(id.clone(), delivery.scheduled_attempts);
        self.put("RetryQueueUrl", &wake_up.to_json()).await;
    }

    /// Puts a message on any queue; answers SQS's message id.
    pub async fn put(&self, queue: &str, body: &str) -> String {
        let message = self.sqs().send_message().queue_url(self.output(queue)).message_body(body);
        message.send().await.expect("sent").message_id.expect("SQS gives one")
    }

    /// Has a queue hand out again after so many seconds what its function left; at 0 an hour of
    /// trouble passes at once.
    pub async fn hand_out_again_after(&self, queue: &str, seconds: u32) {
        let change = self.sqs().set_queue_attributes().queue_url(self.output(queue));
        let change = change.attributes(QueueAttributeName::VisibilityTimeout, seconds.to_string());
        change.send().await.expect("set");
    }

    /// Empties a queue: what was in it is lost.
    pub async fn purge(&self, queue: &str) {
        let purge = self.sqs().purge_queue().queue_url(self.output(queue));
        purge.send().await.expect("purged");
    }

    /// One run of the sweeper; answers its figures.
    pub fn sweep(&self) -> serde_json::Value {
        let function = self.output("SweeperFunction");
        emulator().invoke(function, &serde_json::json!({})).unwrap_or_else(|e| panic!("{e}"))
    }

    /// One run of daily; answers its figures.
    pub fn daily(&self) -> serde_json::Value {
        let function = self.output("DailyFunction");
        emulator().invoke(function, &serde_json::json!({})).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Runs the sweeper until a delivery is as wanted.
    pub async fn sweep_until(
        &self,
        id: &DeliveryId,
        what: &str,
        wanted: impl Fn(&Delivery) -> bool,
    ) -> Delivery {
        until(what, || async {
            self.sweep();
            self.store.delivery(id).await.expect("read").filter(|delivery| wanted(delivery))
        })
        .await
    }

    /// Has the sweeper audit everything there is, as in a year, when no queue would hold anything
    /// of it any more, and waits for the end.
    pub async fn audit(&self) -> Audit {
        let latest = self.store.audit().await.expect("read");
        let now = aws::clock::SystemClock.now();
        let begun = now + Duration::from_secs(365 * 86_400);
        let asked = Audit::begin(latest.as_ref(), Some(now), begun);
        assert_eq!(self.store.save_audit(latest.as_ref(), &asked).await, Ok(true));
        until("the audit's end", || async {
            self.sweep();
            self.store.audit().await.expect("read").filter(|audit| audit.finished_at().is_some())
        })
        .await
    }

    /// Takes a delivery off the record, as nothing in the suite ever does.
    pub async fn delete_delivery(&self, id: &DeliveryId) {
        use aws_sdk_dynamodb::types::AttributeValue;
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let delete = aws_sdk_dynamodb::Client::new(&self.config)
            .delete_item()
            .table_name(self.output("DeliveriesTable"))
            .key("partition", text(&id.partition()))
            .key("delivery_id", text(id.as_str()));
        delete.send().await.expect("deleted");
    }

    /// Whether a request so far would have been refused without a policy statement of `owner`, a
    /// role or a queue by its logical id.
    pub fn needs_statement(&self, owner: &str, sid: &str) -> bool {
        let physical = self.physical.get_or_init(|| {
            emulator().resources(&self.outputs.name).unwrap_or_else(|e| panic!("{e}"))
        });
        // What stands under a condition may not be there. A queue's is its URL.
        let Some(id) = physical.get(owner) else { return false };
        let name = id.rsplit('/').next().unwrap_or_default();
        emulator().needed_statements().contains(&(name.to_owned(), sid.to_owned()))
    }

    /// Marks an item as written in a version of its format; `None`: from before there were any.
    pub async fn set_version(&self, table: &str, key: &[(&str, String)], version: Option<u8>) {
        use aws_sdk_dynamodb::types::AttributeValue;
        let key = key.iter();
        let key = key.map(|(name, value)| ((*name).to_owned(), AttributeValue::S(value.clone())));
        let update = aws_sdk_dynamodb::Client::new(&self.config)
            .update_item()
            .table_name(self.output(table))
            .set_key(Some(key.collect()))
            .expression_attribute_names("#version", "version");
        let update = match version {
            None => update.update_expression("REMOVE #version"),
            Some(version) => update
                .update_expression("SET #version = :version")
                .expression_attribute_values(":version", AttributeValue::N(version.to_string())),
        };
        update.send().await.expect("written");
    }

    /// Everything a function has logged.
    pub fn log(&self, function: &str) -> String {
        emulator().function_log(self.output(function))
    }

    /// The queue client, with everybody's rights.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }
}

/// Waits until there is something, looking again and again; fails with `what` after
/// [`PATIENCE`].
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"))
}

/// A stack's tables.
fn store_of(outputs: &local::Stack, config: &SdkConfig) -> Store {
    let tables = Tables::from_outputs(|name| Ok::<_, Infallible>(outputs.output(name).to_owned()));
    let Ok(tables) = tables;
    Store::new(config, tables, Duration::from_secs(30 * 86_400))
}
