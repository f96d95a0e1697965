//! What a caller is told when something is wrong: a code to match on and a fixed sentence. Causes
//! are for the log.

use domain::endpoint::register::FieldError;
use domain::limits::{TESTS_PER_ACCOUNT, TESTS_PER_MINUTE};
use domain::ports::PortError;
use serde_json::json;

use crate::http::Response;

/// What a handler answers.
pub(crate) type Answer<T> = Result<T, ApiError>;

/// An error of the API. The codes it is told by are part of the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// The body is not a JSON object.
    InvalidJson,
    /// A field or parameter that must be there.
    MissingField(&'static str),
    /// A field or parameter that is not known; the caller's own word.
    UnknownField(String),
    /// A field or parameter with a value that cannot be.
    InvalidField {
        /// Its name.
        field: &'static str,
        /// For people, to be read after the name.
        rule: String,
    },
    /// No key came with the call.
    AuthenticationRequired,
    /// The key is malformed, unknown or revoked.
    InvalidApiKey,
    /// The key does not open what was named.
    InsufficientScope,
    /// It is not there, or not for this key to know of.
    NotFound,
    /// The path is known, the method is not; with those that are.
    MethodNotAllowed(String),
    /// Somebody else was faster.
    Conflict,
    /// A delivery of the event is not on record, so that it cannot be ended.
    DeliveryMissing,
    /// A rotation is under way.
    RotationInProgress,
    /// The endpoint is disabled: nothing is sent there.
    EndpointDisabled,
    /// A retry of the delivery is open.
    RetryInProgress,
    /// A recovery or cancellation of the endpoint is running.
    RecoveryInProgress,
    /// The payload has expired, or was erased.
    PayloadExpired,
    /// The account has all the endpoints it may have.
    EndpointLimitReached,
    /// The idempotency key stands for another request.
    IdempotencyKeyReused,
    /// The body is above its limit.
    BodyTooLarge,
    /// Too many calls; the headers say how many may be made, and when the next.
    RateLimited(Vec<(&'static str, String)>),
    /// Too many test events for the endpoint; with the seconds after which there may be more.
    TooManyTests(i64),
    /// The same for all endpoints of the account together.
    TooManyTestsOfAccount(i64),
    /// Not the caller's fault. The cause is for the log.
    Internal(String),
}

impl ApiError {
    /// A value that breaks a rule.
    pub(crate) fn invalid(field: &'static str, rule: impl Into<String>) -> Self {
        Self::InvalidField { field, rule: rule.into() }
    }

    /// Status, code to match on, and the sentence for people.
    fn parts(&self) -> (u16, &'static str, String) {
        let fixed = |status, code, message: &str| (status, code, message.to_owned());
        match self {
            Self::InvalidJson => fixed(400, "invalid_json", "the body must be a JSON object"),
            Self::MissingField(name) => (400, "missing_field", format!("{name} is missing")),
            Self::UnknownField(name) => (400, "unknown_field", format!("{name} is not known here")),
            Self::InvalidField { field, rule } => (400, "invalid_field", format!("{field} {rule}")),
            Self::AuthenticationRequired => fixed(
                401,
                "authentication_required",
                "send an API key as Authorization: Bearer <key>",
            ),
            Self::InvalidApiKey => fixed(
                401,
                "invalid_api_key",
                "the API key is malformed, unknown, expired or revoked",
            ),
            Self::InsufficientScope => {
                fixed(403, "insufficient_scope", "the API key does not open this")
            }
            Self::NotFound => fixed(404, "not_found", "there is no such thing"),
            Self::MethodNotAllowed(_) => {
                fixed(405, "method_not_allowed", "this path does not take this method")
            }
            Self::Conflict => {
                fixed(409, "conflict", "it was changed by somebody else meanwhile; read it again")
            }
            Self::DeliveryMissing => fixed(
                409,
                "conflict",
                "a delivery of this event is not on record (yet), so the payload was kept; try \
                 again in ten minutes, then have the records audited",
            ),
            Self::RotationInProgress => {
                fixed(409, "rotation_in_progress", "finish the rotation that is under way first")
            }
            Self::EndpointDisabled => fixed(
                409,
                "endpoint_disabled",
                "the endpoint is disabled, or deleted; enable it first",
            ),
            Self::RetryInProgress => {
                fixed(409, "retry_in_progress", "a retry of this delivery is under way already")
            }
            Self::RecoveryInProgress => fixed(
                409,
                "recovery_in_progress",
                "a recovery or cancellation of this endpoint is running; wait for it or cancel it",
            ),
            Self::PayloadExpired => {
                fixed(410, "payload_expired", "the payload is gone and cannot be sent again")
            }
            Self::EndpointLimitReached => {
                fixed(409, "endpoint_limit_reached", "the account has as many endpoints as it may")
            }
            Self::IdempotencyKeyReused => fixed(
                409,
                "idempotency_key_reused",
                "the X-Idempotency-Key stands for another request; use a new one",
            ),
            Self::BodyTooLarge => {
                fixed(413, "body_too_large", "the body must be at most 65536 bytes")
            }
            Self::RateLimited(_) => {
                fixed(429, "rate_limited", "too many calls with this key; wait and try again")
            }
            Self::TooManyTests(_) => {
                let most = TESTS_PER_MINUTE;
                let message = format!("at most {most} test events a minute for an endpoint; wait");
                (429, "rate_limited", message)
            }
            Self::TooManyTestsOfAccount(_) => {
                let most = TESTS_PER_ACCOUNT;
                let message =
                    format!("at most {most} test events a minute for all of an account; wait");
                (429, "rate_limited", message)
            }
            Self::Internal(_) => {
                fixed(500, "internal_error", "something went wrong on our side; try again")
            }
        }
    }

    /// The field at fault, if one is.
    fn field(&self) -> Option<&str> {
        match self {
            Self::MissingField(field) | Self::InvalidField { field, .. } => Some(field),
            Self::UnknownField(field) => Some(field),
            Self::InvalidJson
            | Self::AuthenticationRequired
            | Self::InvalidApiKey
            | Self::InsufficientScope
            | Self::NotFound
            | Self::MethodNotAllowed(_)
            | Self::Conflict
            | Self::DeliveryMissing
            | Self::RotationInProgress
            | Self::EndpointDisabled
            | Self::RetryInProgress
            | Self::RecoveryInProgress
            | Self::PayloadExpired
            | Self::EndpointLimitReached
            | Self::IdempotencyKeyReused
            | Self::BodyTooLarge
            | Self::RateLimited(_)
            | Self::TooManyTests(_)
            | Self::TooManyTestsOfAccount(_)
            | Self::Internal(_) => None,
        }
    }

    /// The headers that go with it.
    fn headers(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::AuthenticationRequired | Self::InvalidApiKey => {
                vec![("WWW-Authenticate", "Bearer".into())]
            }
            Self::MethodNotAllowed(allow) => vec![("Allow", allow.clone())],
            Self::RateLimited(headers) => headers.clone(),
            Self::TooManyTests(wait_s) | Self::TooManyTestsOfAccount(wait_s) => {
                vec![("Retry-After", wait_s.to_string())]
            }
            Self::InvalidJson
            | Self::MissingField(_)
            | Self::UnknownField(_)
            | Self::InvalidField { .. }
            | Self::InsufficientScope
            | Self::NotFound
            | Self::Conflict
            | Self::DeliveryMissing
            | Self::RotationInProgress
            | Self::EndpointDisabled
            | Self::RetryInProgress
            | Self::RecoveryInProgress
            | Self::PayloadExpired
            | Self::EndpointLimitReached
            | Self::IdempotencyKeyReused
            | Self::BodyTooLarge
            | Self::Internal(_) => Vec::new(),
        }
    }

    /// What the log is told, if it is our fault.
    pub(crate) fn cause(&self) -> Option<String> {
        if let Self::Internal(cause) = self { Some(cause.clone()) } else { None }
    }

    /// As the caller gets it.
    pub fn response(&self) -> Response {
        let (status, code, message) = self.parts();
        let mut body = json!({"success": false, "error": code, "message": message, "code": status});
        if let Some(field) = self.field() {
            body["field"] = field.into();
        }
        let mut response = Response::json(status, &body);
        response.headers.extend(self.headers());
        response
    }
}

impl From<PortError> for ApiError {
    fn from(error: PortError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<FieldError> for ApiError {
    fn from(error: FieldError) -> Self {
        Self::InvalidField { field: error.field, rule: error.rule }
    }
}
