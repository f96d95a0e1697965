//! Items as this and earlier versions wrote them, kept in `kept/`: what an update of a running
//! stack finds there. Each must be read as what it was; one of a newer version is left alone; and
//! what is written today is what is kept under today's version.
//!
//! A test that fails here after a change of a format asks for a new version: raise it, keep the
//! items of the one before, and put what is written now beside them.

use std::collections::BTreeSet;
use std::fmt::Debug;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::Timestamp;
use domain::api_key::{ApiKey, ApiKeyRecord, Scope};
use domain::audit::{Audit, Finding, Stage};
use domain::delivery::{Delivery, FailedReason, Notice, OpenRetry, Outcome, RetryBy, Status};
use domain::endpoint::notice::{Channel, EndpointNotice, Happening};
use domain::endpoint::{CustomHeader, DisabledReason, Endpoint, EndpointState, EventPattern};
use domain::envelope::{Envelope, Product, content_hash};
use domain::event::{Event, FanOut};
use domain::health::Health;
use domain::ids::{AccountId, DeliveryId, EndpointId, EventId, JobId, RetryId, hex};
use domain::job::{Job, JobPage, JobStage, JobState, Recoverable, Task};
use domain::log::LogPlace;
use domain::secret::{Secret, SigningSecrets};
use serde_json::{Map, Value, json};

use super::delivery_item::tests::attempt;
use super::item::{Item, Reader, Unreadable, number};
use super::{api_keys, audits, delivery_item, endpoint_item, events, job_item};

/// Numbers the moments, so that no two attributes have the same.
fn at(nth: u32) -> Timestamp {
    Timestamp::from_millis(1_780_825_140_123 + i64::from(nth) * 1_000)
}

fn parsed<T: std::str::FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("valid")
}

const DELIVERY: &str = "dlv_0123456789abcdef0123_0_019ea1732b20_00112233445566778899aabbccddeeff";
const EVENT: &str = "evt_00112233445566778899aabbccddeeff";

/// The kept items of a kind, by what they are.
struct Kept(Map<String, Value>);

impl Kept {
    fn of(file: &str) -> Self {
        Self(serde_json::from_str(file).expect("JSON"))
    }

    /// Each of `all`, under every name that ends in its own.
    #[track_caller]
    fn check<T: PartialEq + Debug>(
        &self,
        all: &[(&str, T)],
        read: impl Fn(&Item) -> Result<T, Unreadable>,
        write: impl Fn(&T) -> Item,
    ) {
        for (what, value) in all {
            let written = write(value);
            let today: u8 = Reader(&written).number("version").expect("it has one");
            let kept: Vec<_> = self.0.iter().filter(|(name, _)| name.ends_with(what)).collect();
            let mut current = 0;
            for (name, shown) in kept {
                let item = item(shown);
                assert_eq!(read(&item).as_ref(), Ok(value), "{name}");
                let version: Option<u8> = Reader(&item).number_opt("version").expect("a number");
                if version == Some(today) {
                    current += 1;
                    assert_eq!(comparable(&written), comparable(&item), "{name}");
                }
                let mut newer = item.clone();
                newer.insert("version".into(), number(today + 1));
                assert_eq!(read(&newer), Err(Unreadable("version")), "{name}, newer");
            }
            let show = || serde_json::to_string(&json!({*what: shown(&written)})).expect("JSON");
            assert_eq!(current, 1, "not kept as version {today} writes it: {}", show());
        }
    }
}

/// How far data shrinks is for a library to say; that it can be read again is ours.
fn comparable(item: &Item) -> Value {
    let mut item = item.clone();
    item.entry("data_gzip".into()).and_modify(|data| *data = AttributeValue::Null(true));
    shown(&item)
}

/// As `aws dynamodb get-item` prints it, but for bytes, which are hex.
fn shown(item: &Item) -> Value {
    item.iter().map(|(name, value)| (name.clone(), shown_value(value))).collect()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum; we write no other type")]
fn shown_value(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({"S": text}),
        AttributeValue::N(digits) => json!({"N": digits}),
        AttributeValue::B(bytes) => json!({"B": hex(bytes.as_ref())}),
        AttributeValue::Bool(flag) => json!({"BOOL": flag}),
        AttributeValue::Ss(texts) => json!({"SS": texts}),
        AttributeValue::Null(_) => json!({"NULL": true}),
        AttributeValue::L(members) => {
            json!({"L": members.iter().map(shown_value).collect::<Vec<_>>()})
        }
        AttributeValue::M(members) => json!({"M": shown(members)}),
        other => panic!("{other:?}"),
    }
}

fn item(shown: &Value) -> Item {
    let members = shown.as_object().expect("an item");
    members.iter().map(|(name, value)| (name.clone(), value_of(value))).collect()
}

