//! The CLI on the real template: what ops do when an endpoint was down.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tests::stack::{Cli, Customer, Stack, until};

use super::event;

const ACCOUNT: &str = "acct_1";

struct Case {
    stack: Stack,
    customer: Customer,
    cli: Cli,
    endpoint: String,
}

impl Case {
    async fn begin(name: &str) -> Self {
        let stack = Stack::deploy(name, &[]);
        let customer = Customer::start().await;
        let (endpoint, _) = stack.register(&customer, ACCOUNT, |_| {}).await;
        let cli = Cli::of(&stack).await;
        Self { stack, customer, cli, endpoint: endpoint.id.to_string() }
    }

    /// Sends events to a receiver that is down; answers the first one's delivery.
    async fn missed(&self, count: usize) -> String {
        self.customer.answers(|_| (503, b"down".to_vec()));
        for nth in 0..count {
            self.stack.send(&event(&format!("event-{nth}"), ACCOUNT, "{}")).await;
        }
        let found = until("all of them failed once", || async {
            let (_, page) = self.cli.json(&["deliveries", "list", &self.endpoint]);
            let found = page["data"].as_array().cloned().unwrap_or_default();
            let retrying = found.iter().filter(|one| one["status"] == "retrying").count();
            (retrying == count).then_some(found)
        })
        .await;
        found[0]["id"].as_str().expect("an id").to_owned()
    }
}

