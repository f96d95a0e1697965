//! Thin adapters: the ports of `domain` for AWS and for the customers' side of the network.
//!
//! Nothing in here ever decides what happens to an event or a delivery, keeps anything between
//! two calls, reads more than a bounded amount, waits without a limit, or puts a payload, a secret
//! or a custom header's value into an error or a log line. No SDK type crosses a port.
//!
//! | module | is |
//! |---|---|
//! | [`config`] | how the SDK is set up: region, credentials, TLS, time limits |
//! | [`dynamo`] | the store: endpoints, secrets, events, deliveries, API keys |
//! | [`sqs`] | the queues, written to in batches |
//! | [`batch`] | a batch of queue messages as Lambda hands it over |
//! | [`scheduler`] | one-time schedules into the retry queue |
//! | [`eventbridge`] | the bus for operational events |
//! | [`ses`] | mail to endpoints' owners |
//! | [`receiver`] | the outbound HTTP client |
//! | [`clock`] | the clock, the dice, and new ids |
//! | [`metrics`] | figures for CloudWatch, as lines of the log |
//! | [`logging`] | one JSON object a line |

pub mod batch;
pub mod clock;
pub mod config;
pub mod dynamo;
mod error;
pub mod eventbridge;
pub mod lambda;
pub mod logging;
pub mod metrics;
mod packing;
pub mod receiver;
pub mod scheduler;
pub mod ses;
pub mod sqs;
