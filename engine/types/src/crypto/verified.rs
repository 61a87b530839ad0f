//! `Verified`: a transaction whose signature was checked. Only this module makes one, so that whatever takes one can't be
//! given an unchecked transaction by mistake.
//!
//! Checked it was by this node, or by the validators who decided the block that it is in ([`Verifier::decided`]).

use std::sync::Arc;

use hanse_abi::Address;
use rayon::prelude::*;
use thiserror::Error;

use super::{CryptoSuite, PublicKey, ed25519};
use crate::block;
use crate::encoding::Canonical;
use crate::genesis::Genesis;
use crate::hash::many::Messages;
use crate::hash::{Domain, Hash};
use crate::transaction::{SignedTransaction, TransactionError, TxId};

/// Transactions that one thread takes at a time: enough for one equation of signatures, few enough that a block to be
/// made does not wait long for a thread.
const BATCH: usize = 1_024;

/// A transaction whose signature, sender and chain were checked, with what was computed on the way. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    signed: SignedTransaction,
    id: TxId,
    leaf: Hash,
    bytes: usize,
}

impl Verified {
    /// The transaction with its signature.
    pub fn signed(&self) -> &SignedTransaction {
        &self.0.signed
    }

    /// The transaction.
    pub fn transaction(&self) -> &crate::Transaction {
        &self.0.signed.transaction
    }

    /// Its identity.
    pub fn id(&self) -> TxId {
        self.0.id
    }

    /// Length of its canonical bytes, signature included.
    pub fn byte_count(&self) -> usize {
        self.0.bytes
    }

    /// The leaf that stands for it in the block's transaction tree: identity, key and signature.
    pub fn leaf(&self) -> Hash {
        self.0.leaf
    }

    /// [`Verified::leaf`] of each.
    pub fn leaves(transactions: &[Verified]) -> Vec<Hash> {
        transactions.iter().map(Verified::leaf).collect()
    }
}

impl SignedTransaction {
    /// Its identity, in the chain with this genesis, whose clients have such keys.
    pub fn id(&self, genesis: &Hash) -> TxId {
        self.transaction.id(self.public_key.suite(), genesis)
    }

    /// The leaf that stands for it in the block's transaction tree. `id` is its identity.
    pub fn leaf(&self, id: TxId) -> Hash {
        let parts = [&id.0.as_bytes()[..], &self.encoded_key(), &self.signature.0];
        self.public_key.suite().hash_parts(Domain::SignedTransaction, &parts)
    }

    fn encoded_key(&self) -> Vec<u8> {
        borsh::to_vec(&self.public_key).expect("a key encodes into memory")
    }
}

/// Why a transaction is not what it claims to be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// It breaks the rules that hold for every transaction.
    #[error(transparent)]
    Malformed(#[from] TransactionError),
    /// It is for another chain.
    #[error("the transaction is for chain {found:?}, this is {expected:?}")]
    WrongChain {
        /// Its chain.
        found: String,
        /// This chain.
        expected: String,
    },
    /// It is for another group.
    #[error("the transaction is for group {found:?}, this is {expected:?}")]
    WrongGroup {
        /// Its group.
        found: String,
        /// This group.
        expected: String,
    },
    /// The key is of an algorithm that the chain does not use for clients.
    #[error("the group's crypto is {crypto}, by which clients don't sign with keys like {key}")]
    Algorithm {
        /// What the group has.
        crypto: CryptoSuite,
        /// The key.
        key: PublicKey,
    },
    /// The sender is not the address of the key.
    #[error("the sender is {sender}, but the key's address is {address}")]
    WrongSender {
        /// As stated.
        sender: Address,
        /// As computed.
        address: Address,
    },
    /// The signature is not the key's over this transaction.
    #[error("the signature does not match the transaction and the key")]
    BadSignature,
}

