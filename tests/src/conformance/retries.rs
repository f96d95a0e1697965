//! Retries that somebody asked for: one at a time, claimed by one, gone with their commit.

use domain::attempt::{Posted, Purpose, Settlement, settle};
use domain::delivery::{
    Change, Delivery, FailedReason, Notice, OpenRetry, Outcome, RetryBy, Status,
};
use domain::ids::{JobId, RetryId};
use domain::ports::Deliveries;
use domain::retry::{close, open};
use domain::schedule::Roll;

use super::{at, attempted, on_record, read};
use crate::world::documented_schedule;

fn retry(n: u8, by: RetryBy, opened_s: u64) -> OpenRetry {
    open(RetryId::from_random([n; 16]), by, at(opened_s))
}

/// What the POST of a retry changes.
fn retried(delivery: &Delivery, outcome: Outcome, by: &RetryBy, id: &RetryId) -> Change {
    let answer = attempted(delivery, outcome, at(1)).attempt.expect("one").answer;
    let number = delivery.attempt_count + 1;
    let purpose = Purpose::Retry(id.clone(), by.clone());
    let posted =
        Posted { purpose, number, url: "https://r.example.com/".into(), at: at(60), answer };
    match settle(delivery, &posted, &documented_schedule(), Roll::from_random(0), at(61)) {
        Settlement::Commit(change) => *change,
        Settlement::OnRecord | Settlement::Drop => panic!("it is put on record"),
    }
}

/// All of it.
pub async fn retries(store: &impl Deliveries) {
    opened_once(store).await;
    claimed_once(store).await;
    committed(store).await;
    left_in_due(store).await;
}

async fn opened_once(store: &impl Deliveries) {
    let delivery = on_record(store, "retry-open").await;
    let racers = (1..9).map(async |n| {
        let retry = retry(n, RetryBy::Manual, 10);
        (store.open_retry(&delivery.id, &retry).await, retry)
    });
    let answers = futures::future::join_all(racers).await;
    let won: Vec<_> = answers.into_iter().filter(|(won, _)| *won == Ok(true)).collect();
    assert_eq!(won.len(), 1);
    let there = read(store, &delivery).await;
    assert_eq!(there.open_retry.as_ref(), Some(&won[0].1));
    assert_eq!((there.due_at, there.job_id.as_ref()), (Some(at(10)), None));
    let page = store.due(delivery.id.due_shard(), at(10), None, 100).await.expect("read");
    assert!(page.entries.iter().any(|entry| entry.id == delivery.id), "the sweeper can find it");

    // A commit that did not know of the retry loses; the retry would be out of `due`.
    let change = attempted(&delivery, Outcome::Succeeded, at(11));
    assert_eq!(store.commit(&delivery.id, &delivery.stage(), &change).await, Ok(false));
    let change = attempted(&there, Outcome::Succeeded, at(11));
    assert_eq!(store.commit(&delivery.id, &there.stage(), &change).await, Ok(true));
    let after = read(store, &delivery).await;
    assert_eq!((after.status, &after.open_retry), (Status::Succeeded, &there.open_retry));
    assert_eq!(after.due_at, Some(at(10)));

    let job = RetryBy::Recover(JobId::from_random([9; 10]));
    let second = on_record(store, "retry-job").await;
    let of_job = retry(20, job.clone(), 10);
    assert_eq!(store.open_retry(&second.id, &of_job).await, Ok(true));
    let there = read(store, &second).await;
    assert_eq!(there.job_id.as_ref(), job.job());
    let closed = close(&there, at(20));
    assert_eq!(store.commit(&second.id, &there.stage(), &closed).await, Ok(true));
    assert_eq!(store.open_retry(&second.id, &of_job).await, Ok(false), "once for each recovery");
    let other = RetryBy::Recover(JobId::from_random([8; 10]));
    assert_eq!(store.open_retry(&second.id, &retry(21, other, 30)).await, Ok(true));
    let nobody = on_record(store, "retry-nobody").await;
    let unknown = Delivery { id: another_id(&nobody), ..nobody };
    assert_eq!(store.open_retry(&unknown.id, &of_job).await, Ok(false), "none is made");
    assert_eq!(store.delivery(&unknown.id).await, Ok(None));
}

