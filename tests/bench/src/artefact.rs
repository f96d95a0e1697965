//! The functions as they are deployed, but for this machine.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use local::{Layout, Profile, binaries};

/// Every function, in the order of the report.
pub const FUNCTIONS: [&str; 5] = ["ingest", "sender", "sweeper", "daily", "api"];

/// As this program was built: `cargo run --release` measures what is deployed.
const PROFILE: Profile = if cfg!(debug_assertions) { Profile::Debug } else { Profile::Release };

/// What a zip file says about its one entry: two headers, the name twice, and the end record.
const ZIP_FRAME: u64 = 30 + 46 + 22 + 2 * "bootstrap".len() as u64;

/// The release binaries.
pub struct Artefacts {
    folder: PathBuf,
}

impl Artefacts {
    /// Builds what is not built yet.
    ///
    /// # Errors
    /// If the build fails; cargo says why.
    pub fn build(layout: &Layout) -> anyhow::Result<Self> {
        Ok(Self { folder: binaries::build_beside(layout, PROFILE, "bench", "bench")? })
    }

    /// A function's binary.
    pub fn path(&self, function: &str) -> PathBuf {
        self.folder.join(function)
    }

    /// Its size in bytes: as it is, and in the zip file that is uploaded.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn sizes(&self, function: &str) -> anyhow::Result<(u64, u64)> {
        sizes(&self.path(function)).with_context(|| format!("reading {function}"))
    }
}

fn sizes(file: &Path) -> std::io::Result<(u64, u64)> {
    let bytes = fs::read(file)?;
    let mut zip = DeflateEncoder::new(Counted(0), Compression::best());
    zip.write_all(&bytes)?;
    Ok((u64::try_from(bytes.len()).unwrap_or(u64::MAX), zip.finish()?.0 + ZIP_FRAME))
}

/// Counts what is written to it.
struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
