//! How a wake-up for a moment is made (design 3.3): by SQS delay if that reaches far enough,
//! otherwise by a one-time schedule, otherwise by a chain of SQS delays.

use crate::Timestamp;
use crate::limits::SQS_DELAY_MAX_S;
use crate::ports::{Outgoing, PortResult, Scheduled, Scheduler, WakeUps, send_one};
use crate::wakeup::{Lane, Origin, WakeUp};

/// How a wake-up was arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arranged {
    /// By SQS, with this delay in seconds.
    Delayed(u32),
    /// By Scheduler.
    Scheduled,
    /// By SQS, as a link of a chain: Scheduler could not be had. Worth counting.
    Hopped,
}

/// Arranges for `wake_up` to arrive at `at`, not before, and as soon after as can be; in `lane` if
/// SQS brings it, since schedules have but one.
///
/// # Errors
/// When neither way worked, or when Scheduler refuses the suite (a missing permission must be
/// seen, not worked around).
pub async fn arrange(
    queues: &impl WakeUps,
    scheduler: &impl Scheduler,
    sqs_delay_max_s: u32,
    (wake_up, lane): (&WakeUp, Lane),
    at: Timestamp,
    now: Timestamp,
) -> PortResult<Arranged> {
    let wait_s = seconds_until(at, now);
    let longest = sqs_delay_max_s.min(SQS_DELAY_MAX_S);
    if wait_s <= longest {
        return delay(queues, (wake_up, lane), wait_s).await.map(|()| Arranged::Delayed(wait_s));
    }
    match ask(scheduler, wake_up, at).await? {
        Scheduled::Created | Scheduled::Exists => Ok(Arranged::Scheduled),
        Scheduled::Past => delay(queues, (wake_up, lane), 0).await.map(|()| Arranged::Delayed(0)),
        Scheduled::Throttled | Scheduled::Unclear(_) => {
            let hop = wake_up.with_origin(Origin::Hop);
            delay(queues, (&hop, lane), longest).await.map(|()| Arranged::Hopped)
        }
    }
}

/// An unclear answer is asked once more: if the first request did work, the second says so.
async fn ask(scheduler: &impl Scheduler, wake_up: &WakeUp, at: Timestamp) -> PortResult<Scheduled> {
    let scheduled = wake_up.with_origin(match wake_up.origin {
        Origin::Hop => Origin::Copy,
        Origin::Fresh | Origin::Copy => wake_up.origin,
    });
    match scheduler.schedule(&scheduled, at).await? {
        Scheduled::Unclear(_) => scheduler.schedule(&scheduled, at).await,
        clear @ (Scheduled::Created
        | Scheduled::Exists
        | Scheduled::Past
        | Scheduled::Throttled) => Ok(clear),
    }
}

async fn delay(
    queues: &impl WakeUps,
    (wake_up, lane): (&WakeUp, Lane),
    delay_s: u32,
) -> PortResult<()> {
    send_one(queues, Outgoing { lane, ..Outgoing::new(wake_up.clone(), delay_s) }).await
}

