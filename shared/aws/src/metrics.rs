//! Figures for CloudWatch, as lines of the log that it reads (embedded metric format): no call, no
//! permission, and nothing lost when a function ends.

use std::io::Write;

use domain::Timestamp;
use domain::metric::Metric;
use domain::ports::{Clock, Metrics};
use domain::settings::{Lookup, SettingResult};
use serde_json::json;

use crate::clock::SystemClock;

/// Where CloudWatch keeps them.
const NAMESPACE: &str = "RackwaveWebhooks";
/// What tells one stack's from another's: the function that wrote the line.
const DIMENSION: &str = "FunctionName";

/// Metrics of one function.
#[derive(Debug, Clone)]
pub struct EmbeddedMetrics {
    function: String,
}

impl EmbeddedMetrics {
    /// Of the function that Lambda names in `AWS_LAMBDA_FUNCTION_NAME`.
    ///
    /// # Errors
    /// If it is not set.
    pub fn from_settings(settings: &Lookup<'_>) -> SettingResult<Self> {
        Ok(Self { function: settings.text("AWS_LAMBDA_FUNCTION_NAME")? })
    }

    fn line(&self, metric: Metric, value: u64, at: Timestamp) -> String {
        let directive = json!({
            "Namespace": NAMESPACE,
            "Dimensions": [[DIMENSION]],
            "Metrics": [{"Name": metric.name(), "Unit": metric.unit()}],
        });
        json!({
            "_aws": {"Timestamp": at.as_millis(), "CloudWatchMetrics": [directive]},
            (DIMENSION): self.function,
            (metric.name()): value,
        })
        .to_string()
    }
}

impl Metrics for EmbeddedMetrics {
    /// One line on stdout, apart from the log's: its fields stand where CloudWatch looks for them.
    fn tell(&self, metric: Metric, value: u64) {
        let line = self.line(metric, value, SystemClock.now());
        // Whoever cannot write to stdout has no log to complain in either.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_as_cloudwatch_reads_it() {
        let metrics = EmbeddedMetrics { function: "stack-sweeper".into() };
        let line = metrics.line(Metric::Unexplained, 3, Timestamp::from_millis(1_750_000_000_123));
        let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let expected = json!({
            "_aws": {
                "Timestamp": 1_750_000_000_123_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "RackwaveWebhooks",
                    "Dimensions": [["FunctionName"]],
                    "Metrics": [{"Name": "Unexplained", "Unit": "Count"}],
                }],
            },
            "FunctionName": "stack-sweeper",
            "Unexplained": 3,
        });
        assert_eq!(line, expected);
    }
}
