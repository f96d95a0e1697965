//! Erasing payloads and answers: what goes, what stays, and that no commit brings any of it back.

use domain::attempt::{Posted, Purpose, Settlement, settle};
use domain::delivery::{Change, Delivery, Outcome};
use domain::ports::{Deliveries, Events, Stored};
use domain::schedule::Roll;

use super::{at, attempted, endpoint, event, on_record, read};
use crate::world::documented_schedule;

/// All of it.
pub async fn erasure(store: &(impl Events + Deliveries)) {
    payloads(store).await;
    answers(store).await;
}

async fn payloads(store: &impl Events) {
    let endpoints = [endpoint("ep_erasure")];
    let long = format!(r#"{{"text":"{}"}}"#, "secret ".repeat(1_000));
    for (source_id, data) in [("erase-plain", r#"{"text":"secret"}"#), ("erase-long", &long)] {
        let whole = event(source_id, data, &endpoints);
        assert_eq!(store.erase_payload(&whole.id, at(4)).await, Ok(false), "there is none");
        assert_eq!(store.event(&whole.id).await, Ok(None), "and none is made");
        assert_eq!(store.store(&whole).await, Ok(Stored::New));
        for moment in [5, 6] {
            assert_eq!(store.erase_payload(&whole.id, at(moment)).await, Ok(true));
        }
        let mut erased = whole.clone();
        erased.erase(at(5));
        assert_eq!((erased.envelope.data.as_str(), erased.has_payload()), ("", false));
        assert_eq!(store.event(&whole.id).await, Ok(Some(erased.clone())), "the first time counts");
        let existing = Ok(Stored::Existing(Box::new(erased)));
        assert_eq!(store.store(&whole).await, existing, "sent again, it stays erased");
    }
}

/// What a late answer changes on a delivery as it is now.
fn late(delivery: &Delivery, first: &Change, number: u32) -> Change {
    let answer = first.attempt.clone().expect("one").answer;
    let purpose = Purpose::Tier(0);
    let posted =
        Posted { purpose, number, url: "https://x.example.com/".into(), at: at(9), answer };
    match settle(delivery, &posted, &documented_schedule(), Roll::from_random(0), at(9)) {
        Settlement::Commit(change) => *change,
        Settlement::OnRecord | Settlement::Drop => panic!("a success is put on record"),
    }
}

async fn answers(store: &impl Deliveries) {
    let none = on_record(store, "erase-none").await;
    assert_eq!(store.erase_answers(&none, at(5)).await, Ok(true), "no attempt, no answer");
    assert_eq!(read(store, &none).await.erased_at, Some(at(5)));
    assert_eq!(store.erase_answers(&none, at(6)).await, Ok(false), "it is another one now");

    let first = on_record(store, "erase-answers").await;
    let success = attempted(&first, Outcome::Succeeded, at(1));
    assert_eq!(store.commit(&first.id, &first.stage(), &success).await, Ok(true));
    assert_eq!(store.erase_answers(&first, at(5)).await, Ok(false), "an attempt came since");
    let second = read(store, &first).await;
    assert_eq!(store.commit(&first.id, &second.stage(), &success).await, Ok(true));
    let there = read(store, &first).await;
    assert_eq!(there.stage(), second.stage());
    assert_eq!(store.erase_answers(&second, at(5)).await, Ok(false), "one more came since");
    assert_eq!(store.erase_answers(&there, at(5)).await, Ok(true));
    let mut erased = there.clone();
    erased.erase(at(5));
    assert_eq!(read(store, &first).await, erased);
    assert!(erased.attempts.iter().all(|attempt| attempt.answer.response_body.is_none()));

    assert_eq!(store.commit(&first.id, &there.stage(), &success).await, Ok(false), "read before");
    let change = late(&Delivery { status: first.status, ..erased.clone() }, &success, 7);
    assert_eq!(store.commit(&first.id, &erased.stage(), &change).await, Ok(true));
    let last = read(store, &first).await.attempts.pop().expect("three");
    assert_eq!((last.number, last.answer.response_body), (7, None));
    assert_eq!(last.answer.http_status, Some(503), "what is not the answer's text stays");
}
