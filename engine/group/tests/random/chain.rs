//! A chain in memory: a state, and random blocks on top of it, one after another.

use std::sync::{Arc, LazyLock};

use hanse_scheduler::Hints;
use hanse_scheduler::predict::{Piece, Template};
use hanse_state::{ChangeSet, Kind, MemoryView};
use hanse_types::crypto::verified::Verifier;
use hanse_types::genesis::{ConsensusKind, CryptoSuite, GenesisAccount};
use hanse_types::{Address, Genesis, Hash, Height, Params, StateCommitment, Timestamp, Verified};
use hanse_vm::{BlockContext, system};

use super::contract::METHODS;
use super::program::{Mix, Rng, Theme};
use super::transactions::{Manner, USERS, Weights, all_contracts, first_contracts, payees};

pub const CHAIN: &str = "chain";
pub const GROUP: &str = "group";

/// What every chain starts from: each user has something, and so has each contract that is there from the start.
pub static GENESIS: LazyLock<Arc<Genesis>> = LazyLock::new(|| {
    let accounts = payees().into_iter().map(|address| GenesisAccount { address, balance: 1_000 }).collect();
    Arc::new(Genesis {
        chain_id: CHAIN.into(),
        group_id: GROUP.into(),
        timestamp: Timestamp(1),
        consensus: ConsensusKind::Solo,
        crypto: CryptoSuite::Standard,
        state_commitment: StateCommitment::Merkle,
        validators: Vec::new(),
        administrators: vec![USERS[0].address],
        accounts,
        params: Params::default(),
    })
});

static GENESIS_HASH: LazyLock<Hash> = LazyLock::new(|| GENESIS.hash());
static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier::new(GENESIS.clone()));

pub fn genesis_hash() -> Hash {
    *GENESIS_HASH
}

/// What kind of chains a test makes.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub mixes: &'static [Mix],
    pub weights: Weights,
    /// Whether the same programs are called again and again.
    pub repeated: bool,
    /// Gas of all programs, where it shall not be the matter.
    pub gas: Option<u64>,
    /// Numbers of transactions of a block, and of a sub-batch.
    pub sizes: &'static [usize],
    pub sub_batches: &'static [usize],
}

/// What a proposer knows before it runs a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreknowledge {
    /// Nothing.
    Nothing,
    /// What it learned from the blocks before.
    Learned,
    /// Things that are not so, and what it learned.
    Mistaken(u64),
}

impl Foreknowledge {
    /// The hints of a proposer that has not made a block yet.
    pub fn hints(self) -> Hints {
        let mut hints = Hints::default();
        let Foreknowledge::Mistaken(seed) = self else { return hints };
        let mut rng = Rng(seed);
        for (contract, method) in all_contracts().into_iter().flat_map(|contract| METHODS.map(|m| (contract, m))) {
            let template = |rng: &mut Rng| {
                let key = [&contract.0[..], &[0, b'k', rng.below(12) as u8]].concat();
                let kind = *rng.pick(&[Kind::Read, Kind::Write, Kind::Add]);
                let end = rng.below(2) as usize;
                Template { pieces: vec![Piece::Bytes(key), Piece::Args(0..end)], kind, reads: rng.once_in(2) }
            };
            let templates = (0..rng.below(4)).map(|_| template(&mut rng)).collect();
            hints.declare(contract, method, templates);
        }
        hints
    }
}

/// A block that is to be made.
pub struct Block {
    pub batch: Vec<Verified>,
    pub context: BlockContext,
    pub parent: Arc<MemoryView>,
    pub sub_batch: usize,
}

/// See the module.
pub struct Chain {
    style: Style,
    manner: Manner,
    rng: Rng,
    pub state: Arc<MemoryView>,
    height: u64,
    recent_hashes: Vec<Hash>,
    pub foreknowledge: Foreknowledge,
}

impl Chain {
    /// The chain of a seed.
    pub fn new(seed: u64, style: Style) -> Chain {
        let mut rng = Rng(seed);
        let manner = manner(&mut rng, &style);
        let foreknowledge = match rng.below(5) {
            0 | 1 => Foreknowledge::Nothing,
            2 | 3 => Foreknowledge::Learned,
            _ => Foreknowledge::Mistaken(rng.next()),
        };
        let mut state = MemoryView::default();
        state.apply(&system::genesis_state(&GENESIS));
        let recent_hashes = vec![genesis_hash()];
        Chain { style, manner, rng, state: Arc::new(state), height: 0, recent_hashes, foreknowledge }
    }

    /// The next block's batch and surroundings.
    pub fn next_block(&mut self) -> Block {
        let (rng, style) = (&mut self.rng, &self.style);
        let size = *rng.pick(style.sizes);
        let first = self.height == 0;
        let batch = if first { self.manner.first_batch(rng, size) } else { self.manner.batch(rng, size) };
        let batch = VERIFIER.verify_all(batch).into_iter().map(Result::unwrap).collect();
        let context = BlockContext {
            height: Height(self.height + 1),
            crypto: CryptoSuite::Standard,
            timestamp: Timestamp(1_000 * (self.height + 1)),
            recent_hashes: self.recent_hashes.clone(),
            params: system::params::load(&*self.state).unwrap(),
        };
        Block { batch, context, parent: self.state.clone(), sub_batch: *rng.pick(style.sub_batches) }
    }

    /// Goes on on top of a block that did this.
    pub fn advance(&mut self, hash: Hash, changes: &ChangeSet) {
        Arc::make_mut(&mut self.state).apply(changes);
        self.height += 1;
        self.recent_hashes.insert(0, hash);
    }

    /// A seed for what is done to the next block.
    pub fn next_seed(&mut self) -> u64 {
        self.rng.next()
    }

    /// What this chain is like.
    pub fn describe(&self) -> String {
        let Manner { theme, senders, disjoint, .. } = &self.manner;
        let (mix, keys, contracts) = (theme.mix, theme.keys, theme.contracts.len());
        format!(
            "{mix:?}, {keys} keys of {contracts} contracts, {senders} senders, disjoint: {disjoint}, {:?}",
            self.foreknowledge
        )
    }
}

/// From no contention at all to everyone at the same key.
fn manner(rng: &mut Rng, style: &Style) -> Manner {
    let mix = *rng.pick(style.mixes);
    let disjoint = !style.repeated && rng.once_in(10);
    let contracts: Vec<Address> = match rng.below(3) {
        0 => first_contracts().into_iter().take(1).collect(),
        1 => first_contracts(),
        _ => all_contracts(),
    };
    let mix = if disjoint && mix != Mix::Modelled { Mix::Plain } else { mix };
    let theme = Theme { mix, first_key: 0, keys: *rng.pick(&[1, 2, 5, 20, 200]), contracts, payees: payees() };
    let mut manner = Manner {
        theme,
        weights: style.weights,
        senders: *rng.pick(&[1, 3, 24]),
        depth: rng.below(4) as u8,
        operations: 2 + rng.below(6),
        repeated: Vec::new(),
        disjoint,
        gas: style.gas,
    };
    if style.repeated {
        // One program a method, so that what a method touches is learned.
        let some: Vec<Address> = manner.theme.contracts.iter().copied().take(2).collect();
        let each = some.iter().flat_map(|contract| METHODS.map(|method| (*contract, method)));
        manner.repeated = each
            .map(|(contract, method)| {
                (contract, method, manner.theme.program(rng, manner.operations, manner.depth.min(1)))
            })
            .collect();
    }
    manner
}
