//! An endpoint that fails throughout: alert, warning, the end, and the way back (issue 7, Seen 2);
//! and one that answers again in time. The mails are in the emulator's outbox, and in
//! `.local/mails` with pictures for people to look at.

use domain::delivery::{Delivery, FailedReason, Status};
use domain::endpoint::EndpointState;
use domain::endpoint::register::Registration;
use domain::ports::Endpoints;
use serde_json::{Value, json};
use tests::browser::{DESK, PHONE, Page};
use tests::stack::{Customer, SHORT, Sent, Stack, emulator, until};

use super::{event, event_id};

const OWNER: &str = "owner@example.com";
const PAGE: &str = "https://webhooks.example.com/";
/// The example rule of `infra/events.md`.
const PATTERN: &str = r#"{"source":["rackwave.webhooks"],"detail-type":[{"prefix":"endpoint."}]}"#;
/// Minutes instead of days; a step is 0.2 s, and a failure recent for 2.8 s.
const DAYS: [(&str, &str); 5] = [
    ("AlertAfterSeconds", "2"),
    ("WarnAfterSeconds", "6"),
    ("DisableAfterSeconds", "20"),
    ("AlertSender", "webhooks@example.com"),
    ("PublicBaseUrl", PAGE),
];
const ANSWER: &[u8] = b"<h1>Down</h1> see https://status.example.com/?a=1&b=2";

/// Everything the issue lists, in a mail's text and in its HTML, one by one.
fn check_facts(mail: &Sent, endpoint: &str, url: &str, since: &str) {
    assert_eq!(mail.from, "webhooks@example.com");
    let link = format!("{PAGE}#/endpoints/{endpoint}");
    let recover = format!("/v1/endpoints/{endpoint}/recover");
    for (part, body) in [("text", &mail.text), ("html", &mail.html)] {
        let has = |what: &str| assert!(body.contains(what), "{part} lacks {what:?}: {body}");
        has(url);
        has(endpoint);
        has("Failing since");
        has(since);
        has("Failed attempts");
        has("Most frequent failure");
        has("status 500");
        has("What to do");
        has("can be re-sent until");
        has(&link);
        has("The way back");
        has(&recover);
        // The example: readable, and neither markup nor link.
        let visible = body.replace('\u{200b}', "");
        assert!(visible.contains("https://status.example.com/?a=1"), "{part}: {body}");
        assert!(!body.contains("https://status"), "{part}: a link in it is inert");
    }
    assert!(mail.text.contains("<h1>Down</h1>") || mail.text.contains("<h1>Down<"), "as it was");
    assert!(!mail.html.contains("<h1>Down"), "escaped");
    assert!(mail.html.contains("&lt;h1&gt;Down"), "escaped");
}

/// Sends an event and waits until it was tried.
async fn tried(stack: &Stack, id: &str) {
    let body = event(id, "acct_7", "{}");
    stack.send(&body).await;
    until("a first attempt", || async {
        let deliveries = stack.deliveries(&event_id(&body)).await;
        deliveries.first().filter(|delivery| delivery.attempt_count > 0).cloned()
    })
    .await;
}

