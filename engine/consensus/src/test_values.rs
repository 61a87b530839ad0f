//! Plain values and disks for tests of this crate.
#![allow(clippy::unwrap_used)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hanse_types::crypto::{CryptoSuite, SecretKey, Signature, Signer};
use hanse_types::genesis::Validator;
use hanse_types::{ChainIdentity, Dag, Epoch, Gas, Hash, Header, Height, Round, Timestamp, ValidatorSet, merkle};

use crate::statement::{Basis, Intent, Statement, VoteKind, Word};
use crate::{CompactBlock, Disk, DiskError, LogFile, Quorum};

pub(crate) fn key(index: usize) -> SecretKey {
    SecretKey::ed25519([index as u8 + 1; 32])
}

pub(crate) fn set(count: usize) -> ValidatorSet {
    set_from(0, count)
}

/// So many validators whose keys begin at an index.
pub(crate) fn set_from(first: usize, count: usize) -> ValidatorSet {
    let validator = |index| Validator { name: format!("v{index}"), key: key(index).public_key() };
    ValidatorSet::new((first..first + count).map(validator).collect()).unwrap()
}

pub(crate) fn chain() -> ChainIdentity {
    ChainIdentity {
        chain_id: "chain".into(),
        group_id: "group".into(),
        genesis: Hash([1; 32]),
        crypto: CryptoSuite::Standard,
    }
}

/// A header without transactions.
pub(crate) fn header(height: Height, parent: Hash, set: &ValidatorSet) -> Header {
    Header {
        crypto: CryptoSuite::Standard,
        chain_id: "chain".into(),
        group_id: "group".into(),
        height,
        parent,
        timestamp: Timestamp(1_000 + height.0),
        tx_root: merkle::root(CryptoSuite::Standard, &[]),
        receipt_root: Hash::ZERO,
        rw_set_root: Hash::ZERO,
        dag_digest: Dag::empty().digest(CryptoSuite::Standard),
        state_root: Hash::ZERO,
        validators: set.hash(CryptoSuite::Standard),
        next_validators: set.hash(CryptoSuite::Standard),
        epoch: Epoch(0),
        round: Round(0),
        proposer: 0,
        gas_used: Gas(0),
        tx_count: 0,
        extra: Vec::new(),
    }
}

/// A block that differs from others by its name.
pub(crate) fn block(height: u64, name: u8) -> CompactBlock {
    let header = Header { state_root: Hash([name; 32]), ..header(Height(height), Hash::ZERO, &set(4)) };
    CompactBlock::new(header, Dag::empty(), Vec::new()).unwrap()
}

pub(crate) fn vote(kind: VoteKind, height: u64, round: u32, block: Option<Hash>) -> Statement {
    Statement::vote(kind, Epoch(0), Height(height), Round(round), block)
}

pub(crate) fn polka(height: u64, round: u32, block: Hash) -> Quorum {
    let signatures = (0..3).map(|index| (index, Signature([0; 64]))).collect();
    let (kind, epoch) = (VoteKind::Prevote, Epoch(0));
    Quorum { kind, epoch, height: Height(height), round: Round(round), block: Some(block), signatures }
}

pub(crate) fn prevote(height: u64, round: u32, block: Option<Hash>) -> Intent {
    Intent::bare(vote(VoteKind::Prevote, height, round, block))
}

pub(crate) fn precommit(height: u64, round: u32, block: Option<&CompactBlock>) -> Intent {
    let statement = vote(VoteKind::Precommit, height, round, block.map(CompactBlock::hash));
    let basis = block.map_or(Basis::Nothing, |block| Basis::Both(block.clone(), polka(height, round, block.hash())));
    Intent { statement, basis }
}

pub(crate) fn proposal(height: u64, round: u32, block: &CompactBlock) -> Intent {
    let word = Word::Propose { block: block.hash(), valid_round: None };
    let statement = Statement { epoch: Epoch(0), height: Height(height), round: Round(round), word };
    Intent { statement, basis: Basis::Block(block.clone()) }
}

/// Both files of a vote store, with writes that can be made to fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) journal: Rc<RefCell<Option<Vec<u8>>>>,
    pub(crate) guard: Rc<RefCell<Option<Vec<u8>>>>,
    pub(crate) writes: Rc<Cell<usize>>,
    /// The write that fails.
    pub(crate) fails_at: Rc<Cell<Option<usize>>>,
}

impl Memory {
    fn write(&self) -> Result<(), DiskError> {
        let number = self.writes.get();
        self.writes.set(number + 1);
        if self.fails_at.get() == Some(number) { Err(DiskError("no space left".into())) } else { Ok(()) }
    }
}

impl LogFile for Memory {
    fn append_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.write()?;
        self.journal.borrow_mut().get_or_insert_default().extend(bytes);
        Ok(())
    }

    fn replace_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.write()?;
        self.journal.replace(Some(bytes.to_vec()));
        Ok(())
    }
}

impl Disk for Memory {
    fn write_synced(&mut self, record: &[u8]) -> Result<(), DiskError> {
        self.write()?;
        self.guard.replace(Some(record.to_vec()));
        Ok(())
    }
}
