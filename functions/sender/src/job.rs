//! One step of a recovery or cancellation (design 3.5): a page of the endpoint's log, then the
//! cursor, then the next step.

use domain::Timestamp;
use domain::announce::finish_notice;
use domain::arrange::seconds_until;
use domain::attempt::end;
use domain::delivery::{Delivery, FailedReason, RetryBy};
use domain::endpoint::{Endpoint, EndpointState};
use domain::ids::RetryId;
use domain::job::{Became, Job, JobPage, JobStage, JobState, StepDecision, Task, delay_s};
use domain::limits::{DECISIONS, JOB_PAGES_COUNTED, SQS_DELAY_MAX_S};
use domain::log::LogPlace;
use domain::ports::{
    Bus, Clock, Dice, Metrics, Outgoing, PortResult, Receiver, Scheduler, WakeUps, send_one,
};
use domain::retry;
use domain::wakeup::{Call, JobStep, RetryCall};
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::{Message, Sender, Step, Store, Trouble};

/// Deliveries of a page in work at once.
const DELIVERIES_AT_ONCE: usize = 10;

impl<S, Q, H, R, B, C, M> Sender<S, Q, H, R, B, C, M>
where
    S: Store,
    Q: WakeUps,
    H: Scheduler,
    R: Receiver,
    B: Bus,
    C: Clock + Dice,
    M: Metrics,
{
    pub(crate) async fn job_step(
        &self,
        step: &JobStep,
        message: &Message,
    ) -> Result<Step, Trouble> {
        let Some(job) = self.store.job(&step.job_id).await? else {
            tracing::error!(job_id = %step.job_id, "no such job");
            return Ok(Step::Done);
        };
        let now = self.chance.now();
        match job.decide(step, message.received, now) {
            StepDecision::Go => return self.go_on(&job).await,
            StepDecision::Later(at) => self.send_step(&job, at).await?,
            StepDecision::SendNext => self.send_step(&job, job.wakes_at).await?,
            StepDecision::Announce => self.announce_job(&job).await?,
            StepDecision::Nothing => {
                tracing::info!(job_id = %job.id, seq = step.seq, "nothing to do");
            }
        }
        Ok(Step::Done)
    }

    async fn go_on(&self, job: &Job) -> Result<Step, Trouble> {
        let endpoint = self.store.endpoint(&job.account_id, &job.endpoint_id).await?;
        let Some(endpoint) = endpoint.filter(|endpoint| may_go_on(job, endpoint)) else {
            return self.close(job, job.over(JobState::Cancelled)).await;
        };
        match &job.stage {
            JobStage::Working { before } => self.work(job, &endpoint, before.as_ref()).await,
            JobStage::Counting { .. } => self.count(job, &endpoint).await,
        }
    }

    /// Writes down which page is next, works on it, and notes that it is done.
    async fn work(
        &self,
        job: &Job,
        endpoint: &Endpoint,
        before: Option<&LogPlace>,
    ) -> Result<Step, Trouble> {
        let found = self.store.log(&job.query(endpoint.shards, before.cloned())).await?;
        let within = |delivery: &&Delivery| match job.page.as_ref().map(|page| &page.end) {
            Some(Some(end)) => LogPlace::of(&delivery.id) >= *end,
            Some(None) | None => true,
        };
        let wanted: Vec<&Delivery> = match &job.page {
            // Repeated: some of them are in work already, and no longer what they were.
            Some(_) => found.items.iter().filter(within).collect(),
            None => found.items.iter().filter(|delivery| job.wants(delivery)).collect(),
        };
        let mut job = job.clone();
        let page = match &job.page {
            Some(page) => page.clone(),
            None => {
                let matched = u32::try_from(wanted.len()).unwrap_or(u32::MAX);
                let page = JobPage { end: found.next.clone(), matched };
                let with_page = job.with_page(page.clone());
                if !self.store.save(&job, &with_page).await? {
                    return Ok(Step::Again);
                }
                job = Job { revision: job.revision.saturating_add(1), ..with_page };
                page
            }
        };
        let left_out = match job.task {
            Task::Recover { max_per_second, .. } => {
                self.recover(&job, &wanted, max_per_second).await?
            }
            Task::Cancel { .. } => self.cancel(&job, &wanted).await?,
        };
        // While a page waited to be repeated, more of its deliveries may have become problems.
        let about = |delivery: &&&Delivery| {
            job.wants(delivery) || delivery.job_id.as_ref() == Some(&job.id)
        };
        let about = u32::try_from(wanted.iter().filter(about).count()).unwrap_or(u32::MAX);
        let page = JobPage { matched: page.matched.max(about), ..page };
        let done = job.page_done(&page, left_out, self.chance.now());
        tracing::info!(job_id = %job.id, matched = page.matched, left_out, total = done.total, "page done");
        self.close(&job, done).await
    }

    /// Opens a retry of each delivery and sends its wake-up, at the job's rate. Answers how many
    /// were left out because somebody else is at them.
    async fn recover(&self, job: &Job, wanted: &[&Delivery], rate: u32) -> PortResult<u32> {
        let now = self.chance.now();
        let open = |delivery: &Delivery| {
            let id = RetryId::of_job(&job.id, &delivery.id);
            retry::open(id, RetryBy::Recover(job.id.clone()), now)
        };
        let opened: Vec<(Option<RetryId>, bool)> = stream::iter(wanted)
            .map(async |delivery| {
                if job.became(delivery) == Became::Open {
                    let id = RetryId::of_job(&job.id, &delivery.id);
                    return PortResult::Ok((Some(id), false)); // opened by an earlier try
                }
                if delivery.job_id.as_ref() == Some(&job.id) || !job.wants(delivery) {
                    return Ok((None, false)); // done by an earlier try
                }
                let retry = open(delivery);
                if self.store.open_retry(&delivery.id, &retry).await? {
                    return Ok((Some(retry.id), false));
                }
                // Another copy of this step may have been faster; then it is not left out.
                let current = self.store.delivery(&delivery.id).await?;
                let is_ours = current.is_some_and(|d| d.job_id.as_ref() == Some(&job.id));
                Ok((None, !is_ours))
            })
            .buffered(DELIVERIES_AT_ONCE)
            .try_collect()
            .await?;
        let to_send = wanted.iter().zip(&opened).filter_map(|(delivery, (id, _))| {
            let (delivery_id, retry_id) = (delivery.id.clone(), id.clone()?);
            let by = RetryBy::Recover(job.id.clone());
            Some(Call::Retry(RetryCall { delivery_id, retry_id, by, is_copy: true }))
        });
        let outgoing =
            to_send.enumerate().map(|(nth, call)| Outgoing::new(call, delay_s(nth, rate)));
        let outgoing: Vec<Outgoing> = outgoing.collect();
        if !outgoing.is_empty() {
            for answer in self.queues.send(&outgoing).await {
                // The retry is open and in `due`: the sweeper will wake it.
                let _ = answer.inspect_err(|error| tracing::warn!(%error, "left to the sweeper"));
            }
        }
        let left_out = opened.iter().filter(|(_, left_out)| *left_out).count();
        Ok(u32::try_from(left_out).unwrap_or(u32::MAX))
    }

    /// Ends what waits. Answers how many were over already.
    async fn cancel(&self, job: &Job, wanted: &[&Delivery]) -> PortResult<u32> {
        let ended: Vec<bool> = stream::iter(wanted)
            .map(|delivery| self.cancel_one(job, delivery))
            .buffered(DELIVERIES_AT_ONCE)
            .try_collect()
            .await?;
        // Of a page that is repeated, those that an earlier try has ended are done, too.
        let over = wanted.iter().zip(ended).filter(|(delivery, ended)| {
            let cancelled = matches!(
                delivery.status,
                domain::delivery::Status::Failed(FailedReason::Cancelled)
            );
            !ended && !cancelled && job.wants(delivery)
        });
        Ok(u32::try_from(over.count()).unwrap_or(u32::MAX))
    }

    async fn cancel_one(&self, job: &Job, delivery: &Delivery) -> PortResult<bool> {
        let mut delivery = delivery.clone();
        for _ in 0..DECISIONS {
            if !job.wants(&delivery) {
                return Ok(false);
            }
            let now = self.chance.now();
            let change = end(&delivery, FailedReason::Cancelled, now);
            if self.store.commit(&delivery.id, &delivery.stage(), &change).await? {
                delivery.apply(&change);
                finish_notice(&self.store, &self.bus, &delivery, now).await?;
                return Ok(true);
            }
            match self.store.delivery(&delivery.id).await? {
                Some(current) => delivery = current,
                None => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Looks at what has become of some pages of deliveries.
    async fn count(&self, job: &Job, endpoint: &Endpoint) -> Result<Step, Trouble> {
        let JobStage::Counting { before, mut open, mut failed, .. } = job.stage.clone() else {
            return Ok(Step::Done);
        };
        let mut before = before;
        for _ in 0..JOB_PAGES_COUNTED {
            let found = self.store.log(&job.query(endpoint.shards, before)).await?;
            for delivery in &found.items {
                match job.became(delivery) {
                    Became::Open => open += 1,
                    Became::Failed => failed += 1,
                    Became::Other => {}
                }
            }
            before = found.next;
            if before.is_none() {
                break;
            }
        }
        let counted = job.counted(open, failed, before, self.chance.now());
        self.close(job, counted).await
    }

    /// Writes down what a step made of the job, and sends the next one or tells that it is over.
    async fn close(&self, was: &Job, now: Job) -> Result<Step, Trouble> {
        if !self.store.save(was, &now).await? {
            return Ok(Step::Again);
        }
        let now = Job { revision: was.revision.saturating_add(1), ..now };
        match now.state {
            JobState::Running => self.send_step(&now, now.wakes_at).await?,
            JobState::Finished | JobState::Cancelled => self.announce_job(&now).await?,
        }
        Ok(Step::Done)
    }

    async fn announce_job(&self, job: &Job) -> PortResult<()> {
        domain::announce::finish_job(&self.store, &self.bus, job, self.chance.now()).await
    }

    async fn send_step(&self, job: &Job, at: Timestamp) -> PortResult<()> {
        let delay_s = seconds_until(at, self.chance.now()).min(SQS_DELAY_MAX_S);
        send_one(&self.queues, Outgoing::new(Call::Step(job.step()), delay_s)).await
    }
}

/// A recovery needs an endpoint that can be called; what waits can be cancelled at any time.
fn may_go_on(job: &Job, endpoint: &Endpoint) -> bool {
    match job.task {
        Task::Recover { .. } => endpoint.state == EndpointState::Enabled,
        Task::Cancel { .. } => true,
    }
}
