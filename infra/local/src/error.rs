use std::fmt;

use crate::checks::Problem;

/// Why `cargo local`, or a part of it, gave up. Shown to the person at the terminal as it is.
#[derive(Debug)]
pub enum Error {
    /// The command line asks for something that does not exist.
    Usage(String),
    /// Something is missing on this machine; all of it, so that one round of installing is enough.
    Machine(Vec<Problem>),
    /// Cargo could not build the functions or the CLI.
    Build(String),
    /// The Python environment could not be made.
    Environment(String),
    /// The emulator did not start, has ended, or refused what it was asked.
    Stack(String),
}

impl Error {
    /// The launcher's exit code; `--help` lists them, and `supervise.py` knows its share.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Machine(problems) => {
                let only_the_port =
                    problems.iter().all(|problem| matches!(problem, Problem::PortTaken { .. }));
                if only_the_port { 4 } else { 3 }
            }
            Self::Build(_) => 5,
            Self::Environment(_) => 6,
            Self::Stack(_) => 7,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message)
            | Self::Build(message)
            | Self::Environment(message)
            | Self::Stack(message) => f.write_str(message),
            Self::Machine(problems) => {
                for (index, problem) in problems.iter().enumerate() {
                    let gap = if index == 0 { "" } else { "\n" };
                    write!(f, "{gap}{problem}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Error {}
