//! Jobs over many deliveries of one endpoint: recover and cancel (design 3.5).
//!
//! A job walks the endpoint's log from the newest to the oldest, a page a step. Each page is
//! written down before it is worked on, with the number of deliveries on it, so that a step that
//! is repeated after a crash works on the same page and counts it once. After the last page a
//! recovery looks at its deliveries until none is under way any more; its counters come from the
//! deliveries, not from a write for each.

use std::time::Duration;

use crate::Timestamp;
use crate::delivery::{Delivery, FailedReason, RetryBy, Status};
use crate::ids::{AccountId, EndpointId, JobId};
use crate::limits::{
    EARLY_MS, JOB_COUNT_FIRST_S, JOB_COUNT_MAX_S, JOB_PAGE, JOB_STALLED_S, SQS_DELAY_MAX_S,
};
use crate::log::{LogPlace, LogQuery};
use crate::wakeup::JobStep;

/// A job as it is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// Whose deliveries.
    pub account_id: AccountId,
    /// The endpoint they go to.
    pub endpoint_id: EndpointId,
    /// What is done with them.
    pub task: Task,
    /// Accepted at this moment or later.
    pub from: Timestamp,
    /// Accepted before this moment.
    pub to: Timestamp,
    /// When somebody asked for it.
    pub created_at: Timestamp,
    /// How far it is.
    pub state: JobState,
    /// Where its work stands.
    pub stage: JobStage,
    /// Steps made.
    pub seq: u32,
    /// The page in work.
    pub page: Option<JobPage>,
    /// Deliveries that were there to be worked on when it began, of as many as were looked at.
    pub expected: u64,
    /// Deliveries on the pages done.
    pub total: u64,
    /// Those that have succeeded, or been cancelled.
    pub succeeded: u64,
    /// Those that have not, and for which nothing is under way any more.
    pub failed: u64,
    /// When its next step is due; a running job that is far past it has stalled.
    pub wakes_at: Timestamp,
    /// Whether its end must still be announced.
    pub notice: bool,
    /// Writes so far: what a write is conditional on.
    pub revision: u32,
}

/// What a job does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Sends again what has one of these statuses; what was cancelled stays cancelled.
    Recover {
        /// At least one of [`Recoverable`].
        statuses: Vec<Recoverable>,
        /// Deliveries a second.
        max_per_second: u32,
    },
    /// Ends what waits.
    Cancel {
        /// Only deliveries of this event.
        event: Option<String>,
    },
}

impl Task {
    /// As it is written.
    pub fn as_str(&self) -> &'static str {
        match self {
            Task::Recover { .. } => "recover",
            Task::Cancel { .. } => "cancel",
        }
    }
}

/// A status that can be recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are statuses of a delivery")]
pub enum Recoverable {
    Retrying,
    Failed,
    Skipped,
}

impl Recoverable {
    /// All of them: what is recovered unless asked for otherwise.
    pub const ALL: [Self; 3] = [Self::Retrying, Self::Failed, Self::Skipped];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Recoverable::Retrying => "retrying",
            Recoverable::Failed => "failed",
            Recoverable::Skipped => "skipped",
        }
    }

    /// Reads the spelling of [`Recoverable::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// A delivery's status, if it can be recovered.
    pub fn of(status: Status) -> Option<Self> {
        match status {
            Status::Retrying => Some(Recoverable::Retrying),
            Status::Failed(FailedReason::Cancelled) | Status::Pending | Status::Succeeded => None,
            Status::Failed(
                FailedReason::Exhausted
                | FailedReason::EndpointDisabled
                | FailedReason::EndpointDeleted,
            ) => Some(Recoverable::Failed),
            Status::Skipped => Some(Recoverable::Skipped),
        }
    }
}

/// How far a job is, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// At work.
    Running,
    /// Done.
    Finished,
    /// Stopped by a person, or because its endpoint is gone.
    Cancelled,
}

