//! The transactions of the block that this node has precommitted for, beside the chain.
//!
//! A lock outlives a crash, so what it is on must: were all nodes to crash before one of them has written the block, they
//! would be locked on transactions that nobody has. There is one such block at a time.

use hanse_ledger::{Ledger, LedgerError};
use hanse_types::crypto::verified::Verifier;
use hanse_types::{SignedTransaction, Verified};

/// Key of the record among those of the consensus engine.
const RECORD: &[u8] = b"held";

/// Writes them in the place of those before; durable when it returns.
///
/// # Errors
/// If the ledger can't be written.
pub fn write(ledger: &Ledger, transactions: &[Verified]) -> Result<(), LedgerError> {
    let signed: Vec<&SignedTransaction> = transactions.iter().map(Verified::signed).collect();
    ledger.put_consensus(RECORD, &borsh::to_vec(&signed).expect("a list encodes into memory"))
}

/// Those that were written last and are good. They may be in the chain by now.
///
/// # Errors
/// If the ledger can't be read.
pub fn read(ledger: &Ledger, verifier: &Verifier) -> Result<Vec<Verified>, LedgerError> {
    let record = ledger.get_consensus(RECORD)?;
    // A record of another form holds nothing that the chain needs.
    let signed: Vec<SignedTransaction> = record.and_then(|bytes| borsh::from_slice(&bytes).ok()).unwrap_or_default();
    Ok(verifier.verify_all(signed).into_iter().flatten().collect())
}
