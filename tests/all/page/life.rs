//! An endpoint's life, as its owner sees it.

use serde_json::json;
use tests::browser::{DESK, Page, button, css, field, role, text};
use tests::stack::{Customer, Stack};

use super::{ACCOUNT, Desk};
use crate::journeys::event;

#[tokio::test(flavor = "multi_thread")]
async fn register_receive_see() {
    let stack = Stack::deploy("page-register", &[]);
    let customer = Customer::start().await;
    let api = stack.client(&format!("account:{ACCOUNT}")).await;
    let page = Page::open(DESK).await;
    page.goto(&format!("{}#token={}", api.url, api.key.as_deref().expect("a key"))).await;
    page.sees(text("No endpoints yet")).await;
    page.sees(text("Verify what arrives")).await;
    assert!(!page.address().await.contains("token"), "the key does not stay in the address");

    page.click(button("Create your first endpoint")).await;
    page.fill(field("URL"), "http://10.0.0.1/").await;
    page.fill(field("E-mail for alerts"), "owner@example.com").await;
    let create = || button("Create endpoint").within(&role("dialog", "Create endpoint"));
    page.click(create()).await;
    page.sees(text("it leads to a private address")).await;
    assert!(page.is_focused(field("URL")).await, "the cursor is where the mistake is");
    page.fill(field("URL"), &customer.url()).await;
    page.misses(text("it leads to a private address")).await;
    page.click(field("Only these")).await;
    page.click(field("email.delivered")).await;
    page.click(create()).await;
    page.sees(text("It is shown only this once")).await;
    page.click(button("Copy").nth(0)).await;
    let secret = page.clipboard().await;
    assert!(secret.starts_with("whsec_"), "{secret}");
    page.click(css("dialog summary").saying("Python")).await;
    page.sees(text("hmac.new(SECRET, body, hashlib.sha256)")).await;
    page.click(button("I have stored it")).await;

    page.sees(text("Nothing was delivered yet")).await;
    stack.send(&event("e1", ACCOUNT, r#"{"subject":"Hello"}"#)).await;
    page.sees(css(".row").saying("email.delivered").saying("Delivered")).await;
    assert_eq!(customer.received(1).await.len(), 1);
    page.click(css(".toggle")).await;
    page.sees(text("\"subject\": \"Hello\"")).await;
    page.click(button("Copy").within(&css(".expanded"))).await;
    assert_eq!(page.clipboard().await, customer.so_far()[0].text(), "copied as it was sent");
    page.click(button("Copy as curl")).await;
    let curl = page.clipboard().await;
    assert!(curl.contains("curl -sS -X POST") && curl.contains("openssl"), "{curl}");
    assert_eq!(page.troubles().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_find_and_page_on() {
    let desk = Desk::with_endpoint("page-filters", &[]).await;
    let page = &desk.page;
    desk.sees_sent("good", "succeeded").await;
    desk.customer.answers(|_| (503, b"down for <b>repair</b>".to_vec()));
    desk.sees_sent("bad", "retrying").await;
    page.click(button("Failed")).await;
    page.waits_for("document.querySelectorAll('.row').length === 1").await;
    page.sees(css(".row").saying("Retrying").saying("503 Server error")).await;
    page.waits_for("/Next attempt in [45] min/.test(document.querySelector('.c-next').innerText)")
        .await;
    page.reload().await;
    page.sees(css(".row").saying("Retrying")).await;
    assert_eq!(page.count(css(".row")).await, 1, "the filter stays with the address");
    page.click(button("Delivered")).await;
    page.sees(css(".row").saying("200 OK")).await;
    page.click(button("Not sent")).await;
    page.sees(text("Nothing here fits")).await;

    page.fill(field("Find by event id"), "bad").await;
    page.press("Enter").await;
    page.sees(text("1 delivery of this event to this endpoint")).await;
    page.sees(css(".row").saying("Retrying")).await;
    page.fill(field("Find by event id"), "nowhere").await;
    page.press("Enter").await;
    page.sees(text("No delivery of that event to this endpoint")).await;

    desk.customer.answers(|_| (200, Vec::new()));
    let many: Vec<String> = (0..60).map(|nth| event(&format!("m{nth}"), ACCOUNT, "{}")).collect();
    for batch in many.chunks(30) {
        desk.stack.send(&format!("[{}]", batch.join(","))).await;
    }
    desk.customer.received(62).await;
    page.click(button("All")).await;
    page.sees(text("Last 62 deliveries: 61 delivered, 1 retrying")).await;
    let scrolled = "(scrollTo(0, document.body.scrollHeight), \
        document.querySelectorAll('.row').length === 62)";
    page.waits_for(scrolled).await;
    let order = "[...document.querySelectorAll('.row time')].map((t) => t.dateTime)";
    let sorted = format!("(t => t.join() === [...t].sort().reverse().join())({order})");
    assert_eq!(page.evaluate(&sorted).await, true, "newest first");
    desk.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotate_and_finish() {
    let desk = Desk::with_endpoint("page-rotate", &[]).await;
    let page = &desk.page;
    page.click(button("Rotate secret")).await;
    page.click(button("Make a new secret")).await;
    page.sees(text("The old secret keeps working until")).await;
    page.click(button("Copy")).await;
    let new = page.clipboard().await;
    assert!(new.starts_with("whsec_") && new != desk.secret);
    page.click(button("I have stored it")).await;
    desk.sees_sent("both", "succeeded").await;
    let both = desk.customer.received(1).await.remove(0);
    assert_eq!(both.header("webhook-signature").split(' ').count(), 2);

    page.click(button("Rotate secret")).await;
    page.click(button("Make a new secret")).await;
    page.sees(text("A rotation is under way. Finish it first.")).await;
    page.click(button("Finish a rotation")).await;
    page.click(button("Finish")).await;
    page.misses(text("Finish the rotation?")).await;
    desk.sees_sent("new", "succeeded").await;
    let alone = desk.customer.received(2).await.remove(1);
    assert_eq!(alone.header("webhook-signature").split(' ').count(), 1);
    desk.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edit_and_delete() {
    let desk = Desk::with_endpoint("page-edit", &[]).await;
    let page = &desk.page;
    page.click(button("Edit")).await;
    page.fill(field("Description"), "The shop").await;
    page.click(text("More settings")).await;
    page.fill(field("At most per second"), "0").await;
    page.click(button("Save")).await;
    page.sees(text("At most per second must be 1 to 10000")).await;
    page.fill(field("At most per second"), "25").await;
    page.fill(field("Custom headers"), "X-Tenant: seven").await;
    page.click(button("Save")).await;
    page.sees(text("The shop · All events")).await;
    let kept = desk.api.get(&format!("v1/endpoints/{}", desk.endpoint)).await.body;
    assert_eq!((&kept["max_per_second"], &kept["headers"]), (&json!(25), &json!(["X-Tenant"])));
    desk.sees_sent("e1", "succeeded").await;
    assert_eq!(desk.customer.received(1).await[0].header("x-tenant"), "seven");

    // Another place gets no value that nobody here can read.
    page.click(button("Edit")).await;
    let elsewhere = format!("{}elsewhere", desk.customer.url());
    page.fill(field("URL"), &elsewhere).await;
    page.click(button("Save")).await;
    page.sees(text("Custom headers must be given anew with another url")).await;
    page.click(field("Send none of them")).await;
    page.click(button("Save")).await;
    page.sees(role("heading", &elsewhere)).await;
    desk.sees_sent("e2", "succeeded").await;
    let there = desk.customer.received(2).await.remove(1);
    assert!(!there.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("x-tenant")));

    page.click(button("Edit")).await;
    page.click(button("Delete endpoint")).await;
    page.click(button("Delete endpoint").within(&role("dialog", "Delete this endpoint?"))).await;
    page.sees(text("No endpoints yet")).await;
    desk.is_well().await;
}
