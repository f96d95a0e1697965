//! One-time schedules into the retry queue.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::config::http::HttpResponse;
use aws_sdk_scheduler::error::SdkError;
use aws_sdk_scheduler::operation::create_schedule::CreateScheduleError;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, Target,
};
use domain::Timestamp;
use domain::ports::{PortError, PortResult, Scheduled, Scheduler};
use domain::settings::{Lookup, SettingResult};
use domain::wakeup::WakeUp;

use crate::error::{cause, port_error};

/// One repetition, so that a throttled burst is spread a little. More is the caller's to decide:
/// it asks an unclear answer again, and knows another way.
const TRIES: u32 = 2;
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(7);
const CALL: &str = "scheduler.schedule";

/// Where schedules live, and what they do when they fire.
#[derive(Debug, Clone)]
pub struct ScheduleTarget {
    /// Their group.
    pub group: String,
    /// The retry queue.
    pub retry_queue_arn: String,
    /// The role they put a message on it with.
    pub role_arn: String,
}

/// EventBridge Scheduler.
#[derive(Debug, Clone)]
pub struct Schedules {
    client: Client,
    target: ScheduleTarget,
}

impl Schedules {
    /// With the given configuration, but time limits and tries of its own.
    pub fn new(config: &SdkConfig, target: ScheduleTarget) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let config = aws_sdk_scheduler::config::Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
            .timeout_config(timeouts)
            .build();
        let client = Client::from_conf(config);
        Self { client, target }
    }

    /// With `RETRY_SCHEDULE_GROUP`, `RETRY_QUEUE_ARN` and `SCHEDULER_ROLE_ARN`.
    ///
    /// # Errors
    /// If one of them is not set.
    pub fn from_settings(config: &SdkConfig, settings: &Lookup<'_>) -> SettingResult<Self> {
        let target = ScheduleTarget {
            group: settings.text("RETRY_SCHEDULE_GROUP")?,
            retry_queue_arn: settings.text("RETRY_QUEUE_ARN")?,
            role_arn: settings.text("SCHEDULER_ROLE_ARN")?,
        };
        Ok(Self::new(config, target))
    }
}

impl Scheduler for Schedules {
    /// The name alone keeps a wake-up from being scheduled twice. There is no client token of
    /// ours: one that outlived its schedule would have Scheduler answer "created" to a later
    /// request without creating anything.
    async fn schedule(&self, wake_up: &WakeUp, at: Timestamp) -> PortResult<Scheduled> {
        let target = Target::builder()
            .arn(&self.target.retry_queue_arn)
            .role_arn(&self.target.role_arn)
            .input(wake_up.to_json())
            .build()
            .map_err(|e| PortError::new(CALL, e))?;
        let on_time = FlexibleTimeWindow::builder()
            .mode(FlexibleTimeWindowMode::Off)
            .build()
            .map_err(|e| PortError::new(CALL, e))?;
        let request = self
            .client
            .create_schedule()
            .name(wake_up.schedule_name())
            .group_name(&self.target.group)
            .schedule_expression(expression(at))
            .flexible_time_window(on_time)
            .action_after_completion(ActionAfterCompletion::Delete)
            .target(target);
        match request.send().await {
            Ok(_) => Ok(Scheduled::Created),
            Err(error) => understood(&error),
        }
    }
}

/// `at(2026-06-07T09:39:00)`, in UTC, which is the default. Whole seconds, rounded up: a schedule
/// must not fire early.
fn expression(at: Timestamp) -> String {
    let whole = Timestamp::from_secs(at.ceil_secs()).to_string();
    let seconds = whole.split('.').next().unwrap_or_default();
    format!("at({seconds})")
}

/// What a failed request means. Only a clear refusal of theirs is an error of ours.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum; whatever is added to it is unclear"
)]
fn understood(error: &SdkError<CreateScheduleError, HttpResponse>) -> PortResult<Scheduled> {
    let unclear = || Ok(Scheduled::Unclear(cause(error)));
    let refused = || Err(port_error(CALL, error));
    match error {
        SdkError::ServiceError(failed) => {
            let (meta, status) = (failed.err().meta(), failed.raw().status());
            let code = meta.code().unwrap_or_default();
            match refusal(code, meta.message().unwrap_or_default()) {
                Some(known) => Ok(known),
                None if status.as_u16() == 429 => Ok(Scheduled::Throttled),
                None if status.is_server_error() => unclear(),
                None => refused(),
            }
        }
        SdkError::ConstructionFailure(_) => refused(),
        // Timed out, broken off, or answered with what is no answer: perhaps it was created.
        _ => unclear(),
    }
}

/// The refusals that a caller can deal with.
fn refusal(code: &str, message: &str) -> Option<Scheduled> {
    let message = message.to_lowercase();
    match code {
        "ConflictException" => Some(Scheduled::Exists),
        "ThrottlingException" | "ServiceQuotaExceededException" => Some(Scheduled::Throttled),
        "ValidationException" if message.contains("past") || message.contains("future") => {
            Some(Scheduled::Past)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_never_early() {
        for (at, expected) in [
            ("2026-06-07T09:39:00Z", "at(2026-06-07T09:39:00)"),
            ("2026-06-07T09:39:00.001Z", "at(2026-06-07T09:39:01)"),
            ("2026-12-31T23:59:59.999Z", "at(2027-01-01T00:00:00)"),
        ] {
            let at = Timestamp::parse(at).expect("valid");
            assert_eq!(expression(at), expected);
        }
    }

    #[test]
    fn refusals_a_caller_can_deal_with() {
        let past = "Schedule date must be in the future";
        for (code, message, expected) in [
            ("ConflictException", "", Some(Scheduled::Exists)),
            ("ThrottlingException", "", Some(Scheduled::Throttled)),
            ("ServiceQuotaExceededException", "", Some(Scheduled::Throttled)),
            ("ValidationException", past, Some(Scheduled::Past)),
            ("ValidationException", "Invalid RoleArn", None),
            ("AccessDeniedException", "", None),
            ("ResourceNotFoundException", "", None),
            ("InternalServerException", "", None),
        ] {
            assert_eq!(refusal(code, message), expected, "{code} {message}");
        }
    }

    #[test]
    fn no_answer_is_unclear() {
        let timed_out = SdkError::timeout_error("too slow");
        assert!(matches!(understood(&timed_out), Ok(Scheduled::Unclear(_))));
    }
}
