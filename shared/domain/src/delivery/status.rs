//! How far a delivery is, and why it ended.

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// No scheduled attempt yet.
    Pending,
    /// At least one scheduled attempt failed; waiting for the next, or for the end.
    Retrying,
    /// Answered with 2xx.
    Succeeded,
    /// Over, without success.
    Failed(FailedReason),
    /// Not sent: the endpoint was disabled when the event was accepted.
    Skipped,
}

impl Status {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Retrying => "retrying",
            Status::Succeeded => "succeeded",
            Status::Failed(_) => "failed",
            Status::Skipped => "skipped",
        }
    }

    /// As it is written beside the status.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Status::Failed(reason) => Some(reason.as_str()),
            Status::Skipped => Some(FailedReason::EndpointDisabled.as_str()),
            Status::Pending | Status::Retrying | Status::Succeeded => None,
        }
    }

    /// Reads what [`Status::as_str`] and [`Status::reason`] wrote.
    pub fn parse(status: &str, reason: Option<&str>) -> Option<Self> {
        match status {
            "pending" => Some(Status::Pending),
            "retrying" => Some(Status::Retrying),
            "succeeded" => Some(Status::Succeeded),
            "failed" => FailedReason::parse(reason?).map(Status::Failed),
            "skipped" => Some(Status::Skipped),
            _ => None,
        }
    }

    /// Whether scheduled attempts may still be made.
    pub fn is_open(self) -> bool {
        match self {
            Status::Pending | Status::Retrying => true,
            Status::Succeeded | Status::Failed(_) | Status::Skipped => false,
        }
    }

    /// Whether it belongs to the `problem` index.
    pub fn is_problem(self) -> bool {
        match self {
            Status::Retrying | Status::Failed(_) | Status::Skipped => true,
            Status::Pending | Status::Succeeded => false,
        }
    }
}

/// Why a delivery failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedReason {
    /// All attempts made, and the time is up.
    Exhausted,
    /// The endpoint was disabled meanwhile.
    EndpointDisabled,
    /// The endpoint was deleted meanwhile.
    EndpointDeleted,
    /// A person cancelled it.
    Cancelled,
}

impl FailedReason {
    const ALL: [Self; 4] =
        [Self::Exhausted, Self::EndpointDisabled, Self::EndpointDeleted, Self::Cancelled];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            FailedReason::Exhausted => "exhausted",
            FailedReason::EndpointDisabled => "endpoint_disabled",
            FailedReason::EndpointDeleted => "endpoint_deleted",
            FailedReason::Cancelled => "cancelled",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}
