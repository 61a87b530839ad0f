//! Transfers as a ledger makes them that knows no commutative additions: both balances are read and written.
//!
//! Parallel: payments that have neither payer nor payee in common. Among few accounts, none.
#![no_std]

use hanse_sdk::prelude::*;

/// Balances.
#[contract]
pub struct Payments {
    balances: Map<Address, u128>,
}

/// Money changed hands.
#[event]
pub struct Paid {
    #[topic]
    from: Address,
    #[topic]
    to: Address,
    amount: u128,
}

/// Why a payment is refused.
#[error]
pub enum Error {
    /// The payer has not so much.
    #[msg("balance {have} is less than {need}")]
    TooLittle {
        /// The balance.
        have: u128,
        /// The amount that was to be paid.
        need: u128,
    },
}

#[methods]
impl Payments {
    /// Gives the caller an amount, out of nothing.
    pub fn open(&mut self, ctx: &Ctx, amount: u128) {
        self.balances.set(ctx.caller(), amount);
    }

    /// Moves `amount` from the caller to `to`.
    pub fn pay(&mut self, ctx: &Ctx, to: Address, amount: u128) -> Result<(), Error> {
        let from = ctx.caller();
        let have = self.balances.get(from);
        ensure!(have >= amount, Error::TooLittle { have, need: amount });
        self.balances.set(from, have - amount);
        self.balances.update(to, |balance| *balance += amount);
        emit(Paid { from, to, amount });
        Ok(())
    }

    /// What an account has.
    pub fn balance_of(&self, owner: Address) -> u128 {
        self.balances.get(owner)
    }
}