/// Whole seconds from `now` to `at`, rounded up; 0 if it is past.
pub fn seconds_until(at: Timestamp, now: Timestamp) -> u32 {
    let wait = at.since(now);
    u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use futures::executor::block_on;

    use super::*;
    use crate::attempt::tests::{NOW, delivery};
    use crate::delivery::Status;
    use crate::ports::PortError;
    use crate::wakeup::Call;

    /// Answers from a script, and keeps what it was asked.
    #[derive(Default)]
    struct Script {
        answers: Mutex<Vec<PortResult<Scheduled>>>,
        asked: Mutex<Vec<Origin>>,
        sent: Mutex<Vec<Outgoing>>,
    }

    impl Scheduler for Script {
        async fn schedule(&self, wake_up: &WakeUp, _: Timestamp) -> PortResult<Scheduled> {
            self.asked.lock().expect("unpoisoned").push(wake_up.origin);
            self.answers.lock().expect("unpoisoned").remove(0)
        }
    }

    impl WakeUps for Script {
        async fn send(&self, wake_ups: &[Outgoing]) -> Vec<PortResult<()>> {
            self.sent.lock().expect("unpoisoned").extend_from_slice(wake_ups);
            vec![Ok(()); wake_ups.len()]
        }
    }

    struct Case {
        wait_ms: u64,
        origin: Origin,
        answers: Vec<PortResult<Scheduled>>,
        expected: PortResult<Arranged>,
        sent: Option<(u32, Origin)>,
    }

    #[track_caller]
    fn check(case: Case) {
        let script = Script { answers: Mutex::new(case.answers), ..Script::default() };
        let wake_up =
            WakeUp { delivery_id: delivery(Status::Pending, 0).id, tier: 2, origin: case.origin };
        let at = NOW + Duration::from_millis(case.wait_ms);
        let arranged = block_on(arrange(&script, &script, 900, (&wake_up, Lane::Retry), at, NOW));
        assert_eq!(arranged, case.expected);
        let sent = script.sent.into_inner().expect("unpoisoned");
        let sent = sent.iter().map(|o| match &o.call {
            Call::Scheduled(wake_up) => (o.delay_s, wake_up.origin),
            Call::Retry(_) | Call::Step(_) => panic!("only scheduled wake-ups are arranged"),
        });
        assert_eq!({ sent }.next(), case.sent);
        assert!(script.answers.into_inner().expect("unpoisoned").is_empty(), "all answers used");
    }

    fn unclear() -> PortResult<Scheduled> {
        Ok(Scheduled::Unclear("timed out".into()))
    }

    #[test]
    fn each_wait_finds_its_way() {
        use Origin::{Copy, Fresh, Hop};
        let refused = PortError::new("scheduler.schedule", "AccessDenied");
        let case = |wait_ms, origin, answers: &[PortResult<Scheduled>], expected, sent| {
            check(Case { wait_ms, origin, answers: answers.to_vec(), expected, sent });
        };
        case(0, Fresh, &[], Ok(Arranged::Delayed(0)), Some((0, Fresh)));
        case(899_001, Fresh, &[], Ok(Arranged::Delayed(900)), Some((900, Fresh)));
        case(900_000, Hop, &[], Ok(Arranged::Delayed(900)), Some((900, Hop)));
        case(900_001, Fresh, &[Ok(Scheduled::Created)], Ok(Arranged::Scheduled), None);
        case(7_200_000, Copy, &[Ok(Scheduled::Exists)], Ok(Arranged::Scheduled), None);
        case(7_200_000, Hop, &[Ok(Scheduled::Created)], Ok(Arranged::Scheduled), None);
        case(7_200_000, Fresh, &[Ok(Scheduled::Past)], Ok(Arranged::Delayed(0)), Some((0, Fresh)));
        case(7_200_000, Fresh, &[Ok(Scheduled::Throttled)], Ok(Arranged::Hopped), Some((900, Hop)));
        case(7_200_000, Fresh, &[unclear(), Ok(Scheduled::Exists)], Ok(Arranged::Scheduled), None);
        case(7_200_000, Fresh, &[unclear(), unclear()], Ok(Arranged::Hopped), Some((900, Hop)));
        case(7_200_000, Fresh, &[Err(refused.clone())], Err(refused), None);
    }

    #[test]
    fn what_leaves_a_chain_may_still_be_a_copy() {
        let script =
            Script { answers: Mutex::new(vec![Ok(Scheduled::Created)]), ..Script::default() };
        let hop =
            WakeUp { delivery_id: delivery(Status::Pending, 0).id, tier: 2, origin: Origin::Hop };
        let at = NOW + Duration::from_secs(7_200);
        block_on(arrange(&script, &script, 900, (&hop, Lane::Retry), at, NOW)).expect("arranged");
        assert_eq!(script.asked.into_inner().expect("unpoisoned"), [Origin::Copy]);
    }
}
