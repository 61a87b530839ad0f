//! What a block holds and what came of it, with the digests of exactly that.
//!
//! A [`BlockContent`] is made of transactions and what running them gave, or of transactions and the outcomes that came with
//! them. On the way every digest that a header has is computed: of the receipts, which are made of what running gave, or were
//! hashed when they came ([`Outcomes`]), and of the state, whose commitment is changed. So whoever holds one need not
//! trust whoever made it: a header that states other digests is refused by comparing a few hashes, without hashing the
//! block again.

use std::sync::Arc;

use hanse_state::commitment::{self, NodeView, Update};
use hanse_state::effects::{self, EffectError};
use hanse_state::{ChangeSet, StateError, StateView};
use hanse_types::crypto::CryptoSuite;
use hanse_types::{
    Dag, Execution, Gas, Hash, Header, Height, Outcomes, Receipt, RwSet, StateCommitment, TxIndex, Verified, block,
};
use rayon::prelude::*;
use thiserror::Error;

/// Receipts that are made as one job.
const RUN: usize = 64;

/// What running a block gave.
#[derive(Debug)]
pub struct Outcome {
    /// The block's height.
    pub height: Height,
    /// The transactions, in block order.
    pub transactions: Vec<Verified>,
    /// What each gave.
    pub executions: Vec<Execution>,
    /// What each touched.
    pub rw_sets: Vec<RwSet>,
    /// Which waits for which.
    pub dag: Dag,
}

/// A block that is not run, with the outcomes that others had of it.
#[derive(Debug)]
pub struct Settled<'a> {
    /// The block's height.
    pub height: Height,
    /// The transactions, in block order.
    pub transactions: Vec<Verified>,
    /// What came of them.
    pub outcomes: &'a Outcomes,
    /// Which waits for which.
    pub dag: Dag,
}

/// The state's commitment before a block.
#[derive(Clone, Copy)]
pub struct Commitment<'a> {
    /// Which one the group has.
    pub kind: StateCommitment,
    /// The state root.
    pub root: Hash,
    /// The pages that it is the root of.
    pub nodes: &'a dyn NodeView,
}

/// The digests of a block's content, as a header states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests {
    /// Number of transactions.
    pub tx_count: u32,
    /// Gas of all transactions.
    pub gas_used: Gas,
    /// Root of the transactions.
    pub tx_root: Hash,
    /// Root of the receipts.
    pub receipt_root: Hash,
    /// Root of the access sets.
    pub rw_set_root: Hash,
    /// Digest of the DAG.
    pub dag_digest: Hash,
    /// Commitment to the state after the block.
    pub state_root: Hash,
}

/// A digest that a header states otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherDigest {
    /// Which one.
    pub what: &'static str,
    /// Of the content.
    pub found: Hash,
    /// In the header.
    pub stated: Hash,
}

impl Digests {
    /// The first digest that the header states otherwise.
    pub fn differs(&self, header: &Header) -> Option<OtherDigest> {
        let pairs = [
            ("transaction root", self.tx_root, header.tx_root),
            ("receipt root", self.receipt_root, header.receipt_root),
            ("access set root", self.rw_set_root, header.rw_set_root),
            ("DAG digest", self.dag_digest, header.dag_digest),
            ("state root", self.state_root, header.state_root),
        ];
        let mut pairs = pairs.into_iter().map(|(what, found, stated)| OtherDigest { what, found, stated });
        pairs.find(|pair| pair.found != pair.stated)
    }
}

