//! The process that drives the browser, and its answers by number.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use local::Layout;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::stack::{PATIENCE, python};

type Answer = Result<Value, String>;
type Waiting = Mutex<HashMap<u64, oneshot::Sender<Answer>>>;

/// The driver; it ends when its standard input does, with this process.
pub struct Driver {
    input: Mutex<ChildStdin>,
    counted: AtomicU64,
}

static WAITING: LazyLock<Waiting> = LazyLock::new(Waiting::default);

impl Driver {
    /// The one of this process; what it needs is installed on first use.
    pub fn shared() -> &'static Self {
        static DRIVER: LazyLock<Driver> = LazyLock::new(Driver::start);
        &DRIVER
    }

    fn start() -> Self {
        let parts = install();
        let part = |name: &str| parts[name].as_str().expect("a path").to_owned();
        let patience_ms = (PATIENCE / 2).as_millis().to_string();
        let mut child = Command::new(part("node"))
            .arg(part("driver"))
            .args([part("browser"), parts["environment"].to_string(), patience_ms])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the driver starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let input = Mutex::new(child.stdin.take().expect("piped"));
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).for_each(|line| deliver(&line));
            // Its output has ended, and so has it; nobody else collects it.
            let _ = child.wait();
        });
        Self { input, counted: AtomicU64::new(0) }
    }

    /// A number that nobody else has.
    pub fn number(&self) -> u64 {
        self.counted.fetch_add(1, Ordering::Relaxed)
    }

    /// Gives a command, and waits for its answer.
    pub async fn ask(&self, mut command: Value) -> Answer {
        let id = self.number();
        command["id"] = id.into();
        let (sender, receiver) = oneshot::channel();
        WAITING.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        let line = format!("{command}\n");
        let written = {
            let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
            input.write_all(line.as_bytes()).and_then(|()| input.flush())
        };
        written.map_err(|error| format!("the driver is gone: {error}"))?;
        match tokio::time::timeout(PATIENCE, receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err("the driver is gone".into()),
            Err(_) => Err(format!("the driver did not answer within {PATIENCE:?}")),
        }
    }
}

fn deliver(line: &str) {
    let mut answer: Value = serde_json::from_str(line).unwrap_or_default();
    let id = answer["id"].as_u64().unwrap_or(u64::MAX);
    let waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    let Some(waiting) = waiting else { return };
    let answer = match answer["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(answer["value"].take()),
    };
    // Whoever asked may have stopped waiting.
    let _ = waiting.send(answer);
}

/// What the driver needs, fetched by `tests/page/install.py` if it is not there.
fn install() -> Value {
    let output = Command::new(python().python())
        .current_dir(Layout::of_this_clone().root())
        .arg("tests/page/install.py")
        .stderr(Stdio::inherit())
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "what drives the browser could not be installed; see above");
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|_| json!({}))
}
