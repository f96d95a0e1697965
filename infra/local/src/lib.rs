//! The local stack: the real template and the real functions on an emulator on this machine.
//!
//! `cargo local` (`main.rs`) and the journey tests use the same parts:
//!
//! ```no_run
//! use local::{Emulator, Layout, Options, Profile, StackSpec, binaries, venv};
//!
//! # fn main() -> Result<(), local::Error> {
//! let layout = Layout::of_this_clone();
//! let venv = venv::ensure(&layout, |line| eprintln!("{line}"))?;
//! let emulator = Emulator::start(&venv, Options::default())?;
//! let stack = emulator.deploy(
//!     &StackSpec::new(&layout, "journey", binaries::build(&layout, Profile::Debug)?)
//!         .with("RetryDelaysSeconds", "2,4,6,8"),
//! )?;
//! emulator.invoke(stack.output("SweeperFunction"), &serde_json::json!({}))?;
//! # Ok(())
//! # }
//! ```
//!
//! The crate has almost no dependencies, so that it is compiled, and the machine checked, before
//! the long build starts. Nothing in here ever opens a connection: that is `*.py`'s part.

pub mod binaries;
pub mod checks;
mod emulator;
pub mod environment;
mod error;
pub mod flags;
mod layout;
pub mod venv;

pub use binaries::Profile;
pub use emulator::{Emulator, Options, Stack, StackSpec};
pub use error::Error;
pub use layout::Layout;
pub use venv::Venv;
