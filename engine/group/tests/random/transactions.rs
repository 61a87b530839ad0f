//! Random transactions of a few users: programs, payments, names, governance, and the lives of contracts.

use std::sync::LazyLock;

use hanse_types::crypto::{CryptoSuite, PublicKey, SecretKey, Signer};
use hanse_types::{Address, ContractRef, Gas, Height, SignedTransaction, Timestamp, Transaction};
use hanse_vm::contract_address;

use super::chain::{CHAIN, GROUP, genesis_hash};
use super::contract::{METHODS, VARIANTS, Variant, tiny};
use super::program::{Rng, Theme, encode, name};

pub struct User {
    key: SecretKey,
    public: PublicKey,
    pub address: Address,
}

/// Those who sign. The first is the administrator and owns the contracts that are there from the start.
pub static USERS: LazyLock<Vec<User>> = LazyLock::new(|| {
    let user = |n: u8| {
        let key = SecretKey::ed25519([n; 32]);
        let public = key.public_key();
        User { address: public.address(), key, public }
    };
    (1..=24).map(user).collect()
});

/// The modules of all variants, in their order, and a tiny one.
static CODES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| VARIANTS.iter().map(Variant::code).chain([tiny()]).collect());

/// Contracts that the first block deploys, all the first user's.
const FIRST: [&str; 3] = ["first0", "first1", "first2"];
/// Contracts that may be deployed later, each by a user of its own.
const LATE: [&str; 4] = ["late0", "late1", "late2", "late3"];

/// Gas that most programs don't use up; those that never end do, and shall not take long.
const PROGRAM_GAS: u64 = 500_000;
/// Gas for checking a module, and for what it does at first.
const DEPLOY_GAS: u64 = 5_000_000;

/// The contracts that are there from the start.
pub fn first_contracts() -> Vec<Address> {
    FIRST.iter().map(|name| contract_address(CryptoSuite::Standard, &USERS[0].address, name)).collect()
}

/// Every contract that there may ever be, but for those that contracts deploy.
pub fn all_contracts() -> Vec<Address> {
    let late =
        LATE.iter().enumerate().map(|(n, name)| contract_address(CryptoSuite::Standard, &USERS[n + 1].address, name));
    first_contracts().into_iter().chain(late).collect()
}

/// Of which variant a contract of these is at first.
pub fn first_variant(place: usize) -> usize {
    place % FIRST.len()
}

/// Those that are paid, and asked for their balance.
pub fn payees() -> Vec<Address> {
    USERS.iter().map(|user| user.address).chain(first_contracts()).collect()
}

/// How often transactions are of a kind, against the sum of all.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    pub programs: u64,
    pub payments: u64,
    pub names: u64,
    pub governance: u64,
    pub lifecycle: u64,
    pub nonsense: u64,
}

