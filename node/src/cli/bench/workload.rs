//! What is sent: the calls of each workload, and what must be there before.

use std::sync::{Mutex, PoisonError};

use clap::ValueEnum;
use hanse_client::methods::{CallParams, ContractParams, GetContract};
use hanse_client::{Bytes, Call, ChainContext, Contract};
use hanse_types::crypto::{CryptoSuite, SecretKey, Signer};
use hanse_types::{Address, Gas, SignedTransaction};
use serde_json::json;

use super::super::exit::Failure;
use super::super::session::Session;
use super::random::Zipf;
use super::signing::{Draft, sign};
use crate::random::Random;

/// Number of the native contract that keeps balances of the chain's own asset.
const ACCOUNT_CONTRACT: u16 = 1;
/// What each account gets: more than it will ever send.
const FUNDS: u128 = 1_000_000;
/// What each customer of the bank has in each account: as for [`FUNDS`], unless an amalgamation took it.
const BANK_FUNDS: u64 = 1 << 40;
/// Bytes of a value of the key-value store, and bytes that an update overwrites.
const VALUE_BYTES: usize = 100;
const UPDATE_BYTES: usize = 10;
/// What one call may cost; each takes a fraction of it.
const GAS: Gas = Gas(2_000_000);

/// The workloads, as far as they are in `benches`, by the same contracts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// Transfers of the chain's own asset, by a native contract
    #[default]
    Native,
    /// Transfers of a token, by a WebAssembly contract (contracts/token)
    Token,
    /// Additions to one counter, the same for all (contracts/counter)
    Counter,
    /// The six procedures of a bank in equal shares (contracts/smallbank)
    Smallbank,
    /// Half reads, half updates, of 100 bytes (contracts/kv)
    Ycsb,
}

impl Workload {
    /// The name by which it is chosen.
    pub(super) fn name(self) -> &'static str {
        match self {
            Workload::Native => "native",
            Workload::Token => "token",
            Workload::Counter => "counter",
            Workload::Smallbank => "smallbank",
            Workload::Ycsb => "ycsb",
        }
    }

    /// The name under which its contract is usually deployed.
    fn contract(self) -> &'static str {
        match self {
            Workload::Ycsb => "kv",
            other => other.name(),
        }
    }

    /// Whether a call may be refused by its contract as part of the workload: who was emptied by an amalgamation can't
    /// pay.
    pub(super) fn may_fail(self) -> bool {
        self == Workload::Smallbank
    }
}

/// An account with its key.
struct Account {
    key: SecretKey,
    address: Address,
}

/// A workload on its contract, with its accounts; draws one call after another.
pub(super) struct Load {
    workload: Workload,
    contract: Contract,
    accounts: Vec<Account>,
    ranks: Zipf,
    chance: Mutex<Chance>,
}

/// What has been drawn, and what comes next.
struct Chance {
    random: Random,
    drawn: usize,
}

impl Load {
    /// Fresh accounts, so that runs don't touch one another's, on the contract that the session's chain has.
    pub(super) async fn new(
        session: &Session,
        workload: Workload,
        contract: Option<&str>,
        accounts: u32,
        skew: f64,
    ) -> Result<Load, Failure> {
        let contract = match workload {
            Workload::Native => Contract::native(ACCOUNT_CONTRACT),
            _ => find(session, contract.unwrap_or(workload.contract()), workload).await?,
        };
        let seed = getrandom::u64().map_err(no_randomness)?;
        let (ranks, random) = (Zipf::new(accounts as usize, skew), Random::new(seed));
        let chance = Mutex::new(Chance { random, drawn: 0 });
        Ok(Load { workload, contract, accounts: make(session.chain.crypto, accounts)?, ranks, chance })
    }

