//! Recoveries and cancellations: many deliveries of one endpoint at a time (design 3.5).

use std::time::Duration;

use domain::Timestamp;
use domain::endpoint::{Endpoint, EndpointState};
use domain::envelope::is_event_name;
use domain::ids::JobId;
use domain::job::{Became, Job, JobStage, JobState, Recoverable, Task};
use domain::limits::{
    DECISIONS, JOB_COUNTED, JOB_COUNTED_S, JOB_DRY_RUN_COUNTED, JOB_PAGE, JOB_RATE_DEFAULT,
    JOB_RATE_MAX, LOG_EXAMINED,
};
use domain::log::LogPlace;
use domain::ports::{Begun, Clock, Fresh, Outgoing, send_one};
use domain::view;
use domain::wakeup;
use serde_json::json;

use crate::error::{Answer, ApiError};
use crate::fields::Fields;
use crate::http::Response;
use crate::{Api, Call, Outside, Store};

impl<S: Store, O: Outside, C: Clock + Fresh> Api<S, O, C> {
    pub(crate) async fn recover(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let mut fields = Fields::parse(&call.request.body)?;
        let statuses = fields.one_or_many("status", Recoverable::parse, STATUS_RULE)?;
        let rate = fields.number("max_per_second", RATE_RULE)?;
        let rate = rate.map(|rate| {
            let rate = u32::try_from(rate).ok().filter(|r| (1..=JOB_RATE_MAX).contains(r));
            rate.ok_or_else(|| ApiError::invalid("max_per_second", RATE_RULE))
        });
        let rate = rate.transpose()?;
        let task = |endpoint: &Endpoint| Task::Recover {
            statuses: statuses.unwrap_or_else(|| Recoverable::ALL.to_vec()),
            max_per_second: match (rate, endpoint.max_per_second) {
                (Some(rate), _) => rate,
                (None, Some(own)) => own.clamp(1, JOB_RATE_DEFAULT),
                (None, None) => JOB_RATE_DEFAULT,
            },
        };
        self.begin(call, fields, task).await
    }

    pub(crate) async fn cancel(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let mut fields = Fields::parse(&call.request.body)?;
        let event = fields.text("event")?;
        if event.as_deref().is_some_and(|event| !is_event_name(event)) {
            return Err(ApiError::invalid("event", "must be an event name"));
        }
        self.begin(call, fields, |_| Task::Cancel { event }).await
    }

    async fn begin(
        &self,
        call: &Call<'_>,
        mut fields: Fields,
        task: impl FnOnce(&Endpoint) -> Task,
    ) -> Answer<Response> {
        let from = fields.moment("from")?.ok_or(ApiError::MissingField("from"))?;
        let to = fields.moment("to")?.ok_or(ApiError::MissingField("to"))?;
        let dry_run = fields.flag("dry_run")?.unwrap_or(false);
        fields.end()?;
        if from >= to {
            return Err(ApiError::invalid("to", "must be later than from"));
        }
        let endpoint = self.living_endpoint(call).await?;
        let task = task(&endpoint);
        let job = self.new_job(call, &endpoint, task, (from, to))?;
        if dry_run {
            let (total, is_all) = self.count_wanted(&endpoint, &job, JOB_DRY_RUN_COUNTED).await?;
            let mut body = json!({"total": total});
            if !is_all {
                body["at_least"] = true.into();
            }
            return Ok(Response::json(200, &body));
        }
        let calls_it = matches!(job.task, Task::Recover { .. });
        if calls_it && endpoint.state != EndpointState::Enabled {
            return Err(ApiError::EndpointDisabled);
        }
        let (expected, _) = self.count_wanted(&endpoint, &job, JOB_COUNTED).await?;
        let job = Job { expected, ..job };
        if let Begun::Running(_) = self.store.begin(&job).await? {
            return Err(ApiError::RecoveryInProgress);
        }
        self.wake_job(&job).await;
        Ok(Response::json(202, &view::job(&job)))
    }

    fn new_job(
        &self,
        call: &Call<'_>,
        endpoint: &Endpoint,
        task: Task,
        (from, to): (Timestamp, Timestamp),
    ) -> Answer<Job> {
        Ok(Job {
            id: self.chance.job_id()?,
            account_id: endpoint.account_id.clone(),
            endpoint_id: endpoint.id.clone(),
            task,
            from: from.max(self.kept_since(call.now)),
            // What is accepted from now on is not what the caller has seen and wants.
            to: to.min(call.now + Duration::from_millis(1)),
            created_at: call.now,
            state: JobState::Running,
            stage: JobStage::Working { before: None },
            seq: 0,
            page: None,
            expected: 0,
            total: 0,
            succeeded: 0,
            failed: 0,
            wakes_at: call.now,
            notice: false,
            revision: 0,
        })
    }

