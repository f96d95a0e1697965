//! A function in a process of its own, and the runtime API that it polls, on loopback.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use tests::loopback::serve;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, OnceCell, mpsc, oneshot};

use crate::process::{self, Memory};

/// How long anything may take before the run is given up. Above the longest function timeout.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running function. It ends with this value.
pub struct Sandbox {
    child: Child,
    started: Instant,
    api: Arc<RuntimeApi>,
    invocations: mpsc::UnboundedSender<Invocation>,
}

struct Invocation {
    event: Bytes,
    answer: oneshot::Sender<Result<Bytes, String>>,
}

struct RuntimeApi {
    timeout: Duration,
    waiting: Mutex<mpsc::UnboundedReceiver<Invocation>>,
    under_way: Mutex<Option<oneshot::Sender<Result<Bytes, String>>>>,
    first_poll: OnceCell<Instant>,
    polled: tokio::sync::Notify,
}

/// A program and its variables.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Its binary.
    pub program: std::path::PathBuf,
    /// Its settings.
    pub variables: BTreeMap<String, String>,
    /// How long Lambda would let an invocation take.
    pub timeout: Duration,
}

impl Sandbox {
    /// Starts a process. The clock runs from just before it is made.
    ///
    /// # Errors
    /// If it cannot be made.
    pub async fn start(function: &Function) -> anyhow::Result<Self> {
        Self::writing_to(function, Stdio::null()).await
    }

    /// The same, with somewhere for its log to go.
    ///
    /// # Errors
    /// If it cannot be made.
    pub async fn writing_to(function: &Function, log: Stdio) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (invocations, waiting) = mpsc::unbounded_channel();
        let api = Arc::new(RuntimeApi {
            timeout: function.timeout,
            waiting: Mutex::new(waiting),
            under_way: Mutex::new(None),
            first_poll: OnceCell::new(),
            polled: tokio::sync::Notify::new(),
        });
        let known = api.clone();
        tokio::spawn(serve(listener, move |request| {
            let api = known.clone();
            async move { api.answer(request).await }
        }));
        let mut command = command(&function.program, function.name, &address);
        command.envs(&function.variables).stdout(log);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("starting {}", function.name))?;
        Ok(Self { child, started, api, invocations })
    }

    /// From the start to the first poll.
    ///
    /// # Errors
    /// If it ends, or takes too long, without one.
    pub async fn first_poll(&mut self) -> anyhow::Result<Duration> {
        let polled = async {
            loop {
                let notified = self.api.polled.notified();
                if let Some(at) = self.api.first_poll.get() {
                    return *at;
                }
                notified.await;
            }
        };
        match tokio::time::timeout(PATIENCE, polled).await {
            Ok(at) => Ok(at.duration_since(self.started)),
            Err(_) => bail!("it did not poll; it is {:?}", self.child.try_wait()),
        }
    }

    /// Time since the start.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Hands it an event, and waits for its answer.
    ///
    /// # Errors
    /// If it answers with an error, ends, or takes too long.
    pub async fn invoke(&self, event: impl Into<Bytes>) -> anyhow::Result<Bytes> {
        let (answer, answered) = oneshot::channel();
        let invocation = Invocation { event: event.into(), answer };
        self.invocations.send(invocation).map_err(|_| anyhow!("the runtime API has ended"))?;
        let answered = tokio::time::timeout(PATIENCE, answered).await;
        answered.context("no answer in time")??.map_err(|error| anyhow!("{error}"))
    }

    /// Time on a processor so far.
    ///
    /// # Errors
    /// If it has ended.
    pub fn cpu(&mut self) -> anyhow::Result<Duration> {
        process::cpu(self.pid()?)
    }

    /// Its memory.
    ///
    /// # Errors
    /// If it has ended.
    pub fn memory(&mut self) -> anyhow::Result<Memory> {
        process::memory(self.pid()?)
    }

    fn pid(&mut self) -> anyhow::Result<u32> {
        match self.child.try_wait()? {
            None => Ok(self.child.id()),
            Some(status) => bail!("it has ended: {status}"),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As Lambda starts it. What it complains about is shown.
fn command(program: &Path, name: &str, runtime_api: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
        .env("AWS_LAMBDA_FUNCTION_NAME", format!("bench-{name}"))
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "bench")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    command
}

impl RuntimeApi {
    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path().to_owned();
        if request.method() == Method::GET && path.ends_with("/invocation/next") {
            return Ok(self.next().await);
        }
        let body = request.into_body().collect().await.map(|body| body.to_bytes());
        let body = body.unwrap_or_default();
        let result = match path.rsplit('/').next() {
            Some("response") => Ok(body),
            Some(_) | None => Err(format!("{path}: {}", String::from_utf8_lossy(&body))),
        };
        if let Some(answer) = self.under_way.lock().await.take() {
            let _ = answer.send(result);
        }
        let mut accepted = Response::new(Full::default());
        *accepted.status_mut() = StatusCode::ACCEPTED;
        Ok(accepted)
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        let now = Instant::now();
        self.first_poll.get_or_init(|| async move { now }).await;
        self.polled.notify_waiters();
        let Some(Invocation { event, answer }) = self.waiting.lock().await.recv().await else {
            // The run is over.
            return Response::new(Full::default());
        };
        *self.under_way.lock().await = Some(answer);
        let deadline = SystemTime::now() + self.timeout;
        let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let response = Response::builder()
            .header("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            .header("Lambda-Runtime-Deadline-Ms", deadline.to_string())
            .header(
                "Lambda-Runtime-Invoked-Function-Arn",
                "arn:aws:lambda:us-east-1:0:function:bench",
            )
            .header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700")
            .header("Content-Type", "application/json");
        response.body(Full::new(event)).unwrap_or_default()
    }
}
