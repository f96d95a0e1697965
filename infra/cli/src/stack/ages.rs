//! How long messages have been on the queues, as CloudWatch has it. Nobody receives one to find
//! out: that would cost it a try, and SQS leaves what was received three times out of its figures.

use std::time::Duration;

use aws::sqs::Queue;
use aws_sdk_cloudwatch::error::DisplayErrorContext;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat};
use domain::Timestamp;
use domain::ports::Clock as _;

use super::Stack;

/// How far back a figure still counts. SQS tells one a minute; a queue that was at rest for hours
/// takes up to 15 minutes to begin.
const WITHIN: Duration = Duration::from_secs(15 * 60);
const A_MINUTE: Duration = Duration::from_secs(60);
const ANY: &str = "ApproximateAgeOfOldestMessage";
const QUIET: &str = "ApproximateAgeOfOldestMessageInQuietGroups";

/// How old the oldest message of a queue is. `None` if CloudWatch has no figure.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// Of all messages.
    pub any: Option<Duration>,
    /// Of groups that do not get more than their share. A queue without groups has no such figure.
    pub quiet: Option<Duration>,
}

impl Stack {
    /// The ages of queues, in their order.
    pub async fn ages(&self, queues: &[Queue]) -> anyhow::Result<Vec<Age>> {
        let mut queries = Vec::new();
        for (place, queue) in queues.iter().enumerate() {
            let url = self.output(queue.output())?;
            let name = url.rsplit('/').next().unwrap_or_default();
            queries.push(query(&format!("any_{place}"), ANY, name)?);
            queries.push(query(&format!("quiet_{place}"), QUIET, name)?);
        }
        let now = aws::clock::SystemClock.now();
        let time = |at: Timestamp| DateTime::from_millis(at.as_millis());
        let answer = aws_sdk_cloudwatch::Client::new(&self.config)
            .get_metric_data()
            .set_metric_data_queries(Some(queries))
            .start_time(time(now - WITHIN))
            .end_time(time(now + A_MINUTE))
            .send()
            .await
            .map_err(|error| anyhow::anyhow!("{}", DisplayErrorContext(&error)))?;
        let latest = |id: String| {
            let found = answer.metric_data_results().iter().find(|each| each.id() == Some(&*id));
            found.and_then(latest)
        };
        let age = |place| Age {
            any: latest(format!("any_{place}")),
            quiet: latest(format!("quiet_{place}")),
        };
        Ok((0..queues.len()).map(age).collect())
    }
}

fn query(id: &str, metric: &str, queue: &str) -> anyhow::Result<MetricDataQuery> {
    let dimension = Dimension::builder().name("QueueName").value(queue).build();
    let metric = Metric::builder().namespace("AWS/SQS").metric_name(metric).dimensions(dimension);
    let period_s = i32::try_from(A_MINUTE.as_secs())?;
    let stat = MetricStat::builder().metric(metric.build()).period(period_s).stat("Maximum");
    Ok(MetricDataQuery::builder().id(id).metric_stat(stat.build()).build())
}

fn latest(result: &MetricDataResult) -> Option<Duration> {
    let told = result.timestamps().iter().zip(result.values());
    let (_, age_s) = told.max_by_key(|(at, _)| at.secs())?;
    Duration::try_from_secs_f64(*age_s).ok()
}