/// A call that many transactions make alike.
type Repeated = (Address, &'static str, Vec<u8>);

/// How a chain's transactions are made.
#[derive(Clone, Debug)]
pub struct Manner {
    pub theme: Theme,
    pub weights: Weights,
    /// How many of the users send transactions.
    pub senders: u64,
    /// How deep programs are nested.
    pub depth: u8,
    /// Most operations of a program.
    pub operations: u64,
    /// Programs that are taken, if there are any, instead of new ones. So their access sets can be guessed.
    pub repeated: Vec<Repeated>,
    /// Whether no two transactions of a block touch the same keys.
    pub disjoint: bool,
    /// Gas of all programs, where it shall not be the matter.
    pub gas: Option<u64>,
}

impl Manner {
    /// The transactions of a chain's first block: contracts are deployed, and used before and after.
    pub fn first_batch(&self, rng: &mut Rng, size: usize) -> Vec<SignedTransaction> {
        let mut batch = self.batch(rng, size);
        let first = FIRST.iter().map(|name| (0, *name));
        let late = LATE.iter().enumerate().map(|(n, name)| (n + 1, *name));
        for (place, (owner, name)) in first.chain(late).enumerate() {
            if owner == 0 || rng.once_in(2) {
                let deploy = self.deploy(rng, owner, name, CODES[first_variant(place)].clone());
                batch.insert(rng.below(batch.len() as u64 + 1) as usize, deploy.signed());
            }
        }
        batch
    }

    /// So many transactions.
    pub fn batch(&self, rng: &mut Rng, size: usize) -> Vec<SignedTransaction> {
        (0..size).map(|place| self.transaction(rng, place).signed()).collect()
    }

    fn transaction(&self, rng: &mut Rng, place: usize) -> Draft {
        if self.disjoint {
            return self.apart(rng, place);
        }
        let Weights { programs, payments, names, governance, lifecycle, nonsense } = self.weights;
        let mut roll = rng.below(programs + payments + names + governance + lifecycle + nonsense);
        let mut is = |weight: u64| {
            let this = roll < weight;
            roll = roll.wrapping_sub(weight);
            this
        };
        if is(programs) {
            self.run(rng)
        } else if is(payments) {
            self.payment(rng)
        } else if is(names) {
            self.naming(rng)
        } else if is(governance) {
            self.governance(rng)
        } else if is(lifecycle) {
            self.lifecycle(rng)
        } else {
            self.nonsense(rng)
        }
    }

    fn draft(&self, rng: &mut Rng, contract: Address, method: &str, args: Vec<u8>) -> Draft {
        let sender = rng.below(self.senders) as usize;
        let (contract, nonce) = (ContractRef::Address(contract), rng.next());
        Draft { sender, contract, method: method.to_owned(), args, gas: PROGRAM_GAS, nonce }
    }

    fn native(&self, rng: &mut Rng, number: u16, method: &str, args: Vec<u8>) -> Draft {
        self.draft(rng, Address::native(number), method, args)
    }

    /// A program for a contract, which is called by address or by name.
    fn run(&self, rng: &mut Rng) -> Draft {
        let (contract, method, args) = self.program(rng);
        let mut draft = self.draft(rng, contract, method, args);
        if rng.once_in(6) {
            let name = (*rng.pick(&FIRST)).to_owned();
            draft.contract = ContractRef::Name { name, version: rng.below(8) as u32 / 3 };
        }
        if rng.once_in(6) {
            draft.gas = rng.below(60_000);
        }
        draft.gas = self.gas.unwrap_or(draft.gas);
        draft
    }

    fn program(&self, rng: &mut Rng) -> Repeated {
        if !self.repeated.is_empty() {
            return rng.pick(&self.repeated).clone();
        }
        let contract = *rng.pick(&self.theme.contracts);
        let method = if rng.once_in(12) { "look" } else { *rng.pick(&METHODS) };
        (contract, method, self.theme.program(rng, self.operations, self.depth))
    }

    /// A program with keys of its own.
    fn apart(&self, rng: &mut Rng, place: usize) -> Draft {
        let theme = Theme { first_key: (place * 3 % 250) as u8, keys: 3, ..self.theme.clone() };
        let program = theme.program(rng, self.operations, 0);
        let contract = self.theme.contracts[place / 80 % self.theme.contracts.len()];
        self.draft(rng, contract, METHODS[0], program)
    }

    fn payment(&self, rng: &mut Rng) -> Draft {
        let to = *rng.pick(&self.theme.payees);
        let amount = if rng.once_in(3) { rng.below(2_500) } else { rng.below(40) };
        match rng.below(12) {
            0 => self.native(rng, 1, "balance_of", encode(&to)),
            1 => {
                let label = format!("label {}", rng.below(3));
                self.native(rng, 1, "create_account", encode(&(to, label)))
            }
            2 => self.native(rng, 1, "label_of", encode(&to)),
            3 => {
                // Half of what there can ever be, now and then.
                let amount = if rng.once_in(3) { u128::MAX / 2 } else { amount.into() };
                let draft = self.native(rng, 1, "issue", encode(&(to, amount)));
                if rng.once_in(2) { Draft { sender: 0, ..draft } } else { draft }
            }
            4 if rng.once_in(2) => self.native(rng, 1, "supply", Vec::new()),
            _ => self.native(rng, 1, "transfer", encode(&(to, u128::from(amount)))),
        }
    }

    fn naming(&self, rng: &mut Rng) -> Draft {
        let (name, version, address) = (name(rng), rng.below(4) as u32, *rng.pick(&self.theme.contracts));
        match rng.below(6) {
            0..=2 => self.native(rng, 3, "register", encode(&(name, version, address))),
            3 => self.native(rng, 3, "resolve", encode(&(name, version))),
            4 => self.native(rng, 3, "owner_of", encode(&name)),
            _ => {
                let to = rng.pick(&USERS).address;
                self.native(rng, 3, "transfer", encode(&(name, to)))
            }
        }
    }

    fn governance(&self, rng: &mut Rng) -> Draft {
        let parameters = [("floats_allowed", 2), ("memory_pages_max", 40), ("open_deployment", 3), ("nothing", 2)];
        let mut draft = match rng.below(6) {
            0..=2 => {
                let (name, bound) = *rng.pick(&parameters);
                let value = rng.below(bound);
                self.native(rng, 4, "set", encode(&(name, value)))
            }
            3 => self.native(rng, 4, "get", Vec::new()),
            4 => {
                let who = USERS[rng.below(4) as usize].address;
                self.native(rng, 4, "add_administrator", encode(&who))
            }
            _ => {
                // Never the first, or soon there would be nobody to change anything.
                let who = USERS[1 + rng.below(4) as usize].address;
                self.native(rng, 4, "remove_administrator", encode(&who))
            }
        };
        if !rng.once_in(4) {
            draft.sender = 0;
        }
        draft
    }

    fn lifecycle(&self, rng: &mut Rng) -> Draft {
        let all = all_contracts();
        // Whatever is frozen is of no use to the programs, so it's mostly one of the late ones.
        let at = if rng.once_in(5) { rng.below(3) } else { 3 + rng.below(4) } as usize;
        let (contract, owner) = (all[at], at.saturating_sub(2));
        let code = rng.pick(&CODES).clone();
        let mut draft = match rng.below(16) {
            0..=4 => {
                let late = rng.below(4) as usize;
                let draft = self.deploy(rng, late + 1, LATE[late], code);
                return if rng.once_in(8) { Draft { sender: 0, ..draft } } else { draft };
            }
            5..=7 => {
                let args = self.theme.program(rng, 3, self.depth);
                let draft = self.native(rng, 2, "upgrade", encode(&(contract, code, args)));
                Draft { gas: DEPLOY_GAS, ..draft }
            }
            8 | 9 => self.native(rng, 2, "freeze", encode(&contract)),
            10..=12 => self.native(rng, 2, "unfreeze", encode(&contract)),
            13 if at > 2 && rng.once_in(2) => self.native(rng, 2, "revoke", encode(&contract)),
            14 => {
                let to = rng.pick(&USERS[..6]).address;
                self.native(rng, 2, "transfer_ownership", encode(&(contract, to)))
            }
            _ => {
                let method = *rng.pick(&["record", "info"]);
                self.native(rng, 2, method, encode(&contract))
            }
        };
        if !rng.once_in(5) {
            draft.sender = owner;
        }
        draft
    }

    fn deploy(&self, rng: &mut Rng, sender: usize, name: &str, code: Vec<u8>) -> Draft {
        let args = if rng.once_in(4) { Vec::new() } else { self.theme.program(rng, 3, self.depth) };
        let draft = self.native(rng, 2, "deploy", encode(&(name, code, args)));
        Draft { sender, gas: self.gas.unwrap_or(DEPLOY_GAS), ..draft }
    }

    /// What no client should send.
    fn nonsense(&self, rng: &mut Rng) -> Draft {
        let mut bytes: Vec<u8> = (0..rng.below(60)).map(|_| rng.next() as u8).collect();
        let contract = *rng.pick(&self.theme.contracts);
        match rng.below(8) {
            0 => self.native(rng, 1, "transfer", bytes),
            1 => self.native(rng, 9, "transfer", bytes),
            2 => self.draft(rng, contract, "nothing", bytes),
            3 => self.draft(rng, contract, "init", bytes),
            4 => self.draft(rng, Address([0xee; 20]), METHODS[0], bytes),
            5 => {
                let code = &CODES[0];
                bytes = code[..rng.below(code.len() as u64) as usize].to_vec();
                let draft = self.native(rng, 2, "deploy", encode(&("name0", bytes, Vec::<u8>::new())));
                Draft { gas: DEPLOY_GAS, ..draft }
            }
            // A program of bytes that are none, or of one that is cut off.
            6 => self.draft(rng, contract, METHODS[1], bytes),
            _ => {
                let mut program = self.theme.program(rng, self.operations, self.depth);
                program.truncate(rng.below(program.len() as u64) as usize);
                self.draft(rng, contract, METHODS[2], program)
            }
        }
    }
}

/// A transaction without what is the same in all of them.
struct Draft {
    sender: usize,
    contract: ContractRef,
    method: String,
    args: Vec<u8>,
    gas: u64,
    nonce: u64,
}

impl Draft {
    fn signed(self) -> SignedTransaction {
        let User { key, public, address } = &USERS[self.sender];
        let transaction = Transaction {
            version: Transaction::VERSION,
            chain_id: CHAIN.into(),
            group_id: GROUP.into(),
            sender: *address,
            nonce: self.nonce,
            ref_height: Height(0),
            ref_hash: [0; 8],
            timestamp: Timestamp(1),
            expiration: Timestamp(2),
            gas_limit: Gas(self.gas),
            business_id: Vec::new(),
            contract: self.contract,
            method: self.method,
            args: self.args,
        };
        let signature = key.sign(&transaction.sign_bytes(&genesis_hash())).unwrap();
        SignedTransaction { transaction, public_key: *public, signature }
    }
}
