//! Endpoint health: conditional writes, the index of endpoints in trouble, notices; and rates.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::Timestamp;
use domain::endpoint::notice::{Channel, EndpointNotice, Happening};
use domain::endpoint::{DisabledReason, Endpoint, EndpointState};
use domain::health::Health;
use domain::ids::EndpointId;
use domain::limits::TROUBLE_SHARDS;
use domain::ports::{
    CallWindow, EndpointHealth, EndpointKey, Endpoints, Line, Pace, Registry, Secrets,
};
use domain::secret::{Secret, SigningSecrets};

use super::{at, endpoint};

/// Everything the port promises.
pub async fn health(store: &(impl EndpointHealth + Registry + Endpoints + Secrets)) {
    let first = register(store, "ep_health").await;
    let failed = Endpoint {
        health: Health {
            last_failure_at: Some(at(5)),
            failing_since: Some(at(4)),
            ..Health::default()
        },
        ..first.clone()
    };
    assert!(!is_in_trouble(store, &first).await);
    let racers = (0..8).map(|_| store.record_health(&first, &failed));
    let won = futures::future::join_all(racers).await;
    assert_eq!(won.iter().filter(|won| **won == Ok(true)).count(), 1, "only as it was read");
    assert_eq!(read(store, &first).await, failed);
    assert!(is_in_trouble(store, &first).await);

    // Somebody edits it: health stays, and is no reason for the edit to fail.
    let edited = Endpoint { description: Some("new".into()), updated_at: at(6), ..first.clone() };
    assert_eq!(store.replace_endpoint(&first, &edited, None).await, Ok(true));
    let both = Endpoint { description: Some("new".into()), updated_at: at(6), ..failed.clone() };
    assert_eq!(read(store, &first).await, both);

    // A request waits for its answer: that is noted, and changes nothing else.
    let key = EndpointKey::of(&first);
    for until in [at(20), at(19)] {
        assert_eq!(store.note_silence(&key, until).await, Ok(()));
        let silent = Endpoint { silent_until: Some(until), ..both.clone() };
        assert_eq!(read(store, &first).await, silent, "as it was told last");
    }
    let silent = read(store, &first).await;
    let again = Endpoint { description: Some("newer".into()), updated_at: at(7), ..both.clone() };
    assert_eq!(store.replace_endpoint(&both, &again, None).await, Ok(true), "no reason to fail");
    let both = Endpoint { silent_until: silent.silent_until, ..again };
    assert_eq!(read(store, &first).await, both, "an edit leaves it alone");

    changes_of_state(store, both).await;
    pages(store).await;
    let nobody = EndpointKey::of(&Endpoint { id: id("ep_nobody"), ..first });
    assert_eq!(store.claim_notices(&nobody, at(90), at(1)).await, Ok(false));
    assert_eq!(store.note_silence(&nobody, at(90)).await, Ok(()));
    assert_eq!(store.finish_notice(&nobody, &notice(1, Happening::Enabled)).await, Ok(()));
    assert_eq!(store.endpoint(&nobody.account_id, &nobody.id).await, Ok(None), "none is made");
}

/// The suite disables it; a person's enabling is lost to nobody, and ends its record.
async fn changes_of_state(store: &(impl EndpointHealth + Registry + Endpoints), was: Endpoint) {
    let told = [notice(9, Happening::Disabled), notice(8, Happening::Failing)];
    let off = Endpoint {
        state: EndpointState::Disabled { reason: DisabledReason::Failing, at: at(9) },
        health: Health { alerted_for: Some(at(4)), warned_for: Some(at(3)), ..Health::default() },
        notices: BTreeSet::from(told),
        ..was.clone()
    };
    let succeeded = Health { last_success_at: Some(at(7)), ..was.health };
    let stale = Endpoint { health: succeeded, ..was.clone() };
    assert_eq!(store.record_health(&stale, &off).await, Ok(false), "a success wins");
    let stale = Endpoint { enabled_at: at(7), ..was.clone() };
    assert_eq!(store.record_health(&stale, &off).await, Ok(false), "an enabling wins");
    assert_eq!(store.record_health(&was, &off).await, Ok(true));
    assert_eq!(read(store, &was).await, off);
    assert_eq!(store.record_health(&was, &off).await, Ok(false), "another state");

    let key = EndpointKey::of(&was);
    let racers = (0..8).map(|_| store.claim_notices(&key, at(90), at(30)));
    let won = futures::future::join_all(racers).await;
    assert_eq!(won.iter().filter(|won| **won == Ok(true)).count(), 1);
    assert_eq!(store.claim_notices(&key, at(120), at(89)).await, Ok(false), "it is live");
    assert_eq!(store.claim_notices(&key, at(120), at(90)).await, Ok(true), "it has run out");
    assert_eq!(store.free_notices(&key, at(90)).await, Ok(()));
    assert_eq!(store.claim_notices(&key, at(130), at(91)).await, Ok(false), "another's stands");
    assert_eq!(store.free_notices(&key, at(120)).await, Ok(()));
    assert_eq!(store.claim_notices(&key, at(130), at(91)).await, Ok(true), "it was ended");

    assert_eq!(store.finish_notice(&key, &told[0]).await, Ok(()));
    assert_eq!(store.finish_notice(&key, &told[0]).await, Ok(()), "gone is gone");
    let on = off.enabled(at(40)).expect("disabled");
    assert_eq!(store.replace_endpoint(&off, &on, None).await, Ok(true));
    let there = read(store, &was).await;
    let enabled =
        EndpointNotice { channel: Channel::Bus, since: None, ..notice(40, Happening::Enabled) };
    assert_eq!(there.notices, BTreeSet::from([told[1], enabled]), "each for itself");
    assert_eq!((there.health, there.enabled_at), (Health::default(), at(40)));
    for notice in &there.notices {
        assert_eq!(store.finish_notice(&key, notice).await, Ok(()));
    }
    let there = read(store, &was).await;
    assert_eq!(there.notices, BTreeSet::new());
    assert_eq!(store.record_health(&there, &there).await, Ok(true));
    assert!(!is_in_trouble(store, &there).await, "taken out");
}