fn another_id(delivery: &Delivery) -> domain::ids::DeliveryId {
    let mut text = delivery.id.to_string();
    let last = if text.ends_with('0') { '1' } else { '0' };
    text.pop();
    text.push(last);
    domain::ids::DeliveryId::parse(&text).expect("valid")
}

async fn claimed_once(store: &impl Deliveries) {
    let delivery = on_record(store, "retry-claim").await;
    let (id, retry) = (&delivery.id, retry(1, RetryBy::Manual, 10));
    assert_eq!(store.claim_retry(id, &retry.id, at(50), at(15)).await, Ok(false), "none is open");
    assert_eq!(store.open_retry(id, &retry).await, Ok(true));
    let racers = (0..8).map(|_| store.claim_retry(id, &retry.id, at(50), at(15)));
    let won = futures::future::join_all(racers).await;
    assert_eq!(won.iter().filter(|won| **won == Ok(true)).count(), 1);
    let other = RetryId::from_random([2; 16]);
    assert_eq!(store.claim_retry(id, &other, at(99), at(60)).await, Ok(false));
    assert_eq!(store.claim_retry(id, &retry.id, at(99), at(49)).await, Ok(false), "it is live");
    assert_eq!(store.claim_retry(id, &retry.id, at(99), at(50)).await, Ok(true), "it has run out");
    assert_eq!(store.claim(id, 0, at(90), at(60)).await, Ok(true), "the tier's is another");
    let there = read(store, &delivery).await;
    assert_eq!(there.busy_until, Some(at(90)));
    assert_eq!(there.open_retry.and_then(|retry| retry.busy_until), Some(at(99)));
}

async fn committed(store: &impl Deliveries) {
    let by = RetryBy::Recover(JobId::from_random([7; 10]));
    for (name, outcome) in [("retry-ok", Outcome::Succeeded), ("retry-no", Outcome::HttpStatus)] {
        let mut model = on_record(store, name).await;
        let id = model.id.clone();
        let failure = attempted(&model, Outcome::Timeout, at(1));
        assert_eq!(store.commit(&id, &model.stage(), &failure).await, Ok(true));
        model.apply(&failure);
        let retry = retry(3, by.clone(), 10);
        assert_eq!(store.open_retry(&id, &retry).await, Ok(true));
        assert_eq!(store.claim(&id, 1, at(90), at(60)).await, Ok(true));
        assert_eq!(store.claim_retry(&id, &retry.id, at(90), at(60)).await, Ok(true));
        model = read(store, &model).await;
        let change = retried(&model, outcome, &by, &retry.id);
        assert_eq!(store.commit(&id, &model.stage(), &change).await, Ok(true));
        model.apply(&change);
        assert_eq!(read(store, &model).await, model, "as the record of the rules has it");
        assert_eq!(
            store.commit(&id, &model.stage(), &Change { attempt: None, ..change }).await,
            Ok(true)
        );
    }
}

/// Something to announce and a retry to make: the one goes, the other keeps its place.
async fn left_in_due(store: &impl Deliveries) {
    let mut model = on_record(store, "retry-due").await;
    let id = model.id.clone();
    let ended = domain::attempt::end(&model, FailedReason::EndpointDisabled, at(2));
    assert_eq!(store.commit(&id, &model.stage(), &ended).await, Ok(true));
    assert_eq!(store.open_retry(&id, &retry(4, RetryBy::Manual, 10)).await, Ok(true));
    let notice = Notice::DeliveryFailed;
    assert_eq!(store.take_out(&id, Some(notice)).await, Ok(false), "its retry is open");
    assert_eq!(store.announced(&id, notice).await, Ok(true));
    assert_eq!(store.announced(&id, notice).await, Ok(false), "it is gone");
    model = read(store, &model).await;
    assert_eq!((model.notice, model.due_at), (None, Some(at(10))));
    let closed = close(&model, at(20));
    assert_eq!(store.commit(&id, &model.stage(), &closed).await, Ok(true));
    assert_eq!(read(store, &model).await.due_at, None);
}
