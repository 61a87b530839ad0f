//! Clients, and what they want of the native contracts: payments that conflict and payments that commute, names that
//! several want, what only administrators may do, too little gas, parameters that change, validators that come and go.

use hanse_types::crypto::{CryptoSuite, PublicKey, SecretKey, Signer};
use hanse_types::{Address, ContractRef, Gas, Genesis, Hash, Height, SignedTransaction, Timestamp, Transaction};
use hanse_vm::native::encode;
use hanse_vm::system::{account, members, names, params};

use crate::random::Random;

/// Of a thousand transactions, those that give a validator's seat to another node, in a group that has more nodes than seats.
/// Most are refused: the node has one already.
const ROTATIONS: u64 = 200;
/// Clients that there are.
const COUNT: u8 = 6;
/// How long most transactions live, and a few, in milliseconds.
const LIVES_MS: u64 = 200_000;
const SHORT_LIVES_MS: (u64, u64) = (50, 500);

/// Everybody's keys; the first one's owner administers the chain.
pub(super) struct Clients {
    keys: Vec<SecretKey>,
    sent: u64,
    /// Keys of nodes, if more than are validators at a time, and how many are.
    nodes: Vec<PublicKey>,
    seats: usize,
}

/// A method of a contract, with its arguments.
struct Call {
    contract: Address,
    name: &'static str,
    method: &'static str,
    args: Vec<u8>,
}

impl Call {
    fn account(method: &'static str, args: Vec<u8>) -> Call {
        Call { contract: account::ADDRESS, name: "account", method, args }
    }

    fn members(method: &'static str, args: Vec<u8>) -> Call {
        Call { contract: members::ADDRESS, name: "members", method, args }
    }

    fn names(method: &'static str, args: Vec<u8>) -> Call {
        Call { contract: names::ADDRESS, name: "names", method, args }
    }
}

impl Clients {
    /// Those of a chain with this suite.
    pub(super) fn new(crypto: CryptoSuite) -> Clients {
        let key = |client| crypto.client_key([100 + client; 32]).expect("a small number is a key of every suite");
        Clients { keys: (0..COUNT).map(key).collect(), sent: 0, nodes: Vec::new(), seats: 0 }
    }

    /// Of these nodes so many are validators, by turns.
    pub(super) fn rotate(&mut self, nodes: Vec<PublicKey>, seats: usize) {
        (self.nodes, self.seats) = (nodes, seats);
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = Address> {
        self.keys.iter().map(|key| key.public_key().address())
    }

    pub(super) fn administrator(&self) -> Address {
        self.keys[0].public_key().address()
    }

    fn address(&self, dice: &mut Random) -> Address {
        self.keys[dice.below(u64::from(COUNT)) as usize].public_key().address()
    }

    /// What the next one sends.
    pub(super) fn next(
        &mut self,
        dice: &mut Random,
        genesis: &Genesis,
        (ref_height, hash): (Height, Hash),
        now: Timestamp,
    ) -> SignedTransaction {
        let call = self.call(dice);
        let governs = [params::ADDRESS, members::ADDRESS].contains(&call.contract) && dice.chance(800);
        let key = &self.keys[if governs { 0 } else { dice.below(u64::from(COUNT)) as usize }];
        let (short_least, short_most) = SHORT_LIVES_MS;
        let lives_ms = if dice.chance(50) { dice.between(short_least, short_most) } else { LIVES_MS };
        self.sent += 1;
        let mut ref_hash = [0; 8];
        ref_hash.copy_from_slice(&hash.as_bytes()[..8]);
        let transaction = Transaction {
            version: Transaction::VERSION,
            chain_id: genesis.chain_id.clone(),
            group_id: genesis.group_id.clone(),
            sender: key.public_key().address(),
            nonce: self.sent,
            ref_height,
            ref_hash,
            timestamp: now,
            expiration: now.plus_ms(lives_ms),
            gas_limit: Gas(if dice.chance(30) { dice.below(20_000) + 1 } else { 50_000_000 }),
            business_id: Vec::new(),
            contract: match dice.chance(300) {
                true => ContractRef::Name { name: call.name.into(), version: dice.below(2) as u32 },
                false => ContractRef::Address(call.contract),
            },
            method: call.method.into(),
            args: call.args,
        };
        let signature = key.sign(&transaction.sign_bytes(&genesis.hash())).expect("a key in memory signs");
        SignedTransaction { public_key: key.public_key(), transaction, signature }
    }

    /// A seat is given to another node, if that has none; or to one that has, which is refused.
    fn rotation(&self, dice: &mut Random) -> Call {
        let seat = format!("node-{}", dice.below(self.seats as u64));
        let key = self.nodes[dice.below(self.nodes.len() as u64) as usize];
        Call::members("replace_key", encode(&(seat, key.to_string())))
    }

    fn call(&self, dice: &mut Random) -> Call {
        if self.seats < self.nodes.len() && dice.chance(ROTATIONS) {
            return self.rotation(dice);
        }
        let amount = u128::from(dice.below(200));
        let popular = Address([9; 20]);
        let name = format!("name-{}", dice.below(6));
        match dice.below(100) {
            0..45 => Call::account("transfer", encode(&(self.address(dice), amount))),
            45..60 => Call::account("transfer", encode(&(popular, amount / 10))),
            60..68 => Call::account("issue", encode(&(self.address(dice), amount))),
            68..76 => Call::account("create_account", encode(&(Address([dice.below(24) as u8; 20]), name))),
            76..88 => Call::names("register", encode(&(name, 0u32, self.address(dice)))),
            88..94 => Call::names("transfer", encode(&(name, self.address(dice)))),
            94..97 => Call::account("no_such_method", encode(&amount)),
            _ => {
                let args = encode(&("block_tx_count_max".to_owned(), dice.between(4, 24)));
                Call { contract: params::ADDRESS, name: "params", method: "set", args }
            }
        }
    }
}