fn printed(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_send_again_cancel_and_reconcile() {
    let case = Case::begin("journey-cli").await;
    let Case { customer, cli, endpoint, .. } = &case;
    let delivery = case.missed(3).await;
    let recover = ["recover", endpoint.as_str(), "--from", "1h"];
    let dry = cli.json(&[&recover[..], &["--dry-run"]].concat());
    assert_eq!(dry, (0, json!({"total": 3})));
    let none = cli.json(&[&recover[..], &["--dry-run", "--status", "failed,skipped"]].concat());
    assert_eq!(none, (0, json!({"total": 0})));

    let (code, retried) = cli.json(&["deliveries", "retry", &delivery]);
    assert_eq!((code, &retried["delivery_id"]), (0, &json!(delivery)));
    until("the retry on record", || async {
        let (_, shown) = cli.json(&["deliveries", "show", &delivery]);
        (shown["attempts"].as_array().map(Vec::len) == Some(2)).then_some(())
    })
    .await;
    customer.answers(|_| (200, Vec::new()));
    let cancelled = cli.json(&["cancel", endpoint, "--from", "1h", "--event", "email.opened"]);
    assert_eq!((cancelled.0, &cancelled.1["total"]), (0, &json!(0)), "{cancelled:?}");
    let (code, job) = cli.json(&recover);
    let figures = ["status", "total", "done", "succeeded", "failed"].map(|name| &job[name]);
    let all = [json!("finished"), json!(3), json!(3), json!(3), json!(0)];
    assert_eq!((code, figures), (0, all.each_ref()), "{job}");
    let id = job["id"].as_str().expect("an id");
    assert_eq!(cli.json(&["recoveries", "show", id]), (0, job.clone()));

    let report = ["report", "--account", ACCOUNT, "--from", "1h"];
    let (code, json) = cli.json(&report);
    assert_eq!((code, &json["totals"]["succeeded"]), (0, &json!(3)), "{json}");
    assert_eq!(json["data"].as_array().map(Vec::len), Some(3));
    let csv = printed(&cli.run(&[&report[..], &["--csv"]].concat()));
    assert_eq!((csv.lines().count(), csv.matches("\r\n").count()), (4, 4), "{csv}");
    let table = printed(&cli.run(&report));
    assert!(table.contains(&delivery_event(&json)) && table.contains("accepted  3"), "{table}");
}

fn delivery_event(report: &Value) -> String {
    report["data"][0]["event_id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_say_what_the_answer_is() {
    let case = Case::begin("journey-cli-codes").await;
    let Case { customer, cli, endpoint, .. } = &case;
    let test = ["endpoints", "test", endpoint.as_str(), "email.delivered"];
    assert_eq!(cli.json(&test).1["outcome"], "succeeded");
    assert_eq!(cli.json(&test).0, 0);
    customer.answers(|_| (500, b"\x1b[2Jno".to_vec()));
    let failed = cli.run(&test);
    assert_eq!(failed.status.code(), Some(1));
    assert!(printed(&failed).contains("[2Jno") && !printed(&failed).contains('\x1b'));

    let link = printed(&cli.run(&["endpoints", "portal-link", endpoint]));
    assert!(link.trim_end().ends_with(&format!("&endpoint={endpoint}")), "{link}");
    let link = cli.json(&["endpoints", "portal-link", "--account", ACCOUNT, "--lasts", "2m"]);
    assert!(link.1["url"].as_str().is_some_and(|url| url.contains("#token=rwp_")), "{link:?}");

    let unknown = cli.run(&["recover", "ep_nobody", "--from", "1h"]);
    assert_eq!(unknown.status.code(), Some(1));
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(said.contains("there is no such thing"), "{said}");
    assert_eq!(cli.run(&["recover", endpoint, "--from", "soon"]).status.code(), Some(2));
    let late = cli.run(&["endpoints", "portal-link", endpoint, "--lasts", "2d"]);
    assert_eq!(late.status.code(), Some(1), "the API says no");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_is_meant_and_that_there_is_more() {
    let case = Case::begin("journey-cli-words").await;
    let Case { customer, cli, endpoint, .. } = &case;
    let url = customer.url();
    let create = ["endpoints", "create", "--account", "acct_9", "--url", &url];
    let types = ["--event-types", "email", "--alert-email", "owner@example.com"];
    let create = [&create[..], &types].concat();
    let said = printed(&cli.run(&create));
    assert!(said.contains("Is that meant? no published event matches email; email.*"), "{said}");
    assert_eq!(cli.json(&create).1["warnings"].as_array().map(Vec::len), Some(1));

    let sent = printed(&cli.run(&["send", "--account", ACCOUNT, "--count", "5"]));
    assert!(sent.contains("5 messages, 5 events"), "{sent}");
    assert!(sent.contains("EVENT (webhook-id)") && sent.contains("ITS SOURCE'S ID"), "{sent}");
    assert!(sent.contains("-2\n") && sent.contains("and 2 more"), "{sent}");
    customer.received(5).await;
    let list = ["deliveries", "list", endpoint.as_str()];
    let part = [&list[..], &["--limit", "4"]].concat();
    assert!(printed(&cli.run(&part)).contains("There are older ones"));
    assert_eq!(cli.json(&part).1["more"], true);
    assert!(!printed(&cli.run(&list)).contains("There are older ones"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_gone_ends_it_quietly() {
    let case = Case::begin("journey-cli-pipe").await;
    let Case { cli, endpoint, .. } = &case;
    let delivery = case.missed(1).await;
    let event = cli.json(&["deliveries", "show", &delivery]).1;
    let event = event["event_id"].as_str().expect("an id").to_owned();
    let show = [endpoint.as_str(), "--from", "1h", "--dry-run"];
    for command in [
        vec!["endpoints", "list"],
        vec!["endpoints", "show", endpoint],
        vec!["endpoints", "test", endpoint, "email.delivered"],
        vec!["endpoints", "portal-link", endpoint],
        vec!["deliveries", "list", endpoint],
        vec!["deliveries", "show", &delivery],
        vec!["deliveries", "retry", &delivery],
        [&["recover"], &show[..]].concat(),
        [&["cancel"], &show[..]].concat(),
        vec!["report", "--account", ACCOUNT, "--from", "1h"],
        vec!["why", &event],
        vec!["keys", "list"],
        vec!["rejected", "list"],
        vec!["redrive"],
        vec!["send"],
        vec!["check-url", "https://hooks.example.com/"],
        vec!["--help"],
    ] {
        let with_json = [&command[..], &["--json"]].concat();
        for arguments in [command, with_json] {
            let code = cli.unread(&arguments);
            assert!(code == 0 || code == 1, "{arguments:?} ends with {code}");
        }
    }
    assert_eq!(cli.unread(&["report", "--account", ACCOUNT, "--from", "1h", "--csv"]), 0);
    // Complaints that nobody reads change no exit code either.
    assert_eq!(
        cli.unread(&[
            "deliveries",
            "show",
            "dlv_x_0_019ea1732b20_00112233445566778899aabbccddeeff"
        ]),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_nobody_reads_ends_at_the_next_attempt() {
    let case = Case::begin("journey-cli-tail").await;
    let tail = Mutex::new(case.cli.start_unread(&["deliveries", "tail"]));
    let sent = AtomicUsize::new(0);
    let ended = until("its end", || async {
        let nth = sent.fetch_add(1, Ordering::Relaxed);
        case.stack.send(&event(&format!("event-{nth}"), ACCOUNT, "{}")).await;
        tail.lock().expect("not poisoned").try_wait().expect("a child")
    })
    .await;
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_sent_again_or_deleted_as_told() {
    let Case { stack, customer, cli, .. } = Case::begin("journey-cli-rejected").await;
    let good = event("in-an-array", ACCOUNT, "{}");
    stack.send(&format!("[[{good}]]")).await;
    stack.send("no event").await;
    let listed = |count: usize| {
        let cli = &cli;
        until("what was refused", move || async move {
            let (_, refused) = cli.json(&["rejected", "list"]);
            let refused = refused["data"].as_array().expect("a list").clone();
            (refused.len() == count).then_some(refused)
        })
    };
    let refused = listed(2).await;
    let (_, replay) = cli.json(&["rejected", "replay", "--yes"]);
    assert_eq!((&replay["still_bad"], &replay["sent"]), (&json!(2), &json!(0)), "as they were");

    let delete = |rest: &[&str]| cli.json(&[&["rejected", "delete"], rest].concat());
    assert_eq!(cli.run(&["rejected", "delete", "--yes"]).status.code(), Some(2), "which?");
    let (_, counted) = delete(&["--code", "invalid_json"]);
    assert_eq!((&counted["found"], &counted["deleted"]), (&json!(1), &json!(0)));
    let (_, none) = delete(&["--code", "too_large", "--yes"]);
    assert_eq!((&none["found"], &none["deleted"]), (&json!(0), &json!(0)));
    let (_, deleted) = delete(&["--code", "invalid_json", "--yes"]);
    assert_eq!((&deleted["found"], &deleted["deleted"]), (&json!(1), &json!(1)));
    let left = listed(1).await;
    assert_eq!(left[0]["code"], "invalid_envelope");
    assert!(refused.iter().any(|one| one["id"] == left[0]["id"]));
    let sent_in = left[0]["source_message_id"].as_str().expect("an id");
    let (_, deleted) = delete(&["--sent-in", sent_in, "--yes"]);
    assert_eq!(deleted["deleted"], json!(1));
    listed(0).await;
    assert!(customer.so_far().is_empty());
}
