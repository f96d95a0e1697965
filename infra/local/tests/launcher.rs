//! The real launcher on doctored machines: a PATH of stand-ins, a clone in a temporary folder.
//! What needs the emulator itself is shown by the journeys.

mod machine;

use std::fs;
use std::net::TcpListener;

use machine::{Machine, held_by};

const CC: (&str, &str) = ("cc", "exit 0");
const RUST: (&str, &str) = ("rustc", "echo 'rustc 1.99.0 (abc 2027-01-01)'");
const GOOD: &str = "3.11.7 1 90000000000";

#[test]
fn each_missing_thing_has_its_fixed_message() {
    let python = |probe: &str| format!("echo '{probe}'");
    for (name, stand_ins, message) in [
        (
            "rust-old",
            vec![CC, ("rustc", "echo 'rustc 1.80.1 (3f5fd8dd4 2024-08-06)'")],
            "Rust 1.94.1 or newer is needed, this is 1.80.1.\n  Update it: rustup update stable\n",
        ),
        (
            "cc-missing",
            vec![RUST],
            "No working C compiler: `cc` does not compile a line of C.\n  \
             Debian, Ubuntu: sudo apt install build-essential\n  \
             Fedora: sudo dnf install gcc   macOS: xcode-select --install\n",
        ),
        (
            "cc-without-headers",
            vec![RUST, ("cc", "exit 1")],
            "No working C compiler: `cc` does not compile a line of C.\n  \
             Debian, Ubuntu: sudo apt install build-essential\n  \
             Fedora: sudo dnf install gcc   macOS: xcode-select --install\n",
        ),
    ] {
        let machine = Machine::new(name).with(&stand_ins).with(&[("python3", &python(GOOD))]);
        machine.run(&[]).fails(3, &format!("cargo local: {message}"));
    }
    for (name, probe, message) in [
        (
            "python-missing",
            None,
            "No Python found; 3.10 or newer is needed.\n  \
             Debian, Ubuntu: sudo apt install python3 python3-venv\n  \
             Fedora: sudo dnf install python3   macOS: brew install python\n",
        ),
        (
            "python-old",
            Some("3.9.18 1 90000000000"),
            "Python 3.10 or newer is needed, the newest found is 3.9.18.\n  \
             Install a newer one beside it, as python3.10 or later on the PATH.\n",
        ),
        (
            "venv-missing",
            Some("3.11.2 0 90000000000"),
            "`python3` (3.11.2) cannot make virtual environments: its modules venv and ensurepip \
             are missing.\n  Debian, Ubuntu: sudo apt install python3.11-venv\n",
        ),
        (
            "disk-full",
            Some("3.11.7 1 2500000000"),
            "4 GB of free disk space are needed here, 2 GB are left.\n",
        ),
    ] {
        let machine = Machine::new(name).with(&[CC, RUST]);
        let machine = match probe {
            Some(probe) => machine.with(&[("python3", &python(probe))]),
            None => machine,
        };
        machine.run(&[]).fails(3, &format!("cargo local: {message}"));
    }
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    let run = Machine::new("bare").run(&[]);
    for start in ["Rust 1.94.1 or newer", "No working C compiler", "No Python found"] {
        assert!(run.stderr.contains(start), "{start}: {}", run.stderr);
    }
}

#[test]
fn a_newer_python_beside_an_old_one_is_found() {
    let machine = Machine::new("two-pythons").with(&[
        RUST,
        ("python3", "echo '3.8.2 1 90000000000'"),
        ("python3.12", "echo '3.12.1 1 90000000000'"),
    ]);
    let run = machine.run(&[]);
    assert!(run.stderr.starts_with("cargo local: No working C compiler"), "{}", run.stderr);
    assert!(!run.stderr.contains("Python"), "{}", run.stderr);
}

#[test]
fn the_chosen_c_compiler_is_the_one_tried() {
    let machine = Machine::new("cc-chosen").with(&[CC, RUST]);
    let run = machine
        .with(&[("python3", "echo '3.11.7 1 90000000000'")])
        .run_with(&[], &[("CC", "ccache no-such-compiler")]);
    assert!(run.stderr.contains("`ccache no-such-compiler` does not compile"), "{}", run.stderr);
}

#[test]
fn a_taken_port_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port().to_string();
    let machine = Machine::new("port").ready();
    machine.run(&["--port", &port]).fails(
        4,
        &format!(
            "cargo local: Port {port} is taken.\n  \
             Name another one, or leave out --port: then the next free one is used.\n"
        ),
    );
}

#[test]
fn wrong_flags_are_told_before_anything_else() {
    let machine = Machine::new("flags"); // Nothing is installed on it.
    machine
        .run(&["--wat"])
        .fails(2, "cargo local: --wat is not a flag of cargo local\n  See: cargo local --help\n");
    machine.run(&["--param", "Retries=3"]).fails(
        2,
        "cargo local: template.yaml has no parameter Retries; it has Stage, RetryDelaysSeconds\n  \
         See: cargo local --help\n",
    );
    let help = machine.run(&["--help"]);
    assert_eq!((help.code, help.stdout.as_str()), (0, local::flags::HELP));
}

