//! What arrives is accepted by receivers' libraries as they are, and by the README's receivers.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use local::Layout;
use serde_json::{Value, json};
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
    let captures: Vec<Value> =
        received.iter().map(|received| received.capture(secret.reveal())).collect();
    libraries_accept(&captures);
}

/// Design 4.2: a receiver that does as Rackwave documents goes by one header with one value. It
/// need not do anything until it has the new secret, and then all at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_at_the_receivers_pace() {
    let stack = Stack::deploy("journey-rotation", &[]);
    let customer = Customer::start().await;
    let (endpoint, old) = stack.register(&customer, "acct_1", |_| {}).await;
    let api = stack.client("account:acct_1").await;
    let path = format!("v1/endpoints/{}/rotate-secret", endpoint.id);
    let rotated = api.post(&path, &json!({})).await;
    let new = rotated.body["secret"].as_str().expect("a secret").to_owned();

    stack.send(&event("overlap", "acct_1", DATA[0])).await;
    let overlap = customer.received(1).await.remove(0);
    assert_eq!(api.post(&format!("{path}/finish"), &json!({})).await.status, 200);
    stack.send(&event("finished", "acct_1", DATA[0])).await;
    let finished = customer.received(2).await.remove(1);

    // In the overlap X-Webhook-Signature is the old secret's, and webhook-signature either's.
    let mut both = overlap.capture(&new);
    both["previous_secret"] = old.reveal().into();
    libraries_accept(&[both, finished.capture(&new)]);
}

/// Hands captures to tests/verify/run.py: the libraries as they are, and the README's receivers.
#[track_caller]
fn libraries_accept(captures: &[Value]) {
    static NTH: AtomicU32 = AtomicU32::new(0);
    let nth = NTH.fetch_add(1, Ordering::Relaxed);
    let layout = Layout::of_this_clone();
    let folder = format!("{}-{nth}", std::process::id());
    let folder = layout.state().join("captures").join(folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    for (nth, capture) in captures.iter().enumerate() {
        std::fs::write(folder.join(format!("{nth}.json")), capture.to_string()).expect("written");
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
