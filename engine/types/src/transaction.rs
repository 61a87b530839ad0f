//! Transactions: what an account asks a group's chain to do.
//!
//! There is one kind of payload, a call: deploying, upgrading, freezing and all of governance are calls of native
//! system contracts, so they take the same way through pool, scheduler and receipts as everything else.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::crypto::PublicKey;
use crate::crypto::Signature;
use crate::encoding::Canonical;
use crate::hash::{Domain, Hash};
use crate::limits;
use crate::sign_bytes;
use crate::units::{Gas, Height, Timestamp};
use hanse_abi::Address;

/// Identity of a transaction: the hash of its sign-bytes, so signatures don't change it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct TxId(pub Hash);

impl std::fmt::Display for TxId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Which contract a transaction calls.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ContractRef {
    /// By address.
    Address(Address),
    /// By a name of the naming service; resolving it is a recorded read of the transaction.
    Name {
        /// The registered name.
        name: String,
        /// The version, or 0 for the newest.
        version: u32,
    },
}

/// What a client signs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Transaction {
    /// Format version, [`Transaction::VERSION`].
    pub version: u16,
    /// The chain it is for.
    pub chain_id: String,
    /// The group it is for.
    pub group_id: String,
    /// Address of the signing key.
    pub sender: Address,
    /// Chosen at random by the client: two equal calls are two transactions. Not a sequence, so one account's
    /// transactions run in parallel.
    pub nonce: u64,
    /// A recent block that must be part of the chain: its height …
    pub ref_height: Height,
    /// … and the first 8 bytes of its hash.
    pub ref_hash: [u8; 8],
    /// When the client made it.
    pub timestamp: Timestamp,
    /// It is not included in a block of this time or later.
    pub expiration: Timestamp,
    /// The most gas that it may use.
    pub gas_limit: Gas,
    /// The client's own id for its business, indexed; empty for none.
    pub business_id: Vec<u8>,
    /// The contract.
    pub contract: ContractRef,
    /// The method.
    pub method: String,
    /// The arguments, Borsh-encoded one after another.
    pub args: Vec<u8>,
}

impl Transaction {
    /// The only format version so far.
    pub const VERSION: u16 = 1;

    /// The identity: hash of the sign-bytes.
    ///
    /// `genesis` binds it to one chain even where two carry the same ids.
    pub fn id(&self, genesis: &Hash) -> TxId {
        TxId(Hash::of(Domain::Transaction, &self.sign_bytes(genesis)))
    }

    /// The bytes that the sender signs.
    pub fn sign_bytes(&self, genesis: &Hash) -> Vec<u8> {
        sign_bytes::transaction(self, genesis)
    }
}

impl Canonical for Transaction {
    const NAME: &'static str = "transaction";
    const MAX_BYTES: usize = limits::TRANSACTION_BYTES;
}

/// A transaction with its sender's key and signature, as it crosses the wire and lies in a block. Nothing is checked
/// yet: see [`crate::crypto::verified`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedTransaction {
    /// What was signed.
    pub transaction: Transaction,
    /// The sender's public key, which hashes to the sender's address.
    pub public_key: PublicKey,
    /// The signature over the sign-bytes.
    pub signature: Signature,
}

impl Canonical for SignedTransaction {
    const NAME: &'static str = "signed transaction";
    const MAX_BYTES: usize = limits::SIGNED_TRANSACTION_BYTES;
}
