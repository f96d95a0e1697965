//! The rules, one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::Timestamp;
use domain::delivery::{Attempt, Delivery, FailedReason, Outcome, Status, Trigger};
use domain::ids::{DeliveryId, EndpointId, EventId};
use domain::job::JobState;
use domain::limits::EARLY_MS;
use domain::schedule::Tier;
use domain::secret::{Secret, SigningSecrets};
use domain::wakeup::{Call, WakeUp};

use crate::simulator::SKEW_MS;
use crate::world::{Post, State};

/// The documented waits, and the end after the last.
const DELAYS_S: [u64; 4] = [300, 1_800, 7_200, 28_800];
const GIVE_UP_S: u64 = 86_400;

/// What holds, or a sentence that says what does not.
pub(in crate::simulator) type Holds = Result<(), String>;

pub(in crate::simulator) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Holds {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// What a delivery may become.
pub(super) fn check_change(before: &Delivery, now: &Delivery) -> Holds {
    let id = &now.id;
    let stands = match before.status {
        Status::Succeeded => now.status == before.status,
        Status::Skipped | Status::Failed(_) => {
            now.status == before.status || now.status == Status::Succeeded
        }
        Status::Pending => now.status != Status::Skipped,
        Status::Retrying => !matches!(now.status, Status::Pending | Status::Skipped),
    };
    ensure(stands, || format!("{id} went from {:?} to {:?}", before.status, now.status))?;
    let kept = match now.erased_at {
        None => before.erased_at.is_none() && now.attempts.starts_with(&before.attempts),
        Some(at) => {
            let mut before = before.clone();
            before.erase(at);
            now.attempts.starts_with(&before.attempts)
        }
    };
    ensure(kept, || format!("{id} lost an attempt"))?;
    ensure(now.scheduled_attempts >= before.scheduled_attempts, || format!("{id} went back"))
}

/// What is true of every record.
pub(super) fn check_record(now: &Delivery, retried: bool) -> Holds {
    let id = &now.id;
    let is_success = |a: &&Attempt| a.answer.outcome == Outcome::Succeeded;
    let successes = now.attempts.iter().filter(is_success).count();
    let scheduled = now.attempts.iter().filter(|a| a.trigger == Trigger::Schedule);
    let failures = scheduled.filter(|a| !is_success(a)).count();
    ensure(failures <= 5, || format!("{id} has {failures} failed attempts"))?;
    ensure(successes <= 1 || retried, || format!("{id} has {successes} successes"))?;
    ensure((successes > 0) == (now.status == Status::Succeeded), || {
        format!("{id} is {:?} with {successes} successes", now.status)
    })?;
    let exhausted = now.status == Status::Failed(FailedReason::Exhausted);
    ensure(!exhausted || failures == 5, || format!("{id} is exhausted after {failures}"))?;
    let waits = now.status == Status::Retrying;
    let waits = waits || now.notice.is_some() || now.open_retry.is_some();
    ensure(!waits || now.due_at.is_some(), || format!("{id} waits, but not in `due`"))?;
    let quoted = now.attempts.iter().any(|a| a.answer.response_body.is_some());
    ensure(now.erased_at.is_none() || !quoted, || format!("{id} was erased, and has an answer"))
}

/// Each failure is followed by the documented wait, never less (but for a wake-up that may be 2 s
/// early and clocks that differ); the next is arranged for it, and never for more than what the
/// endpoint may ask for.
pub(super) fn check_schedule(delivery: &Delivery, on_time: bool) -> Holds {
    let scheduled = delivery.attempts.iter().filter(|a| a.trigger == Trigger::Schedule);
    let scheduled: Vec<_> = scheduled.collect();
    if scheduled.len() != usize::from(delivery.scheduled_attempts) {
        return Ok(()); // the success of an earlier POST, recorded late
    }
    let early_ms = u64::try_from(EARLY_MS).unwrap_or(0) + 2 * SKEW_MS;
    let ended = |a: &Attempt| a.at + Duration::from_millis(a.answer.duration_ms);
    for (pair, delay_s) in scheduled.windows(2).zip(DELAYS_S) {
        let least = ended(pair[0]) + Duration::from_secs(delay_s) - Duration::from_millis(early_ms);
        ensure(pair[1].at >= least, || {
            format!("{}: attempt {} came early", delivery.id, pair[1].number)
        })?;
    }
    let (Some(next), Some(last)) = (delivery.next_attempt_at, scheduled.last()) else {
        return Ok(());
    };
    let nth = scheduled.len() - 1;
    let full = |s: u64| Duration::from_millis(s * 1_050);
    let delay_s = DELAYS_S.get(nth).copied().unwrap_or(0);
    let (least, most) = (ended(last) + Duration::from_secs(delay_s), ended(last) + full(delay_s));
    let most = match (on_time, DELAYS_S.get(nth + 1)) {
        (true, _) => most,
        (false, Some(following)) => most + full(*following),
        (false, None) => most.max(scheduled[0].at + Duration::from_secs(GIVE_UP_S)),
    };
    ensure((least..=most).contains(&next), || {
        format!("{}: after {nth} comes {next}, not {least} to {most}", delivery.id)
    })
}

/// Whoever gets a new secret keeps the old one beside it.
pub(super) fn check_secrets(
    state: &State,
    known: &mut BTreeMap<EndpointId, SigningSecrets>,
) -> Holds {
    for (id, now) in &state.secrets {
        let Some(before) = known.get(id).filter(|before| *before != now) else {
            known.entry(id.clone()).or_insert_with(|| now.clone());
            continue;
        };
        let beside = now.previous.as_ref().map(|(old, _)| old);
        let kept = before.current == now.current || beside == Some(&before.current);
        ensure(kept, || format!("{id} has a new secret, and the old one is gone"))?;
        known.insert(id.clone(), now.clone());
    }
    Ok(())
}

/// A receiver with the new secret can verify it, and so can, while a rotation is under way, one that
/// still has the old.
pub(super) fn check_signed(state: &State, post: &Post) -> Holds {
    let id = EventId::parse(post.header("webhook-id")).map_err(|e| e.to_string())?;
    let endpoint = state.endpoints.iter().find(|e| e.url == post.request.url);
    let endpoint = endpoint.ok_or(format!("a POST to nobody: {}", post.request.url))?;
    let secrets = state.secrets.get(&endpoint.id).ok_or("an endpoint without a secret")?;
    let secs = post.header("webhook-timestamp").parse().map_err(|_| "a POST without a time")?;
    let found = post.header("webhook-signature");
    let expect = |secret: &Secret| {
        let alone = SigningSecrets { current: secret.clone(), previous: None };
        let expected = alone.sign(&id, &post.request.body, Timestamp::from_secs(secs)).standard;
        let signed = found.split(' ').any(|signature| signature == expected);
        ensure(signed, || format!("{} cannot verify what it gets at {}", endpoint.id, post.at))
    };
    expect(&secrets.current)?;
    let overlap = secrets.previous.as_ref();
    let overlap = overlap.filter(|(_, until)| *until > post.at + Duration::from_millis(SKEW_MS));
    overlap.map_or(Ok(()), |(old, _)| expect(old))
}

/// Whoever waits for an attempt has a wake-up for it, in a queue or in a schedule. Where people are
/// killed, the one for the attempt before may still have to come again, to see what was not arranged;
/// and who waits for the first attempt may do so because ingest was killed.
pub(super) fn check_awaited(
    state: &State,
    letters: &mut BTreeMap<String, Option<(DeliveryId, Tier)>>,
    kills: bool,
) -> Holds {
    let waits = |d: &&Delivery| match d.status {
        Status::Pending => !kills,
        Status::Retrying => d.next_attempt_at.is_some(),
        Status::Succeeded | Status::Failed(_) | Status::Skipped => false,
    };
    let mut waiting = state.deliveries.values().filter(waits).peekable();
    if waiting.peek().is_none() {
        return Ok(());
    }
    let scheduled = |body: &String| match Call::parse(body) {
        Ok(Call::Scheduled(wake_up)) => Some((wake_up.delivery_id, wake_up.tier)),
        Ok(Call::Retry(_) | Call::Step(_)) | Err(_) => None,
    };
    for queued in &state.queued {
        if !letters.contains_key(&queued.id) {
            letters.insert(queued.id.clone(), scheduled(&queued.body));
        }
    }
    let queued = state.queued.iter().filter_map(|queued| letters.get(&queued.id)?.as_ref());
    let queued: BTreeSet<(&DeliveryId, Tier)> = queued.map(|(id, tier)| (id, *tier)).collect();
    let set_aside: BTreeSet<(DeliveryId, Tier)> =
        state.dead.iter().filter_map(|dead| scheduled(&dead.letter.body)).collect();
    waiting.try_for_each(|delivery| {
        let (id, open) = (&delivery.id, delivery.scheduled_attempts);
        let mut seen_to = (open.saturating_sub(u8::from(kills))..=open).filter(|tier| {
            queued.contains(&(id, *tier)) || set_aside.contains(&(id.clone(), *tier))
        });
        let awaited = seen_to.next().is_some() || {
            let wake_up = WakeUp::fresh(id.clone(), open);
            state.schedules.contains_key(&wake_up.schedule_name())
        };
        ensure(awaited, || format!("nothing will wake {}", delivery.id))
    })
}

/// One job of an endpoint at a time; its figures add up; its end is told.
pub(super) fn check_jobs(state: &State, told: &BTreeSet<String>) -> Holds {
    let mut running = BTreeSet::new();
    for job in state.jobs.values() {
        let id = &job.id;
        if job.state == JobState::Running {
            ensure(running.insert(&job.endpoint_id), || {
                format!("two jobs of {} are running", job.endpoint_id)
            })?;
        }
        let silent = job.state != JobState::Running && !job.notice;
        let heard = || told.contains(id.as_str());
        ensure(!silent || heard(), || format!("{id} is over, and nobody will hear of it"))?;
        ensure(job.done() <= job.total, || format!("{id} has done more than there is: {job:?}"))?;
        let all = job.state != JobState::Finished || job.done() == job.total;
        ensure(all, || format!("{id} is finished, {} of {} done", job.done(), job.total))?;
    }
    Ok(())
}
