//! `Verified<T>`: a value whose signature was checked. Only this module makes one.

use crate::transaction::{SignedTransaction, TxId};

/// A transaction whose signature and sender address were checked, with its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T> {
    value: T,
    id: TxId,
}

impl Verified<SignedTransaction> {
    /// The transaction's identity.
    pub fn id(&self) -> TxId {
        self.id
    }

    /// The transaction.
    pub fn get(&self) -> &SignedTransaction {
        &self.value
    }
}