async fn pages(store: &(impl EndpointHealth + Registry + Endpoints + Secrets)) {
    let mut registered = BTreeSet::new();
    for nth in 0..20 {
        let there = register(store, &format!("ep_trouble{nth}")).await;
        let health = Health { failing_since: Some(at(1)), ..Health::default() };
        let failing = Endpoint { health, ..there.clone() };
        assert_eq!(store.record_health(&there, &failing).await, Ok(true));
        registered.insert(there.id);
    }
    let met = in_trouble(store, 2).await;
    assert_eq!(met.len(), met.iter().collect::<BTreeSet<_>>().len(), "each once");
    assert!(registered.iter().all(|id| met.contains(id)));
}

/// Counting within a second, and a line of places.
pub async fn pace(store: &impl Pace) {
    let window = CallWindow { name: "rate#conformance".into(), limit: 3, expires_at: at(60) };
    let racers = (0..8).map(|_| store.count_request(&window));
    let counted = futures::future::join_all(racers).await;
    assert_eq!(counted.iter().filter(|within| **within == Ok(true)).count(), 3);

    let apart = Duration::from_millis(250);
    let line = Line { name: "line#conformance".into(), from: at(10), apart };
    let mut given = BTreeSet::new();
    for _ in 0..4 {
        let racers = (0..2).map(|_| store.take_place(&line));
        for place in futures::future::join_all(racers).await {
            assert!(given.insert(place.expect("a place")), "no place twice");
        }
    }
    let expected: BTreeSet<Timestamp> = (0..8).map(|nth| at(10) + apart * nth).collect();
    assert_eq!(given, expected);
    let later = Line { from: at(11), ..line.clone() };
    assert_eq!(store.take_place(&later).await, Ok(at(12)), "behind those given");
    let later = Line { from: at(20), ..line };
    assert_eq!(store.take_place(&later).await, Ok(at(20)), "the line has ended before");
}

/// An endpoint's partitions grow while it is edited, and nothing but them.
pub async fn spread(store: &(impl Pace + Endpoints + Registry + Secrets)) {
    let there = register(store, "ep_spread").await;
    let whose = EndpointKey::of(&there);
    assert_eq!(store.spread(&whose, 2, 4).await, Ok(false), "it has one");
    let racers = (0..4).map(|_| store.spread(&whose, 1, 2));
    let grown = futures::future::join_all(racers).await;
    assert_eq!(grown.iter().filter(|grown| **grown == Ok(true)).count(), 1);
    assert_eq!(read(store, &there).await, Endpoint { shards: 2, ..there.clone() });
    let renamed = Endpoint { description: Some("busy".into()), ..there.clone() };
    assert_eq!(store.replace_endpoint(&there, &renamed, None).await, Ok(true));
    assert_eq!(read(store, &there).await.shards, 2, "whoever edited it had read one");
    let gone = EndpointKey { id: id("ep_never"), ..whose };
    assert_eq!(store.spread(&gone, 1, 2).await, Ok(false));
}

async fn register(store: &(impl Registry + Secrets), name: &str) -> Endpoint {
    let endpoint = endpoint(name);
    let current = Secret::from_random([1; 24]);
    let secrets = SigningSecrets { current, previous: None };
    store.create_endpoint(&endpoint, &secrets).await.expect("created").0
}

async fn read(store: &impl Endpoints, endpoint: &Endpoint) -> Endpoint {
    let found = store.endpoint(&endpoint.account_id, &endpoint.id).await.expect("read");
    found.expect("on record")
}

/// Everything in the index, read in pages.
async fn in_trouble(store: &impl EndpointHealth, limit: usize) -> Vec<EndpointId> {
    let mut met = Vec::new();
    for shard in 0..TROUBLE_SHARDS {
        let mut after = None;
        for _ in 0..100 {
            let page = store.in_trouble(shard, after.as_ref(), limit).await.expect("read");
            assert!(page.items.len() <= limit);
            met.extend(page.items.into_iter().map(|key| key.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    met
}

async fn is_in_trouble(store: &impl EndpointHealth, endpoint: &Endpoint) -> bool {
    in_trouble(store, 50).await.contains(&endpoint.id)
}

fn notice(seconds: u64, what: Happening) -> EndpointNotice {
    EndpointNotice { at: at(seconds), what, channel: Channel::Mail, since: Some(at(4)) }
}

fn id(text: &str) -> EndpointId {
    EndpointId::parse(text).expect("valid")
}
