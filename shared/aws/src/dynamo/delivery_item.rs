//! A delivery and its item. The attributes are a contract with people who read the console.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::Timestamp;
use domain::delivery::{
    Answer, Attempt, Delivery, Notice, OpenRetry, Outcome, RetryBy, Status, Trigger,
};
use domain::ids::{AccountId, DeliveryId, EventId, JobId};

use super::item::{Item, Reader, Unreadable, Writer, number, text};

/// The format's version.
const VERSION: u8 = 1;

/// The item's key.
pub(super) fn key(id: &DeliveryId) -> Item {
    Writer::default().with("partition", text(id.partition())).with("delivery_id", text(id)).item()
}

/// The item of a delivery.
pub(super) fn to_item(delivery: &Delivery, expires_at: Timestamp) -> Item {
    let moment = |at: Option<Timestamp>| at.map(text);
    let last = delivery.attempts.last().map(|attempt| &attempt.answer);
    let attempts = delivery.attempts.iter().map(attempt_value).collect();
    let due = delivery.due_at.is_some();
    let retry = delivery.open_retry.iter().flat_map(retry_attributes);
    let retry = retry.chain(delivery.open_retry.as_ref().and_then(retry_claim));
    let mut item = Writer(key(&delivery.id))
        .with("account_id", text(&delivery.account_id))
        .with("endpoint_id", text(delivery.id.endpoint()))
        .with("event_id", text(&delivery.event_id))
        .with_some("source_id", delivery.source_id.as_ref().map(text))
        .with("event", text(&delivery.event))
        .with_some("url", delivery.url.as_ref().map(text))
        .with("status", text(delivery.status.as_str()))
        .with_some("reason", delivery.status.reason().map(text))
        .with("created_at", text(delivery.created_at))
        .with("attempts", AttributeValue::L(attempts))
        .with("attempt_count", number(delivery.attempt_count))
        .with("scheduled_attempts", number(delivery.scheduled_attempts))
        .with_some("last_outcome", last.map(|a| text(a.outcome.as_str())))
        .with_some("last_http_status", last.and_then(|a| a.http_status).map(number))
        .with_some("last_error", last.and_then(|a| a.error.as_ref()).map(text))
        .with_some("next_attempt_at", moment(delivery.next_attempt_at))
        .with_some("gives_up_at", moment(delivery.gives_up_at))
        .with_some("busy_until", moment(delivery.busy_until))
        .with_some("due_shard", due.then(|| due_shard(&delivery.id)))
        .with_some("due_at", moment(delivery.due_at))
        .with_some("problem", problem(&delivery.id, delivery.status))
        .with_some("back_off_s", delivery.back_off_s.map(number))
        .with_some("notice", delivery.notice.map(|notice| text(notice.as_str())))
        .with("expires_at", text(expires_at))
        .with("ttl", number(expires_at.ceil_secs()))
        .with_some("job_id", delivery.job_id.as_ref().map(text))
        .with_some("erased_at", moment(delivery.erased_at))
        .with("version", number(VERSION))
        .item();
    item.extend(retry.map(|(name, value)| (name.to_owned(), value)));
    item
}

/// What is on record of an open retry, but for its claim.
pub(super) fn retry_attributes(retry: &OpenRetry) -> Vec<(&'static str, AttributeValue)> {
    let job = retry.by.job().map(|job| ("retry_job", text(job)));
    let always = [
        ("retry_id", text(&retry.id)),
        ("retry_kind", text(retry.by.trigger().as_str())),
        ("retry_opened_at", text(retry.opened_at)),
    ];
    always.into_iter().chain(job).collect()
}

/// All attributes of an open retry.
pub(super) const RETRY_ATTRIBUTES: [&str; 5] =
    ["retry_id", "retry_kind", "retry_job", "retry_opened_at", "retry_busy_until"];

fn retry_claim(retry: &OpenRetry) -> Option<(&'static str, AttributeValue)> {
    retry.busy_until.map(|until| ("retry_busy_until", text(until)))
}

