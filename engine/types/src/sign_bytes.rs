//! What a signature covers: tag ‖ version ‖ chain id ‖ group id ‖ genesis hash ‖ (epoch) ‖ body.
//!
//! The tag keeps kinds of messages apart, the ids and the genesis hash keep chains and groups apart, so a signature
//! given for one thing is worth nothing for another.

use borsh::BorshSerialize;

use crate::encoding::Canonical;
use crate::hash::Hash;
use crate::transaction::Transaction;

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
}

/// Format version of all sign-bytes.
const VERSION: u8 = 1;

/// Starts every sign-bytes.
fn prefix(tag: Tag, chain_id: &str, group_id: &str, genesis: &Hash) -> Vec<u8> {
    let mut bytes = b"hanse".to_vec();
    (tag, VERSION, chain_id, group_id, genesis).serialize(&mut bytes).expect("bounded values encode into memory");
    bytes
}

/// Sign-bytes of a transaction.
pub fn transaction(transaction: &Transaction, genesis: &Hash) -> Vec<u8> {
    let mut bytes = prefix(Tag::Transaction, &transaction.chain_id, &transaction.group_id, genesis);
    transaction.encode_into(&mut bytes);
    bytes
}
