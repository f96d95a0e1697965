//! What is told on the bus (design 4.9). A state that must be announced is committed together
//! with a pending notice; the notice goes when the announcement was taken. So each is told at
//! least once, and always with the same id.

use serde_json::{Map, Value, json};

use crate::Timestamp;
use crate::delivery::{Delivery, Notice};
use crate::endpoint::notice::{EndpointNotice, Happening};
use crate::endpoint::{DisabledReason, Endpoint};
use crate::health::HealthRules;
use crate::ids::{hash_fields, hex};
use crate::job::Job;
use crate::ports::{Announcement, Bus, Deliveries, Jobs, PortError, PortResult, Refused};

/// Announces what is pending on a delivery, then takes the delivery out of `due`, unless a retry
/// of it is open.
///
/// # Errors
/// If the bus or the store failed; the notice stays, and the sweeper tries again.
pub async fn finish_notice(
    deliveries: &impl Deliveries,
    bus: &impl Bus,
    delivery: &Delivery,
    now: Timestamp,
) -> PortResult<()> {
    if let Some(notice) = delivery.notice {
        let announcement = match notice {
            Notice::DeliveryFailed => delivery_failed(delivery, now),
        };
        let answer = bus.announce(&[announcement]).await.pop();
        answer.unwrap_or_else(|| Err(PortError::new("bus.announce", "no answer")))?;
    }
    match (delivery.notice, &delivery.open_retry) {
        (Some(notice), Some(_)) => deliveries.announced(&delivery.id, notice).await.map(|_| ()),
        (_, None) => deliveries.take_out(&delivery.id, delivery.notice).await.map(|_| ()),
        (None, Some(_)) => Ok(()), // it stays in `due` for its retry
    }
}

/// Announces that a job is over, and notes that this is done.
///
/// # Errors
/// If the bus or the store failed; the notice stays, and the sweeper tries again.
pub async fn finish_job(
    jobs: &impl Jobs,
    bus: &impl Bus,
    job: &Job,
    now: Timestamp,
) -> PortResult<()> {
    if !job.notice {
        return Ok(());
    }
    let answer = bus.announce(&[recovery_finished(job, now)]).await.pop();
    answer.unwrap_or_else(|| Err(PortError::new("bus.announce", "no answer")))?;
    jobs.save(job, &Job { notice: false, ..job.clone() }).await.map(|_| ())
}

fn recovery_finished(job: &Job, at: Timestamp) -> Announcement {
    let detail = json!({
        "account_id": job.account_id,
        "endpoint_id": job.endpoint_id,
        "recovery_id": job.id,
        "kind": job.task.as_str(),
        "status": job.state.as_str(),
        "total": job.total,
        "succeeded": job.succeeded,
        "failed": job.failed,
    });
    announcement("recovery.finished", job.id.as_str(), at, detail)
}

fn delivery_failed(delivery: &Delivery, at: Timestamp) -> Announcement {
    let last = delivery.attempts.last().map(|attempt| &attempt.answer);
    let detail = json!({
        "account_id": delivery.account_id,
        "endpoint_id": delivery.id.endpoint(),
        "delivery_id": delivery.id,
        "event_id": delivery.event_id,
        "source_id": delivery.source_id,
        "event": delivery.event,
        "reason": delivery.status.reason(),
        "attempts": delivery.attempt_count,
        "last_outcome": last.map(|answer| answer.outcome.as_str()),
        "last_http_status": last.and_then(|answer| answer.http_status),
    });
    announcement(Notice::DeliveryFailed.as_str(), delivery.id.as_str(), at, detail)
}

/// What happened to an endpoint; `None` for what is not announced.
pub(crate) fn endpoint_changed(
    endpoint: &Endpoint,
    notice: &EndpointNotice,
    rules: &HealthRules,
) -> Option<Announcement> {
    let (name, reason, disable_due_at) = match notice.what {
        Happening::Failing => {
            ("endpoint.failing", None, notice.since.map(|since| rules.disable_due_at(since)))
        }
        Happening::Recovered => ("endpoint.recovered", None, None),
        Happening::Disabled => ("endpoint.disabled", Some(DisabledReason::Failing), None),
        Happening::DisabledByHand => ("endpoint.disabled", Some(DisabledReason::Manual), None),
        Happening::Enabled => ("endpoint.enabled", None, None),
        Happening::Warned => return None,
    };
    let detail = json!({
        "account_id": endpoint.account_id,
        "endpoint_id": endpoint.id,
        "product": endpoint.product.map(|product| product.as_str()),
        "at": notice.at,
        "failing_since": notice.since,
        "disable_due_at": disable_due_at,
        "reason": reason.map(DisabledReason::as_str),
    });
    let about = format!("{}/{}", endpoint.id, notice.at);
    Some(announcement(name, &about, notice.at, detail))
}

/// The announcement of a refused event, for the producer's team: the code and the field, never
/// the payload. `producer` is the sender's identity as SQS knows it.
pub fn event_rejected(refused: &Refused, producer: Option<&str>, at: Timestamp) -> Announcement {
    let index = refused.index.map_or_else(|| "-".to_owned(), |index| index.to_string());
    let detail = json!({
        "producer": producer,
        "source_message_id": refused.source_message_id,
        "index": refused.index,
        "code": refused.rejection.code.as_str(),
        "field": refused.rejection.field,
    });
    announcement("event.rejected", &format!("{}/{index}", refused.source_message_id), at, detail)
}

fn announcement(name: &'static str, about: &str, at: Timestamp, detail: Value) -> Announcement {
    let id = format!("ann_{}", hex(&hash_fields(&["announcement", name, about])[..16]));
    let detail = match detail {
        Value::Object(fields) => fields.into_iter().filter(|(_, v)| !v.is_null()).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    };
    Announcement { id, name, at, detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::tests::{NOW, delivery};
    use crate::delivery::{FailedReason, Status};

    #[test]
    fn the_same_fact_has_the_same_id() {
        let failed = delivery(Status::Failed(FailedReason::Exhausted), 5);
        let first = delivery_failed(&failed, NOW);
        let again = delivery_failed(&failed, NOW + std::time::Duration::from_secs(60));
        assert_eq!(first.id, again.id);
        assert_eq!(first.detail["reason"], "exhausted");
        assert_eq!(first.detail["attempts"], 5);
        assert!(!first.detail.contains_key("source_id"), "what is not known is left out");
    }
}
