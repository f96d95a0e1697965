//! What Lambda's and SQS's documented scaling adds: calculated, not measured.
//!
//! Documented for standard queues (developer guide, "Scaling and concurrency"): five batches are
//! read at once at first; while messages are left, up to 300 more a minute. A fair queue hands out
//! the messages of quiet groups first.

use std::collections::VecDeque;

use crate::stats::percentile;

/// Batches read at once at first.
const AT_FIRST: u64 = 5;
/// One more each so many milliseconds: 300 a minute.
const ONE_MORE_MS: u64 = 200;
/// Of the calculation.
const STEP_MS: u64 = 10;
/// How long a batch of healthy events takes.
const HEALTHY_MS: u64 = 200;

/// Traffic, of which every second event goes to an endpoint that hangs, and its senders.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Events a second.
    pub rate: u64,
    /// How long a hanging endpoint holds a sender.
    pub timeout_ms: u64,
    /// When all that hang are known: what comes later goes elsewhere, and so does what waits still.
    pub known_ms: u64,
    /// The most senders at once.
    pub senders: u64,
    /// The most events for each.
    pub batch: usize,
    /// Whether the queue is fair.
    pub fair: bool,
}

impl Case {
    /// The time that 99 of 100 healthy events wait at most for a sender, in milliseconds, in the
    /// time until the first time-outs.
    pub fn p99_ms(&self) -> f64 {
        let (mut healthy, mut hanging) = (VecDeque::new(), VecDeque::new());
        let (mut busy, mut allowed, mut grown) = (Vec::new(), AT_FIRST, 0);
        let (mut waits, mut sent) = (Vec::new(), 0);
        let mut now = 0;
        while now < self.timeout_ms || !healthy.is_empty() {
            while now < self.timeout_ms && sent * 1_000 <= now * self.rate {
                if sent % 2 == 0 {
                    healthy.push_back(now);
                } else if now < self.known_ms {
                    hanging.push_back(now);
                }
                sent += 1;
            }
            busy.retain(|until| *until > now);
            while busy.len() < usize::try_from(allowed).unwrap_or(usize::MAX) {
                let (mut held_ms, mut size) = (0, 0);
                while size < self.batch {
                    let healthy_next = match (healthy.front(), hanging.front()) {
                        (Some(one), Some(other)) => self.fair || one <= other,
                        (Some(_), None) => true,
                        (None, Some(_)) => false,
                        (None, None) => break,
                    };
                    if healthy_next {
                        let at = healthy.pop_front().unwrap_or(now);
                        waits.push(now - at);
                        held_ms = held_ms.max(HEALTHY_MS);
                    } else {
                        hanging.pop_front();
                        let here = if now < self.known_ms { self.timeout_ms } else { HEALTHY_MS };
                        held_ms = held_ms.max(here);
                    }
                    size += 1;
                }
                if size == 0 {
                    break;
                }
                busy.push(now + held_ms);
            }
            let is_behind = !healthy.is_empty() || !hanging.is_empty();
            if is_behind && now >= grown + ONE_MORE_MS && allowed < self.senders {
                (allowed, grown) = (allowed + 1, now);
            }
            now += STEP_MS;
        }
        percentile(&waits.into_iter().map(number).collect::<Vec<f64>>(), 0.99)
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_hangs_longer_and_more_often_is_noticed_more() {
        let (timeout_ms, known_ms) = (30_000, 30_000);
        let case = Case { rate: 20, timeout_ms, known_ms, senders: 200, batch: 10, fair: false };
        let brief = Case { timeout_ms: 200, ..case };
        assert!(brief.p99_ms() < 50.0, "{}", brief.p99_ms());
        let most = Case { rate: 400, ..case };
        assert!(most.p99_ms() > case.p99_ms());
        assert!(Case { known_ms: 3_000, ..most }.p99_ms() < most.p99_ms());
        assert!(Case { fair: true, ..most }.p99_ms() <= most.p99_ms());
    }
}
