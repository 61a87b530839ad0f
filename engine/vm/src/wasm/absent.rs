//! In the engine's place where the crate is built without `wasm`, for simulators: native contracts run, code is refused.
//!
//! A node is never built like this: it would not agree with others on what a deployment gives.

use std::path::PathBuf;
use std::sync::Arc;

use hanse_types::Hash;
use thiserror::Error;

use super::validate::InvalidModule;
use crate::failure::Stop;
use crate::session::{Entry, Session};

/// What an engine that is not there can't fail with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EngineError {}

/// No engine.
pub(crate) struct Engine;

impl Engine {
    pub(crate) fn new(_threads: usize) -> Result<Engine, EngineError> {
        Ok(Engine)
    }
}

pub(crate) fn kept_max(_threads: usize) -> usize {
    0
}

/// No cache.
pub(crate) struct ArtifactCache;

impl ArtifactCache {
    pub(crate) fn new(_folder: PathBuf, _engine: &Engine) -> ArtifactCache {
        ArtifactCache
    }
}

/// There is none.
pub(crate) enum WasmContract {}

impl WasmContract {
    pub(crate) fn load(
        _: &Engine,
        _: Option<&ArtifactCache>,
        _: &Hash,
        _: &[u8],
    ) -> Result<WasmContract, InvalidModule> {
        Err(InvalidModule::Shape("needs the engine that this program was built without"))
    }

    pub(crate) fn method_for(&self, _: Entry) -> Option<&str> {
        match *self {}
    }
}

/// There is none: it would need a contract.
pub(crate) struct Ready {
    contract: Arc<WasmContract>,
}

impl Ready {
    pub(crate) fn new(_: Hash, contract: Arc<WasmContract>) -> Ready {
        Ready { contract }
    }

    pub(crate) fn code(&self) -> Hash {
        match *self.contract {}
    }

    pub(crate) fn has_instance(&self) -> bool {
        match *self.contract {}
    }

    pub(crate) fn is_view(&self, _: &str) -> bool {
        match *self.contract {}
    }

    #[expect(clippy::boxed_local, reason = "as the engine's own")]
    pub(crate) fn run(self: Box<Self>, _: Box<Session>, _: &str, _: Entry) -> (Box<Session>, Result<(), Stop>) {
        match *self.contract {}
    }
}

/// Nothing is at hand.
#[derive(Default)]
pub(crate) struct AtHand {}

impl AtHand {
    pub(crate) fn take(&mut self, _: &Hash) -> Option<Box<Ready>> {
        None
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Box<Ready>> {
        std::iter::empty()
    }
}