fn open_retry(item: Reader<'_>) -> Result<Option<OpenRetry>, Unreadable> {
    if item.text_opt("retry_id")?.is_none() {
        return Ok(None);
    }
    let by = match item.text_opt("retry_job")? {
        None => RetryBy::Manual,
        Some(_) => RetryBy::Recover(item.parsed("retry_job")?),
    };
    Ok(Some(OpenRetry {
        id: item.parsed("retry_id")?,
        by,
        opened_at: item.moment("retry_opened_at")?,
        busy_until: item.moment_opt("retry_busy_until")?,
    }))
}

/// The partition of index `due`.
pub(super) fn due_shard(id: &DeliveryId) -> AttributeValue {
    text(id.due_shard())
}

/// The partition of index `problem`, for those that belong there.
pub(super) fn problem(id: &DeliveryId, status: Status) -> Option<AttributeValue> {
    status.is_problem().then(|| text(id.partition()))
}

/// One attempt, as it stands in the list.
pub(super) fn attempt_value(attempt: &Attempt) -> AttributeValue {
    let answer = &attempt.answer;
    let map = Writer::default()
        .with("number", number(attempt.number))
        .with("trigger", text(attempt.trigger.as_str()))
        .with("at", text(attempt.at))
        .with("duration_ms", number(answer.duration_ms))
        .with_some("first_byte_ms", answer.first_byte_ms.map(number))
        .with("outcome", text(answer.outcome.as_str()))
        .with_some("http_status", answer.http_status.map(number))
        .with_some("response_body", answer.response_body.as_ref().map(text))
        .with_some("error", answer.error.as_ref().map(text));
    AttributeValue::M(map.item())
}

/// Reads an item.
pub(super) fn from_item(item: &Item) -> Result<Delivery, Unreadable> {
    let item = Reader(item);
    item.no_newer_than(VERSION)?;
    let attempts: Result<_, _> = item.maps("attempts")?.into_iter().map(attempt).collect();
    Ok(Delivery {
        id: item.parsed::<DeliveryId>("delivery_id")?,
        account_id: item.parsed::<AccountId>("account_id")?,
        event_id: item.parsed::<EventId>("event_id")?,
        source_id: item.text_opt("source_id")?.map(str::to_owned),
        event: item.text("event")?.to_owned(),
        url: item.text_opt("url")?.map(str::to_owned),
        status: status(item)?,
        created_at: item.moment("created_at")?,
        attempts: attempts?,
        attempt_count: item.number("attempt_count")?,
        scheduled_attempts: item.number("scheduled_attempts")?,
        next_attempt_at: item.moment_opt("next_attempt_at")?,
        gives_up_at: item.moment_opt("gives_up_at")?,
        busy_until: item.moment_opt("busy_until")?,
        due_at: item.moment_opt("due_at")?,
        back_off_s: item.number_opt("back_off_s")?,
        notice: match item.text_opt("notice")? {
            None => None,
            Some(notice) => Some(Notice::parse(notice).ok_or(Unreadable("notice"))?),
        },
        open_retry: open_retry(item)?,
        job_id: match item.text_opt("job_id")? {
            None => None,
            Some(_) => Some(item.parsed::<JobId>("job_id")?),
        },
        erased_at: item.moment_opt("erased_at")?,
    })
}

/// Reads the status of an item.
pub(super) fn status(item: Reader<'_>) -> Result<Status, Unreadable> {
    let (status, reason) = (item.text("status")?, item.text_opt("reason")?);
    Status::parse(status, reason).ok_or(Unreadable("status"))
}

fn attempt(item: Reader<'_>) -> Result<Attempt, Unreadable> {
    let outcome = Outcome::parse(item.text("outcome")?).ok_or(Unreadable("outcome"))?;
    Ok(Attempt {
        number: item.number("number")?,
        trigger: Trigger::parse(item.text("trigger")?).ok_or(Unreadable("trigger"))?,
        at: item.moment("at")?,
        answer: Answer {
            outcome,
            http_status: item.number_opt("http_status")?,
            response_body: item.text_opt("response_body")?.map(str::to_owned),
            error: item.text_opt("error")?.map(str::to_owned),
            duration_ms: item.number("duration_ms")?,
            first_byte_ms: item.number_opt("first_byte_ms")?,
            retry_after_s: None,
        },
    })
}

#[cfg(test)]
pub(super) mod tests;
