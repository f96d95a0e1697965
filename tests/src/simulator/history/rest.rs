//! What happens once the faults have stopped, until nothing moves any more.

use std::time::Duration;

use domain::endpoint::Endpoint;
use domain::job::{Job, JobState};

use super::History;
use crate::world::DISABLE_AFTER;

/// An entry of `due` is overdue after its grace.
const OVERDUE: Duration = Duration::from_secs(120);

/// Between two runs of the sweeper.
const SWEEPS_APART: Duration = Duration::from_secs(300);

impl History {
    /// One round without faults: everything that can be handled is, then time passes.
    pub(super) fn rest(&mut self) {
        self.take_back_events();
        let now = self.world.state().now;
        self.incoming.iter_mut().for_each(|incoming| incoming.visible_at = now);
        self.ingest();
        self.world.send_due();
        self.those_who_come_by();
        self.world.send_due();
        let dead = self.next_dead_letter();
        let next = {
            let state = self.world.state();
            let queued = state.queued.iter().map(|q| q.at);
            let scheduled = state.schedules.values().map(|(at, _)| *at);
            // The sweeper comes by when an entry is overdue, not every five minutes in vain.
            let due = state.deliveries.values().filter_map(|d| Some(d.due_at? + OVERDUE));
            let unfinished = state.jobs.values().filter(|j| is_unfinished(j));
            let stalled = unfinished.map(Job::stalled_at);
            let told = state.telling.values().copied().filter(|until| *until > now);
            let all = queued.chain(scheduled).chain(due).chain(stalled).chain(told).chain(dead);
            // What nobody can do anything about yet is looked at again by the next run.
            all.map(|at| if at > now { at } else { now + SWEEPS_APART }).min()
        };
        self.world.pass_until(next.unwrap_or(now + SWEEPS_APART));
    }

    /// Sweeper and daily, when there is anything for them: a visit that sees nothing does nothing.
    fn those_who_come_by(&mut self) {
        let (swept, tended) = {
            let state = self.world.state();
            let due = state.deliveries.values().any(|d| d.due_at.is_some_and(|at| at <= state.now));
            let swept = due || !state.dead.is_empty() || state.jobs.values().any(is_unfinished);
            (swept, state.endpoints.iter().any(Endpoint::needs_attention))
        };
        if swept {
            self.world.sweep();
        }
        if tended {
            self.world.tend();
            if self.plan.disable_after < DISABLE_AFTER && self.aside.chance(100) {
                self.world.daily();
            }
        }
    }

    pub(super) fn is_at_rest(&self) -> bool {
        let state = self.world.state();
        self.incoming.is_empty()
            && state.queued.is_empty()
            && state.dead.is_empty()
            && state.events_sent_back.is_empty()
            && state.deliveries.values().all(|d| !d.status.is_open() && d.due_at.is_none())
            && state.endpoints.iter().all(|endpoint| endpoint.notices.is_empty())
            && !state.jobs.values().any(is_unfinished)
    }

    /// What keeps it from coming to rest.
    pub(super) fn unrest(&self) -> String {
        let state = self.world.state();
        let open = state.deliveries.values().filter(|d| d.status.is_open() || d.due_at.is_some());
        let notices: usize = state.endpoints.iter().map(|endpoint| endpoint.notices.len()).sum();
        format!(
            "it does not come to rest: {} events, {} wake-ups, {} dead letters, {} deliveries, \
             {notices} notices, {} jobs; one of them: {:?}",
            self.incoming.len() + state.events_sent_back.len(),
            state.queued.len(),
            state.dead.len(),
            open.clone().count(),
            state.jobs.values().filter(|job| is_unfinished(job)).count(),
            open.clone().next(),
        )
    }
}

fn is_unfinished(job: &Job) -> bool {
    job.state == JobState::Running || job.notice
}
