//! What host functions cost. Part of consensus: a change needs a new schedule version.
//!
//! One unit of gas is one unit of WebAssembly fuel (about one instruction). A host function costs its base plus so
//! much per byte that it takes in or gives out; it is charged before it acts.

/// Version of this schedule, pinned in a group's parameters together with the engine's version.
pub const SCHEDULE_VERSION: u32 = 1;

/// Base and per-byte cost of a host function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Charged for each call.
    pub base: u64,
    /// Charged for each byte in or out.
    pub per_byte: u64,
}

impl Cost {
    /// What a call that moves `bytes` costs; saturating, as a limit is far below the maximum.
    pub const fn of(self, bytes: u64) -> u64 {
        self.base.saturating_add(self.per_byte.saturating_mul(bytes))
    }
}

/// Charged once for every transaction.
pub const TRANSACTION: Cost = Cost { base: 2_000, per_byte: 2 };
/// Charged for each cross-contract call, nested or from a transaction.
pub const CALL: Cost = Cost { base: 2_000, per_byte: 1 };
/// Charged for each key and value that a range scan reads, beside the scan's own cost. Where only keys are wanted, the
/// values' bytes count too: they are read all the same.
pub const SCAN_ENTRY: Cost = Cost { base: 200, per_byte: 1 };
