//! The genesis of a group: what its founders agreed on, and the parameters that governance may change later.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::crypto::PublicKey;
use crate::encoding::Canonical;
use crate::hash::{Domain, Hash};
use crate::limits;
use crate::units::{Gas, Timestamp};
use hanse_abi::Address;

mod check;

pub use crate::crypto::CryptoSuite;
pub use check::{GenesisError, ParamsError};

/// How the header commits to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum StateCommitment {
    /// A set hash: cheapest; shows divergence at once, proves no single value.
    Flat,
    /// A Merkle tree: proves presence and absence of single values.
    Merkle,
}

/// How a group agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsensusKind {
    /// One validator decides alone.
    Solo,
    /// Several, of whom less than a third may be faulty in any way.
    Bft,
    /// Several who trust each other not to lie, of whom less than a half may be down.
    Raft,
}

/// What governance may change while the chain lives.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Params {
    /// Most transactions in a block.
    pub block_tx_count_max: u32,
    /// Most canonical bytes of transactions in a block.
    pub block_bytes_max: u64,
    /// Longest time that a transaction waits for the block to fill, in milliseconds.
    pub block_interval_ms: u64,
    /// Most gas that one transaction may ask for.
    pub tx_gas_max: Gas,
    /// Longest time between the block that includes a transaction and the transaction's expiration, in milliseconds.
    /// Bounds for how long duplicates must be remembered.
    pub tx_lifetime_ms_max: u64,
    /// How many blocks back a reference block may lie. Bounds for how many blocks duplicates must be remembered.
    pub ref_block_window: u64,
    /// Most pages of 64 KiB that a contract's memory may have.
    pub memory_pages_max: u32,
    /// Whether contracts may use floating point (results are made canonical).
    pub floats_allowed: bool,
    /// Version of the gas schedule.
    pub gas_schedule: u32,
    /// Whether anyone may deploy, or administrators only.
    pub open_deployment: bool,
}

impl Default for Params {
    fn default() -> Self {
        Params {
            block_tx_count_max: 10_000,
            block_bytes_max: 8 << 20,
            block_interval_ms: 200,
            tx_gas_max: Gas(1_000_000_000),
            tx_lifetime_ms_max: 10 * 60 * 1000,
            ref_block_window: 1_000,
            memory_pages_max: 256,
            floats_allowed: false,
            gas_schedule: hanse_abi::gas::SCHEDULE_VERSION,
            open_deployment: true,
        }
    }
}

/// A validator at the start.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Validator {
    /// Name for people.
    pub name: String,
    /// The key that signs votes.
    pub key: PublicKey,
}

/// An account at the start.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct GenesisAccount {
    /// Whose.
    pub address: Address,
    /// How much of the native asset it holds.
    pub balance: u128,
}

/// The founders' agreement; its hash identifies the chain in every signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Genesis {
    /// The chain.
    pub chain_id: String,
    /// The group.
    pub group_id: String,
    /// Time of block 0.
    pub timestamp: Timestamp,
    /// Algorithms.
    pub crypto: CryptoSuite,
    /// How the group agrees.
    pub consensus: ConsensusKind,
    /// How headers commit to the state.
    pub state_commitment: StateCommitment,
    /// Who decides blocks.
    pub validators: Vec<Validator>,
    /// Who may change parameters and freeze contracts.
    pub administrators: Vec<Address>,
    /// Accounts with a balance.
    pub accounts: Vec<GenesisAccount>,
    /// Parameters at the start.
    pub params: Params,
}

/// What binds a signature to one group's chain. Two chains with the same ids still differ in their genesis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainIdentity {
    /// The chain.
    pub chain_id: String,
    /// The group.
    pub group_id: String,
    /// Hash of the genesis.
    pub genesis: Hash,
    /// What its blocks are hashed by.
    pub crypto: CryptoSuite,
}

impl Genesis {
    /// The digest that binds every signature to this chain and group.
    pub fn hash(&self) -> Hash {
        self.crypto.hash(Domain::Genesis, &self.encode())
    }

    /// What binds a signature to this chain and group.
    pub fn identity(&self) -> ChainIdentity {
        ChainIdentity {
            chain_id: self.chain_id.clone(),
            group_id: self.group_id.clone(),
            genesis: self.hash(),
            crypto: self.crypto,
        }
    }
}

impl Canonical for Genesis {
    const NAME: &'static str = "genesis";
    const MAX_BYTES: usize = limits::GENESIS_BYTES;
}
