//! The Python environment under `.local/venv`, made once by `make_venv.py`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{Error, Layout, checks, environment};

/// An environment with everything in `requirements.txt`.
#[derive(Debug, Clone)]
pub struct Venv {
    layout: Layout,
}

impl Venv {
    /// Its interpreter.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.layout.venv().join("bin/python")
    }

    /// The clone that it belongs to.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

/// Is there one already? It may still be out of date; only [`ensure`] knows.
#[must_use]
pub fn exists(layout: &Layout) -> bool {
    layout.venv().join("made-from").is_file()
}

/// Makes the environment unless it is there and up to date. Several processes may do so at once.
/// `progress` gets lines for people.
///
/// # Errors
/// [`Error::Machine`] without a suitable Python, [`Error::Environment`] if making it failed.
pub fn ensure(layout: &Layout, mut progress: impl FnMut(&str)) -> Result<Venv, Error> {
    let python = checks::python(layout.root()).map_err(|problem| Error::Machine(vec![problem]))?;
    let cannot = |why: &dyn std::fmt::Display| {
        Error::Environment(format!("the Python environment could not be made: {why}"))
    };
    let mut maker = Command::new(&python.command);
    maker
        .arg(layout.script("make_venv.py"))
        .arg(layout.venv())
        .arg(layout.script("requirements.txt"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut maker = environment::without_aws(&mut maker).spawn().map_err(|e| cannot(&e))?;
    let mut last = String::new();
    for line in maker.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        last = line.map_err(|e| cannot(&e))?;
        progress(&last);
    }
    let status = maker.wait().map_err(|e| cannot(&e))?;
    if status.success() {
        Ok(Venv { layout: layout.clone() })
    } else {
        Err(Error::Environment(last))
    }
}
