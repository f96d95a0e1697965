//! What happens by itself: products send, functions run, time passes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::Timestamp;
use domain::ids::DeliveryId;
use domain::limits::BACK_OFF_FIRST_S;
use domain::wakeup::{Call, Lane};

use super::{History, Incoming};
use crate::simulator::SKEW_MS;
use crate::world::{Dice, Fault, Queued};

/// The sweeper's first back-off, less what clocks may differ by.
const BACK_OFF: Duration = Duration::from_millis(BACK_OFF_FIRST_S as u64 * 1_000 - 2 * SKEW_MS);

/// When the sweeper sent a wake-up, and how far the delivery was: its attempts and its open retry.
pub(super) type Woken = (Timestamp, u32, Option<String>);

impl History {
    pub(super) fn step(&mut self) {
        match self.dice.below(100) {
            0..18 => self.product_sends(),
            18..34 => self.ingest(),
            34..50 => self.send(),
            50..58 => self.two_senders(),
            58..62 => self.sender_and_sweeper(),
            62..80 => self.time_passes(),
            80..88 => self.sweep(),
            88..91 => self.look_after_endpoints(),
            91..98 => self.an_owner_acts(),
            _ => self.a_message_comes_twice(),
        }
    }

    fn product_sends(&mut self) {
        let again = self.dice.chance(250) && self.sent > 0;
        let nth = if again { self.dice.below(self.sent) } else { self.sent };
        self.sent += u64::from(!again);
        let data = if again && self.dice.chance(300) { "{\"other\":1}" } else { "{}" };
        let body = format!(
            r#"{{"id":"e{nth}","account_id":"acct_42","event":"email.sent","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{data}}}"#
        );
        self.note(&format!("a product sends e{nth} {data}"));
        let visible_at = self.world.state().now;
        self.incoming.push(Incoming { body, received: 0, visible_at });
    }

    pub(super) fn ingest(&mut self) {
        self.set_spent_events_aside();
        let now = self.world.state().now;
        let mut batch: Vec<Incoming> = Vec::new();
        let mut rest = Vec::new();
        for incoming in std::mem::take(&mut self.incoming) {
            let taken = incoming.visible_at <= now && batch.len() < 10 && self.dice.chance(800);
            if taken { batch.push(incoming) } else { rest.push(incoming) }
        }
        self.incoming = rest;
        if batch.is_empty() {
            return;
        }
        let bodies: Vec<&str> = batch.iter().map(|i| i.body.as_str()).collect();
        let received = batch.iter().map(|i| i.received).max().unwrap_or(0) + 1;
        self.begin();
        let again = self.world.ingest_batch(&bodies, received);
        let how = self.end();
        let again = again.unwrap_or_else(|| (0..batch.len()).map(|n| format!("m{n}")).collect());
        self.note(&format!("ingest takes {}{how}, {} come again", batch.len(), again.len()));
        for (nth, mut incoming) in batch.into_iter().enumerate() {
            if again.contains(&format!("m{nth}")) {
                incoming.received = received;
                incoming.visible_at = now + Duration::from_secs(360);
                self.incoming.push(incoming);
            } else {
                self.model.acknowledged(&incoming.body);
            }
        }
    }

    fn send(&mut self) {
        let lane = self.lane();
        let skew = self.skew();
        self.light_fuse();
        let dice = &mut self.dice;
        let handed = self.world.send_some(lane, skew, |_| dice.chance(700));
        let how = self.end();
        if handed > 0 {
            self.note(&format!("the sender takes {handed} from {lane:?}{how}, clock {skew:+} ms"));
        }
    }

    fn lane(&mut self) -> Lane {
        if self.dice.chance(500) { Lane::Send } else { Lane::Retry }
    }

    fn two_senders(&mut self) {
        let lane = self.lane();
        let first = self.take(lane);
        let mut second = self.take(lane);
        let skews = [self.skew(), self.skew()];
        second.extend(self.world.hand_out_again(&first));
        if first.is_empty() || second.is_empty() {
            // Receiving without working is a fault; that is for the rates to decide.
            self.world.leave(&first);
            self.world.leave(&second);
            return;
        }
        let bodies = [bodies(&first), bodies(&second)].join(" and ");
        let handed = first.len() + second.len();
        self.light_fuse();
        let mut turns = Dice::new(self.dice.number());
        let batches = [(first, skews[0]), (second, skews[1])];
        self.world.send_side_by_side(batches, || turns.chance(500));
        let how = self.end();
        self.note(&format!("two senders side by side take {handed} from {lane:?}{how}: {bodies}"));
    }

