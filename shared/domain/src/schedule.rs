//! When the next attempt is (design 3.3, 3.4).

use std::time::Duration;

use crate::Timestamp;
use crate::limits::{JITTER_FROM_S, JITTER_PER_MILLE, RETRY_DELAYS};

/// The position of a scheduled attempt among the scheduled ones, from 0.
pub type Tier = u8;

/// A throw of the dice: 0 to 999, each equally likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roll(u16);

impl Roll {
    /// From any random number.
    pub fn from_random(number: u64) -> Self {
        Self(u16::try_from(number % 1_000).unwrap_or(0))
    }
}

/// The retry schedule of a stack. Documented: attempts at once, then 5 min, 30 min, 2 h and 8 h
/// after each failure; 24 h after the first attempt the delivery is marked as failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrySchedule {
    delays: Vec<Duration>,
    give_up_after: Duration,
}

/// The numbers make no schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Too few or too many delays, or a delay of 0.
    #[error("there must be 1 to 8 delays of at least 1 second")]
    Delays,
    /// With full jitter the attempts would not fit before the end.
    #[error(
        "the delays end {ends_s} s after the first attempt, with 5 % of jitter, and must end before \
         the {gives_up_s} s of GIVE_UP_AFTER_SECONDS"
    )]
    TooLong {
        /// Seconds until the last attempt, begun.
        ends_s: u64,
        /// Seconds until a delivery is given up.
        gives_up_s: u32,
    },
}

impl RetrySchedule {
    /// `delays` follow each failed attempt but the last; `give_up_after` counts from the first.
    ///
    /// # Errors
    /// [`ScheduleError`] if the attempts do not fit.
    pub fn new(delays_s: &[u32], give_up_after_s: u32) -> Result<Self, ScheduleError> {
        if !(1..=RETRY_DELAYS).contains(&delays_s.len()) || delays_s.contains(&0) {
            return Err(ScheduleError::Delays);
        }
        let delays: Vec<Duration> =
            delays_s.iter().map(|s| Duration::from_secs(u64::from(*s))).collect();
        let give_up_after = Duration::from_secs(u64::from(give_up_after_s));
        let latest: Duration = delays.iter().map(|delay| longest(*delay)).sum();
        if latest >= give_up_after {
            let ends_s = latest.as_secs() + u64::from(latest.subsec_nanos() > 0);
            return Err(ScheduleError::TooLong { ends_s, gives_up_s: give_up_after_s });
        }
        Ok(Self { delays, give_up_after })
    }

    /// Scheduled attempts a delivery gets: one more than there are delays.
    pub fn attempts(&self) -> Tier {
        Tier::try_from(self.delays.len() + 1).unwrap_or(Tier::MAX)
    }

    /// When a delivery whose first scheduled attempt began at `first` is given up.
    pub fn gives_up_at(&self, first: Timestamp) -> Timestamp {
        first + self.give_up_after
    }

    /// When the attempt after the failed one of `tier` is made, or `None` if that was the last.
    ///
    /// The delay counts from the end of the failed attempt. A wait of a minute or more gets up to
    /// 5 % on top, so that endpoints that failed together do not all come back together. What the
    /// endpoint asked for with `Retry-After` may push the attempt later, never earlier: at most to
    /// the moment the attempt after it would have been due (for the last one: the end), and never
    /// so late that the rest of the schedule would not fit.
    pub fn next_attempt_at(
        &self,
        tier: Tier,
        failed_at: Timestamp,
        gives_up_at: Timestamp,
        retry_after: Option<Duration>,
        roll: Roll,
    ) -> Option<Timestamp> {
        let nth = usize::from(tier);
        let delay = *self.delays.get(nth)?;
        let due = failed_at + delay + jitter(delay, roll);
        let Some(wanted) = retry_after.map(|wait| failed_at + wait) else {
            return Some(due);
        };
        let rest = &self.delays[nth + 1..];
        let patience = rest.first().map_or(gives_up_at, |following| failed_at + delay + *following);
        let room = gives_up_at - rest.iter().map(|delay| longest(*delay)).sum();
        Some(due.max(wanted.min(patience).min(room)))
    }
}

fn jitter(delay: Duration, roll: Roll) -> Duration {
    if delay < Duration::from_secs(u64::from(JITTER_FROM_S)) {
        return Duration::ZERO;
    }
    let most = delay.as_millis().saturating_mul(JITTER_PER_MILLE.unsigned_abs().into()) / 1_000;
    let drawn = most.saturating_mul(u128::from(roll.0)) / 1_000;
    Duration::from_millis(u64::try_from(drawn).unwrap_or(0))
}

