//! One of the real functions, run as Lambda runs it: its binary, its environment as the template
//! sets it, and a runtime API of our own on loopback that hands it batches.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

/// What an invocation may take; it is no measure of speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What Lambda would give it; the longest there is.
const DEADLINE: Duration = Duration::from_secs(900);

/// A running function.
pub struct Function {
    child: Child,
    invocations: mpsc::Sender<String>,
    answers: Mutex<mpsc::Receiver<Result<Value, String>>>,
    lines: JoinHandle<Vec<String>>,
}

/// What a function has left behind.
pub struct Ended {
    /// What it wrote, line by line.
    pub lines: Vec<String>,
    /// Seconds of a processor that it used, start included.
    pub cpu_s: f64,
}

impl Function {
    /// Starts it.
    pub async fn start(
        binary: &Path,
        name: &str,
        environment: &HashMap<String, String>,
        aws: &str,
    ) -> anyhow::Result<Self> {
        let (invocations, waiting) = mpsc::channel(1);
        let (answer, answers) = mpsc::channel(1);
        let api = Arc::new(Api { waiting: Mutex::new(waiting), answer });
        let address = listen(api).await?;
        let mut child = Command::new(binary)
            .env_clear()
            .envs(environment)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", name)
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
            .env("AWS_REGION", local::Emulator::REGION)
            .env("AWS_ACCESS_KEY_ID", local::Emulator::CREDENTIALS.0)
            .env("AWS_SECRET_ACCESS_KEY", local::Emulator::CREDENTIALS.1)
            .env("AWS_ENDPOINT_URL", aws)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} does not start", binary.display()))?;
        let output = child.stdout.take().context("no output")?;
        let lines = tokio::spawn(async move {
            let (mut lines, mut all) = (BufReader::new(output).lines(), Vec::new());
            while let Ok(Some(line)) = lines.next_line().await {
                all.push(line);
            }
            all
        });
        Ok(Self { child, invocations, answers: Mutex::new(answers), lines })
    }

    /// One invocation.
    pub async fn invoke(&self, payload: &Value) -> anyhow::Result<Value> {
        let mut answers = self.answers.lock().await;
        self.invocations.send(payload.to_string()).await?;
        let answer = tokio::time::timeout(PATIENCE, answers.recv()).await?;
        answer.context("the function has ended")?.map_err(|error| anyhow!("{error}"))
    }

    /// Ends it.
    pub async fn end(mut self) -> anyhow::Result<Ended> {
        let cpu_s = self.child.id().and_then(cpu_s).unwrap_or(f64::NAN);
        self.child.kill().await?;
        let lines = self.lines.await?;
        if let Some(trouble) = lines.iter().find(|line| line.contains(r#""level":"ERROR""#)) {
            bail!("a function met trouble: {trouble}");
        }
        Ok(Ended { lines, cpu_s })
    }
}

/// User and system time of a process so far.
fn cpu_s(process: u32) -> Option<f64> {
    const TICKS_A_SECOND: f64 = 100.0;
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |nth: usize| fields.get(nth)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_A_SECOND)
}

/// The side of the runtime API that Lambda has.
struct Api {
    waiting: Mutex<mpsc::Receiver<String>>,
    answer: mpsc::Sender<Result<Value, String>>,
}

async fn listen(api: Arc<Api>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let api = Arc::clone(&api);
            tokio::spawn(async move {
                let service = service_fn(|request| serve(&api, request));
                let connection = hyper::server::conn::http1::Builder::new();
                let _ = connection.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Ok(address)
}

async fn serve(api: &Api, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if request.method() == Method::GET && path.ends_with("/invocation/next") {
        return Ok(next(api).await);
    }
    let body = request.into_body().collect().await.map(|body| body.to_bytes());
    let body = body.unwrap_or_default();
    let answer = match path.ends_with("/response") {
        true => serde_json::from_slice(&body).map_err(|error| error.to_string()),
        false => Err(String::from_utf8_lossy(&body).into_owned()),
    };
    let _ = api.answer.send(answer).await; // nobody waits any more: the run has ended
    Ok(with_status(StatusCode::ACCEPTED, Bytes::new()))
}

/// Waits for the next invocation, as long as it takes.
async fn next(api: &Api) -> Response<Full<Bytes>> {
    let Some(payload) = api.waiting.lock().await.recv().await else {
        return with_status(StatusCode::GONE, Bytes::new());
    };
    let deadline = SystemTime::now() + DEADLINE;
    let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut answer = with_status(StatusCode::OK, Bytes::from(payload));
    for (name, value) in [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned()),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:metered".to_owned(),
        ),
        ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793".to_owned()),
    ] {
        if let Ok(value) = value.parse() {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

fn with_status(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}
