//! Whether blocks that a peer has sent are the chain's.

use std::iter;
use std::sync::Arc;

use hanse_consensus::{CompactBlock, Peer};
use hanse_types::crypto::verified::Verifier;
use hanse_types::{Canonical, Certificate, ChainIdentity, Epoch, Hash, Height, Outcomes, ValidatorSet, Verified};

use crate::sync::message::DecidedBlock;

/// Something to be found out, away from the state machine: it takes time.
#[derive(Clone, Debug)]
pub struct Examination {
    /// Who has sent them.
    pub peer: Peer,
    /// The height of the first.
    pub first: Height,
    /// Canonical bytes of a [`DecidedBlock`] each.
    pub blocks: Vec<Vec<u8>>,
    /// Canonical bytes of the [`Outcomes`] of each of the first of them, to be applied; the others are to be run.
    pub outcomes: Vec<Vec<u8>>,
    /// Who decides blocks of these heights, unless one of them says otherwise.
    pub set: Arc<ValidatorSet>,
    /// The epoch of that set.
    pub epoch: Epoch,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Examined {
    /// Who has sent them.
    pub peer: Peer,
    /// The height that was asked for.
    pub first: Height,
    /// The epoch of those who had to have decided them.
    pub epoch: Epoch,
    /// Those that are the chain's, from the first on.
    pub blocks: Vec<SyncedBlock>,
    /// What follows them.
    pub end: End,
}

/// What follows the good blocks of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing.
    All,
    /// A block of this height that other validators decide: those before it must be committed first.
    OtherValidators(Height),
    /// Something that no honest node sends, and what is wrong with it.
    Lie(String),
}

/// A block that the group has decided, whole. Its transactions' signatures are verified, here where the block is to be run, or
/// by the validators who decided it where its outcomes are here.
#[derive(Clone, Debug)]
pub struct SyncedBlock {
    /// The block.
    pub block: CompactBlock,
    /// Shows that it was decided.
    pub certificate: Certificate,
    /// Its transactions, in its order.
    pub transactions: Vec<Verified>,
    /// What came of them, with the roots that its header says; none if the block is to be run.
    pub outcomes: Option<Arc<Outcomes>>,
    /// Length of its canonical bytes, and of its outcomes'.
    pub bytes: usize,
    /// Who has sent it.
    pub peer: Peer,
}

/// A block whose certificate and transactions are still to be verified.
struct Read<'a> {
    decided: DecidedBlock,
    hash: Hash,
    bytes: usize,
    /// The bytes of its outcomes, if it is not to be run.
    outcomes: Option<&'a [u8]>,
}

impl Examination {
    /// Finds out.
    pub fn run(&self, chain: &ChainIdentity, verifier: &Verifier) -> Examined {
        let (mut read, mut end) = self.read(chain);
        let certified: Vec<_> =
            read.iter().map(|read| (&read.decided.certificate, &read.decided.block.header)).collect();
        if let Err((at, error)) = Certificate::verify_all(chain, &self.set, &certified) {
            end = lie(&read[at].decided.block.header.height, error);
            read.truncate(at);
        }
        let to_run = read.iter_mut().filter(|read| read.outcomes.is_none());
        let transactions = to_run.flat_map(|read| std::mem::take(&mut read.decided.block.transactions)).collect();
        let mut verified = verifier.verify_all(transactions).into_iter().map(Result::ok);
        let mut blocks = Vec::with_capacity(read.len());
        for read in read {
            let height = read.decided.block.header.height;
            match self.whole(read, &mut verified, verifier) {
                Ok(block) => blocks.push(block),
                Err(error) => {
                    end = lie(&height, error);
                    break;
                }
            }
        }
        Examined { peer: self.peer, first: self.first, epoch: self.epoch, blocks, end }
    }

    /// A block with its transactions; those of a block that is to be run are the next of `verified`.
    fn whole(
        &self,
        read: Read<'_>,
        verified: &mut impl Iterator<Item = Option<Verified>>,
        verifier: &Verifier,
    ) -> Result<SyncedBlock, String> {
        let Read { decided: DecidedBlock { certificate, block }, bytes, outcomes, .. } = read;
        let (transactions, outcomes) = match outcomes {
            // Its header's word for how many there are was compared with what came.
            None => (signed(verified.take(block.header.tx_count as usize))?, None),
            Some(outcomes) => {
                let outcomes = Outcomes::decode(outcomes).map_err(|error| error.to_string())?;
                outcomes.differs(&block.header).map_or(Ok(()), Err)?;
                let transactions = verifier.decided(&block.header.tx_root, block.transactions);
                (transactions.map_err(|error| error.to_string())?, Some(Arc::new(outcomes)))
            }
        };
        let leaves = Verified::leaves(&transactions);
        let block = CompactBlock::new(block.header, block.dag, leaves).map_err(|error| error.to_string())?;
        Ok(SyncedBlock { block, certificate, transactions, outcomes, bytes, peer: self.peer })
    }

    /// Decodes them, as far as they are of these heights, this chain and these validators, and follow one another.
    fn read(&self, chain: &ChainIdentity) -> (Vec<Read<'_>>, End) {
        let (mut all, set): (Vec<Read<'_>>, Hash) =
            (Vec::with_capacity(self.blocks.len()), self.set.hash(chain.crypto));
        let outcomes = self.outcomes.iter().map(|bytes| Some(&bytes[..])).chain(iter::repeat(None));
        for ((expected, bytes), outcomes) in (self.first.0..).map(Height).zip(&self.blocks).zip(outcomes) {
            let decided = match DecidedBlock::decode(bytes) {
                Ok(decided) => decided,
                Err(error) => return (all, lie(&expected, error)),
            };
            let header = &decided.block.header;
            if header.height != expected {
                return (all, lie(&expected, format!("it has height {}", header.height)));
            }
            if (header.crypto, &header.chain_id, &header.group_id) != (chain.crypto, &chain.chain_id, &chain.group_id) {
                return (all, lie(&expected, "it is of another chain, or hashed by another suite"));
            }
            if header.tx_count as usize != decided.block.transactions.len() {
                return (all, lie(&expected, "its header counts other transactions"));
            }
            if all.last().is_some_and(|parent| parent.hash != header.parent) {
                return (all, lie(&expected, "its parent is not the block before it"));
            }
            if header.validators != set || header.epoch != self.epoch {
                return (all, End::OtherValidators(expected));
            }
            let bytes = bytes.len() + outcomes.map_or(0, <[u8]>::len);
            all.push(Read { hash: header.hash(), bytes, outcomes, decided });
        }
        (all, End::All)
    }
}

fn lie(height: &Height, reason: impl ToString) -> End {
    End::Lie(format!("block {height}: {}", reason.to_string()))
}

/// The transactions, if all are what their senders signed.
fn signed(transactions: impl Iterator<Item = Option<Verified>>) -> Result<Vec<Verified>, String> {
    let transactions: Option<_> = transactions.collect();
    transactions.ok_or_else(|| "one of its transactions is not what its sender signed".into())
}
