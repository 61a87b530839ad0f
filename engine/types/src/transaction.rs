//! Transactions: what an account asks a group's chain to do.
//!
//! There is one kind of payload, a call: deploying, upgrading, freezing and all of governance are calls of native
//! system contracts, so they take the same way through pool, scheduler and receipts as everything else.

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use crate::crypto::{CryptoSuite, PublicKey, Signature};
use crate::encoding::Canonical;
use crate::hash::{Domain, Hash};
use crate::limits;
use crate::names::{NameError, NameKind};
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
    pub fn id(&self, suite: CryptoSuite, genesis: &Hash) -> TxId {
        TxId(suite.hash(Domain::Transaction, &self.sign_bytes(genesis)))
    }

    /// The bytes that the sender signs.
    pub fn sign_bytes(&self, genesis: &Hash) -> Vec<u8> {
        sign_bytes::transaction(self, genesis)
    }

    /// Whether it keeps the rules that hold for a transaction by itself, whatever its chain, time and signature.
    ///
    /// # Errors
    /// If the version is unknown, a name is none, a length is over its limit, or it expires before it was made.
    pub fn check(&self) -> Result<(), TransactionError> {
        if self.version != Transaction::VERSION {
            return Err(TransactionError::Version { found: self.version });
        }
        check_name(NameKind::Id, "chain id", &self.chain_id)?;
        check_name(NameKind::Id, "group id", &self.group_id)?;
        if let ContractRef::Name { name, .. } = &self.contract {
            check_name(NameKind::Name, "contract name", name)?;
        }
        check_name(NameKind::Method, "method", &self.method)?;
        check_length("business id", self.business_id.len(), limits::BUSINESS_ID_BYTES)?;
        check_length("arguments", self.args.len(), limits::ARGS_BYTES)?;
        if self.expiration <= self.timestamp {
            return Err(TransactionError::Lifetime { timestamp: self.timestamp, expiration: self.expiration });
        }
        Ok(())
    }
}

/// Why a transaction breaks the rules that hold for every transaction.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransactionError {
    /// Made for another format.
    #[error("the transaction has format version {found}, this is version {}", Transaction::VERSION)]
    Version {
        /// Its version.
        found: u16,
    },
    /// A name is none.
    #[error("the transaction's {field} {reason}")]
    Name {
        /// Which name.
        field: &'static str,
        /// What is wrong with it.
        reason: NameError,
    },
    /// A field is too long.
    #[error("the transaction's {field} takes {found} bytes, the limit is {limit}")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// Its length.
        found: usize,
        /// Its greatest length.
        limit: usize,
    },
    /// It never could be included.
    #[error("the transaction expires at {expiration} ms, not after it was made at {timestamp} ms")]
    Lifetime {
        /// When it was made.
        timestamp: Timestamp,
        /// When it expires.
        expiration: Timestamp,
    },
}

fn check_name(kind: NameKind, field: &'static str, text: &str) -> Result<(), TransactionError> {
    kind.check(text).map_err(|reason| TransactionError::Name { field, reason })
}

fn check_length(field: &'static str, found: usize, limit: usize) -> Result<(), TransactionError> {
    if found > limit { Err(TransactionError::TooLong { field, found, limit }) } else { Ok(()) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_values::transaction;

    #[test]
    fn at_the_limits_it_passes_and_beyond_it_does_not() {
        assert_eq!(transaction().check(), Ok(()));
        let full = Transaction {
            business_id: vec![0; limits::BUSINESS_ID_BYTES],
            args: vec![0; limits::ARGS_BYTES],
            method: "m".repeat(limits::NAME_BYTES),
            contract: ContractRef::Name { name: "n".repeat(limits::NAME_BYTES), version: u32::MAX },
            chain_id: "c".repeat(limits::ID_BYTES),
            group_id: "g".repeat(limits::ID_BYTES),
            ..transaction()
        };
        assert_eq!(full.check(), Ok(()));
        assert_eq!(Transaction::decode(&full.encode()).as_ref(), Ok(&full), "what passes also decodes");

        let long = |transaction: Transaction| matches!(transaction.check(), Err(TransactionError::TooLong { .. }));
        assert!(long(Transaction { business_id: vec![0; limits::BUSINESS_ID_BYTES + 1], ..transaction() }));
        assert!(long(Transaction { args: vec![0; limits::ARGS_BYTES + 1], ..transaction() }));
    }

    #[test]
    fn what_no_client_should_send_is_refused() {
        let wrong_name = |field, transaction: Transaction| match transaction.check() {
            Err(TransactionError::Name { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{field}: {other:?}"),
        };
        wrong_name("chain id", Transaction { chain_id: "Chain".into(), ..transaction() });
        wrong_name("group id", Transaction { group_id: String::new(), ..transaction() });
        wrong_name("method", Transaction { method: "to transfer".into(), ..transaction() });
        let contract = ContractRef::Name { name: String::new(), version: 0 };
        wrong_name("contract name", Transaction { contract, ..transaction() });

        assert_eq!(Transaction { version: 2, ..transaction() }.check(), Err(TransactionError::Version { found: 2 }));
        let dead = Transaction { expiration: transaction().timestamp, ..transaction() };
        assert!(matches!(dead.check(), Err(TransactionError::Lifetime { .. })));
    }
}
