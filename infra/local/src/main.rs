//! `cargo local`: checks first, builds second, then becomes `supervise.py`, which owns the stack.

use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::thread;

use local::flags::{self, Request, Up};
use local::{Error, Layout, Profile, StackSpec, Venv, binaries, checks, environment, venv};

fn main() -> ExitCode {
    match flags::parse(env::args().skip(1)).and_then(run) {
        Ok(code) => code,
        Err(error) => {
            say(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(request: Request) -> Result<ExitCode, Error> {
    let layout = Layout::of_this_clone();
    match request {
        Request::Help => {
            std::io::stdout().write_all(flags::HELP.as_bytes()).ok();
            Ok(ExitCode::SUCCESS)
        }
        Request::Down => {
            let python = checks::python(layout.root()).map_err(|it| Error::Machine(vec![it]))?;
            state(&layout, &python.command, "down")
        }
        Request::Up(up) => start(&layout, &up),
        Request::Emulator(up) => start_emulator(&layout, &up),
    }
}

/// Nothing is built: what is deployed to it, `sam build` makes.
fn start_emulator(layout: &Layout, up: &Up) -> Result<ExitCode, Error> {
    let free = check(layout, up, checks::DISK_LATER_GB)?;
    if free != ExitCode::SUCCESS {
        return Ok(free);
    }
    let venv = venv::ensure(layout, say)?;
    become_supervisor(layout, up, &venv, None)
}

fn start(layout: &Layout, up: &Up) -> Result<ExitCode, Error> {
    let template = fs::read_to_string(layout.template())
        .map_err(|e| Error::Usage(format!("{}: {e}", layout.template().display())))?;
    flags::check_parameters(up, &template)?;
    let first = is_first_start(layout, up.profile);
    let disk_gb = if first { checks::DISK_FIRST_GB } else { checks::DISK_LATER_GB };
    let free = check(layout, up, disk_gb)?;
    if free != ExitCode::SUCCESS {
        return Ok(free);
    }
    say(how_long(first, up.profile));
    let (binaries, venv) = thread::scope(|scope| {
        let venv = scope.spawn(|| venv::ensure(layout, say));
        let binaries = binaries::build(layout, up.profile);
        (binaries, venv.join())
    });
    let venv = venv.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let (venv, binaries) = (venv?, binaries?);
    let mut spec = StackSpec::new(layout, "webhooks-local", &binaries);
    for (name, value) in &up.parameters {
        spec = spec.with(name, value.as_str());
    }
    become_supervisor(layout, up, &venv, Some(&spec))
}

/// The machine, and whether something of this clone is running already.
fn check(layout: &Layout, up: &Up, disk_gb: u64) -> Result<ExitCode, Error> {
    let python = checks::all(layout.root(), up.port, disk_gb).map_err(Error::Machine)?;
    state(layout, &python.command, "check")
}

fn is_first_start(layout: &Layout, profile: Profile) -> bool {
    let folder = match profile {
        Profile::Debug => "debug",
        Profile::Release => "release",
    };
    // Next to us, wherever cargo's target directory is.
    let built = env::current_exe()
        .ok()
        .and_then(|launcher| Some(launcher.parent()?.with_file_name(folder).join(binaries::CLI)))
        .is_some_and(|cli| cli.exists());
    !(built && venv::exists(layout))
}

fn how_long(first: bool, profile: Profile) -> &'static str {
    match (first, profile) {
        (true, Profile::Debug) => {
            "the first start compiles everything and makes a Python environment: \
             2 to 5 minutes, later ones take seconds"
        }
        (true, Profile::Release) => {
            "the first start with --release compiles everything for speed: \
             5 to 15 minutes, later ones take seconds"
        }
        (false, _) => "starting: some seconds, and as long as it takes to compile what has changed",
    }
}

/// `state.py`: its exit code is ours.
fn state(layout: &Layout, python: &str, what: &str) -> Result<ExitCode, Error> {
    let mut command = Command::new(python);
    command.arg(layout.script("state.py")).arg(what).arg(layout.state());
    let status = environment::loopback_only(&mut command)
        .status()
        .map_err(|e| Error::Stack(format!("{python} could not be run: {e}")))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}

/// Signals, the terminal and our exit code are the supervisor's from here on.
fn become_supervisor(
    layout: &Layout,
    up: &Up,
    venv: &Venv,
    stack: Option<&StackSpec>,
) -> Result<ExitCode, Error> {
    let mut command = Command::new(venv.python());
    command
        .arg(layout.script("supervise.py"))
        .arg("--state")
        .arg(layout.state())
        .args(up.port.map(|port| format!("--port={port}")))
        .args((!up.demo).then_some("--no-demo"))
        .args(up.detach.then_some("--detach"))
        .args(stack.into_iter().flat_map(StackSpec::as_arguments));
    let error = environment::loopback_only(&mut command).exec();
    Err(Error::Stack(format!("{} could not be run: {error}", venv.python().display())))
}

fn say(message: &str) {
    eprintln!("cargo local: {message}");
}
