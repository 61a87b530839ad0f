//! What came of a block's transactions: receipts and access sets, as they travel to whoever applies a block without running it.
//!
//! Who has a value of this type has looked at all of it: it is made in one way only, by which the digest of every receipt and
//! access set is computed, and the roots that a header has. So whether they are a block's is seen by comparing its header with
//! them ([`Outcomes::differs`]).

use borsh::{BorshDeserialize, BorshSerialize, io};
use rayon::prelude::*;
use thiserror::Error;

use crate::block::{Header, receipt_root, rw_set_root};
use crate::crypto::CryptoSuite;
use crate::encoding::Canonical;
use crate::hash::Hash;
use crate::limits;
use crate::receipt::Receipt;
use crate::rw_set::RwSet;
use crate::units::Gas;

/// Digests that are made as one job.
const RUN: usize = 256;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcomes {
    crypto: CryptoSuite,
    receipts: Vec<Receipt>,
    rw_sets: Vec<RwSet>,
    receipt_root: Hash,
    rw_set_root: Hash,
}

/// Why receipts and access sets are not of the same transactions.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OutcomesError {
    /// There are more of the ones than of the others.
    #[error("there are {receipts} receipts and {rw_sets} access sets")]
    Count {
        /// Receipts.
        receipts: usize,
        /// Access sets.
        rw_sets: usize,
    },
    /// A receipt is of another access set.
    #[error("access set {index} has the digest {found}, its receipt says {stated}")]
    OtherSet {
        /// Its place.
        index: usize,
        /// Of the access set.
        found: Hash,
        /// In the receipt.
        stated: Hash,
    },
}

impl Outcomes {
    /// Those of a block of a group with this suite, in its order. Runs on the rayon pool in which it is called.
    ///
    /// # Errors
    /// If they are not of the same transactions.
    pub fn new(crypto: CryptoSuite, receipts: Vec<Receipt>, rw_sets: Vec<RwSet>) -> Result<Outcomes, OutcomesError> {
        if receipts.len() != rw_sets.len() {
            return Err(OutcomesError::Count { receipts: receipts.len(), rw_sets: rw_sets.len() });
        }
        let digests: Vec<Hash> = rw_sets.par_chunks(RUN).flat_map_iter(|sets| RwSet::digests(crypto, sets)).collect();
        if let Some(index) = receipts.iter().zip(&digests).position(|(receipt, digest)| receipt.rw_set != *digest) {
            return Err(OutcomesError::OtherSet { index, found: digests[index], stated: receipts[index].rw_set });
        }
        let (receipt_root, rw_set_root) = (receipt_root(crypto, &receipts), rw_set_root(crypto, &receipts));
        Ok(Outcomes { crypto, receipts, rw_sets, receipt_root, rw_set_root })
    }

    /// The canonical bytes of those with these receipts and access sets.
    pub fn encode_parts(crypto: CryptoSuite, receipts: &[Receipt], rw_sets: &[RwSet]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1024);
        // Writing to a Vec fails only for lengths above u32::MAX, which no block has.
        (crypto, receipts, rw_sets).serialize(&mut bytes).expect("a block's outcomes encode into memory");
        bytes
    }

    /// How they differ from what a header says, if they do.
    pub fn differs(&self, header: &Header) -> Option<String> {
        let (count, stated) = (self.receipts.len(), header.tx_count);
        if count != stated as usize {
            return Some(format!("there are {count} receipts, its header says {stated} transactions"));
        }
        let roots = [
            ("receipts", self.receipt_root, header.receipt_root),
            ("access sets", self.rw_set_root, header.rw_set_root),
        ];
        let mut other = roots.into_iter().filter(|(_, found, stated)| found != stated);
        other.next().map(|(what, found, stated)| format!("its {what} have the root {found}, its header says {stated}"))
    }

    /// The receipts, in the order of the block.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// The access sets, in the order of the block.
    pub fn rw_sets(&self) -> &[RwSet] {
        &self.rw_sets
    }

    /// The root of the receipts, as a header has it.
    pub fn receipt_root(&self) -> Hash {
        self.receipt_root
    }

    /// The root of the access sets, as a header has it.
    pub fn rw_set_root(&self) -> Hash {
        self.rw_set_root
    }

    /// What all of it cost.
    pub fn gas_used(&self) -> Gas {
        Gas(self.receipts.iter().fold(0, |sum, receipt| receipt.gas_used.0.saturating_add(sum)))
    }

    /// Receipts and access sets.
    pub fn into_parts(self) -> (Vec<Receipt>, Vec<RwSet>) {
        (self.receipts, self.rw_sets)
    }
}

