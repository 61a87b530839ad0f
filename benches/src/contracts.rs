//! The contracts under measurement, as WebAssembly, built from their sources.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hanse_sdk_build::Build;

/// Where a contract's sources are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// One that is shipped, of `contracts/`.
    Shipped,
    /// One that only measurements need, of `benches/contracts/`.
    Bench,
}

impl Source {
    fn workspace(self) -> PathBuf {
        let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
        match self {
            Source::Shipped => benches.join("../contracts"),
            Source::Bench => benches.join("contracts"),
        }
    }
}

/// The module of a contract. Cargo decides whether it must be built anew.
///
/// # Errors
/// If it can't be built.
pub fn module(source: Source, name: &str) -> Result<Vec<u8>> {
    let folder = source.workspace().join(name);
    let module = hanse_sdk_build::build(Build { folder: &folder, quiet: true })?;
    std::fs::read(&module)
        .with_context(|| format!("contract {name:?} was built, but {} does not read", module.display()))
}
