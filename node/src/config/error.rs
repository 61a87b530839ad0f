//! What is wrong with a configuration: every fault that there is, each with its place.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use super::load::Origin;

/// Why there is no configuration.
#[derive(Debug, Error)]
pub(crate) enum ConfigError {
    /// The file can't be read.
    #[error("{}: {error}; `hanse init FOLDER` writes one, and --config FILE names it", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It is no TOML.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Syntax {
        /// Which.
        path: PathBuf,
        /// Line, from 1 on.
        line: usize,
        /// Column, from 1 on.
        column: usize,
        /// What the parser said.
        message: String,
    },
    /// Keys or values are not what they should be.
    #[error("{0}")]
    Invalid(Problems),
}

/// Faults, in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

/// One of them.
#[derive(Debug, PartialEq)]
pub(crate) struct Problem {
    /// Where.
    pub(crate) origin: Origin,
    /// What is wrong, and what to do.
    pub(crate) text: String,
}

impl Problems {
    /// One more.
    pub(crate) fn add(&mut self, origin: &Origin, text: impl Into<String>) {
        self.0.push(Problem { origin: origin.clone(), text: text.into() });
    }

    /// None, or all of them as an error.
    pub(crate) fn into_result(self) -> Result<(), ConfigError> {
        if self.0.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(self)) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{}: {}", problem.origin, problem.text)?;
        }
        Ok(())
    }
}