    /// What the load needs first: accounts with funds, customers, records.
    pub(super) fn setup(&self, context: &ChainContext, funder: &SecretKey) -> Result<Vec<SignedTransaction>, Failure> {
        let numbers = 0..self.accounts.len();
        let drafts: Vec<Draft<'_>> = match self.workload {
            Workload::Counter => Vec::new(),
            Workload::Native | Workload::Token => {
                let fund = |account: &Account| self.draft(funder, "transfer", &(account.address, FUNDS));
                self.accounts.iter().map(fund).collect::<Result<_, _>>()?
            }
            Workload::Smallbank => numbers
                .map(|number| self.draft(funder, "open", &(number as u64, BANK_FUNDS, BANK_FUNDS)))
                .collect::<Result<_, _>>()?,
            Workload::Ycsb => numbers
                .map(|number| self.draft(funder, "put", &(record(number), vec![b'.'; VALUE_BYTES])))
                .collect::<Result<_, _>>()?,
        };
        sign(&drafts, context)
    }

    /// What the one who pays for the setup must have; none if that costs nothing.
    pub(super) fn funds(&self) -> Option<u128> {
        let transfers = matches!(self.workload, Workload::Native | Workload::Token);
        transfers.then(|| FUNDS * self.accounts.len() as u128)
    }

    /// So many calls, signed.
    pub(super) fn draw(&self, context: &ChainContext, count: usize) -> Result<Vec<SignedTransaction>, Failure> {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        let picks: Vec<Pick> = (0..count).map(|_| self.pick(&mut chance)).collect();
        let drafts = picks.iter().map(|pick| self.call(pick)).collect::<Result<Vec<_>, _>>()?;
        sign(&drafts, context)
    }

    /// Who does what with whom.
    fn pick(&self, chance: &mut Chance) -> Pick {
        let (one, two) = self.ranks.draw_two(&mut chance.random);
        // Without skew, everyone has its turn: all send equally often.
        let one = if self.ranks.is_uniform() { chance.drawn % self.accounts.len() } else { one };
        let two = if two == one { (two + 1) % self.accounts.len() } else { two };
        chance.drawn += 1;
        Pick { one, two, kind: chance.random.below(6), amount: 1 + chance.random.below(1_000) }
    }

    fn call(&self, pick: &Pick) -> Result<Draft<'_>, Failure> {
        let key = &self.accounts[pick.one].key;
        let (customer, other, amount) = (pick.one as u64, pick.two as u64, pick.amount);
        match (self.workload, pick.kind) {
            (Workload::Native | Workload::Token, _) => {
                self.draft(key, "transfer", &(self.accounts[pick.two].address, 1u128))
            }
            (Workload::Counter, _) => self.draft(key, "add", &(1u64,)),
            (Workload::Smallbank, 0) => self.draft(key, "balance", &(customer,)),
            (Workload::Smallbank, 1) => self.draft(key, "deposit_checking", &(customer, amount)),
            (Workload::Smallbank, 2) => self.draft(key, "transact_savings", &(customer, -(amount as i64))),
            (Workload::Smallbank, 3) => self.draft(key, "amalgamate", &(customer, other)),
            (Workload::Smallbank, 4) => self.draft(key, "write_check", &(customer, amount)),
            (Workload::Smallbank, _) => self.draft(key, "send_payment", &(customer, other, amount)),
            (Workload::Ycsb, 0..3) => self.draft(key, "get", &(record(pick.one),)),
            (Workload::Ycsb, _) => {
                self.draft(key, "read_modify_write", &(record(pick.one), vec![amount as u8; UPDATE_BYTES]))
            }
        }
    }

    fn draft<'a>(
        &self,
        key: &'a SecretKey,
        method: &str,
        args: &impl borsh::BorshSerialize,
    ) -> Result<Draft<'a>, Failure> {
        let args = borsh::to_vec(args).map_err(|error| Failure::error(error.to_string()))?;
        Ok(Draft { key, call: Call::new(self.contract.clone(), method, args).gas_limit(GAS) })
    }

    /// A question about one of the accounts, as clients ask beside the load.
    pub(super) fn question(&self, number: usize) -> CallParams {
        let number = number % self.accounts.len();
        let (method, args) = match self.workload {
            Workload::Native | Workload::Token => ("balance_of", borsh::to_vec(&self.accounts[number].address)),
            Workload::Counter => ("get", Ok(Vec::new())),
            Workload::Smallbank => ("balance", borsh::to_vec(&(number as u64))),
            Workload::Ycsb => ("get", borsh::to_vec(&record(number))),
        };
        // Writing to memory does not fail.
        let args = json!(Bytes(args.unwrap_or_default()));
        let contract = self.contract.clone();
        CallParams { contract, method: method.into(), args, caller: None, gas_limit: None }
    }
}

