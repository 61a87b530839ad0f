//! Accounts, contracts and their state.

use std::rc::Rc;

use hanse_abi::Address;
use hanse_sdk::client::Deployment;
use hanse_sdk::entry::Entries;
use hanse_sdk::error::Never;
use sha2::{Digest, Sha256};

use crate::block::BlockReport;
use crate::call::{Contract, ErasedCall, Outcome};
use crate::chain::Chain;
use crate::mirror::Mirror;
use crate::record::Record;

/// A chain in memory, as far as a contract can see it.
#[derive(Clone)]
pub struct World {
    chain: Rc<Chain>,
}

impl Default for World {
    fn default() -> Self {
        World::new()
    }
}

impl World {
    /// An empty world, at height 1 and an arbitrary fixed time. Under `hanse contract test` the real machine mirrors it.
    pub fn new() -> World {
        World { chain: Rc::new(Chain::new(Mirror::of_new_world())) }
    }

    /// An empty world that the real machine never mirrors: for tests with contracts that have no module, because they
    /// are written in the test itself, and for tests of limits on gas, which only counts as a whole on the machine.
    pub fn only_native() -> World {
        World { chain: Rc::new(Chain::new(None)) }
    }

    /// The account of this name; the same name is the same account.
    pub fn account(&self, name: &str) -> Address {
        let address = account_address(name);
        self.chain.ledger().set_name(address, name.to_owned());
        address
    }

    /// Several accounts: `let [alice, bob] = world.accounts(["alice", "bob"]);`
    pub fn accounts<const N: usize>(&self, names: [&str; N]) -> [Address; N] {
        names.map(|name| self.account(name))
    }

    /// Deploys a contract and runs its `#[init]` method.
    ///
    /// # Panics
    /// If that method fails; see [`World::try_deploy`].
    #[track_caller]
    pub fn deploy<C: Entries>(&self, by: Address, deployment: Deployment<C>) -> C::Client<Contract> {
        match self.try_deploy(by, deployment) {
            Ok(client) => client,
            Err(outcome) => panic!("{} was not deployed: {}", C::NAME, outcome.describe()),
        }
    }

    /// Deploys a contract and runs its `#[init]` method.
    ///
    /// # Errors
    /// The outcome of that method, if it fails; there is no contract then.
    #[track_caller]
    pub fn try_deploy<C: Entries>(
        &self,
        by: Address,
        deployment: Deployment<C>,
    ) -> Result<C::Client<Contract>, Outcome<(), Never>> {
        let (address, record) = self.chain.deploy(by, &deployment);
        self.client::<C>(by, address, record)
    }

    /// Puts other code in the place of a contract, whose state stays, and runs that code's `#[migrate]` method. Only
    /// who deployed it may do so.
    ///
    /// # Errors
    /// The outcome of that method, or of who else tried, if it fails; the old code stays then.
    #[track_caller]
    pub fn upgrade<C: Entries>(
        &self,
        by: Address,
        address: Address,
        migration: Deployment<C>,
    ) -> Result<C::Client<Contract>, Outcome<(), Never>> {
        let record = self.chain.upgrade(by, address, &migration);
        self.client::<C>(by, address, record)
    }

    fn client<C: Entries>(
        &self,
        by: Address,
        address: Address,
        record: Record,
    ) -> Result<C::Client<Contract>, Outcome<(), Never>> {
        let outcome: Outcome<(), Never> = Outcome::new(record);
        if outcome.is_ok() { Ok(C::client(Contract::new(self.chain.clone(), address, by))) } else { Err(outcome) }
    }

    /// Runs calls one after another in one block, and reports which of them could not have run in parallel.
    #[track_caller]
    pub fn block<I>(&self, calls: I) -> BlockReport
    where
        I: IntoIterator,
        I::Item: Into<ErasedCall>,
    {
        let mut records = Vec::new();
        for call in calls {
            records.push(call.into().run());
        }
        let report = BlockReport::new(records, self.chain.ledger());
        self.set_height(self.height() + 1);
        report
    }

    /// The height of the block that is being made.
    pub fn height(&self) -> u64 {
        self.chain.ledger().height.get()
    }

    /// Sets the height of the block that is being made.
    pub fn set_height(&self, height: u64) {
        self.chain.ledger().height.set(height);
    }

    /// The time of the block that is being made, in milliseconds since 1970.
    pub fn time_ms(&self) -> u64 {
        self.chain.ledger().time_ms.get()
    }

    /// Sets the time of the block that is being made, in milliseconds since 1970.
    pub fn set_time_ms(&self, time_ms: u64) {
        self.chain.ledger().time_ms.set(time_ms);
    }

    /// Lets so many milliseconds pass.
    pub fn advance_ms(&self, by: u64) {
        self.set_time_ms(self.time_ms() + by);
    }

    /// Lets each transaction use at most this much gas. Only what host functions cost counts here.
    pub fn set_gas_limit(&self, gas: u64) {
        self.chain.ledger().gas_limit.set(gas);
    }

    /// All of a contract's keys and values, in order, as its methods left them.
    pub fn storage(&self, contract: Address) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.chain.ledger().storage(&contract)
    }
}

fn account_address(name: &str) -> Address {
    let digest = Sha256::digest(format!("account:{name}"));
    let mut address = Address::ZERO;
    address.0.copy_from_slice(&digest[12..]);
    address
}
