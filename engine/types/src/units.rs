//! Numbers that must not be mixed: heights, rounds, times, gas.
//!
//! None of them converts from a plain integer by itself. Arithmetic that could overflow is checked or saturating, as
//! each method says.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            BorshSerialize, BorshDeserialize, Serialize, Deserialize,
        )]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

unit! {
    /// Position of a block in its chain; the genesis has height 0.
    Height(u64)
}
unit! {
    /// Attempt at a height, from 0.
    Round(u32)
}
unit! {
    /// Version of a validator set, from 0.
    Epoch(u64)
}
unit! {
    /// Position of a transaction in its block, from 0.
    TxIndex(u32)
}
unit! {
    /// Metered cost of execution.
    Gas(u64)
}
unit! {
    /// Milliseconds since 1970-01-01 UTC.
    Timestamp(u64)
}

impl Height {
    /// The next height. Saturates, far beyond any chain's life.
    #[must_use]
    pub const fn next(self) -> Height {
        Height(self.0.saturating_add(1))
    }

    /// The height before, or none before the genesis.
    pub const fn previous(self) -> Option<Height> {
        match self.0.checked_sub(1) {
            Some(height) => Some(Height(height)),
            None => None,
        }
    }
}

impl Timestamp {
    /// This time plus so many milliseconds, saturating.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Timestamp {
        Timestamp(self.0.saturating_add(ms))
    }

    /// Milliseconds since an earlier time, 0 if it is not earlier.
    pub const fn since_ms(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl TxIndex {
    /// As an index into the block's arrays.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}
