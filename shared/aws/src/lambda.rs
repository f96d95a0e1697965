//! The sender, as the API calls it: a synchronous invocation.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use domain::limits::TEST_INVOCATION_S;
use domain::ports::{PortError, PortResult, TestRunner};
use domain::test_event::{TestReply, TestRequest};

use crate::error::port_error;

const CALL: &str = "sender.test";

/// The sender function.
#[derive(Debug, Clone)]
pub struct SenderFunction {
    client: Client,
    name: String,
}

impl SenderFunction {
    /// The function of this name. Asks once, and waits for as long as a request may take.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        let longest = Duration::from_secs(TEST_INVOCATION_S.into());
        let timeouts =
            TimeoutConfig::builder().operation_timeout(longest).operation_attempt_timeout(longest);
        let config = aws_sdk_lambda::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build())
            .build();
        Self { client: Client::from_conf(config), name: name.into() }
    }
}

impl TestRunner for SenderFunction {
    async fn run_test(&self, request: &TestRequest) -> PortResult<TestReply> {
        let payload = Blob::new(request.to_json().to_string());
        let invoke = self.client.invoke().function_name(&self.name).payload(payload);
        let answer = invoke.send().await.map_err(|error| port_error(CALL, &error))?;
        if let Some(error) = answer.function_error() {
            return Err(PortError::new(CALL, format!("the sender failed: {error}")));
        }
        let payload = answer.payload().map(Blob::as_ref).unwrap_or_default();
        let value = serde_json::from_slice(payload).ok();
        value
            .and_then(|value| TestReply::parse(&value))
            .ok_or_else(|| PortError::new(CALL, "the sender's answer cannot be read"))
    }
}
