//! The template as code: linted, held to its rules, its numbers compared with the code's, and
//! each of its policy statements shown to be needed.

mod probe;

use std::path::PathBuf;
use std::process::Command;

use domain::limits;
use futures::stream::{self, StreamExt};
use local::Layout;
use serde_json::Value;
use tests::stack::{Stack, python, spec};
use tests::world::{DISABLE_AFTER, documented_schedule};

/// Stacks with a missing statement that are probed at once.
const AT_ONCE: usize = 4;

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

/// Whether a stack whose template lacks `statement` still does everything.
async fn works_without(statement: &str, nth: usize) -> Result<(), String> {
    let layout = Layout::of_this_clone();
    let folder = layout.state().join("statements");
    std::fs::create_dir_all(&folder).expect("a folder");
    let path: PathBuf = folder.join(format!("{}-{nth}.yaml", std::process::id()));
    script(&["statements.py", "drop", statement, "--out", &path.display().to_string()]);
    let stack = probe::PARAMETERS
        .iter()
        .fold(spec(&format!("without-{nth}")), |spec, (name, value)| spec.with(name, *value));
    let stack = Stack::of(&stack.template(&path));
    std::fs::remove_file(&path).expect("removed");
    probe::everything_works(&stack).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_policy_statement_is_needed() {
    let whole = Stack::deploy("without-nothing", &probe::PARAMETERS);
    probe::everything_works(&whole).await.expect("the whole template");

    let list: Value =
        serde_json::from_str(&script(&["statements.py", "list", "--json"])).expect("JSON");
    let statements: Vec<(String, bool)> = list
        .as_array()
        .expect("a list")
        .iter()
        .map(|each| {
            let id = each["id"].as_str().expect("an id").to_owned();
            (id, each["undetectable"].is_null())
        })
        .collect();
    assert!(statements.len() > 30, "the template has statements");
    let wrong: Vec<String> = stream::iter(statements.into_iter().enumerate())
        .map(|(nth, (id, detectable))| async move {
            match (works_without(&id, nth).await, detectable) {
                (Ok(()), true) => Some(format!("{id}: nothing misses it")),
                (Err(what), false) => Some(format!("{id} is listed as undetectable, but: {what}")),
                (Err(_), true) | (Ok(()), false) => None,
            }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(|wrong| async { wrong })
        .collect()
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
