//! {{name}}: a counter that everybody may add to.
#![no_std]

use hanse_sdk::prelude::*;

/// What the contract keeps. Each field is a storage type; its place follows from its name.
#[contract]
pub struct Tally {
    total: Counter<u64>,
    by_caller: Map<Address, u64>,
}

/// Somebody added something. Topics are indexed.
#[event]
pub struct Added {
    #[topic]
    who: Address,
    amount: u64,
}

/// Why the contract refuses. The text goes into the ABI, not into the code.
#[error]
pub enum Error {
    /// Adding nothing is a mistake.
    #[msg("the amount is zero")]
    Nothing,
}

#[methods]
impl Tally {
    /// Adds an amount. Additions do not read, so all callers run in parallel.
    pub fn add(&mut self, ctx: &Ctx, by: u64) -> Result<(), Error> {
        ensure!(by > 0, Error::Nothing);
        self.total.add(by);
        self.by_caller.add(ctx.caller(), by);
        emit(Added { who: ctx.caller(), amount: by });
        Ok(())
    }

    /// The sum of all amounts. It takes `&self`: a view.
    pub fn total(&self) -> u64 {
        self.total.get()
    }

    /// What one caller added.
    pub fn of(&self, who: Address) -> u64 {
        self.by_caller.get(who)
    }
}