fn longest(delay: Duration) -> Duration {
    delay + jitter(delay, Roll(1_000))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_const(1_800_000_000_000);

    fn documented() -> RetrySchedule {
        RetrySchedule::new(&[300, 1_800, 7_200, 28_800], 86_400).expect("fits")
    }

    #[track_caller]
    fn check(tier: Tier, retry_after: Option<u64>, roll: u64, expected_s: Option<f64>) {
        let schedule = documented();
        let end = schedule.gives_up_at(START);
        let wait = retry_after.map(Duration::from_secs);
        let next = schedule.next_attempt_at(tier, START, end, wait, Roll::from_random(roll));
        let waited = next.map(|at| at.since(START).as_secs_f64());
        assert_eq!(waited, expected_s);
    }

    #[test]
    fn the_documented_delays_and_up_to_five_percent() {
        for (tier, delay, most) in [
            (0, 300.0, 314.985),
            (1, 1_800.0, 1_889.91),
            (2, 7_200.0, 7_559.64),
            (3, 28_800.0, 30_238.56),
        ] {
            check(tier, None, 0, Some(delay));
            check(tier, None, 999, Some(most));
        }
        check(4, None, 0, None);
        assert_eq!(documented().attempts(), 5);
        assert_eq!(documented().gives_up_at(START).since(START).as_secs(), 86_400);
    }

    #[test]
    fn short_waits_have_no_jitter() {
        let schedule = RetrySchedule::new(&[59, 60], 1_000).expect("fits");
        let end = schedule.gives_up_at(START);
        let full = Roll::from_random(999);
        let wait = |tier| schedule.next_attempt_at(tier, START, end, None, full).expect("a tier");
        assert_eq!(wait(0).since(START).as_millis(), 59_000);
        assert_eq!(wait(1).since(START).as_millis(), 62_997);
    }

    #[test]
    fn retry_after_pushes_later_within_bounds() {
        check(0, Some(0), 0, Some(300.0));
        check(0, Some(200), 0, Some(300.0));
        check(0, Some(600), 0, Some(600.0));
        check(0, Some(999_999_999), 0, Some(2_100.0));
        check(2, Some(999_999), 0, Some(36_000.0));
        check(3, Some(999_999), 0, Some(86_400.0));
        check(4, Some(60), 0, None);
    }

    #[test]
    fn retry_after_leaves_room_for_the_rest() {
        let schedule = RetrySchedule::new(&[100, 100, 100], 400).expect("fits");
        let failed_at = START + Duration::from_secs(150);
        let end = schedule.gives_up_at(START);
        let asked = Some(Duration::from_secs(500));
        let next = schedule.next_attempt_at(0, failed_at, end, asked, Roll::from_random(0));
        assert_eq!(next.expect("a tier").since(START).as_secs(), 250, "never before its own delay");
        let failed_at = START + Duration::from_secs(50);
        let next = schedule.next_attempt_at(0, failed_at, end, asked, Roll::from_random(0));
        assert_eq!(next.expect("a tier").since(START).as_secs(), 400 - 210);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever endpoints ask for, and whatever the dice show.
        #[test]
        fn retry_after_keeps_to_the_schedule(
            delays in prop::collection::vec(1_u32..30_000, 1..=RETRY_DELAYS),
            spare in 1_u32..90_000,
            asked in prop::collection::vec(
                prop::option::of(prop_oneof![0..100_000_u64, Just(u64::MAX)]), RETRY_DELAYS,
            ),
            rolls in prop::collection::vec(0..1_000_u64, RETRY_DELAYS),
        ) {
            let most: u32 = delays.iter().map(|delay| delay + delay / 20 + 1).sum();
            let schedule = RetrySchedule::new(&delays, most + spare).expect("fits");
            let end = schedule.gives_up_at(START);
            let mut at = START;
            for tier in 0..schedule.attempts() - 1 {
                let nth = usize::from(tier);
                let (roll, wait) = (Roll::from_random(rolls[nth]), asked[nth]);
                let wait = wait.map(Duration::from_secs);
                let due = schedule.next_attempt_at(tier, at, end, None, roll).expect("a tier");
                let next = schedule.next_attempt_at(tier, at, end, wait, roll).expect("a tier");
                prop_assert!(next >= due, "never earlier");
                let delay = Duration::from_secs(delays[nth].into());
                let following = delays.get(nth + 1).map(|next| Duration::from_secs((*next).into()));
                let latest = following.map_or(end, |following| at + delay + following);
                prop_assert!(next <= due.max(latest), "at most to the following one");
                let wanted = wait.map_or(at, |wait| at + wait);
                prop_assert!(next <= due.max(wanted), "no later than asked for");
                at = next;
            }
            prop_assert!(at <= end, "the last attempt, too, is before the end");
        }
    }

    #[test]
    fn numbers_that_make_no_schedule() {
        for (delays, end, error) in [
            (&[][..], 100, ScheduleError::Delays),
            (&[0], 100, ScheduleError::Delays),
            (&[1; 9], 100, ScheduleError::Delays),
            (&[50, 50], 100, ScheduleError::TooLong { ends_s: 100, gives_up_s: 100 }),
            (&[100], 105, ScheduleError::TooLong { ends_s: 105, gives_up_s: 105 }),
        ] {
            assert_eq!(RetrySchedule::new(delays, end), Err(error));
        }
    }
}
