use super::*;
use crate::endpoint::tests::endpoint;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;
const RULES: HealthRules = HealthRules {
    alert_after: Some(secs(HOUR)),
    warn_after: secs(3 * DAY),
    disable_after: secs(WEEK),
};
/// Past this, an endpoint is disabled.
const END: u64 = WEEK + 3 * MINUTE;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn registered_at() -> Timestamp {
    endpoint("ep_1", &["*"]).enabled_at
}

/// Seconds after a moment just after the endpoint was registered and enabled.
fn at(seconds: u64) -> Timestamp {
    registered_at() + secs(seconds + 1)
}

/// What happens to an endpoint, and when.
#[derive(Clone, Copy)]
enum Step {
    Fails(u64),
    Succeeds(u64),
    /// Off and on again by a person, between two seconds.
    Enabled(u64),
    /// A failure whose attempt was under way while the endpoint was enabled.
    FailsFromBefore(u64),
    /// A failure that is found on record at the second moment.
    FoundLater(u64, u64),
    DisabledByHand(u64),
    Deleted(u64),
    Sweeps(u64),
}
use Step::{
    Deleted, DisabledByHand, Enabled, Fails, FailsFromBefore, FoundLater, Succeeds, Sweeps,
};

#[test]
fn who_stands_apart() {
    let now = at(HOUR);
    for (failing, silent_until, apart) in [
        (false, None, false),
        (false, Some(at(HOUR - 1)), false),
        (false, Some(now), false),
        (false, Some(at(HOUR + 1)), true),
        (true, None, true),
        (true, Some(at(HOUR - 1)), true),
    ] {
        let mut endpoint = Endpoint { silent_until, ..endpoint("ep_1", &["*"]) };
        if failing {
            take(&mut endpoint, Fails(MINUTE));
        }
        assert_eq!(endpoint.stands_apart(now), apart, "{failing} {silent_until:?}");
        assert_eq!(endpoint.is_in_trouble(), failing, "silence is no failure");
        assert_eq!(endpoint.needs_attention(), failing);
    }
}

fn take(endpoint: &mut Endpoint, step: Step) {
    let size = RULES.step();
    let next = match step {
        Fails(t) => endpoint.after_failure(at(t), endpoint.enabled_at, size),
        Succeeds(t) => endpoint.after_success(at(t), size),
        FailsFromBefore(t) => endpoint.after_failure(at(t), registered_at(), size),
        FoundLater(t, now) => endpoint.after_old_failure(at(t), at(now), size),
        Enabled(t) => {
            endpoint.disabled(at(t - 1)).unwrap_or_else(|| endpoint.clone()).enabled(at(t))
        }
        DisabledByHand(t) => endpoint.disabled(at(t)),
        Deleted(t) => endpoint.deleted(at(t)),
        Sweeps(t) => endpoint.tended(&RULES, at(t)),
    };
    if let Some(next) = next {
        *endpoint = next;
    }
}

fn after(steps: impl IntoIterator<Item = Step>) -> Endpoint {
    let mut endpoint = endpoint("ep_1", &["*"]);
    steps.into_iter().for_each(|step| take(&mut endpoint, step));
    endpoint
}

/// A failure every so many seconds, to the end.
fn failing(from: u64, to: u64, every: u64) -> impl Iterator<Item = Step> {
    (0..=(to - from) / every).map(move |n| Fails(from + n * every))
}

fn told(endpoint: &Endpoint) -> Vec<(Channel, Happening)> {
    endpoint.notices.iter().map(|notice| (notice.channel, notice.what)).collect()
}

#[track_caller]
fn check_failing(steps: &[Step], since: Option<u64>) {
    assert_eq!(after(steps.iter().copied()).failing_since(), since.map(at));
}

/// Decision 0026: the success has ended the record, and is not known any more.
#[test]
fn an_old_failure_begins_no_streak_before_it_was_found() {
    let late = 20 * MINUTE;
    check_failing(&[Fails(0), Succeeds(15 * MINUTE), FoundLater(60, late)], Some(late));
    check_failing(&[FoundLater(60, late)], Some(late));
    check_failing(&[Fails(0), FoundLater(2 * MINUTE, late)], Some(0));
    check_failing(&[Fails(0), Succeeds(15 * MINUTE), FoundLater(60, late), Succeeds(late)], None);
}

