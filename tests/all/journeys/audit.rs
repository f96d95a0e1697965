//! The audit bites: what is taken away behind the suite's back is found, named and made good.

use domain::audit::Finding;
use domain::delivery::{Delivery, Status};
use domain::endpoint::Endpoint;
use domain::envelope::parse_body;
use domain::event::Event;
use domain::ports::{Clock, Deliveries, Events};
use tests::stack::{Customer, SHORT, Stack};

use super::{event, event_id};

/// Puts an event on record, and perhaps its delivery; nobody is woken for it.
pub(super) async fn on_record(
    stack: &Stack,
    endpoint: &Endpoint,
    id: &str,
    with_delivery: bool,
) -> Delivery {
    let envelope = parse_body(&event(id, "acct_1", "{}")).remove(0).verdict.expect("good");
    let endpoints = [endpoint.clone()];
    let now = aws::clock::SystemClock.now();
    let retention = std::time::Duration::from_secs(86_400);
    let event = Event::accept(envelope, &endpoints, None, retention, now).expect("wanted");
    stack.store.store(&event).await.expect("stored");
    let delivery = event.deliveries(&endpoints).remove(0);
    if with_delivery {
        stack.store.create(&delivery).await.expect("stored");
    }
    delivery
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_away_is_found_named_and_made_good() {
    let stack = Stack::deploy("journey-audit", &SHORT);
    let customer = Customer::start().await;
    let (endpoint, _) = stack.register(&customer, "acct_1", |_| {}).await;
    let body = event("a", "acct_1", "{}");
    stack.send(&body).await;
    let done = |d: &Delivery| d.status == Status::Succeeded;
    let deleted = stack.delivery_of(&event_id(&body), &endpoint.id).await;
    stack.delivery_when(&deleted.id, "delivered", done).await;
    assert_eq!(stack.audit().await.unexplained, 0, "all is well");

    stack.delete_delivery(&deleted.id).await;
    // Neither its wake-up nor a dead letter is anywhere.
    let forgotten = on_record(&stack, &endpoint, "b", true).await;
    let never_made = on_record(&stack, &endpoint, "c", false).await;
    let audit = stack.audit().await;
    let missing =
        |d: &Delivery| Finding::Missing { event: d.event_id.clone(), delivery: d.id.clone() };
    let expected =
        [missing(&deleted), missing(&never_made), Finding::Forgotten(forgotten.id.clone())];
    assert_eq!(audit.unexplained, 3, "{:?}", audit.findings);
    let log = stack.log("SweeperFunction");
    for finding in &expected {
        assert!(audit.findings.contains(finding), "{finding} in {:?}", audit.findings);
        let named =
            |line: &&str| line.contains("unexplained") && line.contains(&finding.to_string());
        assert_eq!(log.lines().filter(named).count(), 1, "{finding} is named once in the log");
    }
    assert!(log.contains(r#""Unexplained":3"#), "the alarm's metric");
    for id in [deleted.id, forgotten.id, never_made.id] {
        stack.sweep_until(&id, "delivered after all", done).await;
    }
    assert_eq!(customer.so_far().len(), 4);
    assert_eq!(stack.audit().await.unexplained, 0, "the next one finds nothing");
}
