//! Proofs that someone without the chain can check against a header that validators signed.

use hanse_state::commitment::{self, ProofError};
use hanse_types::{Certificate, Hash, Header, Height, TxId, TxIndex, Value, merkle};

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::query;

/// Which tree of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tree {
    /// Of the signed transactions.
    Transactions,
    /// Of the receipts.
    Receipts,
    /// Of the access sets.
    RwSets,
}

impl Tree {
    /// The tree's root in a header.
    pub fn root(self, header: &Header) -> &Hash {
        match self {
            Tree::Transactions => &header.tx_root,
            Tree::Receipts => &header.receipt_root,
            Tree::RwSets => &header.rw_set_root,
        }
    }
}

/// That a transaction, receipt or access set is in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// In which tree.
    pub tree: Tree,
    /// The block's header.
    pub header: Header,
    /// What shows that the header was agreed upon.
    pub certificate: Certificate,
    /// The position in the block.
    pub index: TxIndex,
    /// The leaf.
    pub leaf: Hash,
    /// From the leaf to the root.
    pub path: merkle::Proof,
}

impl InclusionProof {
    /// Whether the leaf is in the block. That the leaf is the wanted one's, and the certificate valid, is the caller's to
    /// check.
    pub fn holds(&self) -> bool {
        let (root, count) = (self.tree.root(&self.header), self.header.tx_count as usize);
        merkle::verify(self.header.crypto, root, &self.leaf, self.index.as_usize(), count, &self.path)
    }
}

/// That a key has a value, or none, after a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateProof {
    /// The block's header.
    pub header: Header,
    /// What shows that the header was agreed upon.
    pub certificate: Certificate,
    /// The value, or none.
    pub value: Option<Value>,
    /// From the key to the state root.
    pub proof: commitment::Proof,
}

impl StateProof {
    /// Checks that the key has the value, or none, under the header. That the certificate is valid is the caller's to
    /// check.
    ///
    /// # Errors
    /// If the proof does not show that.
    pub fn verify(&self, key: &[u8]) -> Result<(), ProofError> {
        let value = self.value.as_ref().map(|value| value.as_slice());
        self.proof.verify(self.header.crypto, &self.header.state_root, key, value)
    }
}

impl Ledger {
    /// The proof that a transaction, its receipt or its access set is in the chain; none if the transaction is not. Reads
    /// the whole block.
    ///
    /// # Errors
    /// If the store fails or is damaged, or the access sets were pruned.
    pub fn prove_inclusion(&self, id: &TxId, tree: Tree) -> Result<Option<InclusionProof>, LedgerError> {
        let Some((height, index)) = self.find_transaction(id)? else { return Ok(None) };
        let leaves = self.leaves(height, tree)?;
        let (header, certificate) = query::header(self.current().reader(), height)?;
        let at = index.as_usize();
        let damaged = || LedgerError::damaged("the index of transactions", format!("block {height} has no {index}"));
        let path = merkle::prove(header.crypto, &leaves, at).ok_or_else(damaged)?;
        Ok(Some(InclusionProof { tree, header, certificate, index, leaf: leaves[at], path }))
    }

    fn leaves(&self, height: Height, tree: Tree) -> Result<Vec<Hash>, LedgerError> {
        let (current, suite) = (self.current(), self.shared.genesis.crypto);
        Ok(match tree {
            Tree::Transactions => self.transaction_leaves(&current, height)?,
            Tree::Receipts => {
                query::receipts(current.reader(), height)?.iter().map(|receipt| receipt.digest(suite)).collect()
            }
            Tree::RwSets => query::rw_sets(&current, height)?.iter().map(|rw_set| rw_set.digest(suite)).collect(),
        })
    }

    /// A key's value after the newest block, with the proof; or the proof that it has none.
    ///
    /// # Errors
    /// If the store fails or is damaged, or the group's state commitment is flat.
    pub fn prove_state(&self, key: &[u8]) -> Result<StateProof, LedgerError> {
        self.prove_state_at(key, self.height())
    }
}
