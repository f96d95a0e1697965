//! Things as the API shows them (design 4.3), and the CLI's `--json` with it. What is not known is
//! left out; header values and secrets are never in here.

use serde_json::{Value, json};

use crate::Timestamp;
use crate::api_key::ApiKeyRecord;
use crate::catalogue::EventType;
use crate::delivery::{Attempt, Delivery};
use crate::endpoint::{Endpoint, EndpointState};
use crate::event::Event;
use crate::job::{Job, JobStage, JobState};
use crate::limits::SCHEDULED_ATTEMPTS;

/// An endpoint.
pub fn endpoint(endpoint: &Endpoint) -> Value {
    let (status, reason, since) = match endpoint.state {
        EndpointState::Enabled => ("enabled", None, None),
        EndpointState::Disabled { reason, at } => ("disabled", Some(reason.as_str()), Some(at)),
        EndpointState::Deleted { .. } => ("deleted", None, None),
    };
    without_nulls(json!({
        "id": endpoint.id,
        "account_id": endpoint.account_id,
        "product": endpoint.product.map(|product| product.as_str()),
        "platform_id": endpoint.platform_id,
        "url": endpoint.url,
        "event_types": endpoint.event_types.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "description": endpoint.description,
        "alert_email": endpoint.alert_email,
        "headers": endpoint.headers.iter().map(|header| &header.name).collect::<Vec<_>>(),
        "max_per_second": endpoint.max_per_second,
        "status": status,
        "disabled_reason": reason,
        "disabled_at": since,
        "failing_since": endpoint.failing_since(),
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }))
}

/// A delivery with its attempts.
pub fn delivery(delivery: &Delivery) -> Value {
    let left = match delivery.status.is_open() {
        true => SCHEDULED_ATTEMPTS.saturating_sub(delivery.scheduled_attempts),
        false => 0,
    };
    without_nulls(json!({
        "id": delivery.id,
        "event_id": delivery.event_id,
        "source_id": delivery.source_id,
        "event": delivery.event,
        "endpoint_id": delivery.id.endpoint(),
        "status": delivery.status.as_str(),
        "reason": delivery.status.reason(),
        "created_at": delivery.created_at,
        "attempts_left": left,
        "next_attempt_at": delivery.next_attempt_at,
        "gives_up_at": delivery.gives_up_at,
        "attempts": delivery.attempts.iter().map(attempt).collect::<Vec<_>>(),
    }))
}

/// An attempt.
pub fn attempt(attempt: &Attempt) -> Value {
    let answer = &attempt.answer;
    without_nulls(json!({
        "number": attempt.number,
        "trigger": attempt.trigger.as_str(),
        "at": attempt.at,
        "duration_ms": answer.duration_ms,
        "first_byte_ms": answer.first_byte_ms,
        "outcome": answer.outcome.as_str(),
        "http_status": answer.http_status,
        "response_body": answer.response_body,
        "error": answer.error,
    }))
}

/// A recovery or cancellation.
pub fn job(job: &Job) -> Value {
    let total = match job.stage {
        JobStage::Working { .. } if job.state == JobState::Running => job.total.max(job.expected),
        JobStage::Working { .. } | JobStage::Counting { .. } => job.total,
    };
    json!({
        "id": job.id,
        "kind": job.task.as_str(),
        "endpoint_id": job.endpoint_id,
        "status": job.state.as_str(),
        "total": total,
        "done": job.done(),
        "succeeded": job.succeeded,
        "failed": job.failed,
        "created_at": job.created_at,
    })
}

/// An event, without its deliveries.
pub fn event(event: &Event) -> Value {
    let envelope = &event.envelope;
    without_nulls(json!({
        "id": event.id,
        "source_id": envelope.source_id,
        "account_id": envelope.account_id,
        "event": envelope.event,
        "product": envelope.product.as_str(),
        "platform_id": envelope.platform_id,
        "timestamp": envelope.timestamp,
        "accepted_at": event.accepted_at,
        "payload": event.has_payload().then(|| crate::webhook::body(event)),
        "payload_erased_at": event.erased_at,
    }))
}

/// A published event.
pub fn event_type(event_type: &EventType) -> Value {
    without_nulls(json!({
        "event": event_type.event,
        "product": event_type.product.as_str(),
        "fields": event_type.fields,
    }))
}

/// An API key: never the key itself.
pub fn api_key(record: &ApiKeyRecord) -> Value {
    let moment = |at: Option<Timestamp>| at.map(|at| at.to_string());
    without_nulls(json!({
        "id": record.id,
        "name": record.name,
        "scope": record.scope.to_string(),
        "last4": record.last4,
        "created_at": record.created_at,
        "last_used_at": moment(record.last_used_at),
        "revoked_at": moment(record.revoked_at),
    }))
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, field| !field.is_null());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::CustomHeader;

    #[test]
    fn a_headers_value_is_not_shown() {
        let mut shown = crate::endpoint::tests::endpoint("ep_1", &["*"]);
        let (name, value) = ("X-Tenant".to_owned(), "hush".to_owned());
        shown.headers.push(CustomHeader { name, value });
        let value = endpoint(&shown);
        assert_eq!(value["headers"], json!(["X-Tenant"]));
        assert!(!value.to_string().contains("hush"));
        assert!(value.get("product").is_none(), "what is not set is left out");
    }
}
