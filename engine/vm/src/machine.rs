//! What all transactions share: the engine, compiled modules, native contracts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use foldhash::fast::RandomState;
use hanse_types::{Address, Hash, Status};
use parking_lot::RwLock;

use crate::contract::Code;
use crate::failure::{Failure, Stop};
use crate::session::Session;
use crate::system::{self, lifecycle};
use crate::wasm::{ArtifactCache, Engine, InvalidModule, Rules, WasmContract, kept_max};

/// See the module.
pub(crate) struct Machine {
    engine: Engine,
    artifacts: Option<ArtifactCache>,
    /// By the hash of the code and nothing else, so that what is in here can't change a result.
    modules: RwLock<HashMap<Hash, Arc<WasmContract>, RandomState>>,
    /// Instances of all contracts that wait for a call, about: they take places in the engine's pool.
    pub(crate) kept: AtomicUsize,
    pub(crate) kept_max: usize,
}

/// Compiled contracts in memory; when there are more, all are forgotten, which costs time only.
const MODULES_MAX: usize = 1_024;

impl Machine {
    pub(crate) fn new(threads: usize, artifacts: Option<PathBuf>) -> Result<Machine, crate::wasm::EngineError> {
        let engine = Engine::new(threads)?;
        let artifacts = artifacts.map(|folder| ArtifactCache::new(folder, &engine));
        Ok(Machine {
            engine,
            artifacts,
            modules: RwLock::default(),
            kept: AtomicUsize::new(0),
            kept_max: kept_max(threads),
        })
    }

    /// The code of a contract that may be called.
    pub(crate) fn code(&self, session: &mut Session, contract: &Address) -> Result<Code, Stop> {
        if let Some(native) = system::contract(contract) {
            return Ok(Code::Native(native));
        }
        let Some(record) = lifecycle::record(&mut *session.state, contract)? else {
            return Err(Failure::new(Status::ContractNotFound, format!("no contract at {contract}")).into());
        };
        record.check_callable(contract)?;
        let known = self.modules.read().get(&record.code).cloned();
        if let Some(module) = known {
            return Ok(Code::Wasm(module));
        }
        let Some(code) = lifecycle::code(&mut *session.state, &record.code)? else {
            // Only under a block DAG that lies; whatever is answered, the block will be refused.
            return Err(Failure::new(Status::ContractNotFound, format!("no code of {contract}")).into());
        };
        self.module(record.code, &code).map(Code::Wasm).map_err(|error| {
            // It was accepted when it was deployed, by the same rules.
            Failure::new(Status::InvalidOperation, error.to_string()).into()
        })
    }

    /// Checks code by the static rules alone.
    pub(crate) fn check(&self, code: &[u8], rules: &Rules) -> Result<(), InvalidModule> {
        crate::wasm::validate(code, rules).map(drop)
    }

    /// The compiled module of code that was checked before.
    pub(crate) fn module(&self, hash: Hash, code: &[u8]) -> Result<Arc<WasmContract>, InvalidModule> {
        if let Some(module) = self.modules.read().get(&hash) {
            return Ok(module.clone());
        }
        let module = Arc::new(WasmContract::load(&self.engine, self.artifacts.as_ref(), &hash, code)?);
        let mut modules = self.modules.write();
        if modules.len() >= MODULES_MAX {
            modules.drain().for_each(|(_, module)| module.forget_instances(&self.kept));
        }
        Ok(modules.entry(hash).or_insert(module).clone())
    }

    /// Throws away all instances that wait for a call, so that contracts in use now find room.
    pub(crate) fn forget_instances(&self) {
        self.modules.read().values().for_each(|module| module.forget_instances(&self.kept));
    }
}
