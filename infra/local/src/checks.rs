//! What must be there before the long build starts, and what to do about it if it is not.

use std::fmt;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

/// The workspace's `rust-version`, read from its manifest when this crate is compiled.
const MANIFEST: &str = include_str!("../../../Cargo.toml");

/// The oldest Python that the pinned packages support.
pub const PYTHON_NEEDED: (u32, u32) = (3, 10);

/// Free space for a first start (debug build and environment) and for a later one.
pub const DISK_FIRST_GB: u64 = 4;
/// See [`DISK_FIRST_GB`].
pub const DISK_LATER_GB: u64 = 1;

/// Names under which a Python may be found, best first.
const PYTHON_NAMES: [&str; 7] =
    ["python3", "python3.13", "python3.12", "python3.11", "python3.10", "python3.14", "python"];

/// Runs under any Python, however old: version, venv there?, free bytes.
const PROBE: &str = r#"
import os, sys
def has(name):
    try:
        __import__(name)
        return 1
    except ImportError:
        return 0
disk = os.statvfs(sys.argv[1])
sys.stdout.write("%d.%d.%d %d %d" % (
    sys.version_info[0], sys.version_info[1], sys.version_info[2],
    has("venv") and has("ensurepip"), disk.f_bavail * disk.f_frsize))
"#;

/// Something missing on this machine. Its text is fixed and says what to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// `rustc` is older than the workspace needs.
    RustTooOld {
        /// As `rustc` gives it.
        found: String,
        /// As `Cargo.toml` gives it.
        needed: String,
    },
    /// The C compiler does not compile: it, or the C library's headers, are not there.
    NoCCompiler {
        /// What was called: `$CC`, else `cc`.
        command: String,
    },
    /// No Python at all.
    NoPython,
    /// Only Pythons older than [`PYTHON_NEEDED`].
    PythonTooOld {
        /// The newest seen.
        found: String,
    },
    /// Debian and Ubuntu ship Python without `venv` and `ensurepip`.
    NoVenvModule {
        /// As it was called.
        python: String,
        /// Its version.
        version: Version,
    },
    /// The port that was asked for is not free.
    PortTaken {
        /// On loopback.
        port: u16,
    },
    /// Too little space for what will be written.
    DiskFull {
        /// In the clone's file system.
        free_gb: u64,
        /// [`DISK_FIRST_GB`] or [`DISK_LATER_GB`].
        needed_gb: u64,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = PYTHON_NEEDED;
        match self {
            Self::RustTooOld { found, needed } => write!(
                f,
                "Rust {needed} or newer is needed, this is {found}.\n  \
                 Update it: rustup update stable"
            ),
            Self::NoCCompiler { command } => write!(
                f,
                "No working C compiler: `{command}` does not compile a line of C.\n  \
                 Debian, Ubuntu: sudo apt install build-essential\n  \
                 Fedora: sudo dnf install gcc   macOS: xcode-select --install"
            ),
            Self::NoPython => write!(
                f,
                "No Python found; {major}.{minor} or newer is needed.\n  \
                 Debian, Ubuntu: sudo apt install python3 python3-venv\n  \
                 Fedora: sudo dnf install python3   macOS: brew install python"
            ),
            Self::PythonTooOld { found } => write!(
                f,
                "Python {major}.{minor} or newer is needed, the newest found is {found}.\n  \
                 Install a newer one beside it, as python{major}.{minor} or later on the PATH."
            ),
            Self::NoVenvModule { python, version } => write!(
                f,
                "`{python}` ({version}) cannot make virtual environments: \
                 its modules venv and ensurepip are missing.\n  \
                 Debian, Ubuntu: sudo apt install python{}.{}-venv",
                version.major, version.minor
            ),
            Self::PortTaken { port } => write!(
                f,
                "Port {port} is taken.\n  \
                 Name another one, or leave out --port: then the next free one is used."
            ),
            Self::DiskFull { free_gb, needed_gb } => write!(
                f,
                "{needed_gb} GB of free disk space are needed here, {free_gb} GB are left."
            ),
        }
    }
}

/// Of Python or Rust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 3 in 3.10.1.
    pub major: u32,
    /// 10 in 3.10.1.
    pub minor: u32,
    /// 1 in 3.10.1; 0 if absent.
    pub patch: u32,
}