fn value_of(shown: &Value) -> AttributeValue {
    let (kind, value) = shown.as_object().and_then(|all| all.iter().next()).expect("one type");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let list = || value.as_array().expect("a list").iter();
    match kind.as_str() {
        "S" => AttributeValue::S(text(value)),
        "N" => AttributeValue::N(text(value)),
        "B" => AttributeValue::B(Blob::new(bytes(&text(value)))),
        "BOOL" => AttributeValue::Bool(value.as_bool().expect("a flag")),
        "SS" => AttributeValue::Ss(list().map(text).collect()),
        "L" => AttributeValue::L(list().map(value_of).collect()),
        "M" => AttributeValue::M(item(value)),
        other => panic!("no type {other}"),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

fn delivery() -> Delivery {
    Delivery { attempts: Vec::new(), ..delivery_item::tests::delivery() }
}

#[test]
fn deliveries() {
    let open_retry = OpenRetry {
        id: RetryId::from_random([7; 16]),
        by: RetryBy::Recover(JobId::from_random([9; 10])),
        opened_at: at(1),
        busy_until: Some(at(2)),
    };
    let retrying = Delivery {
        status: Status::Retrying,
        attempts: vec![attempt(1, Outcome::ConnectionRefused)],
        attempt_count: 1,
        scheduled_attempts: 1,
        next_attempt_at: Some(at(3)),
        gives_up_at: Some(at(4)),
        busy_until: Some(at(5)),
        due_at: Some(at(6)),
        back_off_s: Some(300),
        open_retry: Some(open_retry),
        ..delivery()
    };
    let failed = Delivery {
        status: Status::Failed(FailedReason::Exhausted),
        notice: Some(Notice::DeliveryFailed),
        open_retry: None,
        ..retrying.clone()
    };
    let succeeded = Delivery {
        status: Status::Succeeded,
        attempts: vec![attempt(1, Outcome::Succeeded)],
        attempt_count: 1,
        scheduled_attempts: 1,
        job_id: Some(JobId::from_random([9; 10])),
        erased_at: Some(at(7)),
        ..delivery()
    };
    let skipped = Delivery { status: Status::Skipped, source_id: None, url: None, ..delivery() };
    Kept::of(include_str!("kept/delivery.json")).check(
        &[
            ("pending", delivery()),
            ("retrying", retrying),
            ("failed", failed),
            ("succeeded", succeeded),
            ("skipped", skipped),
        ],
        delivery_item::from_item,
        |delivery| delivery_item::to_item(delivery, at(99)),
    );
}

fn event(data: String, more: bool) -> Event {
    let envelope = Envelope {
        source_id: more.then(|| "msg_1".into()),
        account_id: parsed::<AccountId>("acct_42"),
        event: "email.delivered".into(),
        product: Product::Migosmtp,
        platform_id: "1".into(),
        timestamp: "2026-06-07T09:39:00Z".into(),
        data,
    };
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let entry = |skipped| FanOut { delivery_id: parsed::<DeliveryId>(DELIVERY), skipped };
    Event {
        id: parsed::<EventId>(EVENT),
        content_hash: content_hash(&envelope),
        envelope,
        accepted_at: at(1),
        traceparent: more.then(|| trace.into()),
        source_message_id: more.then(|| "5fea7756-0ea4-451a-a703-a558b933e274".into()),
        fan_out: vec![entry(false), entry(true)],
        erased_at: None,
    }
}

#[test]
fn accepted_events() {
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(1_500));
    let erased = {
        let mut event = event(r#"{"a":1}"#.into(), false);
        event.erase(at(2));
        event
    };
    Kept::of(include_str!("kept/event.json")).check(
        &[
            ("plain", event(r#"{"a":1}"#.into(), false)),
            ("compressed", event(large, true)),
            ("erased", erased),
        ],
        events::from_item,
        |event| events::to_item(event, at(99)),
    );
}

fn endpoint(state: EndpointState) -> Endpoint {
    let pattern = |text| EventPattern::parse(text).expect("valid");
    Endpoint {
        id: parsed::<EndpointId>("ep_0123456789abcdef0123"),
        account_id: parsed::<AccountId>("acct_42"),
        url: "https://hooks.example.com/in".into(),
        event_types: vec![pattern("email.*")],
        product: None,
        platform_id: None,
        description: None,
        alert_email: "owner@example.com".into(),
        headers: Vec::new(),
        max_per_second: None,
        state,
        shards: 1,
        enabled_at: at(1),
        created_at: at(2),
        updated_at: at(3),
        health: Health::default(),
        silent_until: None,
        notices: BTreeSet::new(),
    }
}

#[test]
fn endpoints() {
    let disabled = EndpointState::Disabled { reason: DisabledReason::Failing, at: at(4) };
    let notice = EndpointNotice {
        at: at(5),
        channel: Channel::Mail,
        what: Happening::Disabled,
        since: Some(at(6)),
    };
    let whole = Endpoint {
        product: Some(Product::Telnxo),
        platform_id: Some("1".into()),
        description: Some("Ünser Shop".into()),
        headers: vec![CustomHeader { name: "X-Tenant".into(), value: "value".into() }],
        max_per_second: Some(5),
        health: Health {
            last_failure_at: Some(at(7)),
            failing_since: Some(at(8)),
            last_success_at: Some(at(9)),
            alerted_for: Some(at(10)),
            warned_for: Some(at(11)),
        },
        notices: [notice].into(),
        ..endpoint(disabled)
    };
    let silent = Endpoint { silent_until: Some(at(5)), ..endpoint(EndpointState::Enabled) };
    Kept::of(include_str!("kept/endpoint.json")).check(
        &[
            ("enabled", endpoint(EndpointState::Enabled)),
            ("disabled", whole),
            ("silent", silent),
            ("deleted", endpoint(EndpointState::Deleted { at: at(4) })),
        ],
        endpoint_item::from_item,
        endpoint_item::to_item,
    );
}

#[test]
fn secrets() {
    let (old, new) = (Secret::from_random([1; 24]), Secret::from_random([2; 24]));
    let id = parsed::<EndpointId>("ep_0123456789abcdef0123");
    Kept::of(include_str!("kept/secrets.json")).check(
        &[
            ("one", SigningSecrets { current: new.clone(), previous: None }),
            ("two", SigningSecrets { current: new, previous: Some((old, at(1))) }),
        ],
        endpoint_item::secrets_from_item,
        |secrets| endpoint_item::secrets_to_item(&id, secrets),
    );
}

#[test]
fn api_keys() {
    let key = ApiKey::from_random([1; 24]);
    let new = ApiKeyRecord::new(&key, Scope::Operator, at(1));
    let used = ApiKeyRecord {
        name: Some("dashboard".into()),
        scope: parsed("account:acct_42"),
        last_used_at: Some(at(2)),
        revoked_at: Some(at(3)),
        ..new.clone()
    };
    Kept::of(include_str!("kept/api_key.json")).check(
        &[("new", new), ("used", used)],
        api_keys::from_item,
        api_keys::to_item,
    );
}

fn job(task: Task, stage: JobStage) -> Job {
    Job {
        id: JobId::from_random([9; 10]),
        account_id: parsed::<AccountId>("acct_42"),
        endpoint_id: parsed::<EndpointId>("ep_0123456789abcdef0123"),
        task,
        from: at(1),
        to: at(2),
        created_at: at(3),
        state: JobState::Running,
        stage,
        seq: 4,
        page: None,
        expected: 5,
        total: 6,
        succeeded: 7,
        failed: 8,
        wakes_at: at(9),
        notice: false,
        revision: 10,
    }
}

#[test]
fn jobs() {
    let place = || LogPlace::parse("019ea1732b20_00112233445566778899aabbccddeeff");
    let page = JobPage { end: place(), matched: 3 };
    let statuses = Recoverable::ALL.to_vec();
    let recover = Task::Recover { statuses, max_per_second: 20 };
    let counting = JobStage::Counting { before: place(), open: 1, failed: 2, rounds: 3 };
    let cancel = Task::Cancel { event: Some("email.delivered".into()) };
    let working = job(cancel, JobStage::Working { before: None });
    Kept::of(include_str!("kept/job.json")).check(
        &[
            ("recover", Job { page: Some(page), notice: true, ..job(recover, counting) }),
            ("cancel", Job { state: JobState::Finished, ..working }),
        ],
        job_item::from_item,
        job_item::to_item,
    );
}

#[test]
fn the_audit() {
    let running = Audit {
        started_at: at(1),
        cutoff: Some(at(2)),
        stage: Stage::Events(Some(EVENT.into())),
        examined: 3,
        checked: 4,
        unexplained: 5,
        findings: vec![
            Finding::Missing { event: parsed(EVENT), delivery: parsed(DELIVERY) },
            Finding::Unreadable("x".into()),
        ],
        repairing: vec![Finding::Forgotten(parsed(DELIVERY))],
        whole_at: Some(at(6)),
        revision: 7,
    };
    let finished = Audit { stage: Stage::Finished(at(8)), ..running.clone() };
    Kept::of(include_str!("kept/audit.json")).check(
        &[("running", running), ("finished", finished)],
        audits::from_item,
        audits::to_item,
    );
}
