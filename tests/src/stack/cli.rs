//! The CLI as people run it, against a stack of a test.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use super::{Stack, built, emulator};

/// The built CLI, pointed at a stack.
pub struct Cli {
    description: PathBuf,
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
        let name = format!("webhooks-{}-{}.json", std::process::id(), stack.outputs.name);
        let path = std::env::temp_dir().join(name);
        let mut file = std::fs::File::create(&path).expect("a file");
        file.write_all(description.to_string().as_bytes()).expect("written");
        Self { description: path }
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
        command.args(arguments).env("WEBHOOKS_STACK_FILE", &self.description).stdin(Stdio::null());
        command
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.description);
    }
}
