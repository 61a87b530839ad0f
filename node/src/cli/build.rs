//! `hanse contract build`: a crate becomes a WebAssembly module, which is checked as a chain will check it.

use std::path::{Path, PathBuf};

use hanse_abi::document::Abi;
use hanse_sdk_build::{Build, BuildError};
use hanse_types::crypto::CryptoSuite;
use hanse_types::{Hash, Params};
use hanse_vm::system::lifecycle;
use hanse_vm::{Vm, VmConfig};
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output::{fields, grouped};

/// A contract that was built and checked.
#[derive(Debug, Serialize)]
pub(crate) struct Built {
    /// The module.
    pub(crate) wasm: PathBuf,
    bytes: u64,
    code_hash: Hash,
    /// Its hash in groups with crypto guomi.
    code_hash_guomi: Hash,
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
    check(hanse_sdk_build::build(Build { folder, quiet }).map_err(failure)?)
}

/// Why there is no module, for people.
pub(crate) fn failure(error: BuildError) -> Failure {
    match error {
        BuildError::NoCrate(_) => {
            Failure::usage(error.to_string()).hint("go into the contract's folder, or name it with --path")
        }
        other => Failure::error(other.to_string()),
    }
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
    let [code_hash, code_hash_guomi] = CryptoSuite::ALL.map(|crypto| lifecycle::code_hash(crypto, &code));
    Ok(Built { wasm, bytes: code.len() as u64, code_hash, code_hash_guomi, methods })
}
