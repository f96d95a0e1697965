//! The emulator as a child process (`emulator.py`), spoken to in JSON lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{self, Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Error, Layout, Venv, environment};

/// How long the emulator may take to end when it is dropped.
const END_DEADLINE: Duration = Duration::from_secs(5);

/// Where to run the emulator. The default suits tests: any free port, a folder of its own.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// On loopback; none: any free one.
    pub port: Option<u16>,
    /// For logs and scratch files; none: one under `.local/emulators`, removed in the end unless
    /// the test failed.
    pub directory: Option<PathBuf>,
    /// Whether it tells which policy statements are needed, see [`Emulator::needed_statements`].
    pub judge: bool,
}

/// A running emulator. It ends when this is dropped, and also when this process is killed.
///
/// May be shared by threads; their requests run side by side.
#[derive(Debug)]
pub struct Emulator {
    endpoint_url: String,
    directory: PathBuf,
    keep_directory: bool,
    child: Child,
    requests: Option<Mutex<ChildStdin>>,
    waiting: Arc<Waiting>,
    next_id: AtomicU64,
    ended: Mutex<Receiver<()>>, // For `Sync` alone.
}

/// Who waits for which answer; `None` once there will be no more.
type Waiting = Mutex<Option<HashMap<u64, Sender<Value>>>>;

/// What to deploy.
#[derive(Debug, Clone)]
pub struct StackSpec {
    name: String,
    template: PathBuf,
    binaries: PathBuf,
    parameters: BTreeMap<String, String>,
}

impl StackSpec {
    /// The clone's template with the parameters of every local stack; `name` must be new to the
    /// emulator, `binaries` is the folder that [`crate::binaries::build`] returns.
    #[must_use]
    pub fn new(layout: &Layout, name: &str, binaries: impl Into<PathBuf>) -> Self {
        let spec = Self {
            name: name.to_owned(),
            template: layout.template(),
            binaries: binaries.into(),
            parameters: BTreeMap::new(),
        };
        local_parameters().into_iter().fold(spec, |spec, (name, value)| spec.with(name, value))
    }

    /// Sets a parameter of the template.
    #[must_use]
    pub fn with(mut self, parameter: &str, value: impl Into<String>) -> Self {
        self.parameters.insert(parameter.to_owned(), value.into());
        self
    }

    /// For `supervise.py`: `--stack-name`, `--template`, `--binaries`, and a `--param` each.
    #[must_use]
    pub fn as_arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["--stack-name".into(), self.name.clone().into()];
        arguments.extend(["--template".into(), self.template.clone().into()]);
        arguments.extend(["--binaries".into(), self.binaries.clone().into()]);
        for (name, value) in &self.parameters {
            arguments.extend(["--param".into(), format!("{name}={value}").into()]);
        }
        arguments
    }

    /// Deploys another template than the clone's, such as one with a policy statement removed.
    #[must_use]
    pub fn template(mut self, path: impl Into<PathBuf>) -> Self {
        self.template = path.into();
        self
    }
}

/// What every local stack is deployed with: section 4.5 of the design.
#[must_use]
pub fn local_parameters() -> [(&'static str, &'static str); 3] {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    [("Stage", "local"), ("AllowInsecureTargets", "true"), ("Architecture", architecture)]
}

/// A deployed stack.
#[derive(Debug, Clone)]
pub struct Stack {
    /// As in its spec.
    pub name: String,
    /// Section 4.6 of the design.
    pub outputs: BTreeMap<String, String>,
}

impl Stack {
    /// One of the outputs.
    ///
    /// # Panics
    /// If the template has no such output.
    #[must_use]
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("no output {name} in {:?}", self.outputs))
    }
}

impl Emulator {
    /// The region of everything in it.
    pub const REGION: &str = "us-east-1";

    /// The credentials that may do everything in it: key id and secret.
    pub const CREDENTIALS: (&str, &str) = ("test", "test");