impl Version {
    /// `1.94.1`, `1.97.0-nightly`, `3.10`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let release = text.split(['-', '+', ' ']).next()?;
        let mut parts = release.split('.').map(str::parse);
        let mut next = || parts.next()?.ok();
        Some(Self { major: next()?, minor: next()?, patch: next().unwrap_or(0) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A Python that can make the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// As found on the PATH.
    pub command: String,
    /// At least [`PYTHON_NEEDED`].
    pub version: Version,
    /// Free space where it was asked to look.
    pub free_bytes: u64,
}

/// Every check, in the order in which one would install things.
///
/// # Errors
/// Everything that is missing, at least one [`Problem`].
pub fn all(root: &Path, port: Option<u16>, disk_gb: u64) -> Result<Python, Vec<Problem>> {
    let python = python(root);
    let found = [
        rust().err(),
        c_compiler().err(),
        python.as_ref().err().cloned(),
        python.as_ref().ok().and_then(|python| disk(python, disk_gb).err()),
        port.and_then(|port| self::port(port).err()),
    ];
    let problems: Vec<Problem> = found.into_iter().flatten().collect();
    match python {
        Ok(python) if problems.is_empty() => Ok(python),
        Ok(_) | Err(_) => Err(problems),
    }
}

/// # Errors
/// [`Problem::RustTooOld`].
pub fn rust() -> Result<(), Problem> {
    let said = output(Command::new("rustc").arg("--version")).unwrap_or_default();
    let found = said.split(' ').nth(1).unwrap_or("unknown").trim();
    let needed = rust_needed(MANIFEST);
    if Version::parse(found) >= Version::parse(needed) {
        return Ok(());
    }
    Err(Problem::RustTooOld { found: found.to_owned(), needed: needed.to_owned() })
}

fn rust_needed(manifest: &str) -> &str {
    let line = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
    line.unwrap_or_default().trim_matches('"')
}

/// `ring` is partly C: a line with a header is compiled, so that missing headers show up as well.
///
/// # Errors
/// [`Problem::NoCCompiler`].
pub fn c_compiler() -> Result<(), Problem> {
    let chosen = std::env::var("CC").unwrap_or_default();
    let command = if chosen.trim().is_empty() { "cc" } else { chosen.trim() };
    let mut words = command.split_whitespace();
    let compiled = words.next().is_some_and(|program| {
        let mut call = Command::new(program);
        call.args(words).args(["-x", "c", "-c", "-o", "/dev/null", "-"]);
        feed(&mut call, "#include <string.h>\nint one(void) { return 1; }\n")
    });
    if compiled { Ok(()) } else { Err(Problem::NoCCompiler { command: command.to_owned() }) }
}

/// The first Python on the PATH that is new enough and can make environments.
///
/// # Errors
/// [`Problem::NoVenvModule`], else [`Problem::PythonTooOld`], else [`Problem::NoPython`].
pub fn python(root: &Path) -> Result<Python, Problem> {
    let mut best: Option<Problem> = None;
    let mut newest_old = None;
    for name in PYTHON_NAMES {
        let said = output(Command::new(name).args(["-c", PROBE]).arg(root)).unwrap_or_default();
        let Some((version, has_venv, free_bytes)) = parse_probe(&said) else {
            continue;
        };
        if (version.major, version.minor) < PYTHON_NEEDED {
            newest_old = newest_old.max(Some(version));
        } else if has_venv {
            return Ok(Python { command: name.to_owned(), version, free_bytes });
        } else if best.is_none() {
            best = Some(Problem::NoVenvModule { python: name.to_owned(), version });
        }
    }
    let too_old = newest_old.map(|found| Problem::PythonTooOld { found: found.to_string() });
    Err(best.or(too_old).unwrap_or(Problem::NoPython))
}

fn parse_probe(said: &str) -> Option<(Version, bool, u64)> {
    let mut words = said.split(' ');
    let version = Version::parse(words.next()?)?;
    let has_venv = words.next()? == "1";
    Some((version, has_venv, words.next()?.trim().parse().ok()?))
}

/// # Errors
/// [`Problem::DiskFull`].
pub fn disk(python: &Python, needed_gb: u64) -> Result<(), Problem> {
    let free_gb = python.free_bytes / 1_000_000_000;
    if free_gb >= needed_gb { Ok(()) } else { Err(Problem::DiskFull { free_gb, needed_gb }) }
}

/// # Errors
/// [`Problem::PortTaken`].
pub fn port(port: u16) -> Result<(), Problem> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .map(drop)
        .map_err(|_| Problem::PortTaken { port })
}

fn output(command: &mut Command) -> Option<String> {
    let done = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

fn feed(command: &mut Command, input: &str) -> bool {
    use std::io::Write;

    let started = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    started.is_ok_and(|mut child| {
        if let Some(mut pipe) = child.stdin.take() {
            // Refused or not: what counts is how it ends.
            pipe.write_all(input.as_bytes()).ok();
        }
        child.wait().is_ok_and(|status| status.success())
    })
}

#[cfg(test)]
mod tests {
    use super::{Version, parse_probe, rust_needed};

    #[test]
    fn versions_are_compared_by_number() {
        let parse = |text| Version::parse(text).expect("a version");
        assert!(parse("1.94.1") > parse("1.94.0"));
        assert!(parse("1.100.0-nightly") > parse("1.94.1"));
        assert!(parse("3.10") > parse("3.9.18"));
        assert_eq!(Version::parse("unknown"), None);
    }

    #[test]
    fn the_needed_rust_is_what_the_workspace_says() {
        assert_eq!(rust_needed("[workspace.package]\nrust-version = \"1.94.1\"\n"), "1.94.1");
        assert!(Version::parse(rust_needed(super::MANIFEST)).is_some());
    }

    #[test]
    fn a_probe_that_says_something_else_is_no_python() {
        let version = Version { major: 3, minor: 11, patch: 7 };
        assert_eq!(parse_probe("3.11.7 1 500"), Some((version, true, 500)));
        assert_eq!(parse_probe("3.11.7 0 500"), Some((version, false, 500)));
        assert_eq!(parse_probe("pyenv: python3.12: command not found"), None);
        assert_eq!(parse_probe(""), None);
    }
}
