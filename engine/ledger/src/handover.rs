//! Who decides which blocks: the validators of the genesis, until a block names others.
//!
//! A block that names others is decided by those before it, so whoever trusts the genesis can follow from set to set. Each
//! set counts for an epoch: from the block after the one that names it to the one that names the next, which belongs to it
//! still.

use std::sync::Arc;

use borsh::BorshDeserialize;
use hanse_types::crypto::CryptoSuite;
use hanse_types::validator_set::ValidatorSetError;
use hanse_types::{Certificate, Epoch, Hash, Header, ValidatorSet};

use crate::append::NewBlock;
use crate::error::LedgerError;
use crate::keys;
use crate::ledger::{Current, Ledger};
use crate::query;
use crate::store::{Batch, Read, Table};

/// How the office passed from one validator set to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The block that names the new set: its header,
    pub header: Header,
    /// and that the old set decided it.
    pub certificate: Certificate,
    /// The new set.
    pub validators: ValidatorSet,
}

impl Handover {
    /// The epoch that begins with the next block.
    pub fn epoch(&self) -> Epoch {
        next_epoch(&self.header)
    }
}

/// The epoch of the block after this one.
pub fn next_epoch(header: &Header) -> Epoch {
    let changes = header.next_validators != header.validators;
    Epoch(header.epoch.0.saturating_add(u64::from(changes)))
}

impl Ledger {
    /// Who decides the next block.
    pub fn validators(&self) -> Arc<ValidatorSet> {
        self.current().validators.clone()
    }

    /// The validator set with this hash, if it ever decided a block here or is to decide the next.
    ///
    /// # Errors
    /// If the store fails or is damaged.
    pub fn validators_of(&self, set: &Hash) -> Result<Option<Arc<ValidatorSet>>, LedgerError> {
        find(self.shared.genesis.crypto, &self.shared.founders, self.current().reader(), set)
    }

    /// Who decides the blocks of an epoch; none if it has not begun.
    ///
    /// # Errors
    /// If the store fails or is damaged.
    pub fn validators_in(&self, epoch: Epoch) -> Result<Option<Arc<ValidatorSet>>, LedgerError> {
        match epoch {
            Epoch(0) => Ok(Some(self.shared.founders.clone())),
            _ => Ok(self.handover(epoch)?.map(|handover| Arc::new(handover.validators))),
        }
    }

    /// How the office passed to the validators of an epoch; none for the first epoch, and for one that has not begun.
    ///
    /// # Errors
    /// If the store fails or is damaged.
    pub fn handover(&self, epoch: Epoch) -> Result<Option<Handover>, LedgerError> {
        let current = self.current();
        let Some(height) = current.reader().get(Table::Index, &keys::handover(epoch))? else { return Ok(None) };
        let damaged = |reason| LedgerError::damaged(format!("the handover to epoch {epoch}"), reason);
        let height = keys::height_of(&height).ok_or_else(|| damaged("it is cut off"))?;
        let (header, certificate) = query::header(current.reader(), height)?;
        let validators = find(header.crypto, &self.shared.founders, current.reader(), &header.next_validators)?;
        let validators = validators.ok_or_else(|| damaged("its validators are missing"))?;
        Ok(Some(Handover { header, certificate, validators: (*validators).clone() }))
    }
}

/// The set with this hash: the founders', or one that a block has named.
pub(crate) fn find(
    suite: CryptoSuite,
    founders: &Arc<ValidatorSet>,
    reader: &dyn Read,
    set: &Hash,
) -> Result<Option<Arc<ValidatorSet>>, LedgerError> {
    if *set == founders.hash(suite) {
        return Ok(Some(founders.clone()));
    }
    let Some(bytes) = reader.get(Table::Index, &keys::validators(set))? else { return Ok(None) };
    let damaged = |reason: String| LedgerError::damaged(format!("the validator set {set}"), reason);
    let list = BorshDeserialize::try_from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    let found = ValidatorSet::new(list).map_err(|error: ValidatorSetError| damaged(error.to_string()))?;
    let hash = found.hash(suite);
    match hash == *set {
        true => Ok(Some(Arc::new(found.succeeding(founders)))),
        false => Err(damaged(format!("its hash is {hash}"))),
    }
}

/// Whether the block names those who decide the next one, and who they are.
pub(crate) fn next_validators(current: &Current, block: &NewBlock<'_>) -> Result<Arc<ValidatorSet>, LedgerError> {
    let NewBlock { header, next_validators, .. } = block;
    if header.next_validators == header.validators {
        return Ok(current.validators.clone());
    }
    let refuse = |reason: String| LedgerError::Inconsistent { height: header.height, reason };
    let set = next_validators.ok_or_else(|| refuse("it names other validators, which are not given".into()))?;
    let (found, expected) = (set.hash(header.crypto), header.next_validators);
    match found == expected {
        true => Ok(Arc::new(set.clone().succeeding(&current.validators))),
        false => Err(refuse(format!("it names the validators {expected}, those given are {found}"))),
    }
}

/// Keeps the set that a block names, if it is another than its own.
pub(crate) fn put(batch: &mut Batch, header: &Header, next: &ValidatorSet) {
    if header.next_validators == header.validators {
        return;
    }
    let set = borsh::to_vec(next.as_slice()).expect("a bounded list encodes into memory");
    batch.put(Table::Index, &keys::validators(&header.next_validators), &set);
    batch.put(Table::Index, &keys::handover(next_epoch(header)), &keys::height(header.height));
}

/// Whether a block is of the epoch that follows from the one before.
pub(crate) fn check_epoch(parent: &Header, header: &Header) -> Result<(), LedgerError> {
    let (found, expected) = (header.epoch, next_epoch(parent));
    if found == expected {
        return Ok(());
    }
    let reason = format!("its epoch is {found}, that of the next block is {expected}");
    Err(LedgerError::Inconsistent { height: header.height, reason })
}
