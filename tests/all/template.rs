//! The template as code: linted, held to its rules, its numbers compared with the code's, and
//! each of its policy statements shown to be needed.

mod probe;

use std::path::PathBuf;
use std::process::Command;

use domain::limits;
use local::{Layout, StackSpec};
use serde_json::Value;
use tests::stack::{Stack, python, spec};
use tests::world::{DISABLE_AFTER, documented_schedule};

/// Statements that are really taken out: of each kind of policy, read and write.
const DROPPED: [(&str, &str); 5] = [
    ("EventsQueuePolicy", "ProducersSend"),
    ("ingest", "StoreEvents"),
    ("sender", "RecordAttempts"),
    ("daily", "FindEndpointsInTrouble"),
    ("api", "RotateSecrets"),
];

fn script(arguments: &[&str]) -> String {
    let layout = Layout::of_this_clone();
    let output = Command::new(python().python())
        .current_dir(layout.root())
        .arg(format!("tests/template/{}", arguments[0]))
        .args(&arguments[1..])
        .args(["--template", "template.yaml"])
        .output()
        .expect("Python runs");
    let (text, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}:\n{text}\n{errors}");
    text.into_owned()
}

#[test]
fn it_holds_its_promises() {
    script(&["check.py"]);
}

#[test]
fn numbers_that_stand_twice_are_the_same() {
    let numbers: Value = serde_json::from_str(&script(&["figures.py"])).expect("JSON");
    let number = |name: &str| {
        let value = &numbers[name];
        value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_else(|| panic!("{name}"))
    };
    assert_eq!(number("events_queue_message_bytes"), limits::EVENTS_QUEUE_MESSAGE_BYTES as u64);
    assert_eq!(number("sqs_delay_max_s"), u64::from(limits::SQS_DELAY_MAX_S));
    assert_eq!(number("sqs_delay_default_s"), u64::from(limits::SQS_DELAY_MAX_S));
    assert_eq!(number("request_timeout_max_s"), u64::from(limits::REQUEST_TIMEOUT_S));
    assert_eq!(number("request_timeout_default_s"), u64::from(limits::REQUEST_TIMEOUT_S));
    assert_eq!(number("retention_max_days"), 365);
    assert_eq!(number("secret_overlap_max_s"), u64::from(limits::SECRET_OVERLAP_MAX_S));
    assert_eq!(number("disable_after_max_s"), u64::from(limits::DISABLE_AFTER_MAX_S));
    assert_eq!(number("disable_after_default_s"), DISABLE_AFTER.as_secs());
    assert_eq!(number("give_up_after_max_s"), limits::GIVE_UP_AFTER_MAX_S);
    // A request, the claim's slack, and the writes after it fit the sender's time.
    let least = limits::REQUEST_TIMEOUT_S + limits::CLAIM_SLACK_S + 20;
    assert!(number("sender_timeout_s") >= least.into());
    // Whoever asks for a test waits longer than who makes it, and still answers.
    assert!(number("api_timeout_s") >= u64::from(limits::TEST_INVOCATION_S) + 10);
    // Ingest and sweeper stop 20 s before their deadline.
    assert!(number("ingest_timeout_s") > 20 && number("sweeper_timeout_s") > 20);
    let delays: Vec<u32> = numbers["retry_delays_default_s"]
        .as_str()
        .expect("text")
        .split(',')
        .map(|delay| delay.parse().expect("seconds"))
        .collect();
    let give_up = u32::try_from(number("give_up_after_default_s")).expect("seconds");
    let schedule = domain::schedule::RetrySchedule::new(&delays, give_up).expect("fits");
    assert_eq!(schedule, documented_schedule());
}

/// A policy statement of the template.
struct Statement {
    id: String,
    sid: String,
    /// The role that has it, or the queues whose policy has it.
    on: Vec<String>,
    /// Why the emulator cannot miss it.
    undetectable: bool,
}

fn statements() -> Vec<Statement> {
    let list: Value =
        serde_json::from_str(&script(&["statements.py", "list", "--json"])).expect("JSON");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let statement = |each: &Value| Statement {
        id: text(&each["id"]),
        sid: text(&each["sid"]),
        on: each["on"].as_array().expect("a list").iter().map(text).collect(),
        undetectable: !each["undetectable"].is_null(),
    };
    list.as_array().expect("a list").iter().map(statement).collect()
}

fn spec_of_probe(name: &str) -> StackSpec {
    probe::PARAMETERS.iter().fold(spec(name), |spec, (name, value)| spec.with(name, *value))
}

/// Without any of them, some request of the journey would have been refused.
#[tokio::test(flavor = "multi_thread")]
async fn every_policy_statement_is_needed() {
    let stack = Stack::of(&spec_of_probe("without-nothing"));
    probe::everything_works(&stack).await.expect("the whole template");
    let all = statements();
    assert!(all.len() > 30, "the template has statements");
    let wrong = all.iter().filter_map(|statement| {
        let Statement { id, sid, on, undetectable } = statement;
        let needed = on.iter().any(|owner| stack.needs_statement(owner, sid));
        match (needed, undetectable) {
            (false, false) => Some(format!("{id}: nothing misses it")),
            (true, true) => Some(format!("{id} is listed as undetectable, but is needed")),
            (true, false) | (false, true) => None,
        }
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the emulator says of a statement is so: taken out of the template, the journey fails.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_statement_the_journey_fails() {
    let layout = Layout::of_this_clone();
    let folder = layout.state().join("statements");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (nth, (id, sid)) in DROPPED.into_iter().enumerate() {
        let path: PathBuf = folder.join(format!("{}-{nth}.yaml", std::process::id()));
        let out = path.display().to_string();
        script(&["statements.py", "drop", &format!("{id}/{sid}"), "--out", &out]);
        let stack = Stack::of(&spec_of_probe(&format!("without-{nth}")).template(&path));
        std::fs::remove_file(&path).expect("removed");
        let failure = probe::everything_works(&stack).await.expect_err(sid);
        let denied = probe::denied(&stack).err().unwrap_or(failure);
        assert!(denied.contains("AccessDenied"), "{id}/{sid}: {denied}");
    }
}
