//! A group of four with blocks without transactions: all that an exhaustive search needs of a chain.

use std::sync::Arc;

use hanse_consensus::bft::Tip;
use hanse_consensus::{CompactBlock, SignedStatement, Slot, Statement, Word};
use hanse_types::crypto::{CryptoSuite, Signature, Signer};
use hanse_types::genesis::Validator;
use hanse_types::{ChainIdentity, Dag, Epoch, Gas, Hash, Header, Height, Timestamp, ValidatorSet, merkle, sign_bytes};

use crate::keys::{Keyring, Keys};

/// Validators of the group.
pub(crate) const VALIDATORS: u8 = 4;
/// Of whom so many may be faulty.
pub(crate) const FAULTY: u32 = 1;

/// What everybody knows of the group, and everybody's keys.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    ring: Arc<Keyring>,
    pub(crate) identity: ChainIdentity,
    pub(crate) set: Arc<ValidatorSet>,
}

impl Group {
    pub(crate) fn new() -> Group {
        let ring = Arc::new(Keyring::new(VALIDATORS, false));
        let validator = |owner| Validator { name: format!("v{owner}"), key: ring.public(owner) };
        let set = ValidatorSet::new((0..VALIDATORS).map(validator).collect()).expect("different keys make a set");
        let identity = ChainIdentity {
            chain_id: "small".into(),
            group_id: "group".into(),
            genesis: Hash([7; 32]),
            crypto: CryptoSuite::Standard,
        };
        Group { ring, identity, set: Arc::new(set) }
    }

    pub(crate) fn keys(&self, owner: u8) -> Keys {
        Keys { ring: self.ring.clone(), owner }
    }

    /// What the first height is built on.
    pub(crate) fn genesis(&self) -> Tip {
        Tip { height: Height(0), hash: Hash([9; 32]), timestamp: Timestamp(1_000) }
    }

    /// A block for a slot, one millisecond after its parent. Those with other names are other blocks.
    pub(crate) fn block(&self, slot: &Slot, parent: &Tip, name: u8) -> CompactBlock {
        let header = Header {
            crypto: CryptoSuite::Standard,
            chain_id: self.identity.chain_id.clone(),
            group_id: self.identity.group_id.clone(),
            height: slot.height,
            parent: slot.parent,
            timestamp: parent.timestamp.plus_ms(1),
            tx_root: merkle::root(CryptoSuite::Standard, &[]),
            receipt_root: Hash::ZERO,
            rw_set_root: Hash::ZERO,
            dag_digest: Dag::empty().digest(CryptoSuite::Standard),
            state_root: Hash([name; 32]),
            validators: slot.validators,
            next_validators: slot.validators,
            epoch: slot.epoch,
            round: slot.round,
            proposer: slot.proposer,
            gas_used: Gas(0),
            tx_count: 0,
            extra: Vec::new(),
        };
        CompactBlock::new(header, Dag::empty(), Vec::new()).expect("parts that were made together fit")
    }

    /// What consensus determines of a block of the first epoch.
    pub(crate) fn slot(&self, parent: &Tip, round: hanse_types::Round, proposer: u32) -> Slot {
        let (height, validators) = (parent.height.next(), self.set.hash(CryptoSuite::Standard));
        Slot { height, parent: parent.hash, epoch: Epoch(0), round, proposer, validators }
    }

    /// Any statement with any validator's signature: for those who are faulty.
    pub(crate) fn sign(&self, validator: u32, statement: Statement) -> SignedStatement {
        let Statement { epoch, height, round, word } = statement;
        let (chain, hash) = (&self.identity, |block: Option<Hash>| block.unwrap_or(Hash::ZERO));
        let bytes = match word {
            Word::Propose { block, valid_round } => {
                sign_bytes::proposal(chain, epoch, height, round, valid_round, &block)
            }
            Word::Prevote(block) => sign_bytes::prevote(chain, epoch, height, round, &hash(block)),
            Word::Precommit(block) => sign_bytes::precommit(chain, epoch, height, round, &hash(block)),
        };
        let signature = self.keys(validator as u8).sign(&bytes).unwrap_or(Signature([0; 64]));
        SignedStatement { statement, validator, signature }
    }
}
