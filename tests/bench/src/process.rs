//! What the system knows of a process: time on a processor, and memory.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// Time that all threads of a process have spent on a processor. Those that have ended are left
/// out: the functions start none that end.
///
/// # Errors
/// Where there is no Linux, or no such process.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).context("needs Linux")? {
        nanos += scheduled(&fs::read_to_string(thread?.path().join("schedstat"))?)?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// The same of the calling thread.
///
/// # Errors
/// Where there is no Linux.
pub fn cpu_of_this_thread() -> anyhow::Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").context("needs Linux")?;
    Ok(Duration::from_nanos(scheduled(&text)?))
}

fn scheduled(schedstat: &str) -> anyhow::Result<u64> {
    Ok(schedstat.split_whitespace().next().context("schedstat")?.parse()?)
}

/// Memory of a process in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident now.
    pub resident_kib: u64,
    /// The most it ever was.
    pub peak_kib: u64,
}

/// A process's memory.
///
/// # Errors
/// Where there is no Linux, or no such process.
pub fn memory(pid: u32) -> anyhow::Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).context("needs Linux")?;
    let value = |name: &str| -> anyhow::Result<u64> {
        let line = text.lines().find(|line| line.starts_with(name)).context("status")?;
        Ok(line.split_whitespace().nth(1).context("status")?.parse()?)
    };
    Ok(Memory { resident_kib: value("VmRSS:")?, peak_kib: value("VmHWM:")? })
}
