//! The ports of the management API.

use std::time::Duration;

use domain::api_key::ApiKeyRecord;
use domain::delivery::{Change, FailedReason, Settles, Status};
use domain::endpoint::{Endpoint, EndpointState};
use domain::envelope::Product;
use domain::ids::{AccountId, DeliveryId, EndpointId};
use domain::log::{LogPlace, LogQuery};
use domain::portal::{PortalLink, PortalScope};
use domain::ports::{
    ApiKeys, ApiMemory, CallWindow, Deliveries, DeliveryLog, Endpoints, PortalLinks, Registry,
    Reservation, Secrets,
};
use domain::secret::{Secret, SigningSecrets};

use super::{at, endpoint, event};

fn secrets(n: u8) -> SigningSecrets {
    SigningSecrets { current: Secret::from_random([n; 24]), previous: None }
}

/// Registered once, replaced only as it was read.
pub async fn registry(store: &(impl Registry + Endpoints + Secrets)) {
    let first = endpoint("ep_registry");
    let account = first.account_id.clone();
    let other = Endpoint { description: Some("other".into()), ..first.clone() };
    let given = Ok((first.clone(), secrets(1)));
    assert_eq!(store.create_endpoint(&first, &secrets(1)).await, given);
    assert_eq!(store.create_endpoint(&other, &secrets(2)).await, given, "the first one stands");
    let by_id = || async { store.endpoint_by_id(&first.id).await.expect("read") };
    assert_eq!(by_id().await, Some(first.clone()));
    let nobody = EndpointId::parse("ep_nobody").expect("valid");
    assert_eq!(store.endpoint_by_id(&nobody).await, Ok(None));
    let all = store.all_endpoints(None, 1_000).await.expect("read");
    assert!(all.items.contains(&first));

    let off = first.disabled(at(10)).expect("enabled");
    assert_eq!(store.replace_endpoint(&first, &off, None).await, Ok(true));
    let late = Endpoint { updated_at: at(11), ..other };
    assert_eq!(store.replace_endpoint(&first, &late, None).await, Ok(false), "it has moved on");
    assert_eq!(by_id().await, Some(off.clone()));
    let gone = off.deleted(at(20)).expect("there");
    assert_eq!(store.replace_endpoint(&off, &gone, Some(at(99))).await, Ok(true));
    let there = store.endpoint(&account, &first.id).await.expect("read").expect("a tombstone");
    assert_eq!(there.state, EndpointState::Deleted { at: at(20) });

    let rotated = secrets(1).rotated(secrets(3).current, at(60), at(0)).expect("none under way");
    for (was, now, expected) in [
        (secrets(2), rotated.clone(), false),
        (secrets(1), rotated.clone(), true),
        (secrets(1), rotated.clone(), false),
        (rotated.clone(), rotated.finished(), true),
    ] {
        let replaced = store.replace_secrets(&first.id, &was, &now).await;
        assert_eq!(replaced, Ok(expected), "only those on record");
    }
    assert_eq!(store.secrets(&there.id).await, Ok(Some(secrets(3))));
}

/// Puts deliveries to an endpoint of some shards on record, every `nth` of them failed for good;
/// answers the ids of all, newest first. Two at a time share a moment, from second 1,000 on.
pub async fn logged(
    store: &impl Deliveries,
    to: &Endpoint,
    count: u64,
    nth_failed: u64,
) -> Vec<DeliveryId> {
    let mut ids = Vec::new();
    for nth in 0..count {
        let mut delivery = event(&format!("{}{nth}", to.id), "{}", std::slice::from_ref(to))
            .deliveries(std::slice::from_ref(to))
            .remove(0);
        // Events of the suite share a moment; pairs of these do.
        let moment = at(1_000 + nth / 2);
        delivery.id = DeliveryId::derive(&to.id, to.shards, moment, &delivery.event_id);
        delivery.created_at = moment;
        assert_eq!(store.create(&delivery).await, Ok(Status::Pending));
        if nth % nth_failed == 0 {
            let change = Change {
                attempt: None,
                url: None,
                status: Status::Failed(FailedReason::Exhausted),
                scheduled_attempts: 5,
                settles: Settles::Tier,
                next_attempt_at: None,
                gives_up_at: None,
                due_at: None,
                notice: None,
            };
            assert_eq!(store.commit(&delivery.id, &delivery.stage(), &change).await, Ok(true));
        }
        ids.push(delivery.id);
    }
    ids.sort_by_key(|id| std::cmp::Reverse(LogPlace::of(id)));
    ids
}

