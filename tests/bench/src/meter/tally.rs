//! What a scenario took, counted.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::DeliveryId;
use tests::stack::Received;

use super::counting::Call;
use super::stand::{Ended, Worker};

/// One run of a function.
pub struct Invocation {
    /// Which.
    pub function: &'static str,
    /// What it asked of AWS.
    pub calls: Vec<Call>,
}

/// A function's time on a processor, and what it wrote.
pub struct Ran {
    /// MiB, as the template sets it.
    pub memory_mib: f64,
    /// Seconds of this machine's processor, start included.
    pub cpu_s: f64,
    /// Lines of its log.
    pub lines: usize,
    /// Bytes of them.
    pub line_bytes: usize,
}

/// Everything counted in a scenario.
pub struct Tally {
    /// Deliveries that came to an end.
    pub deliveries: f64,
    /// Runs of functions.
    pub invocations: Vec<Invocation>,
    /// SQS requests that no function makes: by whom and which.
    pub around: BTreeMap<(&'static str, &'static str), f64>,
    /// Of those, the pollers' of the queues of wake-ups.
    pub polled_wake_ups: f64,
    /// The functions.
    pub ran: BTreeMap<&'static str, Ran>,
    /// POSTs to endpoints.
    pub posts: f64,
    /// Bytes of them, as HTTP/1.1.
    pub post_bytes: f64,
}

impl Tally {
    /// Nothing yet.
    pub fn new(deliveries: usize) -> Self {
        Self {
            deliveries: number(deliveries),
            invocations: Vec::new(),
            around: BTreeMap::new(),
            polled_wake_ups: 0.0,
            ran: BTreeMap::new(),
            posts: 0.0,
            post_bytes: 0.0,
        }
    }

    /// Counts requests to SQS that are made around the functions.
    pub fn sqs(&mut self, whose: &'static str, operation: &'static str, requests: f64) {
        *self.around.entry((whose, operation)).or_default() += requests;
    }

    /// Counts what the endpoints received.
    pub fn posts(&mut self, received: &[Received]) {
        let bytes = |post: &Received| {
            let headers = post.headers.iter();
            let headers: usize = headers.map(|(name, value)| name.len() + value.len() + 4).sum();
            "POST /webhooks/rackwave HTTP/1.1\r\n\r\n".len() + headers + post.body.len()
        };
        self.posts = number(received.len());
        self.post_bytes = number(received.iter().map(bytes).sum());
    }

    /// A function has done its work.
    pub fn ended(&mut self, worker: Worker) -> anyhow::Result<()> {
        let (name, memory_mib) = (worker.name, worker.memory_mib);
        let Ended { lines, cpu_s } = worker.end()?;
        let line_bytes = lines.iter().map(String::len).sum();
        self.ran.insert(name, Ran { memory_mib, cpu_s, lines: lines.len(), line_bytes });
        Ok(())
    }

    /// The deliveries that were put on record.
    pub fn delivery_ids(&self) -> anyhow::Result<Vec<DeliveryId>> {
        let new: BTreeSet<&String> =
            self.calls().filter_map(|(_, call)| call.delivery_id.as_ref()).collect();
        Ok(new.into_iter().map(|id| DeliveryId::parse(id)).collect::<Result<_, _>>()?)
    }

    /// All requests of all functions.
    pub fn calls(&self) -> impl Iterator<Item = (&'static str, &Call)> {
        let invocations = self.invocations.iter();
        invocations.flat_map(|one| one.calls.iter().map(|call| (one.function, call)))
    }

    /// The sum of something over all requests of a service, for each delivery.
    pub fn each(&self, service: &str, of: impl Fn(&Call) -> f64) -> f64 {
        let calls = self.calls().filter(|(_, call)| call.service == service);
        calls.map(|(_, call)| of(call)).sum::<f64>() / self.deliveries
    }

    /// The four figures that design section 5 sets a budget for.
    pub fn figures(&self) -> Figures {
        let around: f64 = self.around.values().sum();
        Figures {
            write_units: self.each("DynamoDB", |call| call.units.write + call.units.index_write),
            read_units: self.each("DynamoDB", |call| call.units.read),
            sqs_requests: self.each("SQS", |call| call.requests) + around / self.deliveries,
            invocations: number(self.invocations.len()) / self.deliveries,
        }
    }
}

/// What one delivery takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// DynamoDB's write units, those of indexes included.
    pub write_units: f64,
    /// DynamoDB's read units.
    pub read_units: f64,
    /// Requests to SQS: the producer's, the functions' and the pollers'.
    pub sqs_requests: f64,
    /// Runs of functions.
    pub invocations: f64,
}

/// What SQS counts for so many bytes.
pub fn requests_of(bytes: usize) -> f64 {
    number(bytes.div_ceil(64 * 1_024).max(1))
}

/// A count, to reckon with.
pub fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
