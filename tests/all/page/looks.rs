//! Every view, for every reader: axe has no complaint, nothing scrolls sideways, and with
//! `PAGE_SHOTS=<folder>` a picture of each is kept for people to look at.

use tests::browser::{DESK, NIGHT, PHONE, Page, button, css, field, role, text};

use super::Desk;

/// Looks at what is shown now by day, by night and on a phone.
async fn look(page: &Page, name: &str) {
    for view in [NIGHT, PHONE, DESK] {
        page.look(view).await;
        let found = page.violations().await;
        assert!(found.is_empty(), "{name}, {}: {found:#?}", view.name);
        let sideways = "document.documentElement.scrollWidth - innerWidth";
        assert_eq!(page.evaluate(sideways).await, 0, "{name}, {}", view.name);
        if let Some(folder) = std::env::var_os("PAGE_SHOTS") {
            let file = format!("{name}-{}.png", view.name);
            page.screenshot(&std::path::Path::new(&folder).join(file)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_is_fit_for_everybody() {
    let desk = Desk::with_endpoint("page-looks", &[]).await;
    let page = &desk.page;
    page.sees(text("Nothing was delivered yet")).await;
    look(page, "empty-log").await;
    desk.sees_sent("e1", "succeeded").await;
    desk.customer.answers(|_| (503, b"upstream is down".to_vec()));
    desk.sees_sent("e2", "retrying").await;
    look(page, "log").await;
    page.click(button("Failed")).await;
    page.sees(button("Re-send all")).await;
    look(page, "failed").await;
    page.click(button("Re-send all")).await;
    page.sees(text("1 in all")).await;
    look(page, "resend").await;
    page.press("Escape").await;
    page.click(button("All")).await;
    page.click(css(".row[data-status=retrying] .toggle")).await;
    page.sees(text("What was sent")).await;
    page.sees(button("Copy as curl")).await;
    look(page, "expanded").await;

    page.click(button("Disable")).await;
    look(page, "disable").await;
    page.click(button("Disable").within(&css("dialog"))).await;
    page.sees(text("Switched off by hand")).await;
    desk.sees_sent("e3", "skipped").await;
    look(page, "disabled").await;
    page.click(button("Enable").within(&css(".notice"))).await;
    page.sees(button("Re-send 1 missed event")).await;
    look(page, "missed").await;
    page.click(button("Edit")).await;
    page.click(field("Only these")).await;
    page.click(text("More settings")).await;
    page.fill(role("textbox", "URL"), "http://10.0.0.1/").await;
    page.click(button("Save")).await;
    page.sees(css("[aria-invalid]")).await;
    look(page, "edit").await;
    page.click(button("Cancel")).await;
    page.click(button("Rotate secret")).await;
    page.click(button("Make a new secret")).await;
    page.sees(text("It is shown only this once")).await;
    look(page, "secret").await;
    page.click(button("I have stored it")).await;
    page.click(button("Send test event")).await;
    look(page, "test").await;
    page.click(button("Done")).await;

    desk.go("/endpoints").await;
    page.sees(css(".cards .strip rect").nth(0)).await;
    look(page, "endpoints").await;
    desk.go("/check").await;
    page.fill(field("Body"), "{}").await;
    page.click(button("Check")).await;
    page.sees(css(".findings li")).await;
    look(page, "check").await;
    page.click(button("Sign out")).await;
    page.sees(text("See what happened to your webhooks")).await;
    look(page, "sign-in").await;
    desk.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyboard_is_enough() {
    let desk = Desk::with_endpoint("page-keyboard", &[]).await;
    let page = &desk.page;
    desk.customer.answers(|_| (404, Vec::new()));
    desk.sees_sent("e1", "retrying").await;
    page.evaluate("document.querySelector('.toggle').focus(); null").await;
    page.press("Enter").await;
    page.sees(text("Check the path in the endpoint's URL")).await;
    assert!(page.is_focused(css(".toggle")).await);
    page.press("Tab").await;
    assert!(page.is_focused(css(".again")).await, "Retry Now is next");
    page.evaluate("document.querySelector('.actions button').focus(); null").await;
    page.press("Enter").await;
    page.sees(text("Send a test event")).await;
    page.press("Escape").await;
    page.misses(text("Send a test event")).await;
    assert!(page.is_focused(button("Send test event")).await, "back to where it was");
    desk.is_well().await;
}
