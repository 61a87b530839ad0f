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

use parking_lot::Mutex;
use wasmtime::{Global, Instance as Wasm, InstancePre, Memory, ModuleExport, Store, TypedFunc, Val};

use super::contract::HostState;
use super::instrument::BLOCK_BYTES;

/// Longest memory of an instance that is kept, in bytes: restoring must stay cheap, and so must the copy.
const KEPT_MEMORY_MAX: usize = 256 << 10;
/// Most mutable globals of an instance that is kept.
const KEPT_GLOBALS_MAX: usize = 16;
/// Threads that find an instance of their own; more share.
const SHELVES: usize = 64;

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
}

impl Instance {
    /// A new instance; `data` for its first call. The store's fuel must suffice for nothing: contracts have no start
    /// function.
    pub(super) fn new(
        pre: &InstancePre<HostState>,
        layout: &Layout,
        methods: usize,
        data: HostState,
    ) -> wasmtime::Result<Instance> {
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
        Ok(Instance { store, instance, memory, dirty, globals, methods, new_bytes })
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
    fn may_be_kept(&self) -> bool {
        let same_length = self.memory.data_size(&self.store) == self.new_bytes;
        same_length && self.new_bytes <= KEPT_MEMORY_MAX && self.globals.len() <= KEPT_GLOBALS_MAX
    }

    /// Makes it as it was when it was new; false if that can't be done.
    fn reset(&mut self, image: &[u8]) -> bool {
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

/// Instances of one contract that wait for their next call. Each thread has its own shelf, so that threads do not wait
/// for one another.
pub(super) struct Kept {
    shelves: Vec<Mutex<Option<Box<Instance>>>>,
}

impl Kept {
    pub(super) fn new() -> Kept {
        Kept { shelves: std::iter::repeat_with(Mutex::default).take(SHELVES).collect() }
    }

    /// An instance as good as new, if there is one.
    pub(super) fn take(&self) -> Option<Box<Instance>> {
        self.shelves[shelf()].try_lock()?.take()
    }

    /// Keeps an instance whose call has returned, if it can be made as good as new and there is room. Whether it was
    /// kept.
    pub(super) fn put(&self, mut instance: Box<Instance>, image: &[u8]) -> bool {
        if !instance.may_be_kept() || !instance.reset(image) {
            return false;
        }
        match self.shelves[shelf()].try_lock() {
            Some(mut place) if place.is_none() => {
                *place = Some(instance);
                true
            }
            _ => false,
        }
    }

    /// Throws away what is kept; how many there were.
    pub(super) fn clear(&self) -> usize {
        self.shelves.iter().filter_map(|shelf| shelf.lock().take()).count()
    }
}

/// This thread's shelf.
fn shelf() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHELF: usize = THREADS.fetch_add(1, Ordering::Relaxed) % SHELVES;
    }
    SHELF.with(|shelf| *shelf)
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
