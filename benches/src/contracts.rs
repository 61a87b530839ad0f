//! The contracts under measurement, as WebAssembly, built from their sources.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

const TARGET: &str = "wasm32v1-none";

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

    /// Where cargo puts what it builds. Not among the native builds: the profiles differ.
    fn target(self) -> PathBuf {
        let Some(target) = std::env::var_os("CARGO_TARGET_DIR") else { return self.workspace().join("target") };
        let folder = match self {
            Source::Shipped => "contracts",
            Source::Bench => "bench-contracts",
        };
        // Cargo takes a relative one from where it is started, and so do we before we change to the contracts.
        std::path::absolute(&target).unwrap_or_else(|_| PathBuf::from(target)).join(folder)
    }
}

/// The module of a contract. Cargo decides whether it must be built anew.
///
/// # Errors
/// If it can't be built.
pub fn module(source: Source, name: &str) -> Result<Vec<u8>> {
    let target = source.target();
    build(name, &source.workspace(), &target)?;
    let module = target.join(TARGET).join("release").join(name.replace('-', "_") + ".wasm");
    std::fs::read(&module)
        .with_context(|| format!("contract {name:?} was built, but {} does not read", module.display()))
}

fn build(name: &str, workspace: &Path, target: &Path) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let output = Command::new(cargo)
        // The workspace's configuration, with the contracts' link arguments, is found from here.
        .current_dir(workspace)
        .args(["build", "--quiet", "--release", "--lib", "--target", TARGET, "--package", name, "--target-dir"])
        .arg(target)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .with_context(|| format!("cargo could not be started to build contract {name:?}"))?;
    ensure!(
        output.status.success(),
        "contract {name:?} could not be built for {TARGET} (is the target there? `rustup target add {TARGET}`):\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
