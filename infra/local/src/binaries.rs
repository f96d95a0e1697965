//! Builds what the stack consists of: every function, and the CLI.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{Error, Layout, environment};

/// How to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Fast to build.
    Debug,
    /// As on AWS, but for this machine.
    Release,
}

/// The CLI's binary.
pub const CLI: &str = "webhooks";

/// Builds and returns the folder that holds the binaries. Cargo shows its own progress.
///
/// # Errors
/// [`Error::Build`].
pub fn build(layout: &Layout, profile: Profile) -> Result<PathBuf, Error> {
    build_beside(layout, profile, "cli", CLI)
}

/// Builds the functions beside a package and its binary, so that both use one build of what they
/// share.
///
/// # Errors
/// [`Error::Build`].
pub fn build_beside(
    layout: &Layout,
    profile: Profile,
    package: &str,
    binary: &str,
) -> Result<PathBuf, Error> {
    let cannot = |e: std::io::Error| Error::Build(format!("cargo could not be run: {e}"));
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo
        .args(["build", "--bins", "--message-format=json-render-diagnostics"])
        .arg(format!("--package={package}"))
        .args(functions(layout).map_err(cannot)?.iter().map(|name| format!("--package={name}")))
        .args(match profile {
            Profile::Debug => None,
            Profile::Release => Some("--release"),
        })
        .current_dir(layout.root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut cargo = environment::as_from_a_shell(&mut cargo).spawn().map_err(cannot)?;
    let mut found = None;
    for line in cargo.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        found = executable(&line.map_err(cannot)?, binary).or(found);
    }
    if !cargo.wait().map_err(cannot)?.success() {
        return Err(Error::Build("the build failed: cargo says why above".to_owned()));
    }
    found
        .as_deref()
        .and_then(Path::parent)
        .map(Path::to_owned)
        .ok_or_else(|| Error::Build(format!("cargo did not build {binary}")))
}

/// Every folder in `functions/`, which is the name of its crate and of its binary.
fn functions(layout: &Layout) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(layout.root().join("functions"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The path in one of cargo's messages, if that is about this binary.
fn executable(message: &str, name: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let path = PathBuf::from(message.get("executable")?.as_str()?);
    (path.file_stem()? == name).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::executable;

    #[test]
    fn the_executable_is_read_from_cargos_messages() {
        let message = r#"{"reason":"compiler-artifact","executable":"/t/debug/webhooks"}"#;
        assert_eq!(executable(message, "webhooks"), Some("/t/debug/webhooks".into()));
        assert_eq!(executable(message, "ingest"), None);
        assert_eq!(executable(r#"{"executable":null}"#, "webhooks"), None);
        assert_eq!(executable("warning: not JSON", "webhooks"), None);
    }
}