impl JobState {
    const ALL: [Self; 3] = [Self::Running, Self::Finished, Self::Cancelled];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            JobState::Running => "running",
            JobState::Finished => "finished",
            JobState::Cancelled => "cancelled",
        }
    }

    /// Reads the spelling of [`JobState::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// Where a job's work stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobStage {
    /// Working through the pages: the next begins below this place.
    Working {
        /// `None` at the newest.
        before: Option<LogPlace>,
    },
    /// All pages done: looking at what has become of them.
    Counting {
        /// Below this place.
        before: Option<LogPlace>,
        /// Under way, of those looked at in this round.
        open: u64,
        /// Failed, of those looked at in this round.
        failed: u64,
        /// Rounds made: they come less and less often.
        rounds: u32,
    },
}

/// A page in work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPage {
    /// It ends at this place; `None` if it is the last.
    pub end: Option<LogPlace>,
    /// Deliveries on it that the job is about.
    pub matched: u32,
}

/// What a round of looking says about one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// Its retry is under way.
    Open,
    /// Its retry was made, or could not be, and it is no success.
    Failed,
    /// It is not one of this job's, or has succeeded.
    Other,
}

/// What a step is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepDecision {
    /// Go on.
    Go,
    /// Not yet: send it again for this moment.
    Later(Timestamp),
    /// It was made, but whoever made it may have died before sending the next: send that one.
    SendNext,
    /// The job is over, and its end was not announced yet.
    Announce,
    /// Nothing to do.
    Nothing,
}

impl Job {
    /// The part of the log below a place.
    pub fn query(&self, shards: u16, before: Option<LogPlace>) -> LogQuery {
        LogQuery {
            endpoint: self.endpoint_id.clone(),
            shards,
            problems_only: match self.task {
                Task::Recover { .. } => true,
                Task::Cancel { .. } => false,
            },
            from: self.from,
            to: self.to,
            before,
            limit: JOB_PAGE,
        }
    }

    /// Whether the job is about this delivery.
    pub fn wants(&self, delivery: &Delivery) -> bool {
        match &self.task {
            Task::Recover { statuses, .. } => {
                delivery.erased_at.is_none()
                    && Recoverable::of(delivery.status).is_some_and(|s| statuses.contains(&s))
            }
            Task::Cancel { event } => {
                delivery.status.is_open() && event.as_ref().is_none_or(|e| *e == delivery.event)
            }
        }
    }

    /// What has become of a delivery that is still a problem.
    pub fn became(&self, delivery: &Delivery) -> Became {
        let retry = delivery.open_retry.as_ref();
        if retry.is_some_and(|retry| retry.by == RetryBy::Recover(self.id.clone())) {
            return Became::Open;
        }
        match delivery.job_id.as_ref() == Some(&self.id) && delivery.status.is_problem() {
            true => Became::Failed,
            false => Became::Other,
        }
    }

    /// The message that asks for the step that is due.
    pub fn step(&self) -> JobStep {
        JobStep { job_id: self.id.clone(), endpoint_id: self.endpoint_id.clone(), seq: self.seq }
    }

    /// Decides what a step's message, received for the `received`-th time, asks for.
    pub fn decide(&self, step: &JobStep, received: u32, now: Timestamp) -> StepDecision {
        match self.state {
            JobState::Running => {}
            JobState::Finished | JobState::Cancelled if self.notice => {
                return StepDecision::Announce;
            }
            JobState::Finished | JobState::Cancelled => return StepDecision::Nothing,
        }
        if step.seq != self.seq {
            let may_have_died = received > 1 && step.seq.checked_add(1) == Some(self.seq);
            return if may_have_died { StepDecision::SendNext } else { StepDecision::Nothing };
        }
        if self.wakes_at.as_millis() - now.as_millis() > EARLY_MS {
            return StepDecision::Later(self.wakes_at);
        }
        StepDecision::Go
    }

    /// With a page taken into work.
    #[must_use]
    pub fn with_page(&self, page: JobPage) -> Self {
        Self { page: Some(page), ..self.clone() }
    }