/// The numbers that a call is made of.
struct Pick {
    one: usize,
    two: usize,
    kind: u64,
    amount: u64,
}

fn record(number: usize) -> String {
    format!("user{number:010}")
}

fn make(crypto: CryptoSuite, count: u32) -> Result<Vec<Account>, Failure> {
    let mut accounts = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(no_randomness)?;
        let key = crypto.client_key(seed).map_err(|error| Failure::error(format!("no key can be made: {error}")))?;
        let address = key.public_key().address();
        accounts.push(Account { key, address });
    }
    Ok(accounts)
}

fn no_randomness(error: getrandom::Error) -> Failure {
    Failure::error(format!("the operating system gave no random bytes: {error}"))
}

/// The contract's address: a name would cost each call one read more.
async fn find(session: &Session, name: &str, workload: Workload) -> Result<Contract, Failure> {
    let params = ContractParams { contract: Session::contract(name)? };
    match session.client.call::<GetContract>(params).await {
        Ok(contract) => Ok(contract.address.into()),
        Err(error) => {
            let folder = workload.contract();
            Err(Failure::from(error)
                .hint(format!("deploy it first: hanse contract deploy {folder} --path contracts/{folder}")))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hanse_types::{Hash, Height};

    fn load(workload: Workload, skew: f64) -> Load {
        Load {
            workload,
            contract: Contract::native(ACCOUNT_CONTRACT),
            accounts: make(CryptoSuite::Standard, 7).unwrap(),
            ranks: Zipf::new(7, skew),
            chance: Mutex::new(Chance { random: Random::new(1), drawn: 0 }),
        }
    }

    fn context() -> ChainContext {
        ChainContext {
            chain_id: "c".into(),
            group_id: "g".into(),
            genesis: Hash::ZERO,
            crypto: CryptoSuite::Standard,
            ref_height: Height(0),
            ref_hash: [0; 8],
            gas_max: Gas(1),
            lifetime_max: std::time::Duration::from_secs(60),
            clock_ahead: std::time::Duration::ZERO,
        }
    }

    #[test]
    fn nobody_pays_himself_and_all_send_equally_often() {
        let load = load(Workload::Native, 0.0);
        let transfers = load.draw(&context(), 70).unwrap();
        for account in &load.accounts {
            let sent = transfers.iter().filter(|signed| signed.transaction.sender == account.address);
            assert_eq!(sent.count(), 10);
        }
        for signed in &transfers {
            assert_ne!(signed.transaction.args[..20], signed.transaction.sender.0);
        }
    }

    #[test]
    fn skew_prefers_some() {
        let load = load(Workload::Smallbank, 1.2);
        let calls = load.draw(&context(), 700).unwrap();
        let of = |at: usize| calls.iter().filter(|call| call.transaction.sender == load.accounts[at].address).count();
        assert!(of(0) > 2 * of(6), "{} and {}", of(0), of(6));
        let methods: std::collections::BTreeSet<_> = calls.iter().map(|call| &call.transaction.method).collect();
        assert_eq!(methods.len(), 6);
    }

    #[test]
    fn every_workload_has_its_setup_and_its_question() {
        for workload in Workload::value_variants() {
            let load = load(*workload, 0.0);
            let setup = load.setup(&context(), &SecretKey::ed25519([1; 32])).unwrap();
            assert_eq!(setup.len(), if *workload == Workload::Counter { 0 } else { 7 });
            assert!(!load.question(9).method.is_empty());
        }
    }
}
