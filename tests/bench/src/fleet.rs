//! Functions behind their queues: batches as the template sets them, as many sandboxes at once as
//! it allows, started when they are needed. What Lambda adds in time, polling and starting a
//! micro-VM, is not in here.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cli::bar::Bar;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};

use crate::cloud::{Cloud, Sent};
use crate::sandbox::{Function, Sandbox};
use crate::stand::{Stand, acknowledged, sqs_event};
use crate::template::Source;

/// The queue that products send to.
pub const EVENTS: &str = "EventsQueue";
/// The queue of first attempts.
pub const SEND: &str = "SendQueue";
/// The queue of later attempts, and of first attempts to endpoints in trouble.
pub const RETRY: &str = "RetryQueue";

/// The running whole. It must be ended, or its functions complain of a runtime API that is gone.
pub struct Fleet {
    /// Where the functions' calls go.
    pub cloud: Cloud,
    lines: Vec<Line>,
    tally: Arc<Tally>,
    router: JoinHandle<()>,
    readers: Vec<JoinHandle<()>>,
}

/// Which function reads which queue.
const LINES: [(&str, &str); 3] = [("ingest", EVENTS), ("sender", SEND), ("sender", RETRY)];

struct Line {
    queue: &'static str,
    arrivals: mpsc::UnboundedSender<String>,
}

/// What happened in a run.
#[derive(Debug, Default)]
pub struct Tally {
    /// Messages that were not acknowledged, or whose function failed.
    pub failed: AtomicU64,
    /// Messages through the queue of later attempts.
    pub later: AtomicU64,
    /// The most sandboxes at work at once for first attempts.
    pub busiest: AtomicU64,
    /// Sandboxes started.
    pub started: AtomicU64,
}

impl Fleet {
    /// Puts the stand's functions behind its queues.
    ///
    /// # Errors
    /// If the template does not say how.
    pub fn start(stand: Stand) -> anyhow::Result<Self> {
        Self::with(stand, Vec::new())
    }

    /// The same with every sandbox started that the template allows.
    ///
    /// # Errors
    /// If one does not start.
    pub async fn start_warm(stand: Stand, bar: &mut Bar) -> anyhow::Result<Self> {
        let mut warm = Vec::new();
        for (name, queue) in LINES {
            let (function, mut idle) = (stand.function(name)?, Vec::new());
            let whole = stand.template.source(name, queue)?.concurrency;
            for _ in 0..whole {
                idle.push(Sandbox::start(&function).await?);
            }
            for (nth, sandbox) in idle.iter_mut().enumerate() {
                sandbox.first_poll().await?;
                bar.draw(u64::try_from(nth)?, u64::try_from(whole)?, "sandboxes started");
            }
            warm.push(idle);
        }
        Self::with(stand, warm)
    }

    fn with(stand: Stand, warm: Vec<Vec<Sandbox>>) -> anyhow::Result<Self> {
        let tally = Arc::<Tally>::default();
        let mut warm = warm.into_iter();
        let (mut lines, mut readers) = (Vec::new(), Vec::new());
        for (name, queue) in LINES {
            let function = stand.function(name)?;
            let (arrivals, waiting) = mpsc::unbounded_channel();
            let source = stand.template.source(name, queue)?;
            let pool = Pool {
                queue,
                function,
                source,
                idle: Mutex::new(warm.next().unwrap_or_default()),
                free: Arc::new(Semaphore::new(source.concurrency)),
                tally: tally.clone(),
            };
            readers.push(tokio::spawn(Arc::new(pool).read(waiting)));
            lines.push(Line { queue, arrivals });
        }
        let routes: Vec<_> = lines.iter().map(|line| (line.queue, line.arrivals.clone())).collect();
        let Stand { cloud, mut sent, .. } = stand;
        let router = tokio::spawn(async move {
            // Ends with the router: nobody waits for what is delayed by minutes.
            let mut delayed = JoinSet::new();
            while let Some(message) = sent.recv().await {
                route(&routes, message, &mut delayed);
                while delayed.try_join_next().is_some() {}
            }
        });
        Ok(Self { cloud, lines, tally, router, readers })
    }