#[test]
fn since_when_an_endpoint_is_failing() {
    check_failing(&[], None);
    check_failing(&[Succeeds(5)], None);
    check_failing(&[Fails(10)], Some(10));
    check_failing(&[Fails(10), Fails(300)], Some(10));
    check_failing(&[Fails(10), Succeeds(300)], None);
    check_failing(&[Fails(10), Succeeds(300), Fails(400)], Some(400));
    check_failing(&[Fails(10), Succeeds(300), Fails(400), Fails(900)], Some(400));
    // Within a step of the failure before, a failure is not recorded; the next one is.
    check_failing(&[Fails(10), Succeeds(20), Fails(30)], None);
    check_failing(&[Fails(10), Succeeds(20), Fails(30), Fails(70)], Some(70));
    // A success is, whenever a failure came after the last one recorded.
    check_failing(&[Fails(10), Succeeds(20), Fails(70), Succeeds(71)], None);
    // One that began before the last failure ended the streak before it.
    check_failing(&[Fails(10), Fails(300), Succeeds(290)], Some(290));
    check_failing(&[Fails(10), Enabled(500)], None);
    check_failing(&[Fails(10), Enabled(500), Fails(600)], Some(600));
    check_failing(&[Fails(10), Enabled(500), FailsFromBefore(499)], None);
    // A clock that is behind cannot put the streak before the enabling.
    check_failing(&[Enabled(500), Fails(499)], None);
    check_failing(&[Fails(10), DisabledByHand(500)], None);
    check_failing(&[Fails(10), DisabledByHand(500), Fails(501)], None);
    check_failing(&[Fails(10), Deleted(500)], None);
}

#[test]
fn what_is_written_and_how_often() {
    let size = RULES.step();
    let healthy = after([]);
    assert_eq!(healthy.after_success(at(5), size), None, "a healthy endpoint costs no write");
    let failed = after([Fails(10)]);
    assert_eq!(failed.after_failure(at(69), failed.enabled_at, size), None, "once a minute");
    assert!(failed.after_failure(at(70), failed.enabled_at, size).is_some());
    assert_eq!(failed.after_failure(at(5), failed.enabled_at, size), None, "never back");
    let mended = after([Fails(10), Succeeds(20)]);
    assert_eq!(mended.after_success(at(79), size), None, "once a minute");
    assert!(mended.after_success(at(80), size).is_some());
    let relapsed = after([Fails(10), Succeeds(20), Fails(70)]);
    assert!(relapsed.after_success(at(71), size).is_some(), "unless it failed in between");
    assert_eq!(relapsed.after_success(at(20), size), None, "never back");
    assert!(mended.after_success(at(610), size).is_some_and(|e| e.health != Health::default()));
    let cleared = mended.after_success(at(611), size).expect("ten steps after the failure");
    assert_eq!(cleared.health, Health::default());
    assert!(!cleared.needs_attention());
}

#[test]
fn a_step_is_a_minute_or_less() {
    let sizes = [WEEK, 2 * HOUR, HOUR, 100, 50].map(|s| step(secs(s)).as_millis());
    assert_eq!(sizes, [60_000, 60_000, 36_000, 1_000, 500]);
}

/// What daily makes of it, run at a moment.
#[track_caller]
fn check_judged(steps: impl IntoIterator<Item = Step>, now: u64, expected: Option<Happening>) {
    let judged = after(steps).judged(&RULES, at(now));
    let newest = judged.and_then(|e| e.notices.last().map(|notice| notice.what));
    assert_eq!(newest, expected);
}

