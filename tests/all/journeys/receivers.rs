//! What arrives is accepted by receivers' libraries as they are, and by the README's receivers.

use std::process::Command;

use local::Layout;
use tests::stack::{Customer, Stack, python};

use super::event;

/// Data that a careless sender would change.
const DATA: [&str; 4] = [
    r#"{"message_id":"msg_8f3a2b1c9d4e7f0a","to":"recipient@example.com"}"#,
    "{ \"z\":1.0, \"a\" : [1e3,-0, 1E+2],\n\t\"b\":{} }",
    r#"{"u":"\u00e9é\/\ud83d\ude00😀","right-to-left":"שלום","quote":"\"\\"}"#,
    "{}",
];

#[tokio::test(flavor = "multi_thread")]
async fn unmodified_libraries_and_snippets_verify_what_arrives() {
    let stack = Stack::deploy("journey-receivers", &[]);
    let customer = Customer::start().await;
    let (_, secret) = stack.register(&customer, "acct_1", |_| {}).await;
    for (nth, data) in DATA.iter().enumerate() {
        stack.send(&event(&format!("e{nth}"), "acct_1", data)).await;
    }
    let received = customer.received(DATA.len()).await;
    let layout = Layout::of_this_clone();
    let folder = layout.state().join("captures").join(std::process::id().to_string());
    std::fs::create_dir_all(&folder).expect("a folder");
    for (nth, received) in received.iter().enumerate() {
        let capture = received.capture(secret.reveal()).to_string();
        std::fs::write(folder.join(format!("{nth}.json")), capture).expect("written");
    }
    let output = Command::new(python().python())
        .current_dir(layout.root())
        .args(["tests/verify/run.py", "--readme", "README.md", "--captures"])
        .arg(&folder)
        .output()
        .expect("Python runs");
    std::fs::remove_dir_all(&folder).expect("removed");
    let (text, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{errors}");
}
