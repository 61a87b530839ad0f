//! What a signature covers: tag ‖ version ‖ chain id ‖ group id ‖ genesis hash ‖ (epoch) ‖ body.
//!
//! The tag keeps kinds of messages apart, the ids and the genesis hash keep chains and groups apart, so a signature
//! given for one thing is worth nothing for another.

use borsh::BorshSerialize;

use crate::encoding::Canonical;
use crate::genesis::ChainIdentity;
use crate::hash::Hash;
use crate::transaction::Transaction;
use crate::units::{Epoch, Height, Round};

/// Kinds of signed messages. A number is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Tag {
    /// A client's transaction.
    Transaction = 1,
    /// A proposer's proposal.
    Proposal = 2,
    /// A validator's prevote.
    Prevote = 3,
    /// A validator's precommit; also what a commit certificate holds.
    Precommit = 4,
    /// A node's handshake.
    Handshake = 5,
    /// A founder's agreement to a genesis.
    Founding = 6,
}

/// Format version of all sign-bytes.
const VERSION: u8 = 1;

/// Starts every sign-bytes.
fn prefix(tag: Tag, chain_id: &str, group_id: &str, genesis: &Hash) -> Vec<u8> {
    let mut bytes = b"hanse".to_vec();
    append(&mut bytes, &(tag, VERSION, chain_id, group_id, genesis));
    bytes
}

fn append(bytes: &mut Vec<u8>, value: &impl BorshSerialize) {
    value.serialize(bytes).expect("bounded values encode into memory");
}

/// Sign-bytes of a transaction.
pub fn transaction(transaction: &Transaction, genesis: &Hash) -> Vec<u8> {
    let mut bytes = prefix(Tag::Transaction, &transaction.chain_id, &transaction.group_id, genesis);
    transaction.encode_into(&mut bytes);
    bytes
}

/// Sign-bytes of a founder's agreement: a validator's word that it will make blocks of the group with this genesis.
pub fn founding(chain: &ChainIdentity) -> Vec<u8> {
    prefix(Tag::Founding, &chain.chain_id, &chain.group_id, &chain.genesis)
}

/// Sign-bytes of a proposal: a proposer's word that this is its block for the round. `valid_round` is the round in which
/// the block already had a quorum of prevotes, if it is proposed again.
pub fn proposal(
    chain: &ChainIdentity,
    epoch: Epoch,
    height: Height,
    round: Round,
    valid_round: Option<Round>,
    block_hash: &Hash,
) -> Vec<u8> {
    let mut bytes = prefix(Tag::Proposal, &chain.chain_id, &chain.group_id, &chain.genesis);
    append(&mut bytes, &(epoch, height, round, valid_round, block_hash));
    bytes
}

/// Sign-bytes of a prevote; [`Hash::ZERO`], which is no block's hash, stands for none.
pub fn prevote(chain: &ChainIdentity, epoch: Epoch, height: Height, round: Round, block_hash: &Hash) -> Vec<u8> {
    vote(Tag::Prevote, chain, epoch, height, round, block_hash)
}

/// Sign-bytes of a precommit: a validator's word that it decides for this block. [`Hash::ZERO`], which is no block's
/// hash, stands for none.
pub fn precommit(chain: &ChainIdentity, epoch: Epoch, height: Height, round: Round, block_hash: &Hash) -> Vec<u8> {
    vote(Tag::Precommit, chain, epoch, height, round, block_hash)
}

fn vote(tag: Tag, chain: &ChainIdentity, epoch: Epoch, height: Height, round: Round, block_hash: &Hash) -> Vec<u8> {
    let mut bytes = prefix(tag, &chain.chain_id, &chain.group_id, &chain.genesis);
    append(&mut bytes, &(epoch, height, round, block_hash));
    bytes
}
