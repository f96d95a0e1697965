//! Sending again: one delivery, what waits, what was missed; and a test event.

use serde_json::json;
use tests::browser::{button, css, role, text};

use super::{ACCOUNT, Desk};
use crate::journeys::event;

/// Presses something and counts it: promises are made in clicks.
struct Clicks<'d>(&'d Desk, u32);

impl Clicks<'_> {
    async fn click(&mut self, target: tests::browser::Target) {
        self.0.page.click(target).await;
        self.1 += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_log_to_the_cause_in_one_click_and_to_retry_now_in_two() {
    let desk = Desk::with_endpoint("page-retry", &[]).await;
    let page = &desk.page;
    desk.customer.answers(|_| (503, b"the database is away".to_vec()));
    desk.sees_sent("e1", "retrying").await;
    page.click(button("Failed")).await;
    page.sees(css(".row").saying("503 Server error")).await;
    let mut clicks = Clicks(&desk, 0);
    clicks.click(css(".toggle")).await;
    page.sees(text("the database is away")).await;
    page.sees(text("Your server failed while handling it")).await;
    assert_eq!(clicks.1, 1, "to the cause");

    desk.customer.answers(|_| (200, b"stored".to_vec()));
    clicks.click(css(".again")).await;
    assert_eq!(clicks.1, 2, "to Retry Now");
    page.sees(text("Retry Now: 200 OK. Delivered.")).await;
    page.sees(css(".row[data-status=succeeded]").saying("2 attempts")).await;
    page.sees(css(".timeline li:first-child").saying("Retry NowAttempt 2")).await;
    let received = desk.customer.received(2).await;
    assert_eq!(received[0].body, received[1].body, "the original bytes");

    // Once more, on what was delivered; and when it fails, nothing else changes.
    desk.customer.answers(|_| (410, Vec::new()));
    page.click(css(".again")).await;
    page.sees(text("Retry Now: 410 Refused.")).await;
    page.sees(css(".row[data-status=succeeded]").saying("3 attempts")).await;
    page.click(button("Disable")).await;
    page.click(button("Disable").within(&css("dialog"))).await;
    page.sees(text("Switched off by hand")).await;
    page.click(css(".again")).await;
    page.sees(text("The endpoint is disabled. Enable it first, then this works.")).await;
    desk.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_sent_after_enabling() {
    let desk = Desk::with_endpoint("page-missed", &[]).await;
    let page = &desk.page;
    page.click(button("Disable")).await;
    page.click(button("Disable").within(&role("dialog", "Disable this endpoint?"))).await;
    page.sees(text("Switched off by hand")).await;
    desk.sees_sent("m1", "skipped").await;
    desk.sees_sent("m2", "skipped").await;
    let more: Vec<String> = (3..=30).map(|nth| event(&format!("m{nth}"), ACCOUNT, "{}")).collect();
    desk.stack.send(&format!("[{}]", more.join(","))).await;
    page.sees(text("Last 30 deliveries: 30 not sent")).await;
    page.sees(css(".row").nth(29)).await;
    page.sees(css(".row").nth(0).saying("Not sent: endpoint was disabled")).await;
    page.click(button("Enable").within(&css(".notice"))).await;
    page.sees(text("While this endpoint was disabled it missed 30 events.")).await;
    page.click(button("Re-send 30 missed events")).await;
    page.sees(text("Sent again: 30 of 30 done, 30 delivered, 0 failed.")).await;
    page.waits_for("document.querySelectorAll('.row[data-status=succeeded]').length === 30").await;
    assert_eq!(desk.customer.received(30).await.len(), 30);
    page.click(button("Dismiss")).await;
    page.misses(text("Sent again")).await;
    desk.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_answers_again_is_offered_what_waits() {
    let desk = Desk::with_endpoint("page-answers", &[]).await;
    let page = &desk.page;
    desk.customer.answers(|_| (500, Vec::new()));
    for id in ["w1", "w2", "w3"] {
        desk.sees_sent(id, "retrying").await;
    }
    assert_eq!(page.count(text("Your endpoint answers again")).await, 0);
    page.reload().await;
    page.sees(css(".row").nth(2)).await;
    desk.customer.answers(|_| (200, Vec::new()));
    page.click(css(".again").nth(0)).await;
    page.sees(text("Your endpoint answers again. 2 waiting.")).await;
    page.click(button("Send now")).await;
    page.sees(text("Sent again: 2 of 2 done, 2 delivered, 0 failed.")).await;
    page.waits_for("document.querySelectorAll('.row[data-status=succeeded]').length === 3").await;
    desk.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_a_filter_shows_is_sent_again() {
    let desk = Desk::with_endpoint("page-resend", &[]).await;
    let page = &desk.page;
    desk.customer.answers(|_| (500, Vec::new()));
    for id in ["f1", "f2", "f3"] {
        desk.sees_sent(id, "retrying").await;
    }
    assert_eq!(page.count(button("Re-send all")).await, 0, "not beside what was delivered");
    page.click(button("Not sent")).await;
    page.sees(text("Nothing here fits")).await;
    page.misses(button("Re-send all")).await;
    page.click(button("Failed")).await;
    page.fill(css("[list]"), "email.opened").await;
    page.press("Enter").await;
    page.misses(button("Re-send all")).await;
    page.fill(css("[list]"), "").await;
    page.press("Enter").await;
    desk.customer.answers(|_| (200, Vec::new()));
    page.click(button("Re-send all")).await;
    page.sees(text("3 in all")).await;
    page.click(button("Re-send all").within(&role("dialog", "Re-send all?"))).await;
    page.sees(text("Sent again: 3 of 3 done, 3 delivered, 0 failed.")).await;
    page.waits_for("document.querySelectorAll('.row[data-status=succeeded]').length === 3").await;
    assert_eq!(desk.customer.received(6).await.len(), 6);
    page.click(button("Re-send all")).await;
    page.sees(text("Nothing here can be sent again.")).await;
    desk.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_picked_up_after_a_reload_and_can_be_stopped() {
    let desk = Desk::with_endpoint("page-stop", &[]).await;
    let (page, path) = (&desk.page, format!("v1/endpoints/{}", desk.endpoint));
    // So slow that it cannot be over before somebody stops it.
    let slow = json!({"max_per_second": 1});
    assert_eq!(desk.api.call("PATCH", &path, Some(&slow), &[]).await.status, 200);
    assert_eq!(desk.api.post(&format!("{path}/disable"), &json!({})).await.status, 200);
    let all: Vec<String> = (0..50).map(|nth| event(&format!("m{nth}"), ACCOUNT, "{}")).collect();
    desk.stack.send(&format!("[{}]", all.join(","))).await;
    page.sees(text("Last 50 deliveries: 50 not sent")).await;
    page.reload().await;
    page.click(button("Enable").within(&css(".notice"))).await;
    page.click(button("Re-send 50 missed events")).await;
    page.sees(text("Sending again")).await;
    page.reload().await;
    page.sees(text("Sending again")).await;
    page.click(button("Cancel")).await;
    page.click(button("Stop sending")).await;
    page.sees(text("Stopped:")).await;
    assert!(desk.customer.so_far().len() < 50, "the rest was not sent");
    desk.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_event_shows_its_outcome() {
    let desk = Desk::with_endpoint("page-test", &[]).await;
    let page = &desk.page;
    page.click(button("Send test event")).await;
    page.click(button("Send")).await;
    page.sees(css("dialog .timeline").saying("200 OK")).await;
    let received = desk.customer.received(1).await.remove(0);
    assert_eq!(received.header("X-Webhook-Test"), "true");
    desk.customer.answers(|_| (401, b"who are you?".to_vec()));
    page.click(button("Send")).await;
    page.sees(css("dialog .timeline").saying("401 Not let in").saying("who are you?")).await;
    page.click(button("Done")).await;
    page.sees(text("Nothing was delivered yet")).await;
    desk.is_well().await;
}
