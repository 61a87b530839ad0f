//! A token: balances, transfers, allowances.
//!
//! Parallel: transfers of different payers, also to one and the same payee, because the payee's balance is added to
//! without being read. Transfers of one payer run one after another: each reads the balance that the one before left.
#![no_std]

use hanse_sdk::prelude::*;

/// Balances, and who may spend how much of whose.
#[contract]
pub struct Token {
    supply: Item<u128>,
    balances: Map<Address, u128>,
    /// By owner and spender.
    allowances: Map<(Address, Address), u128>,
}

/// Tokens changed hands.
#[event]
pub struct Transfer {
    #[topic]
    from: Address,
    #[topic]
    to: Address,
    amount: u128,
}

/// An owner set what a spender may take.
#[event]
pub struct Approval {
    #[topic]
    owner: Address,
    #[topic]
    spender: Address,
    amount: u128,
}

/// Why the token refuses.
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
    /// The owner has not allowed the spender so much.
    #[msg("allowance {have} is less than {need}")]
    NotAllowed {
        /// What the owner allows.
        have: u128,
        /// The amount that was to be paid.
        need: u128,
    },
}

#[methods]
impl Token {
    /// Makes the whole supply and gives it to the caller.
    #[init]
    pub fn create(&mut self, ctx: &Ctx, supply: u128) {
        self.supply.set(supply);
        self.balances.set(ctx.caller(), supply);
        emit(Transfer { from: Address::ZERO, to: ctx.caller(), amount: supply });
    }

    /// Moves `amount` from the caller to `to`.
    pub fn transfer(&mut self, ctx: &Ctx, to: Address, amount: u128) -> Result<(), Error> {
        self.pay(ctx.caller(), to, amount)
    }

    /// Lets `spender` take up to `amount` from the caller, instead of what it was allowed before.
    pub fn approve(&mut self, ctx: &Ctx, spender: Address, amount: u128) {
        self.allowances.set((ctx.caller(), spender), amount);
        emit(Approval { owner: ctx.caller(), spender, amount });
    }

    /// Moves `amount` from `from` to `to`, out of what `from` allowed the caller.
    pub fn transfer_from(&mut self, ctx: &Ctx, from: Address, to: Address, amount: u128) -> Result<(), Error> {
        let have = self.allowances.get((from, ctx.caller()));
        ensure!(have >= amount, Error::NotAllowed { have, need: amount });
        self.allowances.set((from, ctx.caller()), have - amount);
        self.pay(from, to, amount)
    }

    /// What an account has.
    pub fn balance_of(&self, owner: Address) -> u128 {
        self.balances.get(owner)
    }

    /// How much `spender` may take from `owner`.
    pub fn allowance(&self, owner: Address, spender: Address) -> u128 {
        self.allowances.get((owner, spender))
    }

    /// All tokens there are.
    pub fn total_supply(&self) -> u128 {
        self.supply.get()
    }

    fn pay(&mut self, from: Address, to: Address, amount: u128) -> Result<(), Error> {
        let have = self.balances.get(from);
        ensure!(have >= amount, Error::TooLittle { have, need: amount });
        self.balances.set(from, have - amount);
        self.balances.add(to, amount);
        emit(Transfer { from, to, amount });
        Ok(())
    }
}
