//! What running a block does, as far as consensus sees it: the state is a digest of everything that was ever run.
//!
//! It stands in for scheduler, contracts and ledger in most runs, for speed; in the others there are the real ones
//! (`real`), and of what is here only what all nodes know of the chain.

use std::sync::Arc;

use hanse_consensus::bft::{Bug, Bugs};
use hanse_consensus::{CompactBlock, Slot};
use hanse_ledger::Ledger;
use hanse_types::crypto::CryptoSuite;
use hanse_types::genesis::Validator;
use hanse_types::hash::Domain;
use hanse_types::{ChainIdentity, Dag, Epoch, Gas, Hash, Header, Height, Round, Timestamp, ValidatorSet, merkle};

use crate::keys::Keyring;
use crate::node::EPOCH_MS;
use crate::scenario::Scenario;

/// A simulated transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tx(pub(crate) u64);

/// Set in transactions that change the validators; the lowest bits say to which set.
pub(crate) const CHANGES_VALIDATORS: u64 = 1 << 63;

impl Tx {
    /// What stands for it in a block.
    pub(crate) fn leaf(self) -> Hash {
        Hash::of(Domain::SignedTransaction, &self.bytes())
    }

    pub(crate) fn bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }

    /// Whose it is.
    fn account(self) -> u64 {
        (self.0 >> 8) % 3
    }

    /// The index of the set that it makes the validators, if it does.
    fn set(self, sets: usize) -> Option<usize> {
        (self.0 & CHANGES_VALIDATORS != 0).then_some((self.0 & 0xff) as usize % sets)
    }
}

/// What running transactions on top of a block gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ran {
    /// Commitment to the state: a digest of everything that was ever run.
    state_root: Hash,
    /// The DAG's and the receipts' digest in one.
    receipt_root: Hash,
}

/// Runs transactions on top of a block.
fn run(parent: &Header, transactions: &[Tx]) -> Ran {
    let bytes: Vec<u8> = transactions.iter().flat_map(|tx| tx.bytes()).collect();
    let state_root = Hash::of_parts(Domain::StateNode, &[&parent.state_root.0, &bytes]);
    Ran { state_root, receipt_root: Hash::of_parts(Domain::Receipt, &[&state_root.0]) }
}

/// Transactions of one account wait for one another.
fn dag(transactions: &[Tx]) -> Dag {
    let before = |at: usize| {
        let earlier = transactions[..at].iter().rposition(|tx| tx.account() == transactions[at].account());
        earlier.map(|earlier| earlier as u32).into_iter().collect::<Vec<u32>>()
    };
    let rows: Vec<Vec<u32>> = (0..transactions.len()).map(before).collect();
    Dag::from_rows(&rows).expect("rows of earlier places are a DAG")
}

/// What all nodes know of the chain.
pub(crate) struct Chain {
    pub(crate) genesis: Header,
    pub(crate) genesis_hash: Hash,
    pub(crate) identity: ChainIdentity,
    /// The validator sets that transactions can choose, with their hashes.
    pub(crate) sets: Vec<(Hash, Arc<ValidatorSet>)>,
}

impl Chain {
    /// A chain whose validators have these keys.
    pub(crate) fn new(scenario: &Scenario, ring: &Keyring) -> Chain {
        let identity = ChainIdentity {
            chain_id: "simulated".into(),
            group_id: "group".into(),
            genesis: Hash([7; 32]),
            crypto: CryptoSuite::Standard,
        };
        let nodes = scenario.nodes();
        // Set k is everybody but `spares` nodes, counted from k on; the first one has the spares at the end.
        let set = |left_out: usize| {
            let is_in = |node: &usize| (0..scenario.spares).all(|spare| (left_out + spare) % nodes != *node);
            let validator = |node| Validator { name: format!("node-{node}"), key: ring.public(node as u8) };
            ValidatorSet::new((0..nodes).filter(is_in).map(validator).collect()).expect("different keys make a set")
        };
        let count = if scenario.spares == 0 { 1 } else { nodes };
        let sets: Vec<(Hash, Arc<ValidatorSet>)> = (0..count)
            .map(|at| set((at + scenario.validators) % nodes))
            .map(|set| (set.hash(CryptoSuite::Standard), Arc::new(set)))
            .collect();
        let genesis = Header {
            crypto: CryptoSuite::Standard,
            chain_id: identity.chain_id.clone(),
            group_id: identity.group_id.clone(),
            height: Height(0),
            parent: Hash::ZERO,
            timestamp: Timestamp(EPOCH_MS - 10_000),
            tx_root: Hash::ZERO,
            receipt_root: Hash::ZERO,
            rw_set_root: Hash::ZERO,
            dag_digest: Hash::ZERO,
            state_root: Hash::ZERO,
            validators: sets[0].0,
            next_validators: sets[0].0,
            epoch: Epoch(0),
            round: Round(0),
            proposer: 0,
            gas_used: Gas(0),
            tx_count: 0,
            extra: Vec::new(),
        };
        Chain { genesis_hash: genesis.hash(), genesis, identity, sets }
    }

