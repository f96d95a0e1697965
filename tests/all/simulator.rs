//! Seeded histories: every one must come to rest without a violation.

use std::thread;

use tests::simulator::{Plan, Told, tell, tell_and_tamper, tell_plan, tell_weeks};
use tests::world::Fault;

/// Histories told by every test run; `tests/examples/soak.rs` tells as many as one likes.
const SEEDS: u64 = 2_000;
/// Histories of weeks told by every test run.
const WEEKS: u64 = 40;

/// What must have been done in them, often.
const DEEDS: [&str; 15] = [
    "audited",
    "cancelled",
    "daily",
    "deleted",
    "disabled",
    "edited",
    "enabled",
    "erased",
    "job stopped",
    "recovered",
    "rotated",
    "rotation finished",
    "sent again",
    "tended",
    "tested",
];

fn told(seeds: impl Iterator<Item = u64>) -> Told {
    seeds.fold(Told::default(), |all, seed| match tell(seed) {
        Ok(told) => all.plus(told),
        Err(violation) => panic!("{violation}"),
    })
}

#[test]
fn no_history_loses_an_event() {
    let all = thread::scope(|scope| {
        let halves = [0, 1].map(|half| scope.spawn(move || told((half..SEEDS).step_by(2))));
        halves.map(|half| half.join().expect("its violation is told above"))
    });
    let all = all.into_iter().fold(Told::default(), Told::plus);
    assert!(all.deliveries > SEEDS, "histories in which something happens: {all:?}");
    for fault in Fault::ALL {
        assert!(all.faults[fault] > 10, "every kind of fault: {all}");
    }
    for deed in DEEDS {
        assert!(all.deeds.get(deed).is_some_and(|times| *times > 20), "{deed}: {all}");
    }
    assert!(all.disabled > 20 && all.mails > all.disabled, "{all}");
}

#[test]
fn without_faults_nothing_happens_twice() {
    // Every fifth history has none; half of those have no people in it.
    let all = told((5..500).step_by(10));
    assert_eq!((all.extra_posts, all.retries, all.faults.total()), (0, 0, 0));
    // A retry may cross an attempt of the schedule, and each then makes its own request.
    let all = told((0..500).step_by(10));
    assert!(all.retries > 100, "{all:?}");
    assert!(all.extra_posts <= all.retries, "{all:?}");
    assert_eq!(all.faults.total(), 0);
}

#[test]
fn whatever_is_taken_away_at_rest_is_found() {
    for seed in 0..300 {
        tell_and_tamper(seed).unwrap_or_else(|violation| panic!("{violation}"));
    }
}

/// Issue 7, Seen 4.
#[test]
fn whoever_answers_is_never_disabled_and_whoever_never_does_always() {
    let (mut disabled, mut mails) = (0, 0);
    for seed in 0..WEEKS {
        match tell_weeks(seed) {
            Ok(outcomes) => {
                disabled += outcomes.disabled;
                mails += outcomes.mails;
            }
            Err(violation) => panic!("weeks of {violation}"),
        }
    }
    assert!(disabled > WEEKS / 2, "{disabled} were disabled");
    assert!(mails > 2 * disabled, "{mails} mails");
}

#[test]
fn whoever_waits_is_awaited() {
    for fault in [Fault::Throttled, Fault::Silent, Fault::Killed] {
        let plans = (0..200).map(|seed| Plan::from_seed(seed).only(fault));
        let met: u64 = plans
            .map(|plan| tell_plan(plan).unwrap_or_else(|violation| panic!("{violation}")))
            .map(|told| told.faults[fault])
            .sum();
        assert!(met > 50, "{fault:?}: {met}");
    }
}