    /// Starts it and waits until it answers, about half a second.
    ///
    /// # Errors
    /// [`Error::Stack`], with the end of its log.
    pub fn start(venv: &Venv, options: Options) -> Result<Self, Error> {
        let keep_directory = options.directory.is_some();
        let directory = options.directory.unwrap_or_else(|| own_directory(venv.layout()));
        let mut child = spawn(venv, &directory, options.port, options.judge)
            .map_err(|e| Error::Stack(format!("the emulator could not be started: {e}")))?;
        let (Some(requests), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both were asked for as pipes");
        };
        let mut answers = BufReader::new(output);
        let mut first = String::new();
        let ready: Value = match answers.read_line(&mut first) {
            Ok(_) => serde_json::from_str(&first).unwrap_or_default(),
            Err(_) => Value::Null,
        };
        let Some(endpoint_url) = ready["ready"].as_str() else {
            drop(requests);
            child.wait().ok();
            return Err(Error::Stack(format!("the emulator did not start:\n{}", log(&directory))));
        };
        let waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        Ok(Self {
            endpoint_url: endpoint_url.to_owned(),
            directory,
            keep_directory,
            child,
            requests: Some(Mutex::new(requests)),
            ended: Mutex::new(pass_on(answers, Arc::clone(&waiting))),
            waiting,
            next_id: AtomicU64::new(0),
        })
    }

    /// `http://127.0.0.1:<port>`, for the SDKs.
    #[must_use]
    pub fn endpoint_url(&self) -> &str {
        &self.endpoint_url
    }

    /// Holds `emulator.log` and `logs/<function>.log`.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Everything that a function has written so far, invocation by invocation.
    #[must_use]
    pub fn function_log(&self, function: &str) -> String {
        let path = self.directory.join("logs").join(format!("{function}.log"));
        fs::read_to_string(path).unwrap_or_default()
    }

    /// Deploys a template: under two seconds, later ones a tenth of one.
    ///
    /// # Errors
    /// [`Error::Stack`] with what the template or the emulator has against it.
    pub fn deploy(&self, spec: &StackSpec) -> Result<Stack, Error> {
        let outputs = self.ask(json!({
            "do": "deploy",
            "name": spec.name,
            "template": spec.template,
            "binaries": spec.binaries,
            "parameters": spec.parameters,
        }))?;
        Ok(Stack { name: spec.name.clone(), outputs: texts(&outputs) })
    }

    /// Invokes a function (a name from the outputs), waits, and returns its answer.
    ///
    /// # Errors
    /// [`Error::Stack`] with its message if it failed.
    pub fn invoke(&self, function: &str, payload: &Value) -> Result<Value, Error> {
        self.ask(json!({"do": "invoke", "function": function, "payload": payload}))
    }

    /// From now on Scheduler throttles whoever wants a schedule in this group.
    ///
    /// # Errors
    /// [`Error::Stack`] if the emulator has ended.
    pub fn throttle_schedules(&self, group: &str) -> Result<(), Error> {
        self.ask(json!({"do": "throttle_schedules", "group": group})).map(drop)
    }

    /// The policy statements without which some request so far would have been refused: the name
    /// of the role or resource that has it, and its `Sid`.
    #[must_use]
    pub fn needed_statements(&self) -> BTreeSet<(String, String)> {
        let text = fs::read_to_string(self.directory.join("needed.jsonl")).unwrap_or_default();
        let statement = |line: &str| {
            let told: Value = serde_json::from_str(line).ok()?;
            Some((told["owner"].as_str()?.to_owned(), told["sid"].as_str()?.to_owned()))
        };
        text.lines().filter_map(statement).collect()
    }

    /// Logical and physical id of everything in a stack.
    ///
    /// # Errors
    /// [`Error::Stack`] if there is no such stack.
    pub fn resources(&self, stack: &str) -> Result<BTreeMap<String, String>, Error> {
        Ok(texts(&self.ask(json!({"do": "resources", "name": stack}))?))
    }

