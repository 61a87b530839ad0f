//! A compiled contract, and one isolated call of it.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::RandomState;
use hanse_abi::host;
use hanse_state::Halt;
use hanse_types::{Hash, Status};
use wasmtime::{InstancePre, Memory, Module, ModuleExport, ResourceLimiter, Trap};

use super::abi::Kind;
use super::artifacts::ArtifactCache;
use super::engine::Engine;
use super::instance::{Dirty, Instance, Kept, Layout};
use super::instrument::{DIRTY_EXPORT, global_export, instrument};
use super::validate::{InvalidModule, MEMORY_PAGES_MAX, PAGE_BYTES, Rules, validate};
use crate::failure::{Failure, Stop};
use crate::machine::Machine;
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
    /// What the host wrote to the memory.
    pub(super) dirty: Dirty,
    pub(super) limits: MemoryLimits,
}

pub(super) struct MemoryLimits {
    pages_max: u32,
    pub(super) pages_grown: u64,
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
    /// Its place among the contract's methods.
    index: usize,
    export: ModuleExport,
    kind: Kind,
}

/// A compiled contract.
pub(crate) struct WasmContract {
    instance: InstancePre<HostState>,
    layout: Layout,
    methods: HashMap<String, Method, RandomState>,
    /// The memory of a new instance.
    image: OnceLock<Box<[u8]>>,
    kept: Kept,
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
        Ok(WasmContract { instance, layout, methods, image: OnceLock::new(), kept: Kept::new() })
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

    /// Runs a method in the session's present frame, in an instance that is as good as new.
    pub(crate) fn run(&self, session: Box<Session>, method: &str, entry: Entry) -> (Box<Session>, Result<(), Stop>) {
        let Some(method) = self.methods.get(method).filter(|method| method.kind.fits(entry)) else {
            let failure = Failure::new(Status::MethodNotFound, format!("no method {method:?}"));
            return (session, Err(failure.into()));
        };
        let mut instance = match self.instance(&session.machine) {
            Ok(instance) => instance,
            Err(stop) => return (session, Err(stop)),
        };
        let (gas, pages_max) = (session.gas_left, session.block.params.memory_pages_max);
        let data = instance.store.data_mut();
        data.limits = MemoryLimits { pages_max, pages_grown: 0 };
        data.session = Some(session);
        let result = instance.store.set_fuel(fuel_of(gas));
        let result = result.and_then(|()| instance.call(method.index, &method.export));

        let gas_left = gas_of(instance.store.get_fuel().unwrap_or(0));
        let data = instance.store.data_mut();
        let mut session = data.session.take().expect("the session comes back from every nested call");
        let (stop, grown) = (data.stop.take(), data.limits.pages_grown);
        session.gas_left = gas_left.unwrap_or(0);
        if result.is_ok() {
            self.keep(instance, &session);
        }
        let result = match (result, stop) {
            (_, Some(stop)) => Err(stop),
            (Err(error), None) => {
                if !counts_fuel(&error) {
                    session.gas_left = 0;
                }
                Err(to_stop(&error))
            }
            (Ok(()), None) if gas_left.is_none() => Err(Failure::out_of_gas().into()),
            (Ok(()), None) => Ok(()),
        };
        let growth = session.charge(GAS_PER_PAGE * grown);
        (session, result.and(growth))
    }

    /// A kept instance, or a new one.
    fn instance(&self, machine: &Machine) -> Result<Box<Instance>, Stop> {
        if let Some(instance) = self.kept.take() {
            machine.kept.fetch_sub(1, Ordering::Relaxed);
            return Ok(instance);
        }
        let limits = MemoryLimits { pages_max: MEMORY_PAGES_MAX, pages_grown: 0 };
        let data = HostState { session: None, memory: None, stop: None, dirty: Dirty::default(), limits };
        match Instance::new(&self.instance, &self.layout, self.methods.len(), data) {
            Ok(instance) => {
                self.image.get_or_init(|| instance.image());
                Ok(Box::new(instance))
            }
            // A checked module always makes an instance: this node has run out of something.
            Err(error) => Err(Stop::Halted(Halt::Engine { reason: format!("{error:#}") })),
        }
    }

    /// Keeps an instance whose call has returned, as long as there is room in the pool.
    fn keep(&self, instance: Box<Instance>, session: &Session) {
        let machine = &session.machine;
        let Some(image) = self.image.get() else { return };
        if machine.kept.load(Ordering::Relaxed) >= machine.kept_max {
            machine.forget_instances();
        }
        if self.kept.put(instance, image) {
            machine.kept.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Throws away instances that wait for a call.
    pub(crate) fn forget_instances(&self, count: &AtomicUsize) {
        count.fetch_sub(self.kept.clear(), Ordering::Relaxed);
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

/// Whether the engine knew what a call had used when this stopped it. Where an instruction traps it does not: what was
/// used since the last call or return inside the contract is lost. Such a trap uses up all gas, or a contract could burn
/// its gas, trap, and give nearly all of it back to a caller that does the same again.
fn counts_fuel(error: &wasmtime::Error) -> bool {
    matches!(error.downcast_ref::<Trap>(), Some(Trap::OutOfFuel | Trap::StackOverflow | Trap::UnreachableCodeReached))
}

/// What a call that the engine stopped comes to. Anything but a trap is a failure of this node, and makes no receipt.
fn to_stop(error: &wasmtime::Error) -> Stop {
    match error.downcast_ref::<Trap>() {
        Some(trap) => trapped(trap).into(),
        None => Stop::Halted(Halt::Engine { reason: format!("{error:#}") }),
    }
}

/// What the receipt says of a trap.
fn trapped(trap: &Trap) -> Failure {
    let trapped = |what: &str| Failure::new(Status::Trapped, what);
    match trap {
        Trap::OutOfFuel => Failure::out_of_gas(),
        Trap::StackOverflow => Failure::new(Status::LimitExceeded, "calls inside the contract are nested too deep"),
        Trap::MemoryOutOfBounds => trapped("access outside the memory"),
        Trap::TableOutOfBounds | Trap::IndirectCallToNull => trapped("call of a function that is not in the table"),
        Trap::BadSignature => trapped("indirect call of a function of another type"),
        Trap::IntegerOverflow => trapped("integer overflow"),
        Trap::IntegerDivisionByZero => trapped("division by zero"),
        Trap::BadConversionToInteger => trapped("conversion of a number out of range"),
        Trap::UnreachableCodeReached => trapped("unreachable code"),
        _ => trapped("trap"),
    }
}