impl Canonical for Outcomes {
    const NAME: &'static str = "outcomes of a block";
    const MAX_BYTES: usize = limits::OUTCOMES_BYTES;
}

/// The suite that they were hashed by, receipts, then access sets.
impl BorshSerialize for Outcomes {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        self.crypto.serialize(writer)?;
        self.receipts.serialize(writer)?;
        self.rw_sets.serialize(writer)
    }
}

impl BorshDeserialize for Outcomes {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Outcomes> {
        let (crypto, receipts, rw_sets) = BorshDeserialize::deserialize_reader(reader)?;
        Outcomes::new(crypto, receipts, rw_sets)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::test_values::header;
    use crate::{Address, Height, Status, TxId, TxIndex, Write};

    fn receipt(index: u32, rw_set: &RwSet) -> Receipt {
        Receipt {
            tx_id: TxId(Hash([index as u8; 32])),
            height: Height(7),
            index: TxIndex(index),
            status: Status::Success,
            gas_used: Gas(10 + u64::from(index)),
            output: vec![1, 2],
            error_code: 0,
            message: String::new(),
            failed_in: Address::ZERO,
            events: Vec::new(),
            rw_set: rw_set.digest(CryptoSuite::Guomi),
        }
    }

    fn outcomes() -> Outcomes {
        let writes = vec![Write { key: vec![1], value: Some(crate::Value::new(&[2])) }];
        let rw_sets = vec![RwSet { writes, ..RwSet::default() }, RwSet::default()];
        let receipts = (0..).zip(&rw_sets).map(|(index, set)| receipt(index, set)).collect();
        Outcomes::new(CryptoSuite::Guomi, receipts, rw_sets).unwrap()
    }

    #[test]
    fn they_are_those_of_the_header_with_their_roots() {
        let outcomes = outcomes();
        let header = Header {
            crypto: CryptoSuite::Guomi,
            receipt_root: outcomes.receipt_root(),
            rw_set_root: outcomes.rw_set_root(),
            tx_count: 2,
            ..header()
        };
        assert_eq!(outcomes.gas_used(), Gas(21));
        assert_eq!(outcomes.differs(&header), None);
        let other = |header: Header| outcomes.differs(&header).unwrap();
        assert!(other(Header { tx_count: 3, ..header.clone() }).contains("2 receipts"));
        assert!(other(Header { receipt_root: Hash::ZERO, ..header.clone() }).contains("receipts have the root"));
        assert!(other(Header { rw_set_root: Hash::ZERO, ..header }).contains("access sets have the root"));
    }

    #[test]
    fn a_receipt_of_another_access_set_does_not_decode() {
        let outcomes = outcomes();
        let bytes = outcomes.encode();
        assert_eq!(bytes, Outcomes::encode_parts(CryptoSuite::Guomi, outcomes.receipts(), outcomes.rw_sets()));
        assert_eq!(Outcomes::decode(&bytes), Ok(outcomes.clone()));
        let (receipts, mut rw_sets) = outcomes.into_parts();
        let refused = |rw_sets: &[RwSet]| {
            Outcomes::decode(&Outcomes::encode_parts(CryptoSuite::Guomi, &receipts, rw_sets)).unwrap_err()
        };
        assert!(refused(&rw_sets[..1]).to_string().contains("2 receipts and 1 access sets"));
        rw_sets[1].writes.push(Write { key: vec![7], value: None });
        assert!(refused(&rw_sets).to_string().contains("access set 1"));
    }
}
