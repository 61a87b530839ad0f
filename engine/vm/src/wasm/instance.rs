//! An instance of a contract that serves one call after another, each as if it were new.
//!
//! Making an instance costs more than most calls. So one that has served is kept, and before it serves again it is put
//! back exactly as it was when it was new:
//!
//! - *memory*: every block that was written to is restored from a copy of the new memory. Code marks what it stores to
//!   ([`super::instrument`]), the host marks what it writes for it ([`Dirty`]); nothing else writes.
//! - *globals*: every mutable global gets its first value again. They can't be reached in any other way.
//! - *tables*: nothing that contracts may use changes a table.
//!
//! An instance is kept only if the call returned and its memory has not grown; after a trap it is thrown away, so that
//! nothing needs to be known of what a trap leaves undone. What a contract can find out of the call before is nothing,
//! which a test with modules that look at all their memory and globals holds.

use wasmtime::{Global, Instance as Wasm, InstancePre, Memory, ModuleExport, ResourceLimiter, Store, TypedFunc, Val};

use super::instrument::BLOCK_BYTES;
use super::places::Place;
use super::validate::{MEMORY_PAGES_MAX, PAGE_BYTES};
use crate::failure::Stop;
use crate::session::Session;

/// Longest memory of an instance that is kept, in bytes: restoring must stay cheap, and so must the copy.
const KEPT_MEMORY_MAX: usize = 256 << 10;
/// Most mutable globals of an instance that is kept.
const KEPT_GLOBALS_MAX: usize = 16;

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

/// How far a memory may grow, and how far it has grown in this call.
pub(super) struct MemoryLimits {
    pub(super) pages_max: u32,
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

/// Blocks of memory that are not as they were: bit `n` stands for block `n`, `n + 64`, and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dirty(u64);

impl Dirty {
    /// Marks a stretch of memory.
    pub(super) fn mark(&mut self, from: usize, length: usize) {
        if length == 0 {
            return;
        }
        let (first, last) = (from / BLOCK_BYTES, (from + length - 1) / BLOCK_BYTES);
        if last - first >= 63 {
            self.0 = u64::MAX;
            return;
        }
        for block in first..=last {
            self.0 |= 1 << (block % 64);
        }
    }

    /// Makes memory what `image` is, wherever it is marked.
    fn restore(self, memory: &mut [u8], image: &[u8]) {
        let mut left = self.0;
        while left != 0 {
            let bit = left.trailing_zeros() as usize;
            left &= left - 1;
            for from in (bit * BLOCK_BYTES..image.len()).step_by(64 * BLOCK_BYTES) {
                // A store marks where it began; it may have ended up to seven bytes into the next block.
                let to = (from + BLOCK_BYTES + 7).min(image.len());
                memory[from..to].copy_from_slice(&image[from..to]);
            }
        }
    }
}

/// Where things are in a contract's instances, and how they are when new. The same for all of them.
pub(super) struct Layout {
    pub(super) memory: ModuleExport,
    pub(super) dirty: ModuleExport,
    pub(super) globals: Vec<ModuleExport>,
}

/// An instance with its store.
pub(super) struct Instance {
    pub(super) store: Store<HostState>,
    instance: Wasm,
    memory: Memory,
    dirty: Global,
    /// Mutable globals with their first values.
    globals: Vec<(Global, Val)>,
    /// Methods that were called before, by their place in the contract.
    methods: Vec<Option<TypedFunc<(), ()>>>,
    /// The new memory's length in bytes.
    new_bytes: usize,
    /// The right to wait for a next call; none before it first had to.
    pub(super) place: Option<Place>,
}

impl Instance {
    /// A new instance. Its fuel need not suffice for anything yet: contracts have no start function.
    pub(super) fn new(pre: &InstancePre<HostState>, layout: &Layout, methods: usize) -> wasmtime::Result<Instance> {
        let limits = MemoryLimits { pages_max: MEMORY_PAGES_MAX, pages_grown: 0 };
        let data = HostState { session: None, memory: None, stop: None, dirty: Dirty::default(), limits };
        let mut store = Store::new(pre.module().engine(), data);
        store.limiter(|data| &mut data.limits);
        store.set_fuel(u64::MAX)?;
        let instance = pre.instantiate(&mut store)?;
        let missing = || wasmtime::Error::msg("an instance lacks what its module exports");
        let memory = instance.get_module_export(&mut store, &layout.memory).and_then(|export| export.into_memory());
        let memory = memory.ok_or_else(missing)?;
        let mut global = |export: &ModuleExport| {
            let found = instance.get_module_export(&mut store, export).and_then(|export| export.into_global());
            found.ok_or_else(missing)
        };
        let dirty = global(&layout.dirty)?;
        let globals = layout.globals.iter().map(&mut global).collect::<wasmtime::Result<Vec<_>>>()?;
        let globals = globals.into_iter().map(|global| (global, global.get(&mut store))).collect();
        let new_bytes = memory.data_size(&store);
        store.data_mut().memory = Some(memory);
        store.data_mut().limits.pages_grown = 0;
        let methods = std::iter::repeat_with(|| None).take(methods).collect();
        Ok(Instance { store, instance, memory, dirty, globals, methods, new_bytes, place: None })
    }

