//! Whether blocks that a peer has sent are the chain's.

use std::sync::Arc;

use hanse_consensus::{CompactBlock, Peer};
use hanse_types::{
    Canonical, Certificate, ChainIdentity, Epoch, Hash, Height, SignedTransaction, ValidatorSet, Verified,
};

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

/// A block that the group has decided, whole, its transactions' signatures verified.
#[derive(Clone, Debug)]
pub struct SyncedBlock {
    /// The block.
    pub block: CompactBlock,
    /// Shows that it was decided.
    pub certificate: Certificate,
    /// Its transactions, in its order.
    pub transactions: Vec<Verified>,
    /// Length of its canonical bytes.
    pub bytes: usize,
    /// Who has sent it.
    pub peer: Peer,
}

/// A block whose certificate and transactions are still to be verified.
struct Read {
    decided: DecidedBlock,
    hash: Hash,
    bytes: usize,
}

impl Examination {
    /// Finds out. `verify` gives each transaction back, in order, if its signature is good.
    pub fn run(
        self,
        chain: &ChainIdentity,
        verify: impl FnOnce(Vec<SignedTransaction>) -> Vec<Option<Verified>>,
    ) -> Examined {
        let (mut read, mut end) = self.read(chain);
        let certified: Vec<_> =
            read.iter().map(|read| (&read.decided.certificate, &read.decided.block.header)).collect();
        if let Err((at, error)) = Certificate::verify_all(chain, &self.set, &certified) {
            end = lie(&read[at].decided.block.header.height, error);
            read.truncate(at);
        }
        let transactions =
            read.iter_mut().flat_map(|read| std::mem::take(&mut read.decided.block.transactions)).collect();
        let mut verified = verify(transactions).into_iter();
        let mut blocks = Vec::with_capacity(read.len());
        for read in read {
            let height = read.decided.block.header.height;
            // Its header's word for how many there are was compared with what came.
            let count = read.decided.block.header.tx_count as usize;
            match whole(self.peer, read, verified.by_ref().take(count)) {
                Ok(block) => blocks.push(block),
                Err(error) => {
                    end = lie(&height, error);
                    break;
                }
            }
        }
        Examined { peer: self.peer, first: self.first, epoch: self.epoch, blocks, end }
    }

    /// Decodes them, as far as they are of these heights, this chain and these validators, and follow one another.
    fn read(&self, chain: &ChainIdentity) -> (Vec<Read>, End) {
        let (mut all, set): (Vec<Read>, Hash) = (Vec::with_capacity(self.blocks.len()), self.set.hash());
        for (expected, bytes) in (self.first.0..).map(Height).zip(&self.blocks) {
            let decided = match DecidedBlock::decode(bytes) {
                Ok(decided) => decided,
                Err(error) => return (all, lie(&expected, error)),
            };
            let header = &decided.block.header;
            if header.height != expected {
                return (all, lie(&expected, format!("it has height {}", header.height)));
            }
            if (&header.chain_id, &header.group_id) != (&chain.chain_id, &chain.group_id) {
                return (all, lie(&expected, "it is of another chain"));
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
            all.push(Read { hash: header.hash(), bytes: bytes.len(), decided });
        }
        (all, End::All)
    }
}

fn lie(height: &Height, reason: impl ToString) -> End {
    End::Lie(format!("block {height}: {}", reason.to_string()))
}

fn whole(peer: Peer, read: Read, transactions: impl Iterator<Item = Option<Verified>>) -> Result<SyncedBlock, String> {
    let transactions: Option<Vec<Verified>> = transactions.collect();
    let transactions = transactions.ok_or("one of its transactions is not what its sender signed")?;
    let Read { decided: DecidedBlock { certificate, block }, bytes, .. } = read;
    let leaves = Verified::leaves(&transactions);
    let block = CompactBlock::new(block.header, block.dag, leaves).map_err(|error| error.to_string())?;
    Ok(SyncedBlock { block, certificate, transactions, bytes, peer })
}