/// Why there is no content.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContentError {
    /// Something is missing, or too much.
    #[error("block {height} has {found} {what} for {expected} transactions")]
    Count {
        /// The block.
        height: Height,
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// The state's commitment could not be read, or is not what its root says.
    #[error(transparent)]
    State(#[from] StateError),
    /// The outcomes are not those of a block on this state.
    #[error("block {height} can't follow this state: {reason}")]
    OtherState {
        /// The block.
        height: Height,
        /// What does not fit.
        reason: String,
    },
}

/// See the module.
#[derive(Debug)]
pub struct BlockContent {
    height: Height,
    transactions: Vec<Verified>,
    receipts: Vec<Receipt>,
    rw_sets: Vec<RwSet>,
    dag: Dag,
    changes: Arc<ChangeSet>,
    update: Update,
    digests: Digests,
    kind: StateCommitment,
    parent_root: Hash,
}

impl BlockContent {
    /// The content of a block with this outcome, which changes the state like this. Uses the rayon pool in which it is
    /// called, also for making the changes.
    ///
    /// # Errors
    /// If not every transaction has its part of everything, or the commitment can't be read.
    pub fn compute(
        outcome: Outcome,
        before: &Commitment<'_>,
        changes: impl FnOnce() -> ChangeSet + Send,
    ) -> Result<BlockContent, ContentError> {
        let (height, expected) = (outcome.height, outcome.transactions.len());
        let executions = ("executions", outcome.executions.len());
        check_counts(height, expected, [executions, ("access sets", outcome.rw_sets.len()), vertices(&outcome.dag)])?;
        let Outcome { height, transactions, executions, rw_sets, dag } = outcome;
        let tx_count = transactions.len() as u32;
        let gas_used = Gas(executions.iter().map(|execution| execution.gas_used.0).sum());
        let suite = before.nodes.suite();
        let commit = || commit(before, changes());
        let describe = || {
            let receipts = receipts(suite, &transactions, executions, &rw_sets, height);
            let roots = (
                block::tx_root(suite, &transactions),
                block::receipt_root(suite, &receipts),
                block::rw_set_root(suite, &receipts),
            );
            (receipts, roots, dag.digest(suite))
        };
        let (committed, (receipts, (tx_root, receipt_root, rw_set_root), dag_digest)) = rayon::join(commit, describe);
        let (changes, update) = committed?;
        let state_root = update.root;
        let digests = Digests { tx_count, gas_used, tx_root, receipt_root, rw_set_root, dag_digest, state_root };
        let (kind, parent_root) = (before.kind, before.root);
        Ok(BlockContent { height, transactions, receipts, rw_sets, dag, changes, update, digests, kind, parent_root })
    }

    /// The content of a block with these outcomes, on this state, without running it. Uses the rayon pool in which it is
    /// called.
    ///
    /// # Errors
    /// If not every transaction has its part of everything, the outcomes can't be applied to the state, or the state or its
    /// commitment can't be read.
    pub fn apply(
        settled: Settled<'_>,
        before: &Commitment<'_>,
        state: &dyn StateView,
    ) -> Result<BlockContent, ContentError> {
        let Settled { height, transactions, outcomes, dag } = settled;
        let receipts = ("receipts", outcomes.receipts().len());
        check_counts(height, transactions.len(), [receipts, vertices(&dag)])?;
        let tx_count = transactions.len() as u32;
        let changes = effects::changes(state, outcomes.rw_sets()).map_err(|error| match error {
            EffectError::State(error) => ContentError::State(error),
            error => ContentError::OtherState { height, reason: error.to_string() },
        })?;
        let suite = before.nodes.suite();
        let describe = || (block::tx_root(suite, &transactions), dag.digest(suite));
        let (committed, (tx_root, dag_digest)) = rayon::join(|| commit(before, changes), describe);
        let (changes, update) = committed?;
        let digests = Digests {
            tx_count,
            gas_used: outcomes.gas_used(),
            tx_root,
            receipt_root: outcomes.receipt_root(),
            rw_set_root: outcomes.rw_set_root(),
            dag_digest,
            state_root: update.root,
        };
        let (kind, parent_root) = (before.kind, before.root);
        let (receipts, rw_sets) = (outcomes.receipts().to_vec(), outcomes.rw_sets().to_vec());
        Ok(BlockContent { height, transactions, receipts, rw_sets, dag, changes, update, digests, kind, parent_root })
    }

    /// The block's height.
    pub fn height(&self) -> Height {
        self.height
    }

    /// The transactions, in block order.
    pub fn transactions(&self) -> &[Verified] {
        &self.transactions
    }

    /// Their receipts.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// Their access sets.
    pub fn rw_sets(&self) -> &[RwSet] {
        &self.rw_sets
    }

    /// Which transaction waits for which.
    pub fn dag(&self) -> &Dag {
        &self.dag
    }

    /// What the block does to the state.
    pub fn changes(&self) -> &Arc<ChangeSet> {
        &self.changes
    }

    /// What it does to the state's commitment.
    pub fn update(&self) -> &Update {
        &self.update
    }

    /// The digests of all this.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// The commitment that the state root was computed with.
    pub(crate) fn kind(&self) -> StateCommitment {
        self.kind
    }

    /// The state root on which it was computed.
    pub(crate) fn parent_root(&self) -> &Hash {
        &self.parent_root
    }
}

/// The state's commitment after these changes.
fn commit(before: &Commitment<'_>, changes: ChangeSet) -> Result<(Arc<ChangeSet>, Update), StateError> {
    let update = commitment::update(before.kind, &before.root, before.nodes, &changes)?;
    Ok((Arc::new(changes), update))
}

fn vertices(dag: &Dag) -> (&'static str, usize) {
    ("DAG vertices", dag.len())
}

fn check_counts<const N: usize>(
    height: Height,
    expected: usize,
    counts: [(&'static str, usize); N],
) -> Result<(), ContentError> {
    match counts.into_iter().find(|(_, found)| *found != expected) {
        Some((what, found)) => Err(ContentError::Count { height, what, found, expected }),
        None => Ok(()),
    }
}

fn receipts(
    suite: CryptoSuite,
    transactions: &[Verified],
    executions: Vec<Execution>,
    rw_sets: &[RwSet],
    height: Height,
) -> Vec<Receipt> {
    let digests: Vec<Hash> = rw_sets.par_chunks(RUN).flat_map_iter(|sets| RwSet::digests(suite, sets)).collect();
    let receipt = |(index, execution): (usize, Execution)| Receipt {
        tx_id: transactions[index].id(),
        height,
        index: TxIndex(index as u32),
        status: execution.status,
        gas_used: execution.gas_used,
        output: execution.output,
        error_code: execution.error_code,
        message: execution.message,
        failed_in: execution.failed_in,
        events: execution.events,
        rw_set: digests[index],
    };
    executions.into_par_iter().enumerate().with_min_len(RUN).map(receipt).collect()
}
