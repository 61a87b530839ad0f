//! Builds contracts: from a crate to a WebAssembly module that a chain takes.
//!
//! Cargo does it, for the target `wasm32v1-none`: WebAssembly 1.0, so that no new compiler brings instructions that a
//! chain does not know. Where rustup has no standard library for that target, Debian's toolchain builds `core` and
//! `alloc` from source (see `toolchain.rs`). Profile and linker arguments are given here, not in the crate: every contract
//! is built alike, by `hanse contract build`, by tests and by benchmarks.
//!
//! It knows nothing of what a chain checks in a module, and nothing of the ABI inside.
//!
//! Start reading at [`build`]; [`metadata`] finds the contracts that a contract's tests need.

pub mod metadata;
mod toolchain;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

/// The target.
pub const TARGET: &str = "wasm32v1-none";
/// A small stack below the data and little memory: an instance is set up for every call. Addresses in the code as short
/// as they are: the linker writes each in 5 bytes otherwise, which is a tenth of a contract.
const RUSTFLAGS: [&str; 3] =
    ["-Clink-arg=-zstack-size=32768", "-Clink-arg=--initial-memory=131072", "-Clink-arg=--compress-relocations"];
/// As small as it comes without giving up inlining: what a contract costs to load and to deploy follows from its size.
const PROFILE: [&str; 6] = [
    "profile.contract.inherits='release'",
    "profile.contract.opt-level='s'",
    "profile.contract.lto=true",
    "profile.contract.panic='abort'",
    "profile.contract.codegen-units=1",
    "profile.contract.strip=true",
];

/// Why there is no module.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The folder holds no crate.
    #[error("there is no crate in {}: no Cargo.toml", .0.display())]
    NoCrate(PathBuf),
    /// Cargo or rustc can't be started.
    #[error("{program} can't be started: {source}; install Rust with rustup, see rust-lang.org")]
    NoRust {
        /// Which of them.
        program: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// Neither toolchain can build for the target.
    #[error(
        "this machine has no Rust library for {TARGET}, the target of contracts; run `rustup target add {TARGET}`, or on \
         Debian: apt-get install rustc-web cargo-web rust-web-src lld"
    )]
    NoTarget,
    /// The compiler refuses it.
    #[error("the contract in {} does not compile; the compiler's messages are above", .0.display())]
    Compile(PathBuf),
    /// Cargo made something else.
    #[error("{} makes no module; its package needs a library, src/lib.rs", .0.display())]
    NoModule(PathBuf),
    /// Cargo does not say what is in the folder.
    #[error("cargo can't read {}: {reason}", manifest.display())]
    Metadata {
        /// The manifest.
        manifest: PathBuf,
        /// What it says.
        reason: String,
    },
}

/// What to build, and how.
#[derive(Clone, Copy, Debug)]
pub struct Build<'a> {
    /// The contract's folder.
    pub folder: &'a Path,
    /// Whether cargo is silent about what it does. Errors are shown in any case, on the standard error output.
    pub quiet: bool,
}

/// Whether this machine can build contracts, without building one.
///
/// # Errors
/// If a tool or the target's library is missing; the error says how to get it.
pub fn check_tools() -> Result<(), BuildError> {
    toolchain::cargo().map(drop)
}

/// Builds a contract. Cargo decides whether anything is to be done.
///
/// # Errors
/// If it can't be built; the compiler has said why on the standard error output.
pub fn build(build: Build<'_>) -> Result<PathBuf, BuildError> {
    let manifest = manifest(build.folder)?;
    let target = metadata::read(build.folder)?.modules_folder();
    let mut command = toolchain::cargo()?;
    // Only one type of crate, although a contract names two: cargo does not optimize across crates for an `rlib`.
    command.args(["rustc", "--lib", "--crate-type", "cdylib", "--target", TARGET, "--profile", "contract"]);
    command.args(PROFILE.iter().flat_map(|setting| ["--config", setting]));
    command.arg("--message-format=json-render-diagnostics").arg("--manifest-path").arg(&manifest);
    command.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"));
    command.arg("--target-dir").arg(target);
    if build.quiet {
        command.arg("--quiet");
    }
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|source| BuildError::NoRust { program: "cargo", source })?;
    if !output.status.success() {
        return Err(BuildError::Compile(build.folder.to_owned()));
    }
    module(&output.stdout, &manifest).ok_or(BuildError::NoModule(manifest))
}

/// The manifest of the crate in a folder.
fn manifest(folder: &Path) -> Result<PathBuf, BuildError> {
    let manifest = folder.join("Cargo.toml");
    manifest.canonicalize().map_err(|_| BuildError::NoCrate(folder.to_owned()))
}

/// The module among what cargo says it made for this manifest.
fn module(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Artifact {
        manifest_path: PathBuf,
        filenames: Vec<PathBuf>,
    }
    let lines = messages.split(|byte| *byte == b'\n');
    let artifacts = lines.filter_map(|line| serde_json::from_slice::<Artifact>(line).ok());
    let files = artifacts.filter(|artifact| artifact.manifest_path == manifest).flat_map(|made| made.filenames);
    let mut modules = files.filter(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    modules.next()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_without_a_crate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = build(Build { folder: folder.path(), quiet: true }).unwrap_err();
        assert!(matches!(&error, BuildError::NoCrate(path) if path == folder.path()), "{error}");
    }

    #[test]
    fn the_module_is_that_of_the_manifest_and_no_other() {
        let artifact = |manifest: &str, files: &str| {
            format!("{{\"reason\":\"compiler-artifact\",\"manifest_path\":\"{manifest}\",\"filenames\":[{files}]}}\n")
        };
        let messages = [
            artifact("/sdk/Cargo.toml", "\"/t/sdk.wasm\""),
            "{\"reason\":\"build-script-executed\"}\nno JSON\n".to_owned(),
            artifact("/token/Cargo.toml", "\"/t/token.d\",\"/t/token.wasm\""),
        ];
        let found = |manifest: &str| module(messages.concat().as_bytes(), Path::new(manifest));
        assert_eq!(found("/token/Cargo.toml"), Some(PathBuf::from("/t/token.wasm")));
        assert_eq!(found("/other/Cargo.toml"), None);
    }
}
