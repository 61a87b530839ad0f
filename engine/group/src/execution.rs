//! Makes a block of a batch: runs it on the scheduler over the virtual machine, and makes receipts, roots and a header of
//! what came out. Or runs a block that another node has made, along its DAG, and compares; or applies the outcomes that came
//! with it, and compares as well. The only place where scheduler and machine meet.

use std::sync::Arc;

use hanse_consensus::{CompactBlock, CompactBlockError, Slot};
use hanse_ledger::{BlockContent, Commitment, ContentError, Outcome, Settled};
use hanse_replica::{Amendments, Shown, Work};
use hanse_scheduler::{BlockRun, CallSite, Execute, Hints, Pass, RunError, Stats};
use hanse_state::commitment::{NodeView, PageOverlay};
use hanse_state::{ChangeSet, Halt, Overlay, StateAccess, StateError, StateView};
use hanse_types::crypto::CryptoSuite;
use hanse_types::{
    Address, ContractRef, Execution, Genesis, Hash, Header, Height, Members, Outcomes, Params, Timestamp, Transaction,
    ValidatorSet, Verified,
};
use hanse_vm::system;
use hanse_vm::{BlockContext, Runner, Vm};
use thiserror::Error;

use crate::hints::DeclaredHints;
use crate::timeline::{Lane, Recording, Timelines};

/// The virtual machine as the scheduler asks for it, for the transactions of one block.
pub struct BlockExecutor {
    vm: Vm,
    block: Arc<BlockContext>,
    /// Where it is written down when transactions run, if that is wanted.
    recording: Option<Arc<Recording>>,
}

/// What a thread runs transactions of a block with.
pub struct BlockRunner {
    runner: Runner,
    lane: Option<Lane>,
}

impl BlockExecutor {
    /// Runs transactions in this block.
    pub fn new(vm: Vm, block: BlockContext) -> BlockExecutor {
        BlockExecutor { vm, block: Arc::new(block), recording: None }
    }
}

impl Execute for BlockExecutor {
    type Transaction = Verified;
    type Runner = BlockRunner;

    fn runner(&self) -> BlockRunner {
        BlockRunner { runner: self.vm.runner(self.block.clone()), lane: self.recording.clone().map(Lane::new) }
    }

    fn execute(
        &self,
        runner: &mut BlockRunner,
        transaction: &Verified,
        state: Box<dyn StateAccess>,
    ) -> (Result<Execution, Halt>, Box<dyn StateAccess>) {
        runner.runner.execute(transaction.transaction(), state)
    }

    fn call_site<'a>(&self, transaction: &'a Verified) -> Option<CallSite<'a>> {
        Some(call_site(transaction.transaction()))
    }

    fn began(&self, runner: &mut BlockRunner) {
        if let Some(lane) = &mut runner.lane {
            lane.began();
        }
    }

    fn ended(&self, runner: &mut BlockRunner, index: usize, pass: Pass) {
        if let Some(lane) = &mut runner.lane {
            lane.ended(index, pass);
        }
    }
}

/// Who calls what with what.
pub(crate) fn call_site(transaction: &Transaction) -> CallSite<'_> {
    // A call by name is hinted at under the name's hash: an address nobody has, but as good as one for guessing.
    let contract = match &transaction.contract {
        ContractRef::Address(address) => *address,
        ContractRef::Name { name, version } => {
            hanse_vm::contract_address(CryptoSuite::Standard, &Address([*version as u8; 20]), name)
        }
    };
    CallSite { contract, method: &transaction.method, caller: transaction.sender, args: &transaction.args }
}

/// A block that was run and is not durable yet.
#[derive(Debug)]
pub struct ExecutedBlock {
    /// Its header.
    pub header: Header,
    /// Hash of the header.
    pub hash: Hash,
    /// What it holds and what came of that, with the evidence for the header's digests.
    pub content: BlockContent,
    /// What it changes for the blocks after it.
    pub amendments: Amendments,
    /// The group's members from the next block on, if it changes them.
    pub members: Option<Arc<Members>>,
    /// What it took.
    pub stats: Stats,
}

impl ExecutedBlock {
    /// The block as it is shown to those who vote on it.
    ///
    /// # Errors
    /// If its parts don't fit one another, which would be a bug.
    pub fn show(&self) -> Result<Shown, CompactBlockError> {
        let transactions = self.content.transactions();
        let leaves = Verified::leaves(transactions);
        let block = CompactBlock::new(self.header.clone(), self.content.dag().clone(), leaves)?;
        Ok(Shown { block, transactions: transactions.into() })
    }
}

