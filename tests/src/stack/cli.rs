//! The CLI as people run it, against a stack of a test.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use super::{Stack, built, emulator};

/// The built CLI, pointed at a stack.
pub struct Cli {
    /// Files that go with it.
    files: Vec<PathBuf>,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Cli {
    /// Describes the stack as `cargo local` does.
    pub async fn of(stack: &Stack) -> Self {
        let operator = stack.client("operator").await;
        let description = json!({
            "endpoint_url": emulator().endpoint_url(), "region": local::Emulator::REGION,
            "api_url": operator.url, "operator_key": operator.key,
            "outputs": stack.outputs.outputs,
        });
        let path = stack.file("json", &description.to_string());
        let environment = vec![("WEBHOOKS_STACK_FILE", path.display().to_string())];
        Self { files: vec![path], arguments: Vec::new(), environment }
    }

    /// As ops use it on a stack on AWS: by its name, with the SDK's environment and an API key.
    /// The API is called through TLS, as nothing else but the emulator is.
    pub async fn by_name(stack: &Stack) -> Self {
        let operator = stack.client("operator").await;
        let tls = super::tls::Front::of(emulator().endpoint_url()).await;
        let certificate = stack.file("pem", &tls.certificate);
        let path = operator.url.strip_prefix(emulator().endpoint_url()).expect("the API's path");
        let text = |text: &str| text.to_owned();
        let environment = vec![
            ("AWS_ENDPOINT_URL", text(emulator().endpoint_url())),
            ("AWS_REGION", text(local::Emulator::REGION)),
            ("AWS_ACCESS_KEY_ID", text("test")),
            ("AWS_SECRET_ACCESS_KEY", text("test")),
            ("WEBHOOKS_API_KEY", operator.key.clone().expect("a key")),
            ("WEBHOOKS_API_URL", format!("https://localhost:{}{path}", tls.port)),
            ("SSL_CERT_FILE", certificate.display().to_string()),
        ];
        let arguments = vec![text("--stack"), stack.outputs.name.clone()];
        Self { files: vec![certificate], arguments, environment }
    }

    /// The same with something else in its environment; empty: without it.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            self.environment.push((name, value.to_owned()));
        }
        self
    }

    /// The same, for a stack of another name.
    pub fn named(mut self, name: &str) -> Self {
        self.arguments = vec!["--stack".to_owned(), name.to_owned()];
        self
    }

    /// The file that describes the stack, as `cargo local` writes it.
    pub fn description(&self) -> &std::path::Path {
        &self.files[0]
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        tokio::task::block_in_place(|| self.command(arguments).output().expect("it runs"))
    }

    /// Runs it with `--json`; answers its exit code, and what it printed.
    pub fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let done = self.run(&[arguments, &["--json"]].concat());
        let printed = serde_json::from_slice(&done.stdout).unwrap_or_default();
        (done.status.code().unwrap_or(-1), printed)
    }

    /// Runs it with nobody reading what it prints or complains about; its exit code.
    pub fn unread(&self, arguments: &[&str]) -> i32 {
        let mut child = self.start_unread(arguments);
        tokio::task::block_in_place(|| child.wait().expect("it ends").code().unwrap_or(-1))
    }

    /// Starts it with nobody reading what it prints or complains about.
    pub fn start_unread(&self, arguments: &[&str]) -> Child {
        let (nobody, out) = std::io::pipe().expect("a pipe");
        drop(nobody);
        let errors = out.try_clone().expect("the same");
        let mut command = self.command(arguments);
        command.stdout(out).stderr(errors).spawn().expect("it runs")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(built().join(local::binaries::CLI));
        command.args(arguments).args(&self.arguments).stdin(Stdio::null());
        command.env_remove("AWS_PROFILE").envs(self.environment.iter().cloned());
        command
    }
}

impl Stack {
    /// A file that goes with the stack.
    fn file(&self, extension: &str, text: &str) -> PathBuf {
        let name = format!("webhooks-{}-{}.{extension}", std::process::id(), self.outputs.name);
        let path = std::env::temp_dir().join(name);
        let mut file = std::fs::File::create(&path).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        path
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
    }
}
