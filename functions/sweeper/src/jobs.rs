//! Jobs that have stalled, or whose end was not announced.

use domain::Timestamp;
use domain::announce::finish_job;
use domain::job::{Job, JobState};
use domain::limits::JOBS_PER_RUN;
use domain::ports::{
    Backlog, Bus, Clock, DeadLetters, Deliveries, JobEntry, Jobs, Outgoing, Pause, PortResult,
    WakeUps, send_one,
};
use domain::wakeup::{Call, Lane};

use crate::hold_back::Gates;
use crate::{Sweeper, Swept};

impl<S, Q, B, C> Sweeper<S, Q, B, C>
where
    S: Deliveries + Jobs,
    Q: WakeUps + DeadLetters + Backlog,
    B: Bus,
    C: Clock + Pause,
{
    pub(crate) async fn sweep_jobs(&self, gates: &Gates<'_, Q, C>, stop_at: Timestamp) -> Swept {
        let mut swept = Swept::default();
        let entries = match self.store.unfinished(self.clock.now(), JOBS_PER_RUN).await {
            Ok(entries) => entries,
            Err(error) => {
                tracing::error!(%error, "jobs not read");
                return Swept { errors: 1, ..swept };
            }
        };
        for entry in &entries {
            if self.clock.now() >= stop_at {
                break;
            }
            if let Err(error) = self.look_after(gates, entry, &mut swept).await {
                tracing::error!(job_id = %entry.id, %error, "job not dealt with yet");
                swept.errors += 1;
            }
        }
        swept
    }

    async fn look_after(
        &self,
        gates: &Gates<'_, Q, C>,
        entry: &JobEntry,
        swept: &mut Swept,
    ) -> PortResult<()> {
        let Some(job) = self.store.job(&entry.id).await? else {
            return Ok(());
        };
        let now = self.clock.now();
        match job.state {
            JobState::Finished | JobState::Cancelled if job.notice => {
                finish_job(&self.store, &self.bus, &job, now).await?;
                swept.announced += 1;
            }
            JobState::Finished | JobState::Cancelled => {}
            JobState::Running if job.stalled_at() > now => {}
            JobState::Running if !gates.is_open(Lane::Retry).await? => swept.held_back += 1,
            JobState::Running => {
                // Moved first, so that it is not woken again before it can have had its turn.
                let moved = Job { wakes_at: now, ..job.clone() };
                if self.store.save(&job, &moved).await? {
                    send_one(&self.queues, Outgoing::new(Call::Step(moved.step()), 0)).await?;
                    swept.jobs_revived += 1;
                }
            }
        }
        Ok(())
    }
}
