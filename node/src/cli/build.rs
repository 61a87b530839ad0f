//! `hanse contract build`: a crate becomes a WebAssembly module that a chain takes.
//!
//! Cargo does it, for the target `wasm32v1-none`: WebAssembly 1.0, so that no new compiler brings instructions that a
//! chain does not know. Where rustup has no standard library for that target, Debian's toolchain builds `core` and
//! `alloc` from source. Profile and linker arguments are given here, not in the crate: every contract is built alike.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hanse_abi::document::Abi;
use hanse_types::hash::Domain;
use hanse_types::{Hash, Params};
use hanse_vm::{Vm, VmConfig};
use serde::{Deserialize, Serialize};

use super::exit::{Exit, Failure};
use super::output::{fields, grouped};

/// The target.
const TARGET: &str = "wasm32v1-none";
/// A small stack below the data and little memory: an instance is set up for every call.
const RUSTFLAGS: [&str; 2] = ["-Clink-arg=-zstack-size=32768", "-Clink-arg=--initial-memory=131072"];
/// As small as it comes: what a contract costs to load and to deploy follows from its size.
const PROFILE: [&str; 6] = [
    "profile.contract.inherits='release'",
    "profile.contract.opt-level='s'",
    "profile.contract.lto=true",
    "profile.contract.panic='abort'",
    "profile.contract.codegen-units=1",
    "profile.contract.strip=true",
];
/// Debian's toolchain, which comes with the standard library's source.
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LINKER: &str = "/usr/bin/wasm-ld";

/// A contract that was built and checked.
#[derive(Debug, Serialize)]
pub(crate) struct Built {
    /// The module.
    pub(crate) wasm: PathBuf,
    bytes: u64,
    code_hash: Hash,
    methods: Vec<String>,
}

impl Built {
    pub(crate) fn text(&self) -> String {
        fields([
            ("wasm", self.wasm.display().to_string()),
            ("size", format!("{} bytes", grouped(self.bytes))),
            ("code", self.code_hash.to_string()),
            ("methods", self.methods.join(", ")),
        ])
    }
}

/// Builds the crate in `folder`, and checks the module as a chain will.
pub(crate) fn build(folder: &Path, quiet: bool) -> Result<Built, Failure> {
    let manifest = folder.join("Cargo.toml");
    if !manifest.exists() {
        return Err(Failure::usage(format!("there is no crate in {}: no Cargo.toml", folder.display()))
            .hint("go into the contract's folder, or name it with --path"));
    }
    let wasm = compile(&manifest, quiet)?;
    check(wasm)
}

/// Checks a module as a chain with the usual parameters will, and reads its ABI.
pub(crate) fn check(wasm: PathBuf) -> Result<Built, Failure> {
    let shown = wasm.display().to_string();
    let code = std::fs::read(&wasm).map_err(|error| Failure::new(Exit::NotFound, format!("{shown}: {error}")))?;
    let vm = Vm::new(&VmConfig { threads: 1, artifacts: None }).map_err(|error| Failure::error(error.to_string()))?;
    vm.check(&code, &Params::default())
        .map_err(|error| Failure::error(format!("{shown} is no contract that a chain takes: {error}")))?;
    let abi = Abi::from_wasm(&code).map_err(|error| Failure::error(format!("{shown}: {error}")))?;
    let methods = abi.iter().flat_map(|abi| &abi.methods).map(|method| method.to_string()).collect();
    Ok(Built { wasm, bytes: code.len() as u64, code_hash: Hash::of(Domain::Code, &code), methods })
}

fn compile(manifest: &Path, quiet: bool) -> Result<PathBuf, Failure> {
    let mut command = cargo()?;
    command.args(["build", "--lib", "--target", TARGET, "--message-format=json-render-diagnostics"]);
    command.args(["--profile", "contract"]).args(PROFILE.iter().flat_map(|setting| ["--config", setting]));
    command.arg("--manifest-path").arg(manifest);
    command.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"));
    if quiet {
        command.arg("--quiet");
    }
    let output = command.stderr(Stdio::inherit()).output().map_err(no_cargo)?;
    if !output.status.success() {
        return Err(Failure::error("the contract does not compile; the compiler's messages are above"));
    }
    module_of(&output.stdout, manifest)
}

/// The module among what cargo says it made for this manifest.
fn module_of(messages: &[u8], manifest: &Path) -> Result<PathBuf, Failure> {
    #[derive(Deserialize)]
    struct Artifact {
        manifest_path: PathBuf,
        filenames: Vec<PathBuf>,
    }
    let manifest = manifest.canonicalize()?;
    let lines = messages.split(|byte| *byte == b'\n');
    let artifacts = lines.filter_map(|line| serde_json::from_slice::<Artifact>(line).ok());
    let files = artifacts.filter(|artifact| artifact.manifest_path == manifest).flat_map(|made| made.filenames);
    let mut modules = files.filter(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    modules.next().ok_or_else(|| {
        Failure::error(format!("{} makes no module", manifest.display()))
            .hint("a contract's Cargo.toml has, under [lib], crate-type = [\"cdylib\", \"rlib\"]")
    })
}

/// Cargo, with whatever can build for the target.
fn cargo() -> Result<Command, Failure> {
    if sysroot()?.join("lib/rustlib").join(TARGET).exists() {
        return Ok(Command::new("cargo"));
    }
    if [DEBIAN_CARGO, DEBIAN_RUSTC, DEBIAN_LINKER].iter().all(|tool| Path::new(tool).exists()) {
        return Ok(debian_cargo());
    }
    Err(Failure::error(format!("this machine has no Rust library for {TARGET}, the target of contracts")).hint(
        format!("run `rustup target add {TARGET}`; on Debian: apt-get install rustc-web cargo-web rust-web-src lld"),
    ))
}

/// Debian's cargo; the flag for building the library is unstable, so the compiler has to be told to take it.
fn debian_cargo() -> Command {
    let mut path = OsString::from("/usr/bin:");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = Command::new(DEBIAN_CARGO);
    command.arg("-Zbuild-std=core,alloc").env("RUSTC_BOOTSTRAP", "1").env("RUSTC", DEBIAN_RUSTC).env("PATH", path);
    // It has no linker of its own for the target.
    command.env("CARGO_TARGET_WASM32V1_NONE_LINKER", DEBIAN_LINKER);
    command
}

fn sysroot() -> Result<PathBuf, Failure> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().map_err(no_cargo)?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn no_cargo(error: std::io::Error) -> Failure {
    Failure::error(format!("Rust's tools can't be started: {error}")).hint("install Rust with rustup")
}