    /// With the page in work done; `left_out` of its deliveries somebody else is at.
    #[must_use]
    pub fn page_done(&self, page: &JobPage, left_out: u32, now: Timestamp) -> Self {
        let taken = u64::from(page.matched.saturating_sub(left_out));
        let (wait, succeeded) = match &self.task {
            Task::Recover { max_per_second, .. } => {
                (seconds_for(page.matched, *max_per_second), self.succeeded)
            }
            Task::Cancel { .. } => (Duration::ZERO, self.succeeded + taken),
        };
        let done = Self {
            page: None,
            total: self.total + taken,
            succeeded,
            seq: self.seq + 1,
            wakes_at: now + wait,
            ..self.clone()
        };
        match (&page.end, &self.task) {
            (Some(_), _) => Self { stage: JobStage::Working { before: page.end.clone() }, ..done },
            (None, Task::Cancel { .. }) => done.over(JobState::Finished),
            (None, Task::Recover { .. }) => {
                let count_first = Duration::from_secs(JOB_COUNT_FIRST_S);
                let stage = JobStage::Counting { before: None, open: 0, failed: 0, rounds: 0 };
                Self { stage, wakes_at: now + wait.max(count_first), ..done }
            }
        }
    }

    /// With some more deliveries looked at, down to `before`; `None`: to the end.
    #[must_use]
    pub fn counted(
        &self,
        open: u64,
        failed: u64,
        before: Option<LogPlace>,
        now: Timestamp,
    ) -> Self {
        let rounds = match self.stage {
            JobStage::Counting { rounds, .. } => rounds,
            JobStage::Working { .. } => 0,
        };
        let next = Self { seq: self.seq + 1, wakes_at: now, ..self.clone() };
        if before.is_some() {
            return Self { stage: JobStage::Counting { before, open, failed, rounds }, ..next };
        }
        let next = next.recounted(open, failed);
        if open == 0 {
            return next.over(JobState::Finished);
        }
        let wait_s = (JOB_COUNT_FIRST_S << rounds.min(8)).min(JOB_COUNT_MAX_S);
        let stage = JobStage::Counting { before: None, open: 0, failed: 0, rounds: rounds + 1 };
        Self { stage, wakes_at: now + Duration::from_secs(wait_s), ..next }
    }

    /// With so many of its deliveries found under way, and failed: the others have succeeded. Found
    /// while a page was repeated, some may not have been counted when it was noted.
    #[must_use]
    pub fn recounted(&self, open: u64, failed: u64) -> Self {
        let total = self.total.max(open + failed);
        Self { total, succeeded: total - open - failed, failed, ..self.clone() }
    }

    /// Over, and to be announced.
    #[must_use]
    pub fn over(&self, state: JobState) -> Self {
        Self { state, notice: true, page: None, ..self.clone() }
    }

    /// Those that nothing is under way for any more.
    pub fn done(&self) -> u64 {
        self.succeeded + self.failed
    }

    /// Whether this place of the log is on one of the pages done.
    pub fn is_past(&self, place: &LogPlace) -> bool {
        match &self.stage {
            JobStage::Counting { .. } => true,
            JobStage::Working { before } => before.as_ref().is_some_and(|end| place >= end),
        }
    }

    /// Whether nothing is left to stop: every page is done, and nothing is under way any more.
    pub fn is_made(&self) -> bool {
        match self.stage {
            JobStage::Working { .. } => false,
            JobStage::Counting { .. } => self.done() >= self.total,
        }
    }

    /// When the sweeper may believe that the step that is due was lost.
    pub fn stalled_at(&self) -> Timestamp {
        self.wakes_at + Duration::from_secs(JOB_STALLED_S)
    }
}

/// Seconds after which the `nth` delivery of a page is sent.
pub fn delay_s(nth: usize, max_per_second: u32) -> u32 {
    let nth = u32::try_from(nth).unwrap_or(u32::MAX);
    (nth / max_per_second.max(1)).min(SQS_DELAY_MAX_S)
}

/// How long a page takes.
fn seconds_for(deliveries: u32, max_per_second: u32) -> Duration {
    Duration::from_secs(deliveries.div_ceil(max_per_second.max(1)).into())
}

#[cfg(test)]
mod tests;
