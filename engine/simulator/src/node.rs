//! One node: the real engine and the real signer, around them what a driver will be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hanse_consensus::bft::{Beginning, Bugs, Config, Schedule, Timing, Tip};
use hanse_consensus::{Bft, CompactBlock, Intent, SafeSigner, Statement, Stored, Timer};
use hanse_ledger::Ledger;
use hanse_types::crypto::Signer;
use hanse_types::{Certificate, Epoch, Hash, Header, Height, Timestamp, ValidatorSet};

use crate::byzantine::Adversary;
use crate::disk::VirtualDisk;
use crate::execution::{Chain, Tx};
use crate::keys::Keys;
use crate::real::{self, Place, Real, Whole};

/// A committed block.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    pub(crate) block: CompactBlock,
    pub(crate) certificate: Certificate,
    /// What the node had signed by then.
    pub(crate) noted: Option<Statement>,
}

/// Something to be made durable, one after another.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    Sign(Intent),
    Persist(Committed),
}

/// What decides in a node.
pub(crate) enum Mind {
    /// The engine of consensus, the rest being a stand-in.
    Engine(Box<Bft<Keys>>),
    /// All of it.
    Whole(Box<Whole>),
}

impl Mind {
    pub(crate) fn engine(&self) -> &Bft<Keys> {
        match self {
            Mind::Engine(engine) => engine,
            Mind::Whole(whole) => whole.replica.consensus(),
        }
    }
}

/// What lives in memory, from a start to a crash.
pub(crate) struct Life {
    pub(crate) mind: Mind,
    pub(crate) signer: SafeSigner<VirtualDisk, VirtualDisk>,
    pub(crate) jobs: VecDeque<Job>,
    /// Which of several settings of a timer counts.
    pub(crate) timers: BTreeMap<Timer, u64>,
    /// Blocks that were made or run here.
    pub(crate) blocks: BTreeMap<Hash, CompactBlock>,
}

/// A node.
pub(crate) struct Node {
    pub(crate) keys: Keys,
    pub(crate) adversary: Option<Adversary>,
    pub(crate) disk: VirtualDisk,
    /// The ledger: what is durable of the chain.
    pub(crate) ledger: Vec<Committed>,
    /// Transactions in it.
    pub(crate) done: BTreeSet<Tx>,
    /// The others that this node has heard of, by their leaves; all that it can execute.
    pub(crate) pool: BTreeSet<Tx>,
    pub(crate) known: BTreeMap<Hash, Tx>,
    /// Milliseconds that its clock is ahead, or behind.
    pub(crate) skew: i64,
    /// A whole node reads the clock when it starts, and measures from there on: what that one was ahead, or behind.
    pub(crate) steady: Option<i64>,
    /// What its clock shows, if that stands still.
    pub(crate) stopped_clock: Option<Timestamp>,
    /// Until when the whole node stands still, in virtual time.
    pub(crate) paused_until: u64,
    /// The first height that it may vote at, as of its last start.
    pub(crate) votes_from: Height,
    /// Whether its record of votes was ever lost or damaged.
    pub(crate) has_lost: bool,
    /// How often it was started.
    pub(crate) lives: u32,
    /// What a whole node has on its disk beside its votes.
    pub(crate) place: Option<Place>,
    /// Until when what it has given to its queue is being written, in virtual time.
    pub(crate) queue_until: u64,
    /// Transactions that it took over from what an earlier life had promised to keep.
    pub(crate) taken_over: u64,
    pub(crate) life: Option<Life>,
}

/// Short times, so that a run needs few virtual seconds.
pub(crate) const TIMING: Timing = Timing {
    propose_ms: 300,
    prevote_ms: 100,
    precommit_ms: 100,
    growth_ms: 100,
    max_ms: 3_000,
    repair_ms: 100,
    fetch_ms: 100,
    drift_ms: 2_000,
};

impl Node {
    pub(crate) fn new(keys: Keys, adversary: Option<Adversary>, disk: VirtualDisk, skew: i64) -> Node {
        Node {
            keys,
            adversary,
            disk,
            ledger: Vec::new(),
            done: BTreeSet::new(),
            pool: BTreeSet::new(),
            known: BTreeMap::new(),
            skew,
            steady: None,
            stopped_clock: None,
            paused_until: 0,
            votes_from: Height(0),
            has_lost: false,
            lives: 0,
            place: None,
            queue_until: 0,
            taken_over: 0,
            life: None,
        }
    }

    pub(crate) fn is_honest(&self) -> bool {
        self.adversary.is_none()
    }

    pub(crate) fn now(&self, time: u64) -> Timestamp {
        match self.steady {
            Some(steady) => Timestamp((EPOCH_MS + time).saturating_add_signed(steady)),
            None => self.system_clock(time),
        }
    }

    fn system_clock(&self, time: u64) -> Timestamp {
        self.stopped_clock.unwrap_or(Timestamp((EPOCH_MS + time).saturating_add_signed(self.skew)))
    }