#[test]
fn who_is_warned_and_who_is_disabled() {
    let (none, warned, disabled) = (None, Some(Happening::Warned), Some(Happening::Disabled));
    let hourly = |to| failing(0, to, HOUR);
    check_judged(hourly(3 * DAY), 3 * DAY - 1, none);
    check_judged(hourly(3 * DAY), 3 * DAY, warned);
    check_judged(hourly(WEEK), WEEK, warned);
    check_judged(hourly(WEEK), END - 1, warned);
    check_judged(hourly(WEEK), END, disabled);
    // A success in the middle, and one just before the end.
    check_judged(hourly(WEEK).chain([Succeeds(WEEK + 1)]), END, none);
    let broken = failing(0, 3 * DAY, HOUR).chain([Succeeds(3 * DAY + 60)]);
    let broken: Vec<Step> = broken.chain(failing(3 * DAY + HOUR, WEEK, HOUR)).collect();
    check_judged(broken.clone(), END, warned);
    check_judged(
        broken.into_iter().chain(failing(WEEK, 10 * DAY + HOUR, HOUR)),
        10 * DAY + HOUR + 180,
        disabled,
    );
    // One failed event, then silence.
    check_judged([0, 300, 2_100, 9_300, 38_100].map(Fails), 3 * DAY, none);
    check_judged([0, 300, 2_100, 9_300, 38_100].map(Fails), 30 * DAY, none);
    // The last failure exactly a day ago, and longer.
    check_judged(hourly(WEEK), 8 * DAY, disabled);
    check_judged(hourly(WEEK), 8 * DAY + 1, none);
    // Traffic on weekdays only, failing throughout: not on the weekend, but on Monday.
    let weekday = |d: u64| failing(d * DAY, d * DAY + 10 * HOUR, HOUR);
    let week = || (0..5).flat_map(weekday);
    check_judged(week(), 7 * DAY + HOUR, none);
    check_judged(week().chain(weekday(7)), 7 * DAY + 10 * HOUR, disabled);
    // Flapping: a success a day.
    let flapping = |to| {
        (0..to).flat_map(|d| {
            failing(d * DAY, d * DAY + 20 * HOUR, HOUR).chain([Succeeds(d * DAY + 22 * HOUR)])
        })
    };
    check_judged(flapping(30), 30 * DAY, none);
    // Enabled in between; an attempt in flight meanwhile; by hand; deleted.
    check_judged(hourly(WEEK).chain([Enabled(WEEK + 10)]), END, none);
    check_judged(hourly(WEEK).chain([Enabled(WEEK + 10), FailsFromBefore(WEEK + 9)]), END, none);
    check_judged(hourly(WEEK).chain([Enabled(WEEK + 10), Fails(WEEK + 70)]), END, none);
    check_judged(hourly(WEEK).chain([DisabledByHand(WEEK + 10)]), END, none);
    check_judged(hourly(WEEK).chain([Deleted(WEEK + 10)]), END, none);
    // Enabled on day 1, quiet, one failure on day 9.
    check_judged([Enabled(DAY), Fails(9 * DAY)], 9 * DAY + HOUR, none);
}

#[test]
fn a_day_boundary_means_nothing() {
    for offset in [0, 1, DAY - 1, DAY / 2] {
        let steps = || failing(offset, offset + WEEK, HOUR);
        check_judged(steps(), offset + END - 1, Some(Happening::Warned));
        check_judged(steps(), offset + END, Some(Happening::Disabled));
    }
}

#[test]
fn a_disabled_endpoint_says_why() {
    let judged = after(failing(0, WEEK, HOUR)).judged(&RULES, at(END)).expect("its time is up");
    let state = EndpointState::Disabled { reason: DisabledReason::Failing, at: at(END) };
    assert_eq!((judged.state, judged.health), (state, Health::default()));
    let expected = [(Channel::Bus, Happening::Disabled), (Channel::Mail, Happening::Disabled)];
    assert_eq!(told(&judged), expected);
    assert!(judged.notices.iter().all(|notice| notice.since == Some(at(0))));
    assert_eq!(judged.judged(&RULES, at(END)), None, "once");
    let enabled = judged.enabled(at(8 * DAY)).expect("disabled");
    let once = enabled.after_failure(at(8 * DAY + 60), enabled.enabled_at, RULES.step());
    let once = once.expect("a failure");
    assert_eq!(once.judged(&RULES, at(8 * DAY + 120)), None, "one failure after enable");
}

#[test]
fn one_warning_a_streak() {
    let warned = after(failing(0, 4 * DAY, HOUR)).judged(&RULES, at(4 * DAY)).expect("warned");
    assert_eq!(told(&warned), [(Channel::Mail, Happening::Warned)]);
    assert_eq!(warned.judged(&RULES, at(4 * DAY + 60)), None);
    let mut next = warned;
    let again = [Succeeds(4 * DAY + 60)].into_iter().chain(failing(5 * DAY, 9 * DAY, HOUR));
    again.for_each(|step| take(&mut next, step));
    let warned = next.judged(&RULES, at(9 * DAY)).expect("warned of the next one, too");
    assert_eq!(warned.notices.len(), 2);
}

