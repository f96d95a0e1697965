//! Payloads and answers of people who mean harm, or of machines gone mad: shown, never run.

use serde_json::json;
use tests::browser::{button, css, text};

use super::Desk;

const SCRIPT: &str = "<script>window.harm = 1</script><img src=x onerror='window.harm = 1'>";

#[tokio::test(flavor = "multi_thread")]
async fn foreign_text_is_only_ever_text() {
    let desk = Desk::with_endpoint("page-hostile", &[]).await;
    let page = &desk.page;
    let answer = format!("{SCRIPT}\u{202e}gnp.exe {{\"half\": \"json שלום 😀");
    desk.customer.answers(move |_| (500, answer.clone().into_bytes()));
    let data = json!({
        "html": SCRIPT, "emoji": "😀👩‍👩‍👧", "hebrew": "שלום", "turned": "\u{202e}abc", "proto": "__proto__",
    });
    let raw = format!(r#"{{"number":1.0,"big":12345678901234567890,{}"#, &data.to_string()[1..]);
    desk.send("hostile", &raw).await;
    page.sees(css(".row").saying("500 Server error")).await;
    page.click(css(".toggle")).await;
    page.sees(text("\"big\": 12345678901234567890")).await;
    page.sees(text("\"number\": 1.0")).await;
    let shown = page.text(css(".expanded")).await;
    assert!(shown.contains(SCRIPT) && shown.contains("😀") && shown.contains("שלום"), "{shown}");
    assert!(shown.contains("‹U+202E›abc") && !shown.contains('\u{202e}'), "{shown}");
    page.click(button("Raw")).await;
    page.click(button("Copy").within(&css(".expanded"))).await;
    assert_eq!(page.clipboard().await, desk.customer.so_far()[0].text());
    assert_eq!(page.evaluate("[window.harm ?? null, document.scripts.length].join()").await, ",1");

    // As large as events come; the log stays quick because only a part is shown at first.
    let large = format!(r#"{{"large":"{}"}}"#, "<b>x</b>".repeat(30_000));
    desk.customer.answers(|_| (200, vec![0xff; 2_000_000]));
    desk.send("large", &large).await;
    page.sees(css(".row").nth(1)).await;
    page.sees(css(".row").nth(0).saying("Delivered")).await;
    page.click(css(".toggle").nth(0)).await;
    page.click(button("Show all 235 KB")).await;
    page.waits_for("document.querySelector('.expanded pre').textContent.length < 1e6").await;
    let whole = "Math.max(...[...document.querySelectorAll('.expanded pre')]\
        .map((box) => box.textContent.length)) > 240000";
    page.waits_for(whole).await;
    let sideways = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
    assert_eq!(page.evaluate(sideways).await, true);
    desk.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_calls_itself_names_is_shown_as_it_is() {
    let desk = Desk::with_endpoint("page-names", &[]).await;
    let change = json!({"description": SCRIPT});
    let path = format!("v1/endpoints/{}", desk.endpoint);
    assert_eq!(desk.api.call("PATCH", &path, Some(&change), &[]).await.status, 200);
    desk.page.reload().await;
    desk.page.sees(text(SCRIPT)).await;
    desk.go("/endpoints").await;
    desk.page.sees(css(".card").saying(SCRIPT)).await;
    assert_eq!(desk.page.evaluate("window.harm ?? null").await, serde_json::Value::Null);
    // A key that is no key, and an address that is none.
    desk.go("/endpoints/%3Cscript%3E").await;
    desk.page.sees(text("There is no such thing")).await;
    desk.is_well().await;
}
