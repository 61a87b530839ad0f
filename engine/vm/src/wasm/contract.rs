//! A compiled contract, and one isolated call of it.

use std::collections::HashMap;

use hanse_abi::host;
use hanse_types::{Hash, Status};
use wasmtime::{InstancePre, Memory, Module, ModuleExport, ResourceLimiter, Store, Trap};

use super::abi::Kind;
use super::artifacts::ArtifactCache;
use super::engine::Engine;
use super::meter;
use super::validate::{InvalidModule, PAGE_BYTES, Rules, validate};
use crate::failure::{Failure, Stop};
use crate::session::{Entry, Session};

/// Gas for each page by which a contract grows its memory: what clearing it costs.
const GAS_PER_PAGE: u64 = 20_000;

/// What a running instance reaches of the host.
pub(crate) struct HostState {
    /// Away only while a nested call has it.
    pub(super) session: Option<Box<Session>>,
    /// The instance's memory; none until it exists.
    pub(super) memory: Option<Memory>,
    /// Why the host ended the call.
    pub(super) stop: Option<Stop>,
    limits: MemoryLimits,
}

struct MemoryLimits {
    pages_max: u32,
    pages_grown: u64,
}

impl ResourceLimiter for MemoryLimits {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired as u64 <= u64::from(self.pages_max) * PAGE_BYTES;
        if allowed {
            self.pages_grown += (desired - current) as u64 / PAGE_BYTES;
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        // Only when the instance is made: nothing that contracts may use grows a table.
        Ok(current == 0 || desired <= current)
    }
}

/// A method that can be called.
struct Method {
    export: ModuleExport,
    kind: Kind,
}

/// A compiled contract.
pub(crate) struct WasmContract {
    instance: InstancePre<HostState>,
    memory: ModuleExport,
    methods: HashMap<String, Method>,
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
        let module = compile(engine, artifacts, hash, code).map_err(to_compile_error)?;
        let instance = engine.linker.instantiate_pre(&module).map_err(to_compile_error)?;
        let export = |name: &str| {
            module.get_export_index(name).ok_or(InvalidModule::Shape("lacks an export that it was checked for"))
        };
        let memory = export("memory")?;
        let mut methods = HashMap::new();
        for (name, kind) in surface.methods {
            let export = export(&format!("{}{name}", host::METHOD_PREFIX))?;
            methods.insert(name, Method { export, kind });
        }
        Ok(WasmContract { instance, memory, methods })
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

    /// Runs a method in the session's present frame, in an instance of its own.
    pub(crate) fn run(&self, session: Box<Session>, method: &str, entry: Entry) -> (Box<Session>, Result<(), Stop>) {
        let Some(method) = self.methods.get(method).filter(|method| method.kind.fits(entry)) else {
            let failure = Failure::new(Status::MethodNotFound, format!("no method {method:?}"));
            return (session, Err(failure.into()));
        };
        let (gas, pages_max) = (session.gas_left, session.block.params.memory_pages_max);
        let limits = MemoryLimits { pages_max, pages_grown: 0 };
        let data = HostState { session: Some(session), memory: None, stop: None, limits };
        let mut store = Store::new(self.instance.module().engine(), data);
        store.limiter(|data| &mut data.limits);
        let result = self.call(&mut store, method, gas);
        let gas_left = gas_of(store.get_fuel().unwrap_or(0));
        let HostState { session, stop, limits, .. } = store.into_data();
        let mut session = session.expect("the session comes back from every nested call");
        session.gas_left = gas_left.unwrap_or(0);
        let result = match (result, stop) {
            (_, Some(stop)) => Err(stop),
            (Err(error), None) => {
                if !counts_fuel(&error) {
                    session.gas_left = 0;
                }
                Err(trapped(&error).into())
            }
            (Ok(()), None) if gas_left.is_none() => Err(Failure::out_of_gas().into()),
            (Ok(()), None) => Ok(()),
        };
        let grown = session.charge(GAS_PER_PAGE * limits.pages_grown);
        (session, result.and(grown))
    }

    fn call(&self, store: &mut Store<HostState>, method: &Method, gas: u64) -> wasmtime::Result<()> {
        store.set_fuel(fuel_of(gas))?;
        let instance = self.instance.instantiate(&mut *store)?;
        store.data_mut().memory = instance.get_module_export(&mut *store, &self.memory).and_then(|e| e.into_memory());
        store.data_mut().limits.pages_grown = 0;
        let function = instance.get_module_export(&mut *store, &method.export).and_then(|export| export.into_func());
        let function = function.ok_or_else(|| wasmtime::Error::msg("the method is no function"))?;
        function.typed::<(), ()>(&*store)?.call(&mut *store, ())
    }
}

/// The fuel that stands for so much gas: one more, so that having used exactly all can be told from having used too much.
pub(super) fn fuel_of(gas: u64) -> u64 {
    gas.saturating_add(1)
}

/// The gas that such fuel stands for; none if more was used than there was.
pub(super) fn gas_of(fuel: u64) -> Option<u64> {
    fuel.checked_sub(1)
}

fn compile(engine: &Engine, artifacts: Option<&ArtifactCache>, hash: &Hash, code: &[u8]) -> wasmtime::Result<Module> {
    if let Some(bytes) = artifacts.and_then(|cache| cache.load(hash)) {
        // SAFETY: the bytes are what `Module::serialize` gave: their digest says that they are intact, their name that
        // the same compiler made them, and only who may replace the node's executable may write to the cache's folder.
        if let Ok(module) = unsafe { Module::deserialize(&engine.wasmtime, bytes) } {
            return Ok(module);
        }
    }
    let module = Module::new(&engine.wasmtime, meter::metered(code)?)?;
    if let Some(cache) = artifacts {
        cache.store(hash, &module.serialize()?);
    }
    Ok(module)
}

/// What the compiler says is not for receipts: it differs between its versions.
fn to_compile_error(_: wasmtime::Error) -> InvalidModule {
    InvalidModule::Compile
}

/// Whether the engine knew what a call had used when this stopped it. Where an instruction traps it does not: what was
/// used since the last call or return inside the contract is lost. Such a trap uses up all gas, or a contract could burn
/// its gas, trap, and give nearly all of it back to a caller that does the same again.
fn counts_fuel(error: &wasmtime::Error) -> bool {
    matches!(error.downcast_ref::<Trap>(), Some(Trap::OutOfFuel | Trap::StackOverflow | Trap::UnreachableCodeReached))
}

/// What the receipt says of a call that the engine stopped.
fn trapped(error: &wasmtime::Error) -> Failure {
    let trapped = |what: &str| Failure::new(Status::Trapped, what);
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Failure::out_of_gas(),
        Some(Trap::StackOverflow) => {
            Failure::new(Status::LimitExceeded, "calls inside the contract are nested too deep")
        }
        Some(Trap::MemoryOutOfBounds) => trapped("access outside the memory"),
        Some(Trap::TableOutOfBounds | Trap::IndirectCallToNull) => {
            trapped("call of a function that is not in the table")
        }
        Some(Trap::BadSignature) => trapped("indirect call of a function of another type"),
        Some(Trap::IntegerOverflow) => trapped("integer overflow"),
        Some(Trap::IntegerDivisionByZero) => trapped("division by zero"),
        Some(Trap::BadConversionToInteger) => trapped("conversion of a number out of range"),
        Some(Trap::UnreachableCodeReached) => trapped("unreachable code"),
        _ => trapped("trap"),
    }
}
