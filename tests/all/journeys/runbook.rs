//! The runbook's commands, run: see `tests/runbook/run.py`.

use std::process::{Command, Stdio};

use domain::delivery::Status;
use local::Layout;
use tests::stack::{Cli, Customer, Stack, python};

use super::{event, event_id};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_runbook_says_can_be_done() {
    let stack = Stack::deploy("journey-runbook", &[]);
    let customer = Customer::start().await;
    let (endpoint, _) = stack.register(&customer, "acct_1", |_| {}).await;
    let body = event("a", "acct_1", "{}");
    stack.send(&body).await;
    let delivery = stack.delivery_of(&event_id(&body), &endpoint.id).await;
    stack.delivery_when(&delivery.id, "delivered", |d| d.status == Status::Succeeded).await;
    stack.sweep();
    stack.daily();
    let cli = Cli::of(&stack).await;
    let mut running = Command::new(python().python())
        .current_dir(Layout::of_this_clone().root())
        .args(["tests/runbook/run.py", "--stack"])
        .arg(cli.description())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python runs");
    // An audit is made by the sweeper, which comes by all the time.
    while running.try_wait().expect("a child").is_none() {
        stack.sweep();
    }
    let output = running.wait_with_output().expect("it has ended");
    let (text, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.matches("ok  ").count() > 20, "{text}");
}