/// Pages over several shards, newest first, within bounds, and problems alone.
pub async fn log(store: &(impl DeliveryLog + Deliveries)) {
    let to = sharded("ep_log", 3);
    let ids = logged(store, &to, 20, 4).await;
    let newest = LogQuery { from: at(0), ..LogQuery::newest(&to.id, 3, 6) };
    let met = walk(store, newest.clone()).await;
    assert_eq!(met, ids, "newest first, each once");
    let bounds = LogQuery { from: at(1_002), to: at(1_007), ..newest.clone() };
    assert_eq!(walk(store, bounds).await.len(), 10, "from inclusive, to exclusive");
    let nothing = LogQuery { from: at(1_007), to: at(1_002), ..newest.clone() };
    assert_eq!(walk(store, nothing).await, []);
    let problems = LogQuery { problems_only: true, limit: 2, ..newest };
    assert_eq!(walk(store, problems).await.len(), 5);
}

/// An endpoint of the suite with so many shards.
pub fn sharded(name: &str, shards: u16) -> Endpoint {
    Endpoint { shards, ..endpoint(name) }
}

async fn walk(store: &impl DeliveryLog, mut query: LogQuery) -> Vec<DeliveryId> {
    let mut met = Vec::new();
    loop {
        let page = store.log(&query).await.expect("read");
        assert!(page.items.len() <= query.limit);
        met.extend(page.items.into_iter().map(|delivery| delivery.id));
        query.before = page.next;
        if query.before.is_none() {
            return met;
        }
    }
}

/// A key's use is noted once for what was read. `record` is on record.
pub async fn keys(store: &impl ApiKeys, record: &ApiKeyRecord) {
    assert_eq!(store.api_key("key_nobody").await, Ok(None));
    assert_eq!(store.api_key(&record.id).await.as_ref(), Ok(&Some(record.clone())));
    let used = || async { store.api_key(&record.id).await.expect("read").expect("there") };
    assert_eq!(store.note_use(record, at(5)).await, Ok(()));
    assert_eq!(store.note_use(record, at(6)).await, Ok(()));
    assert_eq!(used().await.last_used_at, Some(at(5)), "the second read was stale");
    assert_eq!(store.note_use(&used().await, at(7)).await, Ok(()));
    assert_eq!(used().await.last_used_at, Some(at(7)));
    let stranger = ApiKeyRecord { id: "key_stranger".into(), ..record.clone() };
    assert_eq!(store.note_use(&stranger, at(8)).await, Ok(()));
    assert_eq!(store.api_key("key_stranger").await, Ok(None), "a note makes no key");
}

/// A link is kept once, as it was made.
pub async fn links(store: &impl PortalLinks) {
    let scope = |product, endpoint_id| PortalScope {
        account_id: AccountId::parse("acct_1").expect("valid"),
        product,
        endpoint_id,
    };
    let link = |id: &str, scope| PortalLink {
        id: id.into(),
        hash: format!("hash of {id}"),
        scope,
        made_with: "key_1".into(),
        created_at: at(0),
        expires_at: at(60),
    };
    let endpoint = EndpointId::parse("ep_link").ok();
    let links =
        [link("plk_a", scope(None, None)), link("plk_b", scope(Some(Product::Telnxo), endpoint))];
    for link in &links {
        assert_eq!(store.link(&link.id).await, Ok(None));
        assert_eq!(store.keep_link(link).await, Ok(()));
    }
    let other = PortalLink { hash: "another".into(), ..links[0].clone() };
    assert_eq!(store.keep_link(&other).await, Ok(()));
    for link in links {
        assert_eq!(store.link(&link.id).await, Ok(Some(link)));
    }
}

/// Calls up to a limit; one reservation for a name.
pub async fn memory(store: &impl ApiMemory) {
    let window = CallWindow { name: "calls#conformance".into(), limit: 3, expires_at: at(60) };
    let mut counted = Vec::new();
    for _ in 0..5 {
        counted.push(store.count_call(&window).await.expect("counted"));
    }
    assert_eq!(counted, [Some(1), Some(2), Some(3), None, None]);

    let first = Reservation {
        name: "once#conformance".into(),
        request_hash: "a".into(),
        endpoint_id: EndpointId::parse("ep_a").expect("valid"),
        expires_at: at(60),
    };
    let second = Reservation {
        request_hash: "b".into(),
        endpoint_id: EndpointId::parse("ep_b").expect("valid"),
        expires_at: at(60) + Duration::from_secs(60),
        ..first.clone()
    };
    assert_eq!(store.reserve(&first, at(0)).await.as_ref(), Ok(&first));
    assert_eq!(store.reserve(&second, at(59)).await.as_ref(), Ok(&first), "it stands");
    assert_eq!(store.reserve(&second, at(60)).await.as_ref(), Ok(&second), "it has expired");
}
