//! What AWS charges, and what is assumed where nothing can be measured. Whoever finds another
//! figure on AWS's pages changes it here, and the date with it.

/// When and where the prices below held.
pub const LIST: &str = "us-east-1, on demand, 2026-11; without any free tier";

/// Dollars for each of a million.
#[derive(Debug, Clone, Copy)]
pub struct PerMillion(pub f64);

/// A write unit of DynamoDB.
pub const WRITE_UNIT: PerMillion = PerMillion(0.625);
/// A read unit of DynamoDB.
pub const READ_UNIT: PerMillion = PerMillion(0.125);
/// A request to SQS, of up to 64 KB.
pub const SQS_REQUEST: PerMillion = PerMillion(0.40);
/// On top of it where messages have a group.
pub const SQS_GROUPED: PerMillion = PerMillion(0.10);
/// A run of a Lambda function.
pub const INVOCATION: PerMillion = PerMillion(0.20);
/// A second of a Lambda function with 1 GB, on arm64.
pub const GB_SECOND: PerMillion = PerMillion(13.33);
/// A schedule of EventBridge Scheduler that fires.
pub const SCHEDULE: PerMillion = PerMillion(1.00);
/// An event on an EventBridge bus.
pub const BUS_EVENT: PerMillion = PerMillion(1.00);
/// A request to KMS.
pub const KMS_REQUEST: PerMillion = PerMillion(3.00);
/// A GB of log lines taken in.
pub const LOG_GB: f64 = 0.50;
/// A GB sent to the internet.
pub const EGRESS_GB: f64 = 0.09;
/// A GB in DynamoDB for a month.
pub const STORED_GB: f64 = 0.25;
/// A GB of logs kept for a month; they are kept compressed.
pub const LOG_STORED_GB: f64 = 0.03;
/// A key of KMS for a month, before it was ever rotated; the first two rotations add as much each.
pub const KEY: f64 = 1.00;
/// An alarm on one metric, for a month.
pub const ALARM: f64 = 0.10;
/// A custom metric for a month; one that comes seldom is charged for the hours in which it came.
pub const METRIC: f64 = 0.30;
/// A dashboard for a month.
pub const DASHBOARD: f64 = 3.00;

/// Milliseconds until an endpoint has answered.
pub const ENDPOINT_MS: f64 = 200.0;
/// Milliseconds of a request to DynamoDB; of several at once, until the slowest has answered.
pub const DYNAMO_MS: f64 = 10.0;
/// The same for SQS.
pub const SQS_MS: f64 = 20.0;
/// The same for all others.
pub const OTHER_MS: f64 = 50.0;
/// Milliseconds of a processor for a TLS handshake with an endpoint, which is not part of what is
/// run here: the endpoint on loopback speaks plain HTTP.
pub const HANDSHAKE_CPU_MS: f64 = 1.0;
/// MiB with which Lambda gives a function a whole processor.
pub const WHOLE_CPU_MIB: f64 = 1_769.0;
/// Bytes sent for a connection beside the request: TLS handshake, TCP and IP headers.
pub const CONNECTION_BYTES: f64 = 1_000.0;
/// Bytes that CloudWatch adds to each line.
pub const LINE_BYTES: f64 = 26.0;
/// Days that records stay: the default of `RetentionDays`, and two until DynamoDB has deleted them.
pub const KEPT_DAYS: f64 = 32.0;
/// Days of a month, and hours.
pub const MONTH_DAYS: f64 = 730.0 / 24.0;
/// Long polls that Lambda keeps open on an idle queue, each of 20 s: what people see in their
/// bills; AWS does not document it.
pub const IDLE_POLLS: f64 = 5.0;
/// Seconds of a long poll.
pub const POLL_S: f64 = 20.0;

/// What no figure here includes.
pub const LEFT_OUT: &str = "Left out: free tiers, taxes, support, data transfer between regions or \
    through a NAT gateway (there is none), what other consumers of the event bus cost, reads by \
    people (API, page, CLI, Logs Insights at $0.005/GB), backups beside point-in-time recovery of \
    small tables, cold starts beyond the one measured, and Lambda's own lines in the log.";