/// What running another node's block showed, or applying its outcomes.
#[derive(Debug)]
pub enum Checked {
    /// It is what it claims to be.
    Good(Box<ExecutedBlock>),
    /// It is not, for this reason.
    Bad(String),
}

/// Whether a block that was made of the same transactions is what a header claims.
fn compared(made: ExecutedBlock, header: &Header) -> Checked {
    if made.header == *header {
        return Checked::Good(Box::new(made));
    }
    let digest = made.content.digests().differs(header);
    Checked::Bad(digest.map_or("its header is not what running it gives".into(), |other| {
        format!("its {} is {}, running it gives {}", other.what, other.stated, other.found)
    }))
}

/// What consensus said of a header.
fn slot_of(header: &Header) -> Slot {
    let Header { height, parent, epoch, round, proposer, validators, .. } = *header;
    Slot { height, parent, epoch, round, proposer, validators }
}

/// The state on top of which a block is made, with its commitment. Cheap to clone.
#[derive(Clone)]
pub struct Base {
    /// Height of the block that left it.
    pub height: Height,
    /// The state root of that block.
    pub root: Hash,
    /// Values.
    pub state: Arc<dyn StateView>,
    /// Pages of the commitment.
    pub nodes: Arc<dyn NodeView>,
}

impl Base {
    /// The state after a block that may not be durable yet.
    pub fn after(&self, block: &ExecutedBlock) -> Base {
        Base {
            height: block.header.height,
            root: block.header.state_root,
            state: Arc::new(Overlay::new(block.content.changes().clone(), self.state.clone())),
            nodes: Arc::new(PageOverlay::new(block.content.update(), self.nodes.clone())),
        }
    }
}

/// Why a block could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExecutionError {
    /// Running it failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// State could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// What came out is no block.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// What came out can't be shown to others.
    #[error(transparent)]
    Show(#[from] CompactBlockError),
}

/// Makes blocks, one after another.
pub struct Executor {
    vm: Vm,
    genesis: Arc<Genesis>,
    hints: Hints,
    declared: DeclaredHints,
    timelines: Arc<Timelines>,
}

impl Executor {
    /// An executor of one group's blocks.
    pub fn new(vm: Vm, genesis: Arc<Genesis>) -> Executor {
        Executor { vm, genesis, hints: Hints::default(), declared: DeclaredHints::default(), timelines: Arc::default() }
    }

    /// The same, which writes down here when transactions run, if that is wanted of it.
    #[must_use]
    pub fn recording_to(self, timelines: Arc<Timelines>) -> Executor {
        Executor { timelines, ..self }
    }

    /// Makes the block of a batch on top of a base. `recent_hashes` are those of the blocks before, the parent's first.
    /// Call it inside the rayon pool on which it shall run.
    ///
    /// # Errors
    /// If state can't be read, or the node itself fails inside a transaction; nothing is applied anywhere then.
    pub fn make(&mut self, work: Work, base: &Base, recent_hashes: Vec<Hash>) -> Result<ExecutedBlock, ExecutionError> {
        let params = hanse_vm::system::params::load(&*base.state)?;
        let height = work.height();
        let crypto = self.genesis.crypto;
        let context = BlockContext { height, crypto, timestamp: work.timestamp, recent_hashes, params: params.clone() };
        let recording = self.timelines.begin();
        let executor = BlockExecutor { recording: recording.clone(), ..BlockExecutor::new(self.vm.clone(), context) };
        let transactions = work.batch.iter().map(Verified::transaction);
        self.declared.declare(transactions, &*base.state, &mut self.hints)?;
        let run = hanse_scheduler::propose(&executor, &work.batch, base.state.clone(), &mut self.hints)?;
        if let Some(recording) = recording {
            self.timelines.keep(height, &run.order, &recording);
        }
        self.finish(work, base, run, &params)
    }

    /// Runs a block that another node has made along its DAG, and compares all that comes out with what it claims. Call it
    /// inside the rayon pool on which it shall run.
    ///
    /// # Errors
    /// If state can't be read, or the node itself fails inside a transaction: nothing is known of the block then.
    pub fn check(&mut self, shown: &Shown, base: &Base, recent_hashes: Vec<Hash>) -> Result<Checked, ExecutionError> {
        let header = shown.block.header();
        let params = hanse_vm::system::params::load(&*base.state)?;
        let (height, timestamp) = (header.height, header.timestamp);
        let crypto = self.genesis.crypto;
        let context = BlockContext { height, crypto, timestamp, recent_hashes, params: params.clone() };
        let executor = BlockExecutor::new(self.vm.clone(), context);
        let dag = shown.block.dag();
        let run = hanse_scheduler::replay(&executor, &shown.transactions, dag, base.state.clone())?;
        if let Err(difference) = hanse_scheduler::verify(dag, &run) {
            return Ok(Checked::Bad(difference.to_string()));
        }
        let work = Work { slot: slot_of(header), timestamp, batch: shown.transactions.to_vec() };
        Ok(compared(self.finish(work, base, run, &params)?, header))
    }

