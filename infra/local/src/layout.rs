use std::env;
use std::path::{Path, PathBuf};

/// Where things are in a clone. All state is under its `.local`, so two clones never meet.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The clone that cargo runs us from: at run time if it says so, else as it was compiled.
    #[must_use]
    pub fn of_this_clone() -> Self {
        let compiled = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let package = env::var_os("CARGO_MANIFEST_DIR").map_or(compiled, PathBuf::from);
        let root = package.ancestors().find(|folder| folder.join("infra/local").is_dir());
        Self::at(root.unwrap_or(&package))
    }

    /// A clone by its root.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The clone's root.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The whole stack, as it is deployed to AWS.
    #[must_use]
    pub fn template(&self) -> PathBuf {
        self.root.join("template.yaml")
    }

    /// Everything that `cargo local` writes.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join(".local")
    }

    /// The Python environment of the emulator.
    #[must_use]
    pub fn venv(&self) -> PathBuf {
        self.state().join("venv")
    }

    /// One of the Python files next to this crate.
    #[must_use]
    pub fn script(&self, name: &str) -> PathBuf {
        self.root.join("infra/local").join(name)
    }
}
