//! Checks a node's proofs: of transactions, receipts and access sets in a block, and of state after one.
//!
//! A proof is worth as much as the header that it leads to. An [`Anchor`] is what a client has from its founders: the
//! genesis, of which it knows the chain and its validators. It accepts a header if those validators decided it
//! ([`Anchor::header`]), or those who were named by them in their place ([`Anchor::follow`]); the `check_` functions then lead from what a node says to that header. Nothing of this asks
//! anybody.
//!
//! [`Client::proven_state`](crate::Client::proven_state) and its kin do both.

use std::sync::Arc;

use hanse_abi::keys::full_key;
use hanse_state::commitment;
use hanse_types::crypto::CryptoSuite;
use hanse_types::genesis::Validator;
use hanse_types::merkle::{self, Proof};
use hanse_types::validator_set::ValidatorSetError;
use hanse_types::{
    Address, Canonical, Certificate, CertificateError, ChainIdentity, DecodeError, Epoch, Genesis, Hash, Header,
    Height, Receipt, RwSet, SignedTransaction, TxId, ValidatorSet,
};
use parking_lot::RwLock;
use thiserror::Error;

use crate::views::{CertifiedHeader, HandoverView, InclusionProof, StateProof, ValidatorView};

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// Something in it does not decode.
    #[error("it holds bytes that do not decode: {0}")]
    Decode(#[from] DecodeError),
    /// The validators did not decide its block.
    #[error("its block was not decided by the group's validators: {0}")]
    Certificate(#[from] CertificateError),
    /// It is of an epoch whose validators are not known.
    #[error("its block is of epoch {epoch}, but the validators are known up to epoch {known}")]
    UnknownEpoch {
        /// The block's.
        epoch: u64,
        /// The newest that is known.
        known: u64,
    },
    /// It is of an epoch in which its height does not lie.
    #[error("block {height} is of epoch {epoch}, but that begins after block {named} or ended before it")]
    OtherEpoch {
        /// The block's height.
        height: u64,
        /// Its epoch.
        epoch: u64,
        /// The block that named the epoch's validators.
        named: u64,
    },
    /// It leads to another epoch than the next.
    #[error("it leads to epoch {found}, the next is {expected}")]
    NotNext {
        /// Where it leads.
        found: u64,
        /// The next epoch.
        expected: u64,
    },
    /// The new validators are not those that the old ones named.
    #[error("the validators of the next epoch are not those that the block names")]
    Validators,
    /// Its header is another chain's.
    #[error("its header is of chain {chain:?} and group {group:?} with crypto {crypto}")]
    OtherChain {
        /// The header's chain.
        chain: String,
        /// The header's group.
        group: String,
        /// What the header is hashed by.
        crypto: CryptoSuite,
    },
    /// It is about something else than what was asked for.
    #[error("it is for another transaction, key or block than what was asked for")]
    Other,
    /// The path does not lead to the header's root.
    #[error("its path does not lead to the header's root")]
    Path,
    /// The way through the state's tree does not show the value.
    #[error(transparent)]
    State(#[from] commitment::ProofError),
}

/// What a client trusts: the chain that its founders agreed on, and who decides its blocks. It learns of new validators
/// from those before them.
#[derive(Debug)]
pub struct Anchor {
    chain: ChainIdentity,
    known: RwLock<Known>,
}

/// Who decides, as far as it is known.
#[derive(Clone, Debug)]
struct Known {
    /// From the first on.
    epochs: Vec<KnownEpoch>,
    /// What led from each to the next.
    handovers: Vec<HandoverView>,
}

#[derive(Clone, Debug)]
struct KnownEpoch {
    validators: Arc<ValidatorSet>,
    /// The block that named them; the genesis block for the founders.
    named: Height,
}

impl Known {
    /// Who decides an epoch, if this height lies in it: after the block that named them, and up to the one that names those
    /// after them. Whoever was relieved decides nothing any more.
    fn deciders(&self, epoch: Epoch, height: Height) -> Result<&ValidatorSet, ProofError> {
        let at = usize::try_from(epoch.0).unwrap_or(usize::MAX);
        let unknown = ProofError::UnknownEpoch { epoch: epoch.0, known: self.epochs.len() as u64 - 1 };
        let KnownEpoch { validators, named } = self.epochs.get(at).ok_or(unknown)?;
        let is_over = self.epochs.get(at + 1).is_some_and(|next| next.named < height);
        if height <= *named || is_over {
            return Err(ProofError::OtherEpoch { height: height.0, epoch: epoch.0, named: named.0 });
        }
        Ok(validators)
    }
}

impl Clone for Anchor {
    fn clone(&self) -> Anchor {
        Anchor { chain: self.chain.clone(), known: RwLock::new(self.known.read().clone()) }
    }
}

/// Something with the header that it was proven against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven<T> {
    /// What was proven.
    pub value: T,
    /// The header, decided by the validators.
    pub header: Header,
}

impl Anchor {
    /// The trust in a genesis.
    ///
    /// # Errors
    /// If its validators are no validator set.
    pub fn new(genesis: &Genesis) -> Result<Anchor, ValidatorSetError> {
        let founders = KnownEpoch { validators: Arc::new(ValidatorSet::from_genesis(genesis)?), named: Height(0) };
        let known = Known { epochs: vec![founders], handovers: Vec::new() };
        Ok(Anchor { chain: genesis.identity(), known: RwLock::new(known) })
    }

    /// The chain.
    pub fn chain(&self) -> &ChainIdentity {
        &self.chain
    }

    /// The newest epoch whose validators it knows.
    pub fn epoch(&self) -> Epoch {
        // There is one at least.
        Epoch(self.known.read().epochs.len() as u64 - 1)
    }

    /// The handovers that it has followed, from the genesis on: another anchor that follows them knows the same.
    pub fn handovers(&self) -> Vec<HandoverView> {
        self.known.read().handovers.clone()
    }

    /// Learns who decides the next epoch, if those of this one say so.
    ///
    /// # Errors
    /// If they don't; or if it is another epoch than the next.
    pub fn follow(&self, handover: &HandoverView) -> Result<(), ProofError> {
        let epoch = self.epoch();
        if handover.epoch != epoch.0 + 1 {
            return Err(ProofError::NotNext { found: handover.epoch, expected: epoch.0 + 1 });
        }
        let header = self.header(&handover.block)?;
        let validator = |view: &ValidatorView| {
            let key = view.key.parse().map_err(|_| ProofError::Validators)?;
            Ok(Validator { name: view.name.clone(), key })
        };
        let list = handover.validators.iter().map(validator).collect::<Result<_, ProofError>>()?;
        let set = ValidatorSet::new(list).map_err(|_| ProofError::Validators)?;
        let (names, named) = (header.next_validators != header.validators, set.hash(header.crypto));
        if header.epoch != epoch || !names || header.next_validators != named {
            return Err(ProofError::Validators);
        }
        let mut known = self.known.write();
        // Another thread may have followed meanwhile.
        if known.epochs.len() as u64 == handover.epoch {
            let validators = Arc::new(set.succeeding(&known.epochs[0].validators));
            known.epochs.push(KnownEpoch { validators, named: header.height });
            known.handovers.push(handover.clone());
        }
        Ok(())
    }

    /// A header that the validators decided. The genesis block was decided by nobody: it follows from the genesis.
    ///
    /// # Errors
    /// If it is another chain's, or they did not; or if it is of an epoch that the anchor does not know yet.
    pub fn header(&self, certified: &CertifiedHeader) -> Result<Header, ProofError> {
        let header = Header::decode(&certified.header.0)?;
        let certificate = Certificate::decode(&certified.certificate.0)?;
        if (header.crypto, &header.chain_id, &header.group_id)
            != (self.chain.crypto, &self.chain.chain_id, &self.chain.group_id)
        {
            return Err(ProofError::OtherChain {
                chain: header.chain_id,
                group: header.group_id,
                crypto: header.crypto,
            });
        }
        let known = self.known.read();
        certificate.verify(&self.chain, known.deciders(header.epoch, header.height)?, &header)?;
        Ok(header)
    }
}

/// The transaction that a proof shows to be in the block of a trusted header.
///
/// # Errors
/// If it does not show that.
pub fn check_transaction(
    proof: &InclusionProof,
    header: &Header,
    genesis: &Hash,
    id: &TxId,
) -> Result<SignedTransaction, ProofError> {
    let signed = SignedTransaction::decode(&proof.content.0)?;
    if signed.id(genesis) != *id {
        return Err(ProofError::Other);
    }
    check_path(proof, header, &header.tx_root, &signed.leaf(*id))?;
    Ok(signed)
}

/// The receipt of a transaction that a proof shows to be in the block of a trusted header.
///
/// # Errors
/// If it does not show that.
pub fn check_receipt(proof: &InclusionProof, header: &Header, id: &TxId) -> Result<Receipt, ProofError> {
    let receipt = Receipt::decode(&proof.content.0)?;
    if receipt.tx_id != *id || receipt.height != header.height || receipt.index != proof.index {
        return Err(ProofError::Other);
    }
    check_path(proof, header, &header.receipt_root, &receipt.digest(header.crypto))?;
    Ok(receipt)
}

/// The access set that belongs to a trusted receipt and that a proof shows to be in the block of a trusted header.
///
/// # Errors
/// If it does not show that.
pub fn check_rw_set(proof: &InclusionProof, header: &Header, receipt: &Receipt) -> Result<RwSet, ProofError> {
    let rw_set = RwSet::decode(&proof.content.0)?;
    let digest = rw_set.digest(header.crypto);
    if receipt.height != header.height || receipt.index != proof.index || receipt.rw_set != digest {
        return Err(ProofError::Other);
    }
    check_path(proof, header, &header.rw_set_root, &digest)?;
    Ok(rw_set)
}

/// Checks that a contract's key has this value, or none, after the block of a trusted header.
///
/// # Errors
/// If the proof does not show that.
pub fn check_state(
    proof: &StateProof,
    header: &Header,
    contract: &Address,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), ProofError> {
    let path = commitment::Proof::decode(&proof.path.0)?;
    Ok(path.verify(header.crypto, &header.state_root, &full_key(contract, key), value)?)
}

fn check_path(proof: &InclusionProof, header: &Header, root: &Hash, leaf: &Hash) -> Result<(), ProofError> {
    let path = Proof(proof.path.clone());
    let holds = merkle::verify(header.crypto, root, leaf, proof.index.as_usize(), header.tx_count as usize, &path);
    if holds { Ok(()) } else { Err(ProofError::Path) }
}

#[cfg(test)]
mod tests;
