//! Failed calls, in words for the log.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use domain::ports::PortError;

/// A failed SDK call. Says code and message, never the response: that may hold an item.
pub(crate) fn port_error<E, R>(call: &'static str, error: &SdkError<E, R>) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug + 'static,
{
    PortError::new(call, cause(error))
}

/// What went wrong, in one line.
pub(crate) fn cause<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug + 'static,
{
    if let SdkError::ServiceError(failed) = error {
        let meta = failed.err().meta();
        let code = meta.code().unwrap_or("an error without a code");
        return format!("{code}: {}", meta.message().unwrap_or("no message"));
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
