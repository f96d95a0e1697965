//! A job and its item.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::Timestamp;
use domain::ids::{EndpointId, JobId};
use domain::job::{Job, JobPage, JobStage, JobState, Recoverable, Task};
use domain::limits::JOB_KEPT_S;
use domain::log::LogPlace;

use super::item::{Item, Reader, Unreadable, Writer, number, text};

/// The format's version.
const VERSION: u8 = 1;
/// The one partition of the index of unfinished jobs: there are few at a time.
pub(super) const UNFINISHED: &str = "unfinished";

/// A job's key.
pub(super) fn key(id: &JobId) -> Item {
    Writer::default().with("job_id", text(id)).item()
}

/// The key of the item that says which job of an endpoint was begun last.
pub(super) fn latest_key(endpoint: &EndpointId) -> Item {
    Writer::default().with("job_id", text(format!("latest#{endpoint}"))).item()
}

/// The item that says which job of an endpoint was begun last.
pub(super) fn latest_item(job: &Job) -> Item {
    expiring(Writer(latest_key(&job.endpoint_id)), job.created_at)
        .with("latest", text(&job.id))
        .with("version", number(VERSION))
        .item()
}

/// The job that an item of [`latest_item`] names.
pub(super) fn latest_of(item: &Item) -> Result<JobId, Unreadable> {
    let item = Reader(item);
    item.no_newer_than(VERSION)?;
    item.parsed("latest")
}

fn expiring(writer: Writer, created_at: Timestamp) -> Writer {
    let expires_at = created_at + std::time::Duration::from_secs(JOB_KEPT_S);
    writer.with("expires_at", text(expires_at)).with("ttl", number(expires_at.ceil_secs()))
}

/// The item of a job.
pub(super) fn to_item(job: &Job) -> Item {
    let unfinished = job.state == JobState::Running || job.notice;
    let (stage, before) = match &job.stage {
        JobStage::Working { before } => ("working", before),
        JobStage::Counting { before, .. } => ("counting", before),
    };
    let page = job.page.as_ref();
    let mut writer = expiring(Writer(key(&job.id)), job.created_at)
        .with("account_id", text(&job.account_id))
        .with("endpoint_id", text(&job.endpoint_id))
        .with("from", text(job.from))
        .with("to", text(job.to))
        .with("created_at", text(job.created_at))
        .with("status", text(job.state.as_str()))
        .with("stage", text(stage))
        .with_some("before", before.as_ref().map(|place| text(place.as_str())))
        .with("seq", number(job.seq))
        .with_some("page_matched", page.map(|page| number(page.matched)))
        .with_some("page_end", page.and_then(|p| p.end.as_ref()).map(|end| text(end.as_str())))
        .with("expected", number(job.expected))
        .with("total", number(job.total))
        .with("succeeded", number(job.succeeded))
        .with("failed", number(job.failed))
        .with("wakes_at", text(job.wakes_at))
        .with("notice", AttributeValue::Bool(job.notice))
        .with("revision", number(job.revision))
        .with_some(UNFINISHED, unfinished.then(|| text(UNFINISHED)))
        .with("version", number(VERSION));
    if let JobStage::Counting { open, failed, rounds, .. } = job.stage {
        writer = writer
            .with("round_open", number(open))
            .with("round_failed", number(failed))
            .with("rounds", number(rounds));
    }
    match &job.task {
        Task::Recover { statuses, max_per_second } => {
            let statuses = statuses.iter().map(|status| text(status.as_str())).collect();
            writer
                .with("kind", text("recover"))
                .with("statuses", AttributeValue::L(statuses))
                .with("max_per_second", number(*max_per_second))
        }
        Task::Cancel { event } => {
            writer.with("kind", text("cancel")).with_some("event", event.as_ref().map(text))
        }
    }
    .item()
}

/// Reads an item.
pub(super) fn from_item(item: &Item) -> Result<Job, Unreadable> {
    let item = Reader(item);
    item.no_newer_than(VERSION)?;
    Ok(Job {
        id: item.parsed("job_id")?,
        account_id: item.parsed("account_id")?,
        endpoint_id: item.parsed("endpoint_id")?,
        task: task(item)?,
        from: item.moment("from")?,
        to: item.moment("to")?,
        created_at: item.moment("created_at")?,
        state: JobState::parse(item.text("status")?).ok_or(Unreadable("status"))?,
        stage: stage(item)?,
        seq: item.number("seq")?,
        page: match item.number_opt("page_matched")? {
            None => None,
            Some(matched) => Some(JobPage { end: place(item, "page_end")?, matched }),
        },
        expected: item.number("expected")?,
        total: item.number("total")?,
        succeeded: item.number("succeeded")?,
        failed: item.number("failed")?,
        wakes_at: item.moment("wakes_at")?,
        notice: item.flag("notice")?,
        revision: item.number("revision")?,
    })
}

fn task(item: Reader<'_>) -> Result<Task, Unreadable> {
    match item.text("kind")? {
        "recover" => {
            let status = |text| Recoverable::parse(text).ok_or(Unreadable("statuses"));
            let statuses: Result<_, _> = item.texts("statuses")?.into_iter().map(status).collect();
            Ok(Task::Recover {
                statuses: statuses?,
                max_per_second: item.number("max_per_second")?,
            })
        }
        "cancel" => Ok(Task::Cancel { event: item.text_opt("event")?.map(str::to_owned) }),
        _ => Err(Unreadable("kind")),
    }
}

fn stage(item: Reader<'_>) -> Result<JobStage, Unreadable> {
    let before = place(item, "before")?;
    match item.text("stage")? {
        "working" => Ok(JobStage::Working { before }),
        "counting" => Ok(JobStage::Counting {
            before,
            open: item.number("round_open")?,
            failed: item.number("round_failed")?,
            rounds: item.number("rounds")?,
        }),
        _ => Err(Unreadable("stage")),
    }
}

fn place(item: Reader<'_>, name: &'static str) -> Result<Option<LogPlace>, Unreadable> {
    let text = item.text_opt(name)?;
    text.map(|text| LogPlace::parse(text).ok_or(Unreadable(name))).transpose()
}
