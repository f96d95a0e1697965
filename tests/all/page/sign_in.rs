//! Who sees what.

use serde_json::json;
use tests::browser::{DESK, Page, button, css, field, text};

use super::{ACCOUNT, Desk};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_pasted_kept_for_the_tab_and_forgotten() {
    let desk = Desk::with_endpoint("page-keys", &[]).await;
    let page = Page::open(DESK).await;
    page.goto(&desk.api.url).await;
    page.sees(text("See what happened to your webhooks")).await;
    page.fill(field("API key"), "rwk_wrong").await;
    page.press("Enter").await;
    page.sees(text("This key or link does not work")).await;
    page.fill(field("API key"), desk.api.key.as_deref().expect("a key")).await;
    page.click(button("Sign in")).await;
    page.sees(css(".card").saying(&desk.customer.url())).await;
    page.reload().await;
    page.sees(css(".card").saying(&desk.customer.url())).await;
    assert_eq!(page.evaluate("localStorage.length + document.cookie.length").await, 0);
    page.click(button("Sign out")).await;
    page.sees(text("See what happened to your webhooks")).await;
    assert_eq!(page.evaluate("sessionStorage.length").await, 0);
    desk.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_link_shows_one_account() {
    let desk = Desk::with_endpoint("page-portal", &[]).await;
    let operator = desk.stack.client("operator").await;
    let stranger = json!({"account_id": "acct_stranger", "url": "http://127.0.0.1:9/stranger",
        "event_types": ["*"], "alert_email": "stranger@example.com"});
    let stranger = operator.post("v1/endpoints", &stranger).await.body["id"].clone();
    let wanted = json!({"account_id": ACCOUNT, "expires_in": 600});
    let link = operator.post("v1/portal-links", &wanted).await.body;

    let page = Page::open(DESK).await;
    page.goto(link["url"].as_str().expect("a link")).await;
    page.sees(css(".card").saying(&desk.customer.url())).await;
    assert_eq!(page.count(css(".card")).await, 1, "no other account's");
    assert!(!page.address().await.contains("token"));
    assert_eq!(page.count(button("Create endpoint")).await, 1);
    page.click(css(".card a")).await;
    page.sees(button("Rotate secret")).await;
    page.click(button("Edit")).await;
    page.sees(button("Save")).await;
    assert_eq!(page.count(button("Delete endpoint")).await, 0, "a link deletes nothing");
    page.click(button("Cancel")).await;
    let id = stranger.as_str().expect("an id");
    page.evaluate(&format!("location.hash = '#/endpoints/{id}'; null")).await;
    page.sees(text("There is no such thing, or this key does not open it.")).await;
    assert_eq!(page.troubles().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_link_for_one_endpoint_leads_to_it() {
    let desk = Desk::with_endpoint("page-portal-one", &[]).await;
    let id = desk.api.get("v1/endpoints").await.body["data"][0]["id"].clone();
    let wanted = json!({"endpoint_id": id, "expires_in": 600});
    let link = desk.api.post("v1/portal-links", &wanted).await.body;

    let page = Page::open(DESK).await;
    page.goto(link["url"].as_str().expect("a link")).await;
    page.sees(button("Edit")).await;
    let id = id.as_str().expect("an id");
    assert!(page.address().await.ends_with(&format!("#/endpoints/{id}")));
    page.click(text("All endpoints")).await;
    page.sees(css(".card").saying(&desk.customer.url())).await;
    assert_eq!(page.count(button("Create endpoint")).await, 0, "it is for the one");
    assert_eq!(page.troubles().await, [""; 0]);
}