    /// The chain of whole nodes, which a ledger that nobody has written to begins.
    pub(crate) fn beginning(ledger: &Ledger) -> Chain {
        let (tip, genesis) = (ledger.tip(), ledger.genesis());
        let set = Arc::new(crate::real::validators(genesis));
        Chain {
            genesis: (*tip.header).clone(),
            genesis_hash: tip.hash,
            identity: genesis.identity(),
            sets: vec![(set.hash(genesis.crypto), set)],
        }
    }

    /// A block names validators that were not there before.
    pub(crate) fn learn(&mut self, set: &Arc<ValidatorSet>) {
        let hash = set.hash(self.identity.crypto);
        if self.set(&hash).is_none() {
            self.sets.push((hash, set.clone()));
        }
    }

    pub(crate) fn set(&self, hash: &Hash) -> Option<&Arc<ValidatorSet>> {
        self.sets.iter().find(|(of, _)| of == hash).map(|(_, set)| set)
    }

    /// Makes a block for a slot.
    pub(crate) fn make(&self, slot: &Slot, parent: &Header, timestamp: Timestamp, transactions: &[Tx]) -> CompactBlock {
        let leaves: Vec<Hash> = transactions.iter().map(|tx| tx.leaf()).collect();
        let dag = dag(transactions);
        let (tx_root, dag_digest) = (merkle::root(CryptoSuite::Standard, &leaves), dag.digest(CryptoSuite::Standard));
        let header = Header { timestamp, tx_root, dag_digest, ..self.header(slot, parent, transactions) };
        CompactBlock::new(header, dag, leaves).expect("parts that were made together fit")
    }

    /// The header of a block for a slot, but for the commitments to its transactions and DAG, and its time.
    fn header(&self, slot: &Slot, parent: &Header, transactions: &[Tx]) -> Header {
        let Ran { state_root, receipt_root } = run(parent, transactions);
        let changed = transactions.iter().filter_map(|tx| tx.set(self.sets.len())).next_back();
        let next_validators = changed.map_or(parent.next_validators, |set| self.sets[set].0);
        Header {
            height: slot.height,
            parent: slot.parent,
            receipt_root,
            rw_set_root: Hash::ZERO,
            state_root,
            validators: slot.validators,
            next_validators,
            epoch: slot.epoch,
            round: slot.round,
            proposer: slot.proposer,
            gas_used: Gas(transactions.len() as u64),
            tx_count: transactions.len() as u32,
            extra: Vec::new(),
            ..self.genesis.clone()
        }
    }

    /// Whether a block is what running its transactions, those with its leaves, gives on top of this parent.
    pub(crate) fn is_good(
        &self,
        block: &CompactBlock,
        (parent, parent_hash): (&Header, Hash),
        transactions: &[Tx],
        bugs: Bugs,
    ) -> bool {
        let header = block.header();
        let slot = Slot {
            height: header.height,
            parent: parent_hash,
            epoch: header.epoch,
            round: header.round,
            proposer: header.proposer,
            validators: parent.next_validators,
        };
        // A compact block's header fits its leaves and its DAG: only those have to be compared.
        let Header { timestamp, tx_root, dag_digest, .. } = *header;
        let mut made = Header { timestamp, tx_root, dag_digest, ..self.header(&slot, parent, transactions) };
        if bugs.has(Bug::TrustRoots) {
            (made.state_root, made.receipt_root) = (header.state_root, header.receipt_root);
        }
        let same_dag = bugs.has(Bug::TrustDag) || dag(transactions) == *block.dag();
        !transactions.is_empty() && same_dag && made == *header
    }
}
