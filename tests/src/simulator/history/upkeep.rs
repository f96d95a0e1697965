//! What happens to messages that nobody gets done with, and what the audit makes of a history.

use std::time::Duration;

use domain::Timestamp;
use domain::delivery::Status;
use domain::limits::EVENT_SET_ASIDE_S;
use domain::ports::Dlq;

use super::{History, Incoming};
use crate::simulator::Violation;
use crate::world::{Dice, Fault};

/// How often an event is received before it is set aside, as in the template.
const EVENT_RECEIVES: u32 = 10;

impl History {
    /// Beside a step: perhaps a message is set aside before its time, or somebody asks for an
    /// audit of everything.
    pub(super) fn beside_a_step(&mut self) {
        let set_aside = self.plan.rates[Fault::SetAside];
        if self.aside.chance(set_aside) {
            self.a_wake_up_is_set_aside();
        }
        if self.aside.chance(set_aside) {
            self.an_event_is_set_aside();
        }
        if self.aside.chance(50) {
            self.audit_under_way();
        }
        self.take_back_events();
    }

    /// As if it had been received again and again, each time in vain.
    fn a_wake_up_is_set_aside(&mut self) {
        let mut state = self.world.state();
        let Some(picked) = self.aside.pick(&state.queued).cloned() else { return };
        state.queued.retain(|queued| queued.id != picked.id);
        state.faults.counts[Fault::SetAside] += 1;
        let now = state.now;
        drop(state);
        let queue = match picked.lane {
            domain::wakeup::Lane::Send => Dlq::Send,
            domain::wakeup::Lane::Retry => Dlq::Retry,
        };
        self.world.set_aside(queue, &picked.body, now);
        self.note(&format!("a wake-up is set aside: {}", picked.body));
    }

    fn an_event_is_set_aside(&mut self) {
        if let Some(last) = self.incoming.pop() {
            self.set_event_aside(&last.body);
        }
    }

    fn set_event_aside(&mut self, body: &str) {
        let now = self.world.state().now;
        self.world.state().faults.counts[Fault::SetAside] += 1;
        self.world.set_aside(Dlq::Events, body, now);
        self.note("an event is set aside");
    }

    /// Those that ingest has failed at too often.
    pub(super) fn set_spent_events_aside(&mut self) {
        let incoming = std::mem::take(&mut self.incoming);
        let (spent, rest): (Vec<_>, Vec<_>) =
            incoming.into_iter().partition(|incoming| incoming.received >= EVENT_RECEIVES);
        self.incoming = rest;
        spent.iter().for_each(|incoming| self.set_event_aside(&incoming.body));
    }

    /// What the sweeper sends back waits for ingest like anything new.
    pub(super) fn take_back_events(&mut self) {
        let (letters, visible_at) = {
            let mut state = self.world.state();
            (std::mem::take(&mut state.events_sent_back), state.now)
        };
        for letter in letters {
            self.incoming.push(Incoming { body: letter.body, received: 0, visible_at });
        }
    }

    /// When something will next happen to a dead letter.
    pub(super) fn next_dead_letter(&self) -> Option<Timestamp> {
        let state = self.world.state();
        let due = |dead: &crate::world::Dead| match dead.queue {
            Dlq::Events => {
                dead.at.max(dead.letter.sent_at + Duration::from_secs(EVENT_SET_ASIDE_S))
            }
            Dlq::Send | Dlq::Retry => dead.at,
        };
        state.dead.iter().map(due).min()
    }

    /// Young as everything is, what is found may merely wait its turn; putting it to work must do
    /// no harm.
    fn audit_under_way(&mut self) {
        let running = |audit: &domain::audit::Audit| audit.finished_at().is_none();
        if !self.world.state().audit.as_ref().is_some_and(running) {
            self.world.ask_for_an_audit();
        }
        self.begin();
        let audited = self.world.audit();
        let how = self.end();
        self.did("audited");
        let found = audited.map_or(0, |audited| audited.unexplained);
        self.note(&format!("an audit finds {found}{how}"));
    }

    /// At rest: nothing is unexplained.
    pub(super) fn audit_at_rest(&mut self, expected: u64) -> Result<(), Box<Violation>> {
        while self.world.audit().is_some_and(|audited| !audited.finished) {}
        self.world.ask_for_an_audit();
        let audited = self.world.audit();
        let found = audited.filter(|audited| audited.finished).map(|audited| audited.unexplained);
        if found == Some(expected) {
            return Ok(());
        }
        let findings = self.world.state().audit.as_ref().map(|audit| audit.findings.clone());
        Err(self.violation(format!("the audit finds {findings:?}, not {expected}")))
    }

    /// Takes something away behind everybody's back.
    pub(super) fn tamper(&mut self) {
        let mut dice = Dice::new(self.plan.seed ^ 0x7a39e4);
        let mut state = self.world.state();
        let ids: Vec<_> = state.deliveries.keys().cloned().collect();
        let Some(id) = dice.pick(&ids) else { return };
        if dice.chance(333) {
            state.deliveries.remove(id);
            return;
        }
        let status = if dice.chance(500) { Status::Pending } else { Status::Retrying };
        let delivery = state.deliveries.get_mut(id).expect("just listed");
        (delivery.status, delivery.due_at) = (status, None);
    }
}
