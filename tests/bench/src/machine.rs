//! Where and when something was measured.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;

/// A machine, a compiler, a commit and a date: what a figure means nothing without.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// Its processor.
    pub cpu: String,
    /// How many of them this process may use.
    pub cores: usize,
    /// MiB.
    pub memory_mib: u64,
    /// Operating system and version.
    pub kernel: String,
    /// The compiler.
    pub rustc: String,
    /// Of this clone; with `+` if something in it is not committed.
    pub commit: String,
    /// UTC.
    pub date: String,
    /// Processes that were ready to run, on average over the last minute, when it began: others
    /// were at work, too, if this is not near 0.
    pub load: f64,
}

impl Machine {
    /// This one, now.
    pub fn this() -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").ok();
        let cpu = cpu.as_deref().and_then(|text| value(text, "model name")).map(str::to_owned);
        let memory = fs::read_to_string("/proc/meminfo").ok();
        let memory = memory.as_deref().and_then(|text| value(text, "MemTotal")).and_then(first);
        let load = fs::read_to_string("/proc/loadavg").ok();
        let changed = said("git", &["status", "--porcelain", "--untracked-files=no"]);
        let changed = changed.is_some_and(|files| !files.is_empty());
        let commit = said("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_else(unknown);
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]");
        Self {
            cpu: cpu
                .or_else(|| said("sysctl", &["-n", "machdep.cpu.brand_string"]))
                .unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: memory.unwrap_or(0) / 1_024,
            kernel: said("uname", &["-srm"]).unwrap_or_else(unknown),
            rustc: said("rustc", &["--version"]).unwrap_or_else(unknown),
            commit: if changed { format!("{commit}+") } else { commit },
            date: OffsetDateTime::now_utc().format(format).unwrap_or_else(|_| unknown()),
            load: load.as_deref().and_then(first).unwrap_or(0.0),
        }
    }

    /// In one line.
    pub fn line(&self) -> String {
        let Self { cpu, cores, memory_mib, kernel, rustc, commit, date, load } = self;
        let memory_gib = memory_mib.div_ceil(1_024);
        format!(
            "{cpu}, {cores} cores, {memory_gib} GiB, {kernel}, {rustc}, commit {commit}, {date} UTC, load {load}"
        )
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The value of a line `name : value`.
fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

fn first<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.split_whitespace().next()?.parse().ok()
}

/// The first line that a command prints, if it goes well.
fn said(command: &str, arguments: &[&str]) -> Option<String> {
    let done = Command::new(command).args(arguments).output().ok()?;
    let text = String::from_utf8(done.stdout).ok()?;
    done.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}
