//! What is run: kinds of transactions, each with the contract and the state that it needs.

pub mod amm;
pub mod counter;
pub mod kv;
pub mod payments;
pub mod smallbank;
pub mod token;

use std::fmt;

use anyhow::Result;
use clap::ValueEnum;
use hanse_types::{Address, Transaction};
use serde::Serialize;

use crate::random::{Random, Zipf};
use crate::world::{Frozen, World};

/// A kind of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Transfers of the token contract; payees are added to.
    TokenWasm,
    /// Transfers of the chain's own asset; payees are added to.
    TokenNative,
    /// Payments that read and write both balances: with two accounts, all conflict.
    Payment,
    /// The six procedures of SmallBank in equal shares.
    Smallbank,
    /// YCSB A: half reads, half updates of one key.
    Ycsb,
    /// Swaps in one pool: every transaction reads and writes the same two reserves.
    Amm,
    /// Payments of which each needs what the one before wrote.
    Chain,
    /// One scan of twenty keys to nine updates.
    Scan,
    /// Additions to one counter.
    Counter,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// Makes the next transaction.
pub type Make = Box<dyn Fn(&mut Draw<'_>) -> Transaction + Send + Sync>;

/// A workload with its state.
pub struct Prepared {
    /// Which one.
    pub workload: Workload,
    /// The state on which every block runs.
    pub world: Frozen,
    make: Make,
}

/// The chances from which a transaction is made.
pub struct Draw<'a> {
    accounts: &'a [Address],
    zipf: &'a Zipf,
    /// Anything else.
    pub random: &'a mut Random,
    /// Place of the transaction in its block.
    pub place: usize,
}

impl Draw<'_> {
    /// Place of an account, by the skew.
    pub fn rank(&mut self) -> usize {
        self.zipf.draw(self.random)
    }

    /// An account, by the skew.
    pub fn account(&mut self) -> Address {
        self.accounts[self.rank()]
    }

    /// Places of two accounts, by the skew; not the same one if there are two.
    pub fn two_ranks(&mut self) -> (usize, usize) {
        self.zipf.draw_two(self.random)
    }

    /// Two accounts, by the skew; not the same one if there are two.
    pub fn two_accounts(&mut self) -> (Address, Address) {
        let (left, right) = self.two_ranks();
        (self.accounts[left], self.accounts[right])
    }

    /// The account at a place.
    pub fn account_at(&self, rank: usize) -> Address {
        self.accounts[rank]
    }

    /// The account at the place of the transaction, and the next one, around a ring.
    pub fn neighbours(&self) -> (Address, Address) {
        let count = self.accounts.len();
        (self.accounts[self.place % count], self.accounts[(self.place + 1) % count])
    }
}

impl Prepared {
    /// Sets up a workload for so many accounts (keys, for `ycsb` and `scan`). `threads` may execute at the same time.
    ///
    /// # Errors
    /// If a contract can't be built or deployed.
    pub fn new(workload: Workload, accounts: usize, threads: usize) -> Result<Prepared> {
        let mut world = World::new(accounts, threads)?;
        let make = match workload {
            Workload::TokenWasm => token::wasm(&mut world)?,
            Workload::TokenNative => token::native(),
            Workload::Payment => payments::random(&mut world)?,
            Workload::Smallbank => smallbank::mix(&mut world)?,
            Workload::Ycsb => kv::reads_and_updates(&mut world)?,
            Workload::Amm => amm::swaps(&mut world)?,
            Workload::Chain => payments::chain(&mut world)?,
            Workload::Scan => kv::scans_and_updates(&mut world)?,
            Workload::Counter => counter::adds(&mut world)?,
        };
        Ok(Prepared { workload, world: world.freeze(), make })
    }

    /// The transactions of a block.
    pub fn block(&self, size: usize, zipf: &Zipf, random: &mut Random) -> Vec<Transaction> {
        let make = |place| (self.make)(&mut Draw { accounts: &self.world.accounts, zipf, random, place });
        (0..size).map(make).collect()
    }
}