    /// Applies the outcomes of a block that was decided, without running it, and compares what that gives with what its header
    /// says. Call it inside the rayon pool on which it shall run.
    ///
    /// # Errors
    /// If state can't be read: nothing is known of the block then.
    pub fn apply(&self, shown: &Shown, outcomes: &Outcomes, base: &Base) -> Result<Checked, ExecutionError> {
        let header = shown.block.header();
        let (transactions, dag) = (shown.transactions.to_vec(), shown.block.dag().clone());
        let settled = Settled { height: header.height, transactions, outcomes, dag };
        let content = match BlockContent::apply(settled, &self.commitment(base), &*base.state) {
            Err(error @ ContentError::OtherState { .. }) => return Ok(Checked::Bad(error.to_string())),
            content => content?,
        };
        let params = system::params::load(&*base.state)?;
        let made = self.assemble(slot_of(header), header.timestamp, content, base, &params, Stats::default())?;
        Ok(compared(made, header))
    }

    fn commitment<'a>(&self, base: &'a Base) -> Commitment<'a> {
        Commitment { kind: self.genesis.state_commitment, root: base.root, nodes: &*base.nodes }
    }

    fn finish(&self, work: Work, base: &Base, run: BlockRun, params: &Params) -> Result<ExecutedBlock, ExecutionError> {
        let transactions: Vec<Verified> = run.order.iter().map(|index| work.batch[*index].clone()).collect();
        let rw_sets = run.rw_sets();
        let BlockRun { executions, dag, state, stats, .. } = run;
        let outcome = Outcome { height: work.height(), transactions, executions, rw_sets, dag };
        let content = BlockContent::compute(outcome, &self.commitment(base), || state.changes())?;
        self.assemble(work.slot, work.timestamp, content, base, params, stats)
    }

    /// The block with this content, and what it changes for those after it.
    fn assemble(
        &self,
        slot: Slot,
        timestamp: Timestamp,
        content: BlockContent,
        base: &Base,
        params: &Params,
        stats: Stats,
    ) -> Result<ExecutedBlock, ExecutionError> {
        let after: Arc<dyn StateView> = Arc::new(Overlay::new(content.changes().clone(), base.state.clone()));
        let crypto = self.genesis.crypto;
        let members = changed_members(content.changes(), &*after)?;
        let validators =
            members.as_deref().map(validators_of).transpose()?.filter(|set| set.hash(crypto) != slot.validators);
        let params = Some(system::params::load(&*after)?).filter(|after| after != params).map(Arc::new);
        let digests = content.digests();
        let header = Header {
            crypto,
            chain_id: self.genesis.chain_id.clone(),
            group_id: self.genesis.group_id.clone(),
            height: slot.height,
            parent: slot.parent,
            timestamp,
            tx_root: digests.tx_root,
            receipt_root: digests.receipt_root,
            rw_set_root: digests.rw_set_root,
            dag_digest: digests.dag_digest,
            state_root: digests.state_root,
            validators: slot.validators,
            next_validators: validators.as_ref().map_or(slot.validators, |set| set.hash(crypto)),
            epoch: slot.epoch,
            round: slot.round,
            proposer: slot.proposer,
            gas_used: digests.gas_used,
            tx_count: digests.tx_count,
            extra: Vec::new(),
        };
        let hash = header.hash();
        Ok(ExecutedBlock { header, hash, content, amendments: Amendments { params, validators }, members, stats })
    }
}

/// The members after a block with these changes, if it changed them.
fn changed_members(changes: &ChangeSet, after: &dyn StateView) -> Result<Option<Arc<Members>>, StateError> {
    let changed = changes.get(&system::members::list_key()).is_some();
    changed.then(|| system::members::load(after).map(Arc::new)).transpose()
}

fn validators_of(members: &Members) -> Result<Arc<ValidatorSet>, StateError> {
    let damaged = |reason: String| StateError::Damaged { place: "the group's members".into(), reason };
    members.validators().map(Arc::new).map_err(|error| damaged(error.to_string()))
}