    fn ask(&self, mut request: Value) -> Result<Value, Error> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        request["id"] = json!(id);
        let (answer_to, answer) = mpsc::channel();
        match lock(&self.waiting).as_mut() {
            Some(waiting) => drop(waiting.insert(id, answer_to)),
            None => drop(answer_to), // It has ended: so will the wait below.
        }
        if let Some(requests) = &self.requests {
            // If this fails the emulator is about to end, and the wait below with it.
            lock(requests).write_all(format!("{request}\n").as_bytes()).ok();
        }
        let Ok(mut answer) = answer.recv() else {
            let log = log(&self.directory);
            return Err(Error::Stack(format!("the emulator has ended:\n{log}")));
        };
        match answer["error"].as_str() {
            Some(error) => Err(Error::Stack(error.to_owned())),
            None => Ok(answer["ok"].take()),
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.requests = None; // It ends when its stdin closes.
        if lock(&self.ended).recv_timeout(END_DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout) {
            self.child.kill().ok();
        }
        self.child.wait().ok();
        if thread::panicking() {
            eprintln!("the emulator's logs are in {}", self.directory.display());
        } else if !self.keep_directory {
            fs::remove_dir_all(&self.directory).ok();
        }
    }
}

fn texts(object: &Value) -> BTreeMap<String, String> {
    let text = |(name, value): (&String, &Value)| {
        (name.clone(), value.as_str().unwrap_or_default().to_owned())
    };
    object.as_object().into_iter().flatten().map(text).collect()
}

fn own_directory(layout: &Layout) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    layout.state().join("emulators").join(format!("{}-{count}", process::id()))
}

fn spawn(venv: &Venv, directory: &Path, port: Option<u16>, judge: bool) -> std::io::Result<Child> {
    fs::create_dir_all(directory)?;
    let mut command = Command::new(venv.python());
    command
        .arg(venv.layout().script("emulator.py"))
        .arg("--dir")
        .arg(directory)
        .args(["--port", &port.unwrap_or(0).to_string()])
        .args(judge.then_some("--judge"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::create(directory.join("emulator.log"))?);
    environment::loopback_only(&mut command).spawn()
}

/// Hands each answer to whoever waits for it; the receiver is disconnected when all is over.
fn pass_on(answers: BufReader<ChildStdout>, waiting: Arc<Waiting>) -> Receiver<()> {
    let (alive, ended) = mpsc::channel();
    thread::spawn(move || {
        let alive: Sender<()> = alive;
        for line in answers.lines().map_while(Result::ok) {
            let answer: Value = serde_json::from_str(&line).unwrap_or_default();
            let id = answer["id"].as_u64().unwrap_or(u64::MAX);
            let asked_by = lock(&waiting).as_mut().and_then(|waiting| waiting.remove(&id));
            if let Some(asked_by) = asked_by {
                asked_by.send(answer).ok();
            }
        }
        *lock(&waiting) = None;
        drop(alive);
    });
    ended
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The end of the emulator's log.
fn log(directory: &Path) -> String {
    let text = fs::read_to_string(directory.join("emulator.log")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Emulator, StackSpec};
    use crate::Layout;

    #[test]
    fn threads_may_share_an_emulator() {
        fn shared<T: Send + Sync>() {}
        shared::<Emulator>();
    }

    #[test]
    fn a_spec_is_local_and_what_is_set_last_counts() {
        let spec = StackSpec::new(&Layout::at(Path::new("/clone")), "one", "/built")
            .with("AllowInsecureTargets", "false");
        let arguments: Vec<_> = spec.as_arguments();
        for expected in ["one", "/clone/template.yaml", "Stage=local", "AllowInsecureTargets=false"]
        {
            assert!(arguments.iter().any(|argument| argument == expected), "{arguments:?}");
        }
        assert!(!arguments.iter().any(|argument| argument == "AllowInsecureTargets=true"));
    }
}