fn daily(stack: &Stack) -> Value {
    let function = stack.output("DailyFunction");
    let failed = |error| panic!("{error}: {}", stack.log("DailyFunction"));
    emulator().invoke(function, &json!({})).unwrap_or_else(failed)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_fails_throughout_is_disabled_and_comes_back() {
    let parameters: Vec<_> = SHORT.iter().chain(&DAYS).copied().collect();
    let stack = Stack::deploy("health", &parameters);
    stack.verify("webhooks@example.com").await;
    let heard = stack.listen("health-heard", PATTERN).await;
    let customer = Customer::start().await;
    customer.answers(|_| (500, ANSWER.to_vec()));
    let (endpoint, _) = stack.register(&customer, "acct_7", |_| {}).await;
    let operator = stack.client("operator").await;
    let path = format!("v1/endpoints/{}", endpoint.id);

    // Alert, warning, disabled: each once, in this order, while events go on failing.
    let mut mails: Vec<Sent> = Vec::new();
    let mut nth = 0;
    while mails.len() < 3 {
        tried(&stack, &format!("e{nth}")).await;
        nth += 1;
        stack.sweep();
        daily(&stack);
        mails = stack.mails_to(OWNER).await;
        assert!(nth < 100, "{mails:?}");
        if mails.len() == 1 {
            let shown = operator.get(&path).await.body;
            assert!(shown["failing_since"].is_string() && shown["disable_due_at"].is_string());
        }
    }
    let subjects: Vec<&str> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    let expected = ["is failing", "will be disabled soon", "has been disabled"];
    for (subject, expected) in subjects.iter().zip(expected) {
        assert!(subject.ends_with(expected), "{subjects:?}");
    }
    let events = stack.heard(&heard, 2).await;
    let names: Vec<&str> = events.iter().filter_map(|e| e["detail-type"].as_str()).collect();
    assert_eq!(names, ["endpoint.disabled", "endpoint.failing"]);
    let since = events[1]["detail"]["failing_since"].as_str().expect("since when").to_owned();
    assert_eq!(events[0]["detail"]["reason"], "failing");
    let minute = format!("{} {} UTC", &since[..10], &since[11..16]);
    for (mail, name) in mails.iter().zip(["failing", "warning", "disabled"]) {
        check_facts(mail, endpoint.id.as_str(), &customer.url(), &minute);
        look(mail, name).await;
    }

    // It gets nothing any more; what waits ends, what is new is skipped.
    let shown = operator.get(&path).await.body;
    assert_eq!(
        (&shown["status"], &shown["disabled_reason"]),
        (&json!("disabled"), &json!("failing"))
    );
    let late = event("late", "acct_7", "{}");
    stack.send(&late).await;
    let skipped = stack.delivery_of(&event_id(&late), &endpoint.id).await;
    assert_eq!(skipped.status, Status::Skipped);
    let last = event_id(&event(&format!("e{}", nth - 1), "acct_7", "{}"));
    let waiting = stack.delivery_of(&last, &endpoint.id).await;
    let disabled = Status::Failed(FailedReason::EndpointDisabled);
    stack.delivery_when(&waiting.id, "ended", |delivery| delivery.status == disabled).await;

    // Enabled, the answer says what it missed; recover re-sends just that.
    customer.answers(|_| (200, Vec::new()));
    let enabled = operator.post(&format!("{path}/enable"), &json!({})).await;
    assert_eq!(enabled.status, 200, "{enabled:?}");
    let missed = &enabled.body["missed"];
    assert_eq!(missed["skipped"], 1, "{missed}");
    assert!(missed["failed"].as_u64() > Some(0), "{missed}");
    let range = json!({"from": missed["from"], "to": missed["to"]});
    let recovery = operator.post(&format!("{path}/recover"), &range).await;
    assert_eq!(recovery.status, 202, "{recovery:?}");
    for id in [&skipped.id, &waiting.id] {
        let arrived = |delivery: &Delivery| delivery.status == Status::Succeeded;
        stack.delivery_when(id, "re-sent", arrived).await;
    }

    // One failure right after enable does not disable.
    customer.answers(|_| (500, ANSWER.to_vec()));
    tried(&stack, "after").await;
    daily(&stack);
    let now = stack.store.endpoint(&endpoint.account_id, &endpoint.id).await.expect("read");
    assert_eq!(now.map(|endpoint| endpoint.state), Some(EndpointState::Enabled));
    stack.sweep();
    let enabled = stack.heard(&heard, 1).await;
    assert_eq!(enabled[0]["detail-type"], "endpoint.enabled");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_answers_again_is_said_to() {
    const OWNER: &str = "again@example.com";
    let days = [DAYS[0], ("WarnAfterSeconds", "3600"), ("DisableAfterSeconds", "7200")];
    let parameters: Vec<_> = SHORT.iter().chain(&days).chain(&DAYS[3..]).copied().collect();
    let stack = Stack::deploy("health-again", &parameters);
    stack.verify("webhooks@example.com").await;
    let heard = stack.listen("health-again-heard", PATTERN).await;
    let customer = Customer::start().await;
    customer.answers(|_| (500, ANSWER.to_vec()));
    let owned = |registration: &mut Registration| registration.alert_email = OWNER.into();
    let (endpoint, _) = stack.register(&customer, "acct_8", owned).await;
    let sent = |id: &str| event(id, "acct_8", "{}");
    stack.send(&sent("down")).await;
    let alert = until("an alert", || async {
        stack.sweep();
        stack.mails_to(OWNER).await.pop()
    })
    .await;
    assert!(alert.subject.ends_with("is failing"), "{}", alert.subject);

    customer.answers(|_| (200, b"back".to_vec()));
    for id in ["up", "up-again"] {
        stack.send(&sent(id)).await;
        let good = |delivery: &Delivery| delivery.status == Status::Succeeded;
        let delivery = stack.delivery_of(&event_id(&sent(id)), &endpoint.id).await;
        stack.delivery_when(&delivery.id, "delivered", good).await;
        stack.sweep();
        daily(&stack);
    }
    let mails = stack.mails_to(OWNER).await;
    let subjects: Vec<&str> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    let [_, good_news] = &mails[..] else { panic!("one alert, one good news: {subjects:?}") };
    assert!(good_news.subject.ends_with("works again"), "{subjects:?}");
    let events = stack.heard(&heard, 2).await;
    let names: Vec<&str> = events.iter().filter_map(|e| e["detail-type"].as_str()).collect();
    assert_eq!(names, ["endpoint.failing", "endpoint.recovered"]);
    let since = events[0]["detail"]["failing_since"].as_str().expect("since when");
    let minute = format!("{} {} UTC", &since[..10], &since[11..16]);
    for mail in &mails {
        check_facts(mail, endpoint.id.as_str(), &customer.url(), &minute);
    }
    for body in [&good_news.text, &good_news.html] {
        assert!(body.contains("Your webhook endpoint works again"), "{body}");
        assert!(body.contains("Nothing, unless events of the time in between are missing"));
    }
    look(good_news, "recovered").await;
}

/// Shows the mail at the widths of a mail program and of a phone, and keeps what was seen.
async fn look(mail: &Sent, name: &str) {
    let folder = local::Layout::of_this_clone().state().join("mails");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join(name).with_extension("html");
    std::fs::write(&file, &mail.html).expect("written");
    std::fs::write(folder.join(name).with_extension("txt"), &mail.text).expect("written");
    let page = Page::open(DESK).await;
    page.goto(&format!("file://{}", file.display())).await;
    for view in [DESK, PHONE] {
        page.look(view).await;
        let sideways = "document.documentElement.scrollWidth - innerWidth";
        assert_eq!(page.evaluate(sideways).await, 0, "{name}, {}", view.name);
        page.screenshot(&folder.join(format!("{name}-{}.png", view.name))).await;
    }
    let loaded = page.requests().await;
    assert!(loaded.iter().all(|url| !url.starts_with("http")), "nothing is loaded: {loaded:?}");
}