    /// Puts an event on the products' queue.
    pub fn send(&self, body: String) {
        if let Some(line) = self.lines.iter().find(|line| line.queue == EVENTS) {
            let _ = line.arrivals.send(body);
        }
    }

    /// Ends all functions, whatever they are at, and answers what happened.
    pub async fn end(self) -> Arc<Tally> {
        let Self { lines, router, readers, tally, .. } = self;
        router.abort();
        let _ = router.await;
        drop(lines);
        for reader in readers {
            let _ = reader.await;
        }
        tally
    }
}

fn route(
    routes: &[(&'static str, mpsc::UnboundedSender<String>)],
    message: Sent,
    delayed: &mut JoinSet<()>,
) {
    let Some((_, arrivals)) = routes.iter().find(|(queue, _)| *queue == message.queue) else {
        return;
    };
    if message.delay_s == 0 {
        let _ = arrivals.send(message.body);
        return;
    }
    let arrivals = arrivals.clone();
    delayed.spawn(async move {
        tokio::time::sleep(Duration::from_secs(message.delay_s)).await;
        let _ = arrivals.send(message.body);
    });
}

/// The sandboxes that read one queue.
struct Pool {
    queue: &'static str,
    function: Function,
    source: Source,
    idle: Mutex<Vec<Sandbox>>,
    free: Arc<Semaphore>,
    tally: Arc<Tally>,
}

impl Pool {
    async fn read(self: Arc<Self>, mut arrivals: mpsc::UnboundedReceiver<String>) {
        let mut waiting = VecDeque::new();
        let mut work = JoinSet::new();
        'open: loop {
            if waiting.is_empty() {
                let Some(first) = arrivals.recv().await else { break };
                waiting.push_back(first);
            }
            self.gather(&mut waiting, &mut arrivals).await;
            let permit = loop {
                tokio::select! {
                    permit = self.free.clone().acquire_owned() => break permit,
                    message = arrivals.recv() => match message {
                        Some(message) => waiting.push_back(message),
                        None => break 'open,
                    },
                }
            };
            let Ok(permit) = permit else { break };
            while let Ok(message) = arrivals.try_recv() {
                waiting.push_back(message);
            }
            let size = waiting.len().min(self.source.batch_size);
            let batch: Vec<String> = waiting.drain(..size).collect();
            let pool = self.clone();
            work.spawn(async move {
                pool.handle(batch).await;
                drop(permit);
            });
            while work.try_join_next().is_some() {}
        }
        work.shutdown().await;
    }

    /// Waits for company, if the template says so.
    async fn gather(
        &self,
        waiting: &mut VecDeque<String>,
        arrivals: &mut mpsc::UnboundedReceiver<String>,
    ) {
        let until = Instant::now() + Duration::from_secs(self.source.window_s);
        while waiting.len() < self.source.batch_size {
            match tokio::time::timeout_at(until.into(), arrivals.recv()).await {
                Ok(Some(message)) => waiting.push_back(message),
                Ok(None) | Err(_) => return,
            }
        }
    }

    async fn handle(&self, batch: Vec<String>) {
        let size = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        if self.queue == RETRY {
            self.tally.later.fetch_add(size, Ordering::Relaxed);
        }
        if self.queue == SEND {
            let busy = self.source.concurrency - self.free.available_permits();
            self.tally.busiest.fetch_max(u64::try_from(busy).unwrap_or(0), Ordering::Relaxed);
        }
        if let Err(error) = self.invoke(&batch).await {
            // A run with failures is not reported; here is why there is none.
            cli::output::complain!("{} on {}: {error:#}", self.function.name, self.queue);
            self.tally.failed.fetch_add(size, Ordering::Relaxed);
        }
    }

    async fn invoke(&self, batch: &[String]) -> anyhow::Result<()> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let sandbox = match idle {
            Some(sandbox) => sandbox,
            None => {
                self.tally.started.fetch_add(1, Ordering::Relaxed);
                Sandbox::start(&self.function).await?
            }
        };
        let answer = sandbox.invoke(sqs_event(self.queue, batch).to_string()).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sandbox);
        acknowledged(&answer)
    }
}
