//! The settings of wasmtime, each of which is part of what nodes agree on, or of what a call costs.

use hanse_types::limits;
use thiserror::Error;
use wasmtime::{
    Config, InstanceAllocationStrategy, Linker, OperatorCost, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails,
};

use super::imports;
use super::instance::HostState;
use super::validate::{MEMORY_PAGES_MAX, PAGE_BYTES, TABLE_ELEMENTS_MAX};

/// Native stack of one call's WebAssembly frames, in bytes. Part of what nodes agree on: a recursion that is too deep
/// ends here. Frames have the same size on all nodes, as code is made for a fixed target, not for the host's CPU.
const STACK_BYTES: usize = 512 << 10;
/// What `memory.grow` costs beside the pages, whether it grows anything or not: it calls the host, as no other
/// instruction does.
const GROW_COST: u8 = 250;
/// Addresses kept for each memory, in bytes: all that 32 bits reach, so that no access is compared with the memory's
/// length. Code with such comparisons takes ten times as long to compile. Addresses only: nothing is mapped there.
const MEMORY_RESERVED: u64 = 4 << 30;
/// Addresses kept behind that, in bytes, so that an access at a constant offset needs no comparison either.
const MEMORY_GUARD: u64 = 32 << 20;
/// Memory that stays mapped between calls, in bytes: above what a contract made with the SDK touches.
const KEEP_RESIDENT_BYTES: usize = 128 << 10;

/// Instances that wait for a call, for each thread.
const KEPT_PER_THREAD: usize = 32;

/// The engine could not be set up on this host.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the WebAssembly engine can't be set up on this host: {reason}")]
pub struct EngineError {
    reason: String,
}

impl From<wasmtime::Error> for EngineError {
    fn from(error: wasmtime::Error) -> EngineError {
        EngineError { reason: format!("{error:#}") }
    }
}

/// wasmtime with our settings, and the host interface ready to be linked.
pub(crate) struct Engine {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) linker: Linker<HostState>,
}

impl Engine {
    /// An engine for so many calls at the same time, nested ones not counted.
    pub(crate) fn new(threads: usize) -> Result<Engine, EngineError> {
        let wasmtime = wasmtime::Engine::new(&config(threads)?)?;
        let mut linker = Linker::new(&wasmtime);
        imports::define(&mut linker)?;
        Ok(Engine { wasmtime, linker })
    }
}

fn config(threads: usize) -> Result<Config, EngineError> {
    let mut config = Config::new();
    // Code for a fixed target: with the host's own CPU features, stack frames would differ between nodes.
    if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        config.target("x86_64-unknown-linux-gnu")?;
    }
    config
        .consume_fuel(true)
        .operator_cost(OperatorCost { MemoryGrow: GROW_COST, ..OperatorCost::new() })
        .cranelift_nan_canonicalization(true)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(STACK_BYTES)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(None)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_simd(false)
        .wasm_relaxed_simd(false)
        .wasm_bulk_memory(false)
        .wasm_multi_value(false)
        .wasm_tail_call(false)
        .wasm_extended_const(false)
        .parallel_compilation(true)
        .memory_init_cow(true)
        .memory_reservation(MEMORY_RESERVED)
        .memory_guard_size(MEMORY_GUARD)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(threads)));
    Ok(config)
}

/// Instances that may wait for a call, of all contracts together.
pub(crate) fn kept_max(threads: usize) -> usize {
    KEPT_PER_THREAD * threads.max(1)
}

fn pool(threads: usize) -> PoolingAllocationConfig {
    // Those that run and those that wait.
    let instances = (threads.max(1) * limits::CALL_DEPTH + kept_max(threads) + 16) as u32;
    let mut pool = PoolingAllocationConfig::default();
    pool.total_core_instances(instances)
        .total_memories(instances)
        .total_tables(instances)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .max_memory_size(MEMORY_PAGES_MAX as usize * PAGE_BYTES as usize)
        .table_elements(TABLE_ELEMENTS_MAX as usize)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(TABLE_ELEMENTS_MAX as usize * size_of::<usize>())
        .max_unused_warm_slots(instances);
    pool
}