    /// Copies the memory of an instance that has served nobody.
    pub(super) fn image(&self) -> Box<[u8]> {
        self.memory.data(&self.store).into()
    }

    /// Calls a method: `index` is its place in the contract.
    pub(super) fn call(&mut self, index: usize, export: &ModuleExport) -> wasmtime::Result<()> {
        // Taken out and put back: a clone counts references, which threads would fight for.
        let method = match self.methods[index].take() {
            Some(method) => method,
            None => self.find(export)?,
        };
        let result = method.call(&mut self.store, ());
        self.methods[index] = Some(method);
        result
    }

    fn find(&mut self, export: &ModuleExport) -> wasmtime::Result<TypedFunc<(), ()>> {
        let function = self.instance.get_module_export(&mut self.store, export).and_then(|export| export.into_func());
        function.ok_or_else(|| wasmtime::Error::msg("a method is no function"))?.typed::<(), ()>(&self.store)
    }

    /// Whether it may serve again after a call that returned.
    pub(super) fn may_be_kept(&self) -> bool {
        let same_length = self.memory.data_size(&self.store) == self.new_bytes;
        same_length && self.new_bytes <= KEPT_MEMORY_MAX && self.globals.len() <= KEPT_GLOBALS_MAX
    }

    /// Makes it as it was when it was new; false if that can't be done.
    pub(super) fn reset(&mut self, image: &[u8]) -> bool {
        let Val::I64(marked) = self.dirty.get(&mut self.store) else { return false };
        let mut done = self.dirty.set(&mut self.store, Val::I64(0)).is_ok();
        for (global, first) in &self.globals {
            done &= global.set(&mut self.store, *first).is_ok();
        }
        let (memory, data) = self.memory.data_and_store_mut(&mut self.store);
        let dirty = Dirty(marked as u64 | data.dirty.0);
        data.dirty = Dirty::default();
        done &= memory.len() == image.len();
        if done {
            dirty.restore(memory, image);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_is_restored_and_a_little_more() {
        let image: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        let mut memory = image.clone();
        let mut dirty = Dirty::default();
        // A store at a block's last byte runs into the next one.
        memory[BLOCK_BYTES - 1..BLOCK_BYTES + 7].fill(99);
        dirty.mark(BLOCK_BYTES - 1, 1);
        // The second round of marks, and the last, short block.
        memory[64 * BLOCK_BYTES + 5] ^= 1;
        dirty.mark(64 * BLOCK_BYTES + 5, 1);
        let end = image.len();
        memory[end - 1] ^= 1;
        dirty.mark(end - 1, 1);
        dirty.restore(&mut memory, &image);
        assert!(memory == image);
    }

    #[test]
    fn long_stretches_mark_everything() {
        let mut dirty = Dirty::default();
        dirty.mark(10, 0);
        assert_eq!(dirty, Dirty(0));
        dirty.mark(BLOCK_BYTES - 1, 2);
        assert_eq!(dirty, Dirty(0b11));
        dirty.mark(3, 63 * BLOCK_BYTES);
        assert_eq!(dirty, Dirty(u64::MAX));
    }
}