    /// How many deliveries a job is about; and whether that is all, or as many as were looked at in
    /// a while.
    async fn count_wanted(
        &self,
        endpoint: &Endpoint,
        job: &Job,
        most: usize,
    ) -> Answer<(u64, bool)> {
        let (mut total, mut before) = (0, None);
        let until = job.created_at + Duration::from_secs(JOB_COUNTED_S);
        for _ in 0..most.div_ceil(JOB_PAGE) {
            if self.chance.now() > until {
                break;
            }
            let page = self.store.log(&job.query(endpoint.shards, before)).await?;
            total += page.items.iter().filter(|delivery| job.wants(delivery)).count();
            before = page.next;
            if before.is_none() {
                return Ok((u64::try_from(total).unwrap_or(u64::MAX), true));
            }
        }
        Ok((u64::try_from(total).unwrap_or(u64::MAX), false))
    }

    pub(crate) async fn show_recovery(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let (job, endpoint) = self.known_job(call).await?;
        let job = self.as_of_now(job, &endpoint).await?;
        Ok(Response::json(200, &view::job(&job)))
    }

    pub(crate) async fn cancel_recovery(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let (mut job, endpoint) = self.known_job(call).await?;
        for _ in 0..DECISIONS {
            if job.state != JobState::Running {
                let job = self.as_of_now(job, &endpoint).await?;
                return Ok(Response::json(200, &view::job(&job)));
            }
            let now = self.as_of_now(job.clone(), &endpoint).await?;
            let state = if now.is_made() { JobState::Finished } else { JobState::Cancelled };
            let over = Job { wakes_at: call.now, ..now.over(state) };
            if self.store.save(&job, &over).await? {
                self.wake_job(&over).await; // to be announced
                let over = self.as_of_now(over, &endpoint).await?;
                return Ok(Response::json(200, &view::job(&over)));
            }
            job = self.store.job(&job.id).await?.ok_or(ApiError::NotFound)?;
        }
        Err(ApiError::Conflict)
    }

    /// Sends a job's next step. Should that fail, the sweeper finds the job.
    async fn wake_job(&self, job: &Job) {
        let step = Outgoing::new(wakeup::Call::Step(job.step()), 0);
        if let Err(error) = send_one(&self.outside, step).await {
            tracing::warn!(job_id = %job.id, %error, "job left to the sweeper");
        }
    }

    /// The job in the path with its endpoint, if they are the caller's.
    async fn known_job(&self, call: &Call<'_>) -> Answer<(Job, Endpoint)> {
        let id = JobId::parse(call.id).map_err(|_| ApiError::NotFound)?;
        let job = self.store.job(&id).await?.ok_or(ApiError::NotFound)?;
        let endpoint = self.store.endpoint(&job.account_id, &job.endpoint_id).await?;
        let endpoint = endpoint.filter(|endpoint| call.caller.sees(endpoint));
        Ok((job, endpoint.ok_or(ApiError::NotFound)?))
    }

    /// The counters of a recovery as its deliveries have them now: of those on the pages done, what
    /// is still a problem is looked at, and the rest has succeeded. Where that is too much to look
    /// at, as the last round of counting left them, or as many failures as were seen.
    async fn as_of_now(&self, job: Job, endpoint: &Endpoint) -> Answer<Job> {
        let is_recovery = matches!(job.task, Task::Recover { .. });
        if !is_recovery || job.state == JobState::Finished {
            return Ok(job);
        }
        let (mut open, mut failed, mut before) = (0, 0, None);
        for _ in 0..LOG_EXAMINED / JOB_PAGE {
            let page = self.store.log(&job.query(endpoint.shards, before)).await?;
            for delivery in page.items.iter().filter(|d| job.is_past(&LogPlace::of(&d.id))) {
                match job.became(delivery) {
                    Became::Open => open += 1,
                    Became::Failed => failed += 1,
                    Became::Other => {}
                }
            }
            before = page.next.filter(|end| job.is_past(end));
            if before.is_none() {
                return Ok(job.recounted(open, failed));
            }
        }
        Ok(match job.done() {
            0 => Job { total: job.total.max(failed), failed, ..job },
            _ => job,
        })
    }
}

const STATUS_RULE: &str = "must be retrying, failed or skipped, or a list of these";
const RATE_RULE: &str = "must be 1 to 100";