/// Why transactions are not those of a block.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecidedError {
    /// One of them is not what it claims to be.
    #[error("transaction {index}: {error}")]
    Transaction {
        /// Which, by its place.
        index: usize,
        /// What is wrong with it.
        error: VerifyError,
    },
    /// The block has others.
    #[error("its transactions have the root {found}, its header says {stated}")]
    Root {
        /// Of the transactions.
        found: Hash,
        /// In the header.
        stated: Hash,
    },
}

/// Checks transactions of one group's chain.
#[derive(Clone, Debug)]
pub struct Verifier {
    genesis: Arc<Genesis>,
    genesis_hash: Hash,
    points: Arc<ed25519::Points>,
}

impl Verifier {
    /// A verifier of transactions of this chain.
    pub fn new(genesis: Arc<Genesis>) -> Verifier {
        let genesis_hash = genesis.hash();
        Verifier { genesis, genesis_hash, points: Arc::default() }
    }

    /// Checks one transaction.
    ///
    /// # Errors
    /// The first check that fails, cheapest first.
    pub fn verify(&self, signed: SignedTransaction) -> Result<Verified, VerifyError> {
        let address = signed.public_key.address();
        let claim = self.claim(signed, address)?;
        claim.signed.public_key.verify(&claim.bytes, &claim.signed.signature).map_err(|_| VerifyError::BadSignature)?;
        let id = TxId(self.genesis.crypto.hash(Domain::Transaction, &claim.bytes));
        let leaf = claim.signed.leaf(id);
        Ok(claim.accept(id, leaf))
    }

    /// Checks many transactions, signatures in batches, on the rayon pool in which it is called. The answers are those
    /// of [`Verifier::verify`], in order.
    pub fn verify_all(&self, signed: Vec<SignedTransaction>) -> Vec<Result<Verified, VerifyError>> {
        self.check_all(signed, |claims| self.signatures(claims))
    }

    /// The transactions of a block, in its order, without a look at their signatures: for a block that validators have
    /// decided, of whom each has checked them. `tx_root` is what the block's header says; it commits to the signatures too.
    /// All other checks are made, on the rayon pool in which it is called.
    ///
    /// # Errors
    /// If they are not the transactions with that root.
    pub fn decided(&self, tx_root: &Hash, signed: Vec<SignedTransaction>) -> Result<Vec<Verified>, DecidedError> {
        let checked = self.check_all(signed, |claims| vec![true; claims.len()]).into_iter().enumerate();
        let sound = checked.map(|(index, checked)| checked.map_err(|error| DecidedError::Transaction { index, error }));
        let transactions: Vec<Verified> = sound.collect::<Result<_, _>>()?;
        let found = block::tx_root(self.genesis.crypto, &transactions);
        if found != *tx_root {
            return Err(DecidedError::Root { found, stated: *tx_root });
        }
        Ok(transactions)
    }

    /// Checks many transactions; `signatures` says of which the signatures are good.
    fn check_all(
        &self,
        signed: Vec<SignedTransaction>,
        signatures: impl Fn(&[&Claim]) -> Vec<bool> + Sync,
    ) -> Vec<Result<Verified, VerifyError>> {
        // As many of one size for each thread: the last of them would be waited for.
        let shares = signed.len().div_ceil(BATCH).next_multiple_of(rayon::current_num_threads());
        let share = signed.len().div_ceil(shares.max(1)).max(1);
        let batches = signed.into_par_iter().chunks(share);
        batches.flat_map_iter(|batch| self.check_batch(batch, &signatures)).collect()
    }

