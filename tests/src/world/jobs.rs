//! Jobs, in memory.

use domain::Timestamp;
use domain::ids::JobId;
use domain::job::{Job, JobState};
use domain::ports::{Begun, JobEntry, Jobs, PortResult};

use super::{State, World};

impl Jobs for World {
    async fn begin(&self, job: &Job) -> PortResult<Begun> {
        let begin = |state: &mut State| {
            let of_endpoint = |j: &&Job| j.endpoint_id == job.endpoint_id;
            let mut running =
                state.jobs.values().filter(of_endpoint).filter(|j| j.state == JobState::Running);
            match running.next() {
                Some(running) if running.id != job.id => Begun::Running(running.id.clone()),
                Some(_) => Begun::New, // an earlier try of this call worked
                None => {
                    state.jobs.insert(job.id.clone(), job.clone());
                    Begun::New
                }
            }
        };
        self.call("jobs.begin", begin).await
    }

    async fn job(&self, id: &JobId) -> PortResult<Option<Job>> {
        self.call("jobs.job", |state| state.jobs.get(id).cloned()).await
    }

    async fn save(&self, was: &Job, now: &Job) -> PortResult<bool> {
        let save = |state: &mut State| match state.jobs.get_mut(&was.id) {
            Some(job) if job.revision == was.revision => {
                *job = Job { revision: was.revision + 1, ..now.clone() };
                true
            }
            Some(_) | None => false,
        };
        self.call("jobs.save", save).await
    }

    async fn unfinished(&self, until: Timestamp, limit: usize) -> PortResult<Vec<JobEntry>> {
        let read = |state: &mut State| {
            let unfinished = |j: &&Job| j.state == JobState::Running || j.notice;
            let entry = |j: &Job| JobEntry { id: j.id.clone(), wakes_at: j.wakes_at };
            let mut entries: Vec<_> = state.jobs.values().filter(unfinished).map(entry).collect();
            entries.retain(|entry| entry.wakes_at <= until);
            entries.sort_by_key(|entry| entry.wakes_at);
            entries.truncate(limit);
            entries
        };
        self.call("jobs.unfinished", read).await
    }
}
