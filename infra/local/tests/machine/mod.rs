//! A machine to run the launcher on: stand-ins for programs, and a clone with little in it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Two folders: the only one on the PATH, and a clone.
pub struct Machine {
    folder: PathBuf,
}

/// How the launcher ended.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Machine {
    /// Nothing installed, and a clone whose Python files are the real ones.
    pub fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::remove_dir_all(&folder).ok();
        let machine = Self { folder };
        fs::create_dir_all(machine.folder.join("bin")).expect("a folder");
        machine.write(
            "template.yaml",
            "Parameters:\n  Stage:\n    Type: String\n  RetryDelaysSeconds: {}\nResources:\n",
        );
        for file in ["state.py", "make_venv.py"] {
            machine.write(&format!("infra/local/{file}"), "");
            let link = machine.clone_path("infra/local").join(file);
            fs::remove_file(&link).expect("just written");
            symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join(file), link).expect("a link");
        }
        machine
    }

    /// Everything installed; building and making the environment succeed without doing anything,
    /// and the supervisor prints its arguments and environment.
    pub fn ready(self) -> Self {
        let python = real_python();
        let probe_or_run = format!(
            "case \"$1\" in -c) echo '3.11.7 1 90000000000';; *) exec '{python}' \"$@\";; esac"
        );
        let built = self.folder.join("built/debug/webhooks");
        let told = self.clone_path("cargo-was-told");
        let build = format!(
            "echo \"$*\" > '{told}'; export >> '{told}'; echo '{{\"executable\":\"{built}\"}}'",
            told = told.display(),
            built = built.display(),
        );
        for function in ["ingest", "sender"] {
            self.write(&format!("functions/{function}/Cargo.toml"), "");
        }
        fs::remove_file(self.clone_path("infra/local/make_venv.py")).expect("a link");
        self.write(
            "infra/local/make_venv.py",
            "import os, sys\n\
             bin = os.path.join(sys.argv[1], 'bin')\n\
             os.makedirs(bin, exist_ok=True)\n\
             with open(os.path.join(bin, 'python'), 'w') as out:\n    \
             out.write('#!/bin/sh\\nfor each; do echo $each; done; export\\n')\n\
             os.chmod(os.path.join(bin, 'python'), 0o755)\n\
             print('made')\n",
        );
        self.with(&[
            ("cc", "exit 0"),
            ("rustc", "echo 'rustc 1.99.0 (abc 2027-01-01)'"),
            ("python3", &probe_or_run),
            ("cargo", &build),
        ])
    }

    /// Installs stand-ins: name and shell script.
    pub fn with(self, stand_ins: &[(&str, &str)]) -> Self {
        for (name, script) in stand_ins {
            let path = self.folder.join("bin").join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        self
    }

    pub fn clone_path(&self, path: &str) -> PathBuf {
        self.folder.join("clone").join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.clone_path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, &[])
    }

    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
        let output = Command::new(env!("CARGO_BIN_EXE_local"))
            .args(arguments)
            .env_clear()
            .env("PATH", self.folder.join("bin"))
            .env("CARGO_MANIFEST_DIR", self.clone_path("infra/local"))
            .envs(environment.iter().copied())
            .output()
            .expect("the launcher runs");
        Run {
            code: output.status.code().expect("an exit code"),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// A process that ends only when it is killed.
    pub fn spawn_sleeper(&self) -> Process {
        let child = Command::new(real_python())
            .args(["-c", "import signal; signal.pause()"])
            .spawn()
            .expect("a sleeper");
        Process(child)
    }
}

impl Run {
    #[track_caller]
    pub fn fails(&self, code: i32, stderr: &str) {
        assert_eq!((self.code, self.stderr.as_str()), (code, stderr));
    }
}

/// A process that holds the supervisor's lock, with these children on record; a command line that
/// is given replaces the real one.
pub fn held_by(machine: &Machine, children: &[(u32, Option<&str>)]) -> Process {
    let script = r#"
import json, signal, sys, state
it = state.State(state.Path(sys.argv[1]))
lock = it.take()
children = json.loads(sys.argv[2])
real = state.command_line
state.command_line = lambda pid: dict(children)[pid] or real(pid)
it.record(lock, [pid for pid, _ in children])
print("held", flush=True)
signal.pause()
"#;
    let children: Vec<String> = children
        .iter()
        .map(|(pid, command)| match command {
            Some(command) => format!("[{pid}, \"{command}\"]"),
            None => format!("[{pid}, null]"),
        })
        .collect();
    let mut child = Command::new(real_python())
        .args(["-c", script])
        .arg(machine.clone_path(".local"))
        .arg(format!("[{}]", children.join(",")))
        .env("PYTHONPATH", env!("CARGO_MANIFEST_DIR"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a holder");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    assert_eq!(line, "held\n");
    Process(child)
}

/// Ends with its test, however that ends.
pub struct Process(Child);

impl Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Not a shim, which would need the PATH of this shell.
fn real_python() -> String {
    let output = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .expect("Python 3 is installed");
    std::io::stderr().write_all(&output.stderr).ok();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
