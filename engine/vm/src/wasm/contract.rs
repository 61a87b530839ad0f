//! A compiled contract: what all its instances share.

use std::collections::HashMap;
use std::sync::OnceLock;

use foldhash::fast::RandomState;
use hanse_abi::host;
use hanse_types::Hash;
use wasmtime::{InstancePre, Module, ModuleExport};

use super::abi::Kind;
use super::artifacts::ArtifactCache;
use super::engine::Engine;
use super::instance::{HostState, Instance, Layout};
use super::instrument::{DIRTY_EXPORT, global_export, instrument};
use super::validate::{InvalidModule, Rules, validate};
use crate::session::Entry;

/// A method that can be called.
pub(super) struct Method {
    /// Its place among the contract's methods.
    pub(super) index: usize,
    pub(super) export: ModuleExport,
    kind: Kind,
}

/// A compiled contract.
pub(crate) struct WasmContract {
    instance: InstancePre<HostState>,
    layout: Layout,
    methods: HashMap<String, Method, RandomState>,
    /// The memory of a new instance.
    image: OnceLock<Box<[u8]>>,
}

impl WasmContract {
    /// Compiles code, or takes it from the cache.
    pub(crate) fn load(
        engine: &Engine,
        artifacts: Option<&ArtifactCache>,
        hash: &Hash,
        code: &[u8],
    ) -> Result<WasmContract, InvalidModule> {
        // By the widest rules: what was accepted under older parameters stays callable.
        let surface = validate(code, &Rules::WIDEST)?;
        let instrumented = instrument(code).map_err(|error| InvalidModule::Malformed { offset: error.offset() })?;
        let module = compile(engine, artifacts, hash, &instrumented.code).map_err(to_compile_error)?;
        let instance = engine.linker.instantiate_pre(&module).map_err(to_compile_error)?;
        let export = |name: &str| {
            module.get_export_index(name).ok_or(InvalidModule::Shape("lacks an export that it was checked for"))
        };
        let globals = instrumented.mutable_globals.iter().map(|index| export(&global_export(*index)));
        let layout = Layout {
            memory: export("memory")?,
            dirty: export(DIRTY_EXPORT)?,
            globals: globals.collect::<Result<_, _>>()?,
        };
        let mut methods = HashMap::default();
        for (index, (name, kind)) in surface.methods.into_iter().enumerate() {
            let export = export(&format!("{}{name}", host::METHOD_PREFIX))?;
            methods.insert(name, Method { index, export, kind });
        }
        Ok(WasmContract { instance, layout, methods, image: OnceLock::new() })
    }

    /// Whether the ABI says that a method is a view.
    pub(crate) fn is_view(&self, method: &str) -> bool {
        self.methods.get(method).is_some_and(|method| method.kind == Kind::View)
    }

    /// The method for an occasion, if there is one.
    pub(crate) fn method_for(&self, entry: Entry) -> Option<&str> {
        let fits = |method: &Method| entry != Entry::Call && method.kind.fits(entry);
        self.methods.iter().filter(|(_, method)| fits(method)).map(|(name, _)| &name[..]).min()
    }

    /// Where a method is, if it can be called by this door.
    pub(super) fn method(&self, name: &str, entry: Entry) -> Option<&Method> {
        self.methods.get(name).filter(|method| method.kind.fits(entry))
    }

    /// An instance that has served nobody.
    ///
    /// # Errors
    /// A checked module always makes an instance: if it does not, this node has run out of something.
    pub(super) fn instance(&self) -> wasmtime::Result<Box<Instance>> {
        let instance = Instance::new(&self.instance, &self.layout, self.methods.len())?;
        self.image.get_or_init(|| instance.image());
        Ok(Box::new(instance))
    }

    /// The memory of a new instance; none before the first was made.
    pub(super) fn image(&self) -> Option<&[u8]> {
        self.image.get().map(|image| &image[..])
    }
}

fn compile(engine: &Engine, artifacts: Option<&ArtifactCache>, hash: &Hash, code: &[u8]) -> wasmtime::Result<Module> {
    if let Some(bytes) = artifacts.and_then(|cache| cache.load(hash)) {
        // SAFETY: the bytes are what `Module::serialize` gave: their digest says that they are intact, their name that
        // the same compiler made them, and only who may replace the node's executable may write to the cache's folder.
        if let Ok(module) = unsafe { Module::deserialize(&engine.wasmtime, bytes) } {
            return Ok(module);
        }
    }
    let module = Module::new(&engine.wasmtime, code)?;
    if let Some(cache) = artifacts {
        cache.store(hash, &module.serialize()?);
    }
    Ok(module)
}

/// What the compiler says is not for receipts: it differs between its versions.
fn to_compile_error(_: wasmtime::Error) -> InvalidModule {
    InvalidModule::Compile
}
