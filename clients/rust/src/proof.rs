//! Checks a node's proofs against a header.
//!
//! A proof says: this receipt is at this place of the block with this header. Whether the header is the chain's is
//! another question; whoever has its hash from somewhere else can compare.

use hanse_types::merkle::{self, Proof};
use hanse_types::{Canonical, DecodeError, Hash, Header, Receipt, TxId};
use thiserror::Error;

use crate::views::ReceiptProof;

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// Header or receipt do not decode.
    #[error("the proof holds bytes that do not decode: {0}")]
    Decode(#[from] DecodeError),
    /// The receipt is of another transaction or block.
    #[error("the proof is for another transaction or another block")]
    Other,
    /// The path does not lead to the header's receipt root.
    #[error("the path of the proof does not lead to the header's receipt root")]
    Path,
}

/// What a good proof shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenReceipt {
    /// The receipt.
    pub receipt: Receipt,
    /// The header of its block.
    pub header: Header,
    /// The header's hash, to be compared with one from elsewhere.
    pub block_hash: Hash,
}

/// Checks that a proof shows the receipt of this transaction in the block of its header.
///
/// # Errors
/// If it does not.
pub fn check_receipt(proof: &ReceiptProof, tx_id: &TxId) -> Result<ProvenReceipt, ProofError> {
    let header = Header::decode(&proof.header.0)?;
    let receipt = Receipt::decode(&proof.receipt.0)?;
    if receipt.tx_id != *tx_id || receipt.height != header.height {
        return Err(ProofError::Other);
    }
    let path = Proof(proof.path.clone());
    let count = header.tx_count as usize;
    if !merkle::verify(&header.receipt_root, &receipt.digest(), receipt.index.as_usize(), count, &path) {
        return Err(ProofError::Path);
    }
    let block_hash = header.hash();
    Ok(ProvenReceipt { receipt, header, block_hash })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Bytes;
    use hanse_types::{Address, Gas, Height, Status, TxIndex};

    fn receipt(index: u32) -> Receipt {
        Receipt {
            tx_id: TxId(Hash([index as u8; 32])),
            height: Height(4),
            index: TxIndex(index),
            status: Status::Success,
            gas_used: Gas(10),
            output: Vec::new(),
            error_code: 0,
            message: String::new(),
            failed_in: Address::ZERO,
            events: Vec::new(),
            rw_set: Hash::ZERO,
        }
    }

    fn header(receipts: &[Receipt]) -> Header {
        let leaves: Vec<Hash> = receipts.iter().map(Receipt::digest).collect();
        Header {
            version: Header::VERSION,
            chain_id: "chain".into(),
            group_id: "group".into(),
            height: Height(4),
            parent: Hash::ZERO,
            timestamp: hanse_types::Timestamp(1),
            tx_root: Hash::ZERO,
            receipt_root: merkle::root(&leaves),
            rw_set_root: Hash::ZERO,
            dag_digest: Hash::ZERO,
            state_root: Hash::ZERO,
            validators: Hash::ZERO,
            next_validators: Hash::ZERO,
            epoch: hanse_types::Epoch(0),
            round: hanse_types::Round(0),
            proposer: 0,
            gas_used: Gas(30),
            tx_count: receipts.len() as u32,
            extra: Vec::new(),
        }
    }

    fn proof(receipts: &[Receipt], index: usize) -> ReceiptProof {
        let leaves: Vec<Hash> = receipts.iter().map(Receipt::digest).collect();
        ReceiptProof {
            header: Bytes(header(receipts).encode()),
            receipt: Bytes(receipts[index].encode()),
            path: merkle::prove(&leaves, index).unwrap().0,
        }
    }

    #[test]
    fn a_receipt_is_proven_in_its_block_alone() {
        let receipts: Vec<Receipt> = (0..3).map(receipt).collect();
        let good = proof(&receipts, 1);
        let proven = check_receipt(&good, &receipts[1].tx_id).unwrap();
        assert_eq!(proven.receipt, receipts[1]);
        assert_eq!(proven.block_hash, header(&receipts).hash());

        assert_eq!(check_receipt(&good, &receipts[2].tx_id), Err(ProofError::Other));
        let mut forged = receipts[1].clone();
        forged.status = Status::Reverted;
        let forged = ReceiptProof { receipt: Bytes(forged.encode()), ..good.clone() };
        assert_eq!(check_receipt(&forged, &receipts[1].tx_id), Err(ProofError::Path));
        let cut = ReceiptProof { header: Bytes(vec![1, 2]), ..good };
        assert!(matches!(check_receipt(&cut, &receipts[1].tx_id), Err(ProofError::Decode(_))));
    }
}
