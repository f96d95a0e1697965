//! What the processes we start may know of the shell we were started from.

use std::env;
use std::process::Command;

/// For cargo and pip, which may need a proxy to download: only the shell's AWS settings go.
pub fn without_aws(command: &mut Command) -> &mut Command {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_aws) {
            command.env_remove(name);
        }
    }
    command
}

/// For a build: what `cargo run` told us about ourselves goes, or the build scripts that look at
/// it (ring's does) would run again whenever cargo is called from a shell instead.
pub fn as_from_a_shell(command: &mut Command) -> &mut Command {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_about_us) {
            command.env_remove(name);
        }
    }
    without_aws(command)
}

/// For everything that runs the stack: no AWS settings, no proxy, no foreign Python path.
///
/// The emulator strips further (`emulator.py`): its environment is what the functions get.
pub fn loopback_only(command: &mut Command) -> &mut Command {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| is_proxy(name) || is_python(name)) {
            command.env_remove(name);
        }
    }
    without_aws(command)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONUNBUFFERED", "1")
}

/// Credentials, profiles, regions, endpoints; but not the build settings of the AWS-LC library.
fn is_aws(name: &str) -> bool {
    name.starts_with("AWS_") && !name.starts_with("AWS_LC_")
}

fn is_about_us(name: &str) -> bool {
    const SET_BY_CARGO_RUN: [&str; 5] =
        ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    name == "OUT_DIR" || SET_BY_CARGO_RUN.iter().any(|prefix| name.starts_with(prefix))
}

fn is_proxy(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with("_proxy")
}

fn is_python(name: &str) -> bool {
    matches!(name, "PYTHONHOME" | "PYTHONPATH" | "PYTHONSTARTUP")
}
