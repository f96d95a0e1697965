//! What the page says of states that take hours or days to reach: its own modules, asked in the
//! browser.

use serde_json::{Value, json};

use super::Desk;

impl Desk {
    /// What an export of `words.js` answers, as text.
    async fn words(&self, call: &str, given: &Value) -> String {
        let script = format!(
            "(async () => {{ const here = document.querySelector('script[src]').src; \
             const words = await import(new URL('words.js', here)); \
             const said = words.{call}({given}); \
             const flat = [said?.why ?? said].flat(); \
             return flat.map((one) => one?.textContent ?? one ?? '').join(''); }})()"
        );
        self.page.evaluate(&script).await.as_str().expect("a text").to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_long_is_said_plainly() {
    let desk = Desk::with_endpoint("page-words", &[]).await;
    let failing = json!({"status": "enabled", "failing_since": "2026-06-07T09:39:00Z",
        "disable_due_at": "2026-06-14T09:39:00Z"});
    let said = desk.words("health", &failing).await;
    assert!(said.starts_with("Failing since Jun 7, 09:39."), "{said}");
    assert!(said.contains("It will be disabled on Jun 14, 09:39 unless"), "{said}");
    let disabled = json!({"status": "disabled", "disabled_reason": "failing",
        "disabled_at": "2026-06-14T09:39:00Z"});
    let said = desk.words("health", &disabled).await;
    assert_eq!(said, "Switched off since Jun 14, 09:39: every attempt had failed for days.");

    let spent = json!({"status": "retrying", "attempts": [], "attempts_left": 0,
        "gives_up_at": "2026-06-08T09:39:00Z"});
    let said = desk.words("next", &spent).await;
    let expected = "No attempts left; marked failed at Jun 8, 09:39. Retry Now still works.";
    assert_eq!(said, expected);
    let attempt = json!({"trigger": "schedule"});
    let exhausted = json!({"status": "failed", "reason": "exhausted",
        "attempts": [attempt, attempt, attempt, attempt, attempt, {"trigger": "manual"}]});
    let said = desk.words("next", &exhausted).await;
    assert_eq!(said, "All 5 attempts failed. Retry Now still works.");
    for (outcome, words) in [
        ("timeout", "Timed out"),
        ("connection_refused", "Connection refused"),
        ("connection_reset", "Connection broken off"),
        ("dns", "Name not found"),
        ("tls", "TLS problem"),
        ("network_unreachable", "Network unreachable"),
        ("blocked_address", "Address not allowed"),
        ("protocol_error", "Not an HTTP answer"),
    ] {
        assert_eq!(desk.words("outcome", &json!({"outcome": outcome})).await, words);
    }
}
