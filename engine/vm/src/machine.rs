//! What all threads share: the engine, compiled modules, contracts that wait to be called.
//!
//! A thread comes here when it calls a contract for the first time in a block, and when it has done with the block; what
//! it does in between it does with what it has at hand ([`AtHand`]).

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hanse_types::Hash;
use parking_lot::{Mutex, RwLock};

use crate::sample::Watch;
use crate::wasm::{ArtifactCache, AtHand, Engine, EngineError, InvalidModule, Places, Ready, Rules};
use crate::wasm::{WasmContract, kept_max};

/// See the module.
pub(crate) struct Machine {
    engine: Engine,
    artifacts: Option<ArtifactCache>,
    /// By the hash of the code and nothing else, so that what is in here can't change a result.
    modules: RwLock<HashMap<Hash, Arc<WasmContract>, RandomState>>,
    /// Contracts with an instance, that no thread has at hand.
    #[expect(clippy::vec_box, reason = "they go from hand to hand in their boxes")]
    waiting: Mutex<HashMap<Hash, Vec<Box<Ready>>, RandomState>>,
    pub(crate) places: Places,
    /// Who hears how long calls take.
    pub(crate) watch: Option<Arc<dyn Watch>>,
}

/// Compiled contracts in memory; when there are more, all are forgotten, which costs time only.
const MODULES_MAX: usize = 1_024;

impl Machine {
    pub(crate) fn new(
        threads: usize,
        artifacts: Option<PathBuf>,
        watch: Option<Arc<dyn Watch>>,
    ) -> Result<Machine, EngineError> {
        let engine = Engine::new(threads)?;
        let artifacts = artifacts.map(|folder| ArtifactCache::new(folder, &engine));
        Ok(Machine {
            engine,
            artifacts,
            modules: RwLock::default(),
            waiting: Mutex::default(),
            places: Places::new(kept_max(threads)),
            watch,
        })
    }

    /// A contract with this code, if it has been compiled.
    pub(crate) fn ready(&self, code: &Hash) -> Option<Box<Ready>> {
        let waiting = self.waiting.lock().get_mut(code).and_then(Vec::pop);
        waiting.or_else(|| Some(Box::new(Ready::new(*code, self.modules.read().get(code)?.clone()))))
    }

    /// Takes back what a thread had at hand.
    pub(crate) fn take_back(&self, at_hand: &mut AtHand) {
        let mut waiting = self.waiting.lock();
        for ready in at_hand.drain().filter(|ready| ready.has_instance()) {
            waiting.entry(ready.code()).or_default().push(ready);
        }
    }

    /// Throws away the instances that wait here, so that others find a place.
    pub(crate) fn forget_waiting(&self) {
        // Dropped when the lock is free again: it takes a while.
        let waiting = std::mem::take(&mut *self.waiting.lock());
        drop(waiting);
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
            modules.clear();
            self.forget_waiting();
        }
        Ok(modules.entry(hash).or_insert(module).clone())
    }
}