    fn sender_and_sweeper(&mut self) {
        let taken = self.take(Lane::Retry);
        let skew = self.skew();
        self.begin();
        let mut turns = Dice::new(self.dice.number());
        self.world.send_beside_the_sweeper(&taken, skew, || turns.chance(500));
        let how = self.end();
        self.note(&format!("a sender takes {} beside the sweeper{how}", taken.len()));
    }

    fn take(&mut self, lane: Lane) -> Vec<Queued> {
        let dice = &mut self.dice;
        self.world.take(lane, |_| dice.chance(500))
    }

    /// To the next deadline, or for some minutes, or, seldom, for hours.
    fn time_passes(&mut self) {
        let (now, next) = {
            let state = self.world.state();
            let queued = state.queued.iter().map(|q| q.at);
            let all = queued.chain(state.schedules.values().map(|(at, _)| *at));
            (state.now, all.filter(|at| *at > state.now).min())
        };
        let to = match next {
            Some(next) if self.dice.chance(600) => next,
            Some(_) | None => {
                let most = if self.dice.chance(50) { 12 * 3_600 } else { 1_200 };
                now + Duration::from_secs(self.dice.below(most))
            }
        };
        self.note(&format!("time passes until {to}"));
        self.world.pass_until(to);
    }

    fn sweep(&mut self) {
        let before = self.queued();
        self.begin();
        let swept = self.world.sweep();
        let how = self.end();
        self.note_woken(&before);
        if self.is_faultless() {
            let first = self.woken_since(&before);
            let between = self.queued();
            self.world.sweep();
            self.fed |= !first.is_disjoint(&self.woken_since(&between));
        }
        if let Some(swept) = swept.filter(|swept| swept.seen > 0) {
            self.note(&format!("the sweeper sees {}, wakes {}{how}", swept.seen, swept.woken));
        }
    }

    /// What the sweeper has woken, it wakes again only after its back-off, unless something came of
    /// it meanwhile. (A rate moves entries of its own accord.)
    fn note_woken(&mut self, before: &BTreeSet<String>) {
        let state = self.world.state();
        let new = state.queued.iter().filter(|queued| !before.contains(&queued.id));
        let mut woken = BTreeMap::new();
        for queued in new {
            let id = Call::parse(&queued.body).ok().and_then(|call| call.delivery_id().cloned());
            let Some(delivery) = id.and_then(|id| state.deliveries.get(&id)) else { continue };
            let retry = delivery.open_retry.as_ref().map(|retry| retry.id.to_string());
            woken.insert(queued.body.clone(), (state.now, delivery.attempt_count, retry));
        }
        let soon = |(was, is): (&Woken, &Woken)| {
            (&was.1, &was.2) == (&is.1, &is.2) && is.0.since(was.0) < BACK_OFF
        };
        let again =
            woken.iter().any(|(body, is)| self.woken.get(body).is_some_and(|was| soon((was, is))));
        self.fed |= again && !self.plan.paced;
        drop(state);
        self.woken.extend(woken);
    }

    /// The messages in the queues of wake-ups.
    fn queued(&self) -> BTreeSet<String> {
        self.world.state().queued.iter().map(|queued| queued.id.clone()).collect()
    }

    /// Deliveries that have a new wake-up.
    fn woken_since(&self, before: &BTreeSet<String>) -> BTreeSet<DeliveryId> {
        let state = self.world.state();
        let new = state.queued.iter().filter(|queued| !before.contains(&queued.id));
        new.filter_map(|queued| Call::parse(&queued.body).ok()?.delivery_id().cloned()).collect()
    }

    /// The sweeper's visit to endpoints in trouble, or the daily one.
    fn look_after_endpoints(&mut self) {
        let daily = self.dice.chance(500);
        self.begin();
        let cared = match daily {
            true => self.world.daily().and_then(Result::ok),
            false => self.world.tend(),
        };
        let how = self.end();
        self.did(if daily { "daily" } else { "tended" });
        let who = if daily { "daily" } else { "the sweeper" };
        let cared = cared.map_or("not to the end".into(), |c| {
            format!("{} seen, {} disabled", c.seen, c.disabled)
        });
        self.note(&format!("{who} looks after endpoints{how}: {cared}"));
    }

    fn a_message_comes_twice(&mut self) {
        if self.plan.rates[Fault::Doubled] == 0 {
            return;
        }
        let mut state = self.world.state();
        let now = state.now;
        if let Some(queued) = self.dice.pick(&state.queued).cloned() {
            let body = queued.body.clone();
            state.faults.counts[Fault::Doubled] += 1;
            drop(state);
            self.world.push(queued.lane, &body, now);
            self.note(&format!("a message comes twice: {body}"));
        }
    }
}

fn bodies(batch: &[Queued]) -> String {
    let line = |queued: &Queued| format!("{} (received {})", queued.body, queued.received);
    batch.iter().map(line).collect::<Vec<_>>().join(", ")
}