#[test]
fn builds_then_becomes_the_supervisor_without_the_shells_aws_settings() {
    let machine = Machine::new("flow").ready();
    let port = free_port().to_string();
    let run = machine.run_with(
        &["--retry-delays", "2,4,6,8", "--port", &port, "--no-demo", "--detach"],
        &[
            ("AWS_PROFILE", "production"),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
            ("AWS_ENDPOINT_URL", "https://example.com"),
            ("HTTPS_PROXY", "http://proxy:3128"),
            ("all_proxy", "http://proxy:3128"),
            ("PYTHONPATH", "/elsewhere"),
        ],
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("the first start compiles everything"), "{}", run.stderr);
    assert!(run.stderr.contains("cargo local: made\n"), "{}", run.stderr);
    for argument in [
        &format!("--port={port}"),
        "--no-demo",
        "--detach",
        "RetryDelaysSeconds=2,4,6,8",
        "Stage=local",
        "AllowInsecureTargets=true",
        "/built/debug",
    ] {
        assert!(run.stdout.lines().any(|line| line.ends_with(argument)), "{}", run.stdout);
    }
    for secret in ["production", "AKIAEXAMPLE", "example.com", "proxy", "elsewhere"] {
        assert!(!run.stdout.contains(secret), "{secret}: {}", run.stdout);
    }
    let no_profiles = |line: &str| line.contains("AWS_CONFIG_FILE") && line.contains("/dev/null");
    assert!(run.stdout.lines().any(no_profiles), "{}", run.stdout);
    let cargo = fs::read_to_string(machine.clone_path("cargo-was-told")).expect("cargo ran");
    assert!(cargo.contains("--package=cli --package=ingest --package=sender"), "{cargo}");
    assert!(!cargo.contains("AKIAEXAMPLE"), "{cargo}");
    assert!(cargo.contains("HTTPS_PROXY"), "downloads may need it: {cargo}");
}

#[test]
fn an_emulator_alone_is_supervised_with_nothing_built_or_deployed() {
    let machine = Machine::new("emulator").ready();
    let run = machine.run(&["emulator", "--detach"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.lines().any(|line| line.ends_with("--detach")), "{}", run.stdout);
    assert!(!run.stdout.contains("--template"), "{}", run.stdout);
    assert!(!machine.clone_path("cargo-was-told").exists(), "{}", run.stderr);
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

#[test]
fn a_failed_build_and_a_failed_environment_have_their_exit_codes() {
    let broken = Machine::new("build-fails").ready().with(&[("cargo", "exit 101")]);
    let run = broken.run(&[]);
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(run.stderr.ends_with("the build failed: cargo says why above\n"), "{}", run.stderr);

    let offline = Machine::new("venv-fails").ready();
    offline.write("infra/local/make_venv.py", "print('no network')\nraise SystemExit(1)\n");
    let run = offline.run(&[]);
    assert_eq!(run.code, 6, "{}", run.stderr);
    assert!(run.stderr.ends_with("cargo local: no network\n"), "{}", run.stderr);
}

#[test]
fn a_running_stack_is_left_alone_until_down() {
    let machine = Machine::new("running").ready();
    let mut supervisor = held_by(&machine, &[]);
    machine.write(".local/stack.json", r#"{"endpoint_url":"http://127.0.0.1:4599"}"#);
    machine.run(&[]).fails(
        8,
        &format!(
            "a local stack of this clone is already running at http://127.0.0.1:4599 \
             (process {}).\nTake it down with: cargo local down\n",
            supervisor.id()
        ),
    );
    assert!(machine.clone_path(".local/stack.json").exists());

    let down = machine.run(&["down"]);
    assert_eq!((down.code, down.stdout.as_str()), (0, "the local stack is down\n"));
    assert!(!supervisor.wait().expect("ended").success());
    assert!(!machine.clone_path(".local/stack.json").exists());

    let again = machine.run(&["down"]);
    assert_eq!(
        (again.code, again.stdout.as_str()),
        (0, "no local stack is running in this clone\n")
    );
}

#[test]
fn what_a_killed_stack_left_is_cleaned_up_and_nothing_else() {
    let machine = Machine::new("stale").ready();
    let mut left = machine.spawn_sleeper();
    let mut other = machine.spawn_sleeper();
    let recorded =
        [(left.id(), None), (other.id(), Some("what had this number when the stack was started"))];
    let mut supervisor = held_by(&machine, &recorded);
    machine.write(".local/stack.json", "{}");
    supervisor.kill().expect("killed");
    supervisor.wait().expect("ended");

    let run = machine.run(&["--no-demo"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let said = "the last local stack was killed and not taken down: cleaned up\n";
    assert!(run.stdout.starts_with(said), "{}", run.stdout);
    assert!(!machine.clone_path(".local/stack.json").exists());
    assert!(!left.wait().expect("ended").success());
    assert!(other.try_wait().expect("a child").is_none(), "ended a process that was not ours");
}

#[test]
fn a_half_made_environment_is_made_again_and_once() {
    let machine = Machine::new("venv");
    machine.write("infra/local/requirements.txt", "");
    machine.write(".local/venv/bin/python", "half made");
    let layout = local::Layout::at(&machine.clone_path(""));
    let made = std::thread::scope(|scope| {
        let both = [0, 1].map(|_| {
            scope.spawn(|| {
                let mut lines = Vec::new();
                let venv = local::venv::ensure(&layout, |line| lines.push(line.to_owned()));
                assert!(venv.is_ok_and(|venv| venv.python().exists()), "{lines:?}");
                lines.iter().filter(|line| line.ends_with("is ready")).count()
            })
        });
        both.into_iter().map(|thread| thread.join().expect("no panic")).sum::<usize>()
    });
    assert_eq!(made, 1);
    assert!(local::venv::exists(&layout));
}
