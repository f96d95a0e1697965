//! The CLI on a stack that it finds by its name, as ops use it on AWS: CloudFormation says where
//! everything is, the log is CloudWatch's, and the API is called over TLS with a key.

use std::os::unix::fs::PermissionsExt;

use domain::delivery::Status;
use serde_json::{Value, json};
use tests::stack::{Cli, Customer, Stack, until};

use super::{event, event_id};

const ACCOUNT: &str = "acct_1";

fn complained(cli: &Cli, arguments: &[&str]) -> (Option<i32>, String) {
    let done = cli.run(arguments);
    (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_is_found_by_its_name() {
    let stack = Stack::deploy("journey-by-name", &[]);
    let customer = Customer::start().await;
    let cli = Cli::by_name(&stack).await;
    let create = ["endpoints", "create", "--account", ACCOUNT, "--url", &customer.url()];
    let rest = ["--event-types", "email.*", "--alert-email", "owner@example.com"];
    let (code, endpoint) = cli.json(&[&create[..], &rest].concat());
    assert_eq!((code, &endpoint["account_id"]), (0, &json!(ACCOUNT)), "by the API");
    let endpoint = endpoint["id"].as_str().expect("an id").to_owned();
    let (code, found) = cli.json(&["endpoints", "list"]);
    assert_eq!((code, &found["data"][0]["id"]), (0, &json!(endpoint)), "by the table");

    let (code, sent) = cli.json(&["send", "--account", ACCOUNT]);
    assert_eq!((code, &sent["messages"]), (0, &json!(1)));
    customer.received(1).await;
    let id = sent["event_ids"][0].as_str().expect("an id");
    let succeeded = Status::Succeeded.as_str();
    until("the delivery on record", || async {
        let (_, why) = cli.json(&["why", id]);
        (why["deliveries"][0]["status"] == succeeded).then_some(())
    })
    .await;
    let unwanted = event("unwanted", "acct_nobody", "{}");
    stack.send(&unwanted).await;
    let unwanted = event_id(&unwanted).to_string();
    until("the log's word", || async {
        let (code, why) = cli.json(&["why", &unwanted]);
        let words = why["verdict"].as_str().unwrap_or_default().to_owned();
        (code == 0 && words.starts_with("Not wanted")).then_some(())
    })
    .await;

    stack.sweep();
    let (code, seen) = cli.json(&["doctor"]);
    assert_eq!((code, &seen["well"]), (0, &json!(true)), "{seen}");
    assert!(seen["sweeper"]["at"].is_string(), "the last run, by the log: {seen}");
    let (code, report) = cli.json(&["report", "--account", ACCOUNT, "--from", "1h"]);
    assert_eq!((code, &report["totals"]["succeeded"]), (0, &json!(1)), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_how_old_what_is_on_the_queues_is() {
    let stack = Stack::deploy("journey-by-name-ages", &[]);
    stack.sweep();
    let cli = Cli::by_name(&stack).await;
    let queue = |seen: &Value, name: &str| {
        let found = seen["queues"].as_array().expect("a list").iter().find(|q| q["queue"] == name);
        found.expect("every queue is there").clone()
    };
    let begun = std::time::Instant::now();
    stack.send("no event").await;
    let seen = until("it was refused, and is there when ages are asked for, too", || async {
        let (code, seen) = cli.json(&["doctor"]);
        let told = queue(&seen, "RejectedQueue");
        (code == 1 && told["visible"] == 1 && told["oldest_s"].is_u64()).then_some(seen)
    })
    .await;
    let longest_s = begun.elapsed().as_secs() + 1;
    let told = queue(&seen, "RejectedQueue");
    assert!(told["oldest_s"].as_u64().is_some_and(|age_s| age_s <= longest_s), "{told}");
    assert_eq!(queue(&seen, "EventsDlq")["oldest_s"], Value::Null, "it holds nothing");
    assert_eq!(seen["ages_unknown_because"], Value::Null);
    assert_eq!(seen["findings"][0]["runbook"], "RejectedAlarm", "{seen}");

    // Whoever cannot ask CloudWatch sees the rest.
    let cli = cli.with("AWS_ENDPOINT_URL_CLOUDWATCH", "http://127.0.0.1:9");
    let (code, seen) = cli.json(&["doctor"]);
    let told = queue(&seen, "RejectedQueue");
    assert_eq!((code, &told["visible"], &told["oldest_s"]), (1, &json!(1), &Value::Null));
    assert!(seen["ages_unknown_because"].is_string(), "{seen}");
    let done = cli.run(&["doctor"]);
    let screen = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(screen.contains("unknown") && screen.contains("cannot be asked"), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_said() {
    let stack = Stack::deploy("journey-by-name-not", &[]);
    let report = ["report", "--account", ACCOUNT, "--from", "1h"];
    let cli = Cli::by_name(&stack).await;
    let key = cli.json(&["keys", "create", "--scope", "operator"]).1["key"].clone();
    let file = std::env::temp_dir().join(format!("webhooks-{}.key", std::process::id()));
    let path = file.to_str().expect("text");
    let to_file = ["keys", "create", "--scope", "operator", "--out", path];
    let (code, made) = cli.json(&to_file);
    assert_eq!((code, &made["file"], &made["key"]), (0, &json!(path), &Value::Null));
    let mode = std::fs::metadata(&file).expect("written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "for its owner alone");
    let (code, said) = complained(&cli, &to_file);
    assert!(code == Some(3) && said.contains("File exists"), "{code:?} {said}");
    let from_file = [&report[..], &["--key-file", path]].concat();

    let cli = cli.with("WEBHOOKS_API_KEY", "");
    let (code, said) = complained(&cli, &report);
    assert!(code == Some(3) && said.contains("set WEBHOOKS_API_KEY"), "{code:?} {said}");
    assert_eq!(cli.run(&from_file).status.code(), Some(0), "a key from a file");
    std::fs::remove_file(&file).expect("removed");
    let (code, said) = complained(&cli, &from_file);
    assert!(code == Some(3) && said.contains("No such file"), "{code:?} {said}");
    assert_eq!(cli.run(&["endpoints", "list"]).status.code(), Some(0), "needs no key");
    let (code, said) = complained(&cli, &["demo", "break"]);
    assert!(code == Some(3) && said.contains("local stack alone"), "{code:?} {said}");

    let cli = cli.with("WEBHOOKS_API_KEY", "rwk_nonsense");
    let (code, said) = complained(&cli, &report);
    assert!(code == Some(3) && said.contains("holds no API key"), "{code:?} {said}");
    assert!(!said.contains("nonsense"), "it is not shown");
    let cli = cli.with("WEBHOOKS_API_KEY", key.as_str().expect("a key"));
    let cli = cli.with("WEBHOOKS_API_URL", "http://hooks.example.com/");
    let (code, said) = complained(&cli, &report);
    assert!(code == Some(3) && said.contains("is not https"), "{code:?} {said}");

    let local = Cli::of(&stack).await;
    let (code, said) = complained(&local, &["endpoints", "list", "--region", "eu-west-1"]);
    assert!(code == Some(3) && said.contains("are for --stack"), "{code:?} {said}");
    let (code, said) = complained(&cli.named("no-such-stack"), &["doctor"]);
    assert!(
        code == Some(3) && said.contains("no-such-stack is not found in us-east-1: "),
        "{code:?} {said}"
    );
}
