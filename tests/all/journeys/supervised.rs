//! What `cargo local` becomes once all is built: the real `supervise.py`, with the real emulator.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use local::{Layout, StackSpec};
use tests::stack::{built, python};

/// A clone's `.local` of its own.
struct State(PathBuf);

impl State {
    fn new(name: &str) -> Self {
        let name = format!("webhooks-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(python().python());
        command.arg(Layout::of_this_clone().script(script)).args(arguments);
        local::environment::loopback_only(&mut command);
        command
    }

    fn supervise(&self) -> Command {
        let mut command = self.run("supervise.py", &["--state"]);
        command.arg(&self.0);
        command
    }

    /// As `cargo local down` does it.
    fn down(&self, mut supervisor: Child) -> ExitStatus {
        let down = self.run("state.py", &["down"]).arg(&self.0).output().expect("it runs");
        assert!(down.status.success(), "{down:?}");
        supervisor.wait().expect("it ended")
    }
}

impl Drop for State {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn settings_that_contradict_each_other_are_named_before_the_stack_is_up() {
    let state = State::new("contradiction");
    let spec = StackSpec::new(&Layout::of_this_clone(), "webhooks-local", built())
        .with("GiveUpAfterSeconds", "90");
    let done = state.supervise().arg("--no-demo").args(spec.as_arguments()).output();
    let done = done.expect("it runs");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(7), "{said}");
    for word in ["RETRY_DELAYS_SECONDS is wrong", "40005 s", "the 90 s of GIVE_UP_AFTER_SECONDS"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(!said.contains("backtrace"), "{said}");
    assert!(!state.0.join("stack.json").exists());
}

#[test]
fn an_emulator_alone_says_how_a_terminal_sees_it_and_ends_when_told() {
    let state = State::new("emulator");
    let mut supervisor = state.supervise().stdout(Stdio::piped()).spawn().expect("it runs");
    let output = supervisor.stdout.take().expect("asked for");
    let mut lines = BufReader::new(output).lines().map(|line| line.expect("text"));
    let export = lines.find(|line| line.contains("export ")).expect("a line to say");
    let url = export.split_once("AWS_ENDPOINT_URL=").expect("the address").1;
    let url = url.split_whitespace().next().expect("the address");
    let port = url.strip_prefix("http://127.0.0.1:").expect("loopback").parse::<u16>();
    std::net::TcpStream::connect(("127.0.0.1", port.expect("a port"))).expect("it listens");
    assert!(!state.0.join("stack.json").exists(), "there is no stack");
    assert_eq!(state.down(supervisor).code(), Some(0));
}
