//! Audits: one writer at a time, and every record seen.

use domain::audit::{Audit, Finding, Stage};
use domain::delivery::Status;
use domain::ports::{Audits, Deliveries, Events, Scanned, Stored};

use super::{at, endpoint, event};

/// The record of an audit, and the scans it is made of.
pub async fn audits(store: &(impl Audits + Events + Deliveries)) {
    record(store).await;
    let endpoints = [endpoint("ep_audited"), endpoint("ep_too")];
    let mut known = Vec::new();
    for nth in 0..7 {
        let event = event(&format!("audited-{nth}"), "{\"n\":1}", &endpoints);
        assert_eq!(store.store(&event).await, Ok(Stored::New));
        for delivery in event.deliveries(&endpoints) {
            assert_eq!(store.create(&delivery).await, Ok(Status::Pending));
        }
        known.push(event);
    }
    let in_due = known[3].fan_out[1].delivery_id.clone();
    assert_eq!(store.enter_due(&in_due, at(5)).await, Ok(true));

    let events = all(3, async |after: Option<String>| {
        store.scan_events(after.as_deref(), 3).await.expect("read")
    });
    let deliveries = all(5, async |after: Option<String>| {
        store.scan_deliveries(after.as_deref(), 5).await.expect("read")
    });
    let (events, deliveries) = (events.await, deliveries.await);
    for event in &known {
        let found: Vec<_> = events.iter().filter(|e| e.id == event.id).collect();
        assert_eq!(found.len(), 1, "each event once");
        assert_eq!(found[0].accepted_at, event.accepted_at);
        assert!(found[0].expires_at > event.accepted_at);
        assert!(found[0].deliveries.iter().eq(event.fan_out.iter().map(|f| &f.delivery_id)));
        for entry in &event.fan_out {
            let found: Vec<_> = deliveries.iter().filter(|d| d.id == entry.delivery_id).collect();
            assert_eq!(found.len(), 1, "each delivery once");
            assert_eq!((found[0].status, found[0].created_at), (Status::Pending, at(0)));
            assert_eq!(found[0].in_due, entry.delivery_id == in_due);
        }
    }
}

async fn record(store: &impl Audits) {
    assert_eq!(store.audit().await, Ok(None));
    let first = Audit::begin(None, None, at(1));
    let racers = (0..8).map(|_| store.save_audit(None, &first));
    let won = futures::future::join_all(racers).await;
    assert_eq!(won.iter().filter(|won| **won == Ok(true)).count(), 1);
    let first = Audit { revision: 1, ..first };
    assert_eq!(store.audit().await, Ok(Some(first.clone())));
    let one = event("found", "{}", &[endpoint("ep_1")]);
    let delivery = one.fan_out[0].delivery_id.clone();
    let mut whole = Audit { cutoff: Some(at(2)), whole_at: Some(at(1)), ..first.clone() };
    (whole.examined, whole.checked) = (20, 10);
    whole.found(vec![
        Finding::Missing { event: one.id, delivery: delivery.clone() },
        Finding::Forgotten(delivery),
        Finding::Unreadable("what is this".into()),
    ]);
    let stages = [
        Stage::Events(Some("evt_place".into())),
        Stage::Deliveries(None),
        Stage::Deliveries(Some("ep_1#0 dlv_place".into())),
        Stage::Finished(at(9)),
    ];
    let mut before = first.clone();
    for stage in stages {
        whole.stage = stage;
        assert_eq!(store.save_audit(Some(&before), &whole).await, Ok(true));
        assert_eq!(store.save_audit(Some(&before), &first).await, Ok(false), "it has moved on");
        assert_eq!(store.save_audit(None, &first).await, Ok(false), "there is one");
        whole.revision = before.revision + 1;
        assert_eq!(store.audit().await, Ok(Some(whole.clone())));
        before = whole.clone();
    }
}

/// Page by page, to the end.
async fn all<T>(limit: usize, page: impl AsyncFn(Option<String>) -> Scanned<T>) -> Vec<T> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = page(after).await;
        assert!(page.items.len() <= limit && page.unreadable.is_empty());
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
}