    /// A life begins.
    pub(crate) fn read_clock(&mut self, time: u64) {
        if self.place.is_some() {
            self.steady = Some(self.system_clock(time).0 as i64 - (EPOCH_MS + time) as i64);
        }
    }

    pub(crate) fn tip<'a>(&'a self, chain: &'a Chain) -> &'a Header {
        self.ledger.last().map_or(&chain.genesis, |committed| committed.block.header())
    }

    /// The newest block's header, with its hash.
    pub(crate) fn tip_with_hash<'a>(&'a self, chain: &'a Chain) -> (&'a Header, Hash) {
        let hash = self.ledger.last().map_or(chain.genesis_hash, |committed| committed.block.hash());
        (self.tip(chain), hash)
    }

    pub(crate) fn height(&self) -> Height {
        Height(self.ledger.len() as u64)
    }

    /// Who decides the next block, and as which epoch.
    pub(crate) fn next_set<'a>(&self, chain: &'a Chain) -> (&'a std::sync::Arc<ValidatorSet>, Epoch) {
        let tip = self.tip(chain);
        let set = chain.set(&tip.next_validators).unwrap_or(&chain.sets[0].1);
        let changed = tip.validators != tip.next_validators;
        (set, Epoch(tip.epoch.0 + u64::from(changed)))
    }

    /// Opens the ledger of a whole node, and sees what is in it.
    fn open(&mut self, real: &Real) -> Result<Ledger, String> {
        let ledger = self.place.get_or_insert_default().start(real)?;
        let noted = real::noted(&ledger)?;
        let blocks = real::blocks(&ledger).map_err(|error| error.to_string())?;
        let committed = |(block, certificate)| Committed { block, certificate, noted: None };
        self.ledger = blocks.into_iter().map(committed).collect();
        if let Some(newest) = self.ledger.last_mut() {
            newest.noted = noted;
        }
        Ok(ledger)
    }

    /// Starts it on what its disk has.
    pub(crate) fn start(
        &mut self,
        chain: &Chain,
        real: Option<&Real>,
        bugs: Bugs,
        now: Timestamp,
    ) -> Result<(), String> {
        let ledger = real.map(|real| self.open(real)).transpose()?;
        let files = self.disk.files();
        let forgets = self.adversary.as_ref().is_some_and(|adversary| adversary.kind.forgets());
        let (set, epoch) = self.next_set(chain);
        let stored = Stored {
            first_start: self.lives == 0 || forgets,
            journal: files.journal.as_deref(),
            guard: files.guard.as_deref(),
            tip: self.height(),
            noted: self.ledger.last().and_then(|committed| committed.noted),
        };
        let signer = SafeSigner::open_with(self.disk.clone(), self.disk.clone(), &chain.identity, stored, bugs);
        let signer = signer.map_err(|error| error.to_string())?;
        let key = Some(self.keys.public_key());
        let config = Config { chain: chain.identity.clone(), key, timing: TIMING, bugs };
        let (tip, hash) = self.tip_with_hash(chain);
        let headers = self.ledger.iter().map(|committed| committed.block.header());
        let beginning = Beginning {
            tip: Tip { height: tip.height, hash, timestamp: tip.timestamp },
            schedule: Schedule::at(tip.height.next(), epoch, set, headers),
            set: set.clone(),
            epoch,
            votes_from: signer.from(),
            recovered: signer.recovered().to_vec(),
        };
        let engine = Bft::new(config, self.keys.clone(), beginning);
        let mind = match real.zip(ledger) {
            Some((real, ledger)) => {
                let place = self.place.get_or_insert_default();
                let by_outcomes = !self.lives.is_multiple_of(2);
                let (whole, taken_over) = Whole::new(real, ledger, engine, &place.queue, by_outcomes, now)?;
                self.taken_over += taken_over;
                Mind::Whole(Box::new(whole))
            }
            None => Mind::Engine(Box::new(engine)),
        };
        self.votes_from = signer.from();
        self.lives += 1;
        self.life =
            Some(Life { mind, signer, jobs: VecDeque::new(), timers: BTreeMap::new(), blocks: BTreeMap::new() });
        Ok(())
    }

    /// A block's transactions, or the places of those that it does not have.
    pub(crate) fn transactions(&self, block: &CompactBlock) -> Result<Vec<Tx>, Vec<u32>> {
        let found: Vec<Option<Tx>> = block.transactions().iter().map(|leaf| self.known.get(leaf).copied()).collect();
        let missing: Vec<u32> =
            found.iter().enumerate().filter(|(_, tx)| tx.is_none()).map(|(at, _)| at as u32).collect();
        if missing.is_empty() { Ok(found.into_iter().flatten().collect()) } else { Err(missing) }
    }

    pub(crate) fn hear_of(&mut self, tx: Tx, leaf: Hash) {
        self.known.insert(leaf, tx);
        if !self.done.contains(&tx) {
            self.pool.insert(tx);
        }
    }
}

/// When virtual time begins.
pub(crate) const EPOCH_MS: u64 = 1_000_000;