    fn check_batch(
        &self,
        signed: Vec<SignedTransaction>,
        signatures: impl Fn(&[&Claim]) -> Vec<bool>,
    ) -> Vec<Result<Verified, VerifyError>> {
        let suite = self.genesis.crypto;
        let addresses = PublicKey::addresses(suite, signed.iter().map(|signed| &signed.public_key));
        let claims: Vec<_> = signed.into_iter().zip(addresses).map(|(signed, at)| self.claim(signed, at)).collect();
        let sound: Vec<&Claim> = claims.iter().filter_map(|claim| claim.as_ref().ok()).collect();
        let good = signatures(&sound);
        let ids = suite.hash_each(Domain::Transaction, &[], sound.iter().map(|claim| &claim.bytes[..]));
        let leaves = leaves(suite, ids.iter().zip(sound.iter().map(|claim| &claim.signed)));
        let mut found = ids.into_iter().zip(leaves).zip(good);
        let mut finish = |claim: Claim| {
            let ((id, leaf), is_good) = found.next().expect("every claim has digests, and its signature was checked");
            if is_good { Ok(claim.accept(TxId(id), leaf)) } else { Err(VerifyError::BadSignature) }
        };
        claims.into_iter().map(|claim| claim.and_then(&mut finish)).collect()
    }

    /// Whether the signature of each is good.
    fn signatures(&self, claims: &[&Claim]) -> Vec<bool> {
        let items: Vec<_> = claims.iter().filter_map(|claim| claim.ed25519()).collect();
        let mut in_batch = ed25519::verify_each(&items, &self.points).into_iter();
        let mut is_good = |claim: &&Claim| match claim.ed25519() {
            Some(_) => in_batch.next().expect("every signature of ed25519 is in the batch"),
            None => claim.signed.public_key.verify(&claim.bytes, &claim.signed.signature).is_ok(),
        };
        claims.iter().map(&mut is_good).collect()
    }

    /// Every check but the signature's. `address` is the key's.
    fn claim(&self, signed: SignedTransaction, address: Address) -> Result<Claim, VerifyError> {
        let transaction = &signed.transaction;
        // First, so that whatever an error below quotes is short and printable.
        transaction.check()?;
        if transaction.chain_id != self.genesis.chain_id {
            let expected = self.genesis.chain_id.clone();
            return Err(VerifyError::WrongChain { found: transaction.chain_id.clone(), expected });
        }
        if transaction.group_id != self.genesis.group_id {
            let expected = self.genesis.group_id.clone();
            return Err(VerifyError::WrongGroup { found: transaction.group_id.clone(), expected });
        }
        if !self.genesis.crypto.allows_client(&signed.public_key) {
            return Err(VerifyError::Algorithm { crypto: self.genesis.crypto, key: signed.public_key });
        }
        if transaction.sender != address {
            return Err(VerifyError::WrongSender { sender: transaction.sender, address });
        }
        let bytes = transaction.sign_bytes(&self.genesis_hash);
        Ok(Claim { signed, bytes })
    }
}

/// A transaction of which only the signature is left to check.
struct Claim {
    signed: SignedTransaction,
    bytes: Vec<u8>,
}

impl Claim {
    fn ed25519(&self) -> Option<ed25519::Item<'_>> {
        match &self.signed.public_key {
            PublicKey::Ed25519(key) => {
                Some(ed25519::Item { key, bytes: &self.bytes, signature: &self.signed.signature })
            }
            PublicKey::Secp256k1(_) | PublicKey::Sm2(_) => None,
        }
    }

    /// With what identifies it.
    fn accept(self, id: TxId, leaf: Hash) -> Verified {
        let bytes = self.signed.encoded_len();
        Verified(Arc::new(Inner { signed: self.signed, id, leaf, bytes }))
    }
}

/// [`SignedTransaction::leaf`] of many, of which the identities are known.
fn leaves<'a>(suite: CryptoSuite, signed: impl Iterator<Item = (&'a Hash, &'a SignedTransaction)>) -> Vec<Hash> {
    let mut messages = Messages::default();
    for (id, signed) in signed {
        messages
            .add_parts(Domain::SignedTransaction, &[&id.as_bytes()[..], &signed.encoded_key(), &signed.signature.0]);
    }
    messages.hash(suite)
}

#[cfg(test)]
mod tests;
