//! The stack that `cargo local` brought up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use super::{Key, Logs, Stack};

/// Points at another description than the nearest `.local/stack.json`.
const STACK_FILE: &str = "WEBHOOKS_STACK_FILE";

/// How `cargo local` describes it.
#[derive(Deserialize)]
struct Description {
    endpoint_url: String,
    region: String,
    api_url: Option<String>,
    operator_key: Option<String>,
    outputs: BTreeMap<String, String>,
}

/// The local stack of the clone that the command runs in.
pub fn open() -> anyhow::Result<Stack> {
    let path = path().context("no local stack is running here; start one with `cargo local`")?;
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let found: Description = serde_json::from_str(&text)
        .with_context(|| format!("{} does not describe a stack", path.display()))?;
    answers(&found.endpoint_url).with_context(|| {
        format!(
            "the stack that {} describes is gone; `cargo local` starts a new one",
            path.display()
        )
    })?;
    let no_key = Key::Missing("the stack's file has no operator key");
    Ok(Stack {
        config: aws::config::emulator(&found.endpoint_url, &found.region),
        outputs: found.outputs,
        api_url: found.api_url,
        key: found.operator_key.map_or(no_key, Key::Known),
        logs: Logs::Files(path.parent().map(|home| home.join("logs")).unwrap_or_default()),
    })
}

/// Whether anybody listens there: a refused connection is a clearer answer than a time-out.
fn answers(endpoint_url: &str) -> std::io::Result<()> {
    let address = endpoint_url.trim_start_matches("http://").trim_end_matches('/');
    std::net::TcpStream::connect(address).map(|_| ())
}

fn path() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(STACK_FILE) {
        return Some(path.into());
    }
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|folder| folder.join(".local/stack.json")).find(|path| path.is_file())
}

/// The lines with a word in them; none if the function has not run yet.
pub fn log(folder: &Path, function: &str, word: &str) -> anyhow::Result<String> {
    let path = folder.join(format!("{function}.log"));
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().filter(|line| line.contains(word)).collect::<Vec<_>>().join("\n"))
}