#[test]
fn one_alert_and_one_end_a_streak() {
    use Happening::{Failing, Recovered};
    let both = |what| [(Channel::Bus, what), (Channel::Mail, what)];
    let before = after([Fails(0), Fails(300), Sweeps(HOUR - 1)]);
    assert_eq!(told(&before), []);
    let steps = [Fails(0), Fails(300), Sweeps(HOUR), Sweeps(HOUR + 300), Fails(2 * HOUR)];
    let alerted = after(steps.into_iter().chain([Sweeps(2 * HOUR)]));
    assert_eq!(told(&alerted), both(Failing));
    assert!(alerted.notices.iter().all(|notice| notice.since == Some(at(0))));
    let over = steps.into_iter().chain([Succeeds(3 * HOUR), Sweeps(3 * HOUR), Sweeps(4 * HOUR)]);
    let over = after(over);
    assert_eq!(told(&over), [both(Failing), both(Recovered)].concat());
    assert_eq!(over.health, Health::default());
    // The success may have ended the record before the sweeper came by.
    let cleared = after([Fails(0), Sweeps(HOUR), Succeeds(2 * HOUR), Succeeds(3 * HOUR)]);
    assert_eq!(cleared.health, Health { alerted_for: Some(at(0)), ..Health::default() });
    let mut cleared = cleared;
    take(&mut cleared, Sweeps(4 * HOUR));
    assert_eq!(told(&cleared), [both(Failing), both(Recovered)].concat());
    // Failing again by the time the sweeper comes by: the first streak has ended all the same.
    let again = [Fails(0), Sweeps(HOUR), Succeeds(2 * HOUR), Fails(3 * HOUR), Sweeps(4 * HOUR)];
    let again = after(again);
    assert_eq!(told(&again), [both(Failing), both(Recovered), both(Failing)].concat());
    // Disabled by hand: that is announced, not that it recovered.
    let off = after([Fails(0), Sweeps(HOUR), Enabled(2 * HOUR), Sweeps(3 * HOUR)]);
    let toggled = [(Channel::Bus, Happening::DisabledByHand), (Channel::Bus, Happening::Enabled)];
    assert_eq!(told(&off), [&both(Failing)[..], &toggled].concat());
}

#[test]
fn without_alerts_it_is_still_announced() {
    let quiet = HealthRules { alert_after: None, ..RULES };
    let failing = after(failing(0, 3 * DAY, HOUR));
    assert_eq!(failing.tended(&quiet, at(3 * DAY - 1)), None);
    let announced = failing.tended(&quiet, at(3 * DAY)).expect("announced with the warning");
    assert_eq!(told(&announced), [(Channel::Bus, Happening::Failing)]);
    let over = announced.after_success(at(4 * DAY), quiet.step()).expect("recorded");
    let over = over.tended(&quiet, at(4 * DAY)).expect("announced");
    assert_eq!(told(&over)[1..], [(Channel::Bus, Happening::Recovered)]);
}

/// Issue 7, Seen 1.
#[test]
fn timelines_that_end_well() {
    // Fails once and succeeds five minutes later, then silence.
    let mut once = after([Fails(0), Succeeds(300)]);
    for minute in (0..30 * DAY).step_by(300) {
        assert_eq!(once.judged(&RULES, at(minute)), None);
        take(&mut once, Sweeps(minute));
    }
    assert_eq!(told(&once), []);
    assert!(!once.needs_attention(), "and is forgotten");
    // One event a week that fails once and then succeeds, for a year.
    let mut weekly = after([]);
    for week in 0..52 {
        take(&mut weekly, Fails(week * WEEK));
        take(&mut weekly, Succeeds(week * WEEK + 300));
        for day in 0..7 {
            let now = week * WEEK + day * DAY + 400;
            assert_eq!(weekly.judged(&RULES, at(now)), None);
            take(&mut weekly, Sweeps(now));
        }
    }
    assert_eq!(told(&weekly), []);
    // Enabled on day 1, quiet, one failure on day 9.
    let mut quiet = after([Fails(0), Enabled(DAY), Fails(9 * DAY)]);
    for hour in 0..24 * 30 {
        assert_eq!(quiet.judged(&RULES, at(9 * DAY + hour * HOUR)), None);
        take(&mut quiet, Sweeps(9 * DAY + hour * HOUR));
    }
    assert_eq!(quiet.state, EndpointState::Enabled);
}
