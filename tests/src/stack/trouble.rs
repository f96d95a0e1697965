//! What goes wrong with a stack, on purpose: what somebody with rights does by mistake, and what
//! AWS does.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_lambda::types::Environment;

use super::{Stack, emulator};

impl Stack {
    /// Lets a function take from a queue, or not; both by their outputs.
    pub async fn let_take(&self, function: &str, queue: &str, takes: bool) {
        let client = self.lambda();
        let queue = self.output(queue).rsplit('/').next().unwrap_or_default();
        let asked = client.list_event_source_mappings().function_name(self.output(function));
        let found = asked.send().await.expect("its mappings");
        let mut mappings = found.event_source_mappings().iter();
        let ends = |arn: &str| arn.rsplit(':').next() == Some(queue);
        let mapping = mappings.find(|mapping| mapping.event_source_arn().is_some_and(ends));
        let mapping = mapping.and_then(|mapping| mapping.uuid()).expect("one of the queue");
        let change = client.update_event_source_mapping().uuid(mapping).enabled(takes);
        change.send().await.expect("changed");
    }

    /// Gives a function another time-out; answers the one it had.
    pub async fn give_time(&self, function: &str, time: Duration) -> Duration {
        let client = self.lambda();
        let asked = client.get_function_configuration().function_name(self.output(function));
        let before = asked.send().await.expect("its configuration").timeout();
        let seconds = i32::try_from(time.as_secs()).expect("small");
        let change = client.update_function_configuration().function_name(self.output(function));
        change.timeout(seconds).send().await.expect("changed");
        Duration::from_secs(before.and_then(|s| s.try_into().ok()).expect("a time-out"))
    }

    /// Takes a function's settings from it: it does not start any more.
    pub async fn take_settings(&self, function: &str) {
        let client = self.lambda();
        let change = client.update_function_configuration().function_name(self.output(function));
        let none = Environment::builder().set_variables(Some(HashMap::new())).build();
        change.environment(none).send().await.expect("changed");
    }

    /// Lets nobody run a function.
    pub async fn reserve_nothing(&self, function: &str) {
        let client = self.lambda();
        let change = client.put_function_concurrency().function_name(self.output(function));
        change.reserved_concurrent_executions(0).send().await.expect("changed");
    }

    /// Runs a function, whatever comes of it; whether it answered.
    pub fn runs(&self, function: &str) -> bool {
        emulator().invoke(self.output(function), &serde_json::json!({})).is_ok()
    }

    /// Has Scheduler throttle everything that is asked of it for this stack.
    pub fn throttle_scheduler(&self) {
        let group = self.output("RetryScheduleGroup");
        emulator().throttle_schedules(group).unwrap_or_else(|e| panic!("{e}"));
    }

    fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.config)
    }
}
