//! The world: time, the network, clients, crashes; and what must hold.

mod node;

use std::collections::{BTreeMap, BTreeSet};

use hanse_consensus::raft::Record;
use hanse_consensus::{Message, Peer, Recipient, Signed, Verdict};
use hanse_replica::sync::SyncMessage;
use hanse_replica::{Input, Output, Stage, answer};
use hanse_txpool::Refusal;
use hanse_types::genesis::{ConsensusKind, Validator};
use hanse_types::{
    Canonical, Certificate, Genesis, Hash, Height, Params, SignedTransaction, Transaction, TxId, Verified,
};

use self::node::{Committed, Node, amendments, make};
use crate::random::Random;
use crate::support::{World, at, prefix};

/// Clients send until then, and things go wrong; milliseconds of virtual time.
const CLIENTS_UNTIL: u64 = 2_000;
/// Everything must be at rest by then.
const AT_REST_BY: u64 = 120_000;

/// How often things go wrong, of a thousand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    pub(crate) loss: u64,
    pub(crate) doubled: u64,
    pub(crate) slow: u64,
    pub(crate) crash: u64,
    /// Nodes that may be down at a time.
    pub(crate) down: usize,
    /// Links that are cut for a while.
    pub(crate) cut: u64,
    /// Disks that have no space for a record for a while.
    pub(crate) full: u64,
    /// Other validators that somebody chooses.
    pub(crate) change: u64,
}

impl Faults {
    pub(crate) const NONE: Faults =
        Faults { loss: 0, doubled: 0, slow: 0, crash: 0, down: 0, cut: 0, full: 0, change: 0 };
    pub(crate) const ALL: Faults = Faults { loss: 150, doubled: 50, slow: 100, crash: 15, down: 1, ..Faults::NONE };
}

/// What happened in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) blocks: u64,
    pub(crate) accepted: usize,
    pub(crate) committed: usize,
    pub(crate) crashes: u64,
    /// Times that a node asked for transactions of a block.
    pub(crate) fetched: u64,
    /// Committed blocks that were sent to a node that lacked them.
    pub(crate) caught_up: u64,
    /// Committed blocks that were fetched ahead by a node further behind.
    pub(crate) synced: u64,
    /// Blocks that were made here and not decided.
    pub(crate) given_back: u64,
    pub(crate) highest_round: u32,
    /// Blocks that were decided and had been made while their parent was not durable yet.
    pub(crate) ahead: u64,
    /// Transactions that were passed on to a node too soon.
    pub(crate) early: u64,
    /// Times that nodes were cut off from one another.
    pub(crate) partitions: u64,
    /// Records that a crash kept from being written, and blocks that a node took over from its record at a restart.
    pub(crate) unwritten: u64,
    pub(crate) recovered: u64,
    /// Most nodes that were down at once.
    pub(crate) down: usize,
    /// Records that a full disk did not take, each of which stopped a node.
    pub(crate) full: u64,
    /// Times that the validators changed.
    pub(crate) epochs: u64,
    digest: Option<Hash>,
}

impl Summary {
    pub(crate) fn add(&mut self, other: &Summary) {
        self.blocks += other.blocks;
        self.accepted += other.accepted;
        self.committed += other.committed;
        self.crashes += other.crashes;
        self.fetched += other.fetched;
        self.caught_up += other.caught_up;
        self.synced += other.synced;
        self.ahead += other.ahead;
        self.early += other.early;
        self.given_back += other.given_back;
        self.highest_round = self.highest_round.max(other.highest_round);
        self.partitions += other.partitions;
        self.unwritten += other.unwritten;
        self.recovered += other.recovered;
        self.down = self.down.max(other.down);
        self.full += other.full;
        self.epochs += other.epochs;
    }
}

/// What happens at a node, in the life in which it was planned.
enum Event {
    Tell(Input),
    Persist(Certificate),
    Record(Box<Record>),
    /// Of no life: clients send, nodes start.
    Clients,
    Start,
    Heal(usize, usize),
    Space,
    Cut(Part, u64),
}

/// Who is cut off from whom, of a group with a leader.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "one of the two tests that use this world has no leaders")]
pub(crate) enum Part {
    /// A follower, from everybody.
    Follower,
    /// The leader hears nobody, and one follower only hears it.
    Leader,
}

pub(crate) struct Net {
    world: World,
    random: Random,
    faults: Faults,
    now: u64,
    planned: u64,
    agenda: BTreeMap<(u64, u64), (usize, u32, Event)>,
    nodes: Vec<Node>,
    /// Links that carry nothing.
    cut: BTreeSet<(usize, usize)>,
    nonce: u64,
    /// What every chain has at a height.
    decided: BTreeMap<Height, Hash>,
    /// Accepted by a node that has not crashed since, and neither committed nor dropped.
    owed: BTreeSet<(usize, TxId)>,
    committed: BTreeSet<TxId>,
    accepted: BTreeSet<TxId>,
    dropped: BTreeSet<TxId>,
    /// What was passed on to a node before it had the block that it refers to.
    early: BTreeSet<(usize, TxId)>,
    /// Blocks that were made before their parent was durable.
    made_ahead: BTreeSet<Hash>,
    /// Until when each node's executor is busy.
    executing_until: Vec<u64>,
    summary: Summary,
}

impl Net {
    /// So many validators that agree in this way.
    pub(crate) fn new(seed: u64, faults: Faults, consensus: ConsensusKind, count: usize) -> Net {
        let params = Params { block_tx_count_max: 20, block_interval_ms: 40, ..Params::default() };
        let validators = (0..count).map(|n| Validator { name: format!("v{n}"), key: node::public_key(n) });
        let genesis = World::new(params).genesis;
        let world = World::of(Genesis { consensus, validators: validators.collect(), ..genesis });
        let sets = node::sets(count, consensus);
        let mut net = Net {
            world,
            random: Random::new(seed),
            faults,
            now: 10,
            planned: 0,
            agenda: BTreeMap::new(),
            nodes: (0..count).map(|_| Node::among(sets.clone())).collect(),
            cut: BTreeSet::new(),
            nonce: 0,
            decided: BTreeMap::new(),
            owed: BTreeSet::new(),
            committed: BTreeSet::new(),
            accepted: BTreeSet::new(),
            dropped: BTreeSet::new(),
            early: BTreeSet::new(),
            made_ahead: BTreeSet::new(),
            executing_until: vec![0; count],
            summary: Summary::default(),
        };
        (0..count).for_each(|n| net.start(n));
        net.plan(0, 0, Event::Clients);
        net
    }

    /// Cuts somebody off at a time, until another.
    #[allow(dead_code, reason = "one of the two tests that use this world has no leaders")]
    pub(crate) fn cutting(mut self, part: Part, from: u64, until: u64) -> Net {
        self.plan(0, from - self.now, Event::Cut(part, until));
        self
    }

    fn cut_off(&mut self, part: Part, until: u64) {
        let leader = self.nodes.iter().position(Node::leads).expect("somebody leads by now");
        let count = self.nodes.len();
        let (first, last) = ((leader + 1) % count, (leader + count - 1) % count);
        let links: Vec<_> = (0..count).flat_map(|one| (0..count).map(move |two| (one, two))).collect();
        let is_cut = |(from, to): &(usize, usize)| match part {
            Part::Follower => *from == first || *to == first,
            Part::Leader => *to == leader || (*from == leader && *to == last),
        };
        for (one, two) in links.into_iter().filter(is_cut) {
            self.cut.insert((one, two));
            self.plan(one, until - self.now, Event::Heal(one, two));
        }
    }

    pub(crate) fn run(mut self) -> Summary {
        while let Some(((time, _), (n, life, event))) = self.agenda.pop_first() {
            self.now = time;
            let of_no_life =
                matches!(event, Event::Clients | Event::Start | Event::Heal(..) | Event::Space | Event::Cut(..));
            if of_no_life || self.nodes[n].life == life {
                self.happen(n, event);
            }
            if self.now > CLIENTS_UNTIL && self.is_at_rest() {
                return self.end();
            }
            let states = || self.nodes.iter().map(Node::state).collect::<Vec<_>>();
            assert!(self.now < AT_REST_BY, "no end: {:?}, {:?}, {:#?}", self.owed, self.heights(), states());
        }
        panic!("nothing happens any more");
    }

    fn plan(&mut self, n: usize, in_ms: u64, event: Event) {
        self.planned += 1;
        self.agenda.insert((self.now + in_ms, self.planned), (n, self.nodes[n].life, event));
    }

    fn happen(&mut self, n: usize, event: Event) {
        match event {
            Event::Clients => self.clients(),
            Event::Start => self.start(n),
            Event::Heal(one, two) => drop(self.cut.remove(&(one, two))),
            Event::Space => self.nodes[n].set_full(false),
            Event::Cut(part, until) => self.cut_off(part, until),
            Event::Record(record) => self.record(n, &record),
            Event::Tell(input) => self.tell(n, input),
            Event::Persist(certificate) => self.persist(n, certificate),
        }
    }

    /// Writes a record. A node that can't stops, and is started again by whoever sees to it.
    fn record(&mut self, n: usize, record: &Record) {
        if self.nodes[n].record(record) {
            return self.tell(n, Input::Recorded);
        }
        self.summary.full += 1;
        let failed = Input::Failed { height: record.height(), stage: Stage::Recording, reason: "no space left".into() };
        let alive = self.nodes[n].alive.as_mut().expect("it was writing");
        let mut outputs = Vec::new();
        alive.replica.step(failed, at(self.now), &mut outputs);
        let stops = |output: &Output| matches!(output, Output::Halted(_));
        assert!(outputs.iter().any(stops), "node {n} goes on without its record: {outputs:?}");
        self.stop(n);
    }

    fn heights(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.chain.len()).collect()
    }

    /// All run, have the same height, and nothing is left in any pool but what has lapsed, of which only another block could
    /// say that it is over.
    fn is_at_rest(&self) -> bool {
        let height = self.nodes[0].chain.len();
        let owed = |n| self.owed.iter().filter(|(node, _)| *node == n).count();
        let is_done = |(n, node): (usize, &Node)| {
            node.chain.len() == height && node.lapsed().is_some_and(|lapsed| owed(n) <= lapsed)
        };
        self.nodes.iter().enumerate().all(is_done)
    }

    fn end(mut self) -> Summary {
        self.summary.blocks = self.decided.len() as u64;
        (self.summary.accepted, self.summary.committed) = (self.accepted.len(), self.committed.len());
        self.summary.digest = self.decided.last_key_value().map(|(_, hash)| *hash);
        let in_chain = self.nodes[0].chain.iter().flat_map(|block| &block.transactions).count();
        assert_eq!(in_chain, self.committed.len(), "a transaction is in the chain twice");
        assert!(self.accepted.is_superset(&self.committed), "committed what nobody accepted");
        self.summary
    }

    fn clients(&mut self) {
        let n = self.random.below(self.nodes.len() as u64) as usize;
        if self.nodes[n].alive.is_some() {
            let count = 1 + self.random.below(8);
            let batch = (0..count).map(|_| self.transaction(n)).collect();
            self.tell(n, Input::Submitted { transactions: batch, since: at(self.now), from: None, keep: false });
        }
        if self.random.chance(self.faults.crash) {
            // Where all may be down, they are at times, and at once.
            let all = self.faults.down > self.nodes.len() && self.random.chance(50);
            let crashing = if all { 0..self.nodes.len() } else { n..n + 1 };
            crashing.for_each(|n| self.crash(n));
        }
        if self.random.chance(self.faults.cut) {
            self.partition();
        }
        if self.random.chance(self.faults.full) && !self.nodes[n].is_full() {
            self.nodes[n].set_full(true);
            let in_ms = 20 + self.random.below(400);
            self.plan(n, in_ms, Event::Space);
        }
        if self.now < CLIENTS_UNTIL {
            let pause = self.random.below(25);
            self.plan(0, pause, Event::Clients);
        }
    }

    /// Mostly it refers to the newest block that this node shows.
    fn transaction(&mut self, n: usize) -> Verified {
        self.nonce += 1;
        let client = self.random.below(8) as usize;
        let chooses = self.faults.change > 0 && self.random.chance(self.faults.change);
        let set = if chooses { 1 + self.random.below(self.nodes[0].sets.len() as u64) } else { 0 };
        let lives_ms = if self.random.chance(100) { 200 + self.random.below(500) } else { 200_000 };
        let call = self.world.call(client, set * node::CHANGE + self.nonce, self.now + lives_ms);
        let newest = self.nodes[n].chain.last().filter(|_| self.random.chance(700)).map(|committed| &committed.block);
        self.world.verified(match newest {
            Some(block) => {
                let (ref_height, ref_hash) = (block.header().height, prefix(&block.hash()));
                Transaction { ref_height, ref_hash, ..call }
            }
            None => call,
        })
    }

    fn start(&mut self, n: usize) {
        self.summary.recovered += self.nodes[n].start(n, &self.world);
        self.tell(n, Input::Start);
        for other in
            (0..self.nodes.len()).filter(|other| *other != n && self.nodes[*other].alive.is_some()).collect::<Vec<_>>()
        {
            self.plan(n, 0, Event::Tell(Input::PeerUp(Peer(other as u32))));
            self.plan(other, 0, Event::Tell(Input::PeerUp(Peer(n as u32))));
        }
    }

    fn crash(&mut self, n: usize) {
        let down = self.nodes.iter().filter(|node| node.alive.is_none()).count();
        if self.nodes[n].alive.is_none() || down >= self.faults.down {
            return;
        }
        self.summary.crashes += 1;
        self.summary.down = self.summary.down.max(down + 1);
        // What was being written may be there, or not.
        let is_written = self.random.chance(500);
        self.summary.unwritten += u64::from(self.nodes[n].power_lost(is_written));
        self.stop(n);
    }

    /// A node is gone, and comes back after a while.
    fn stop(&mut self, n: usize) {
        self.nodes[n].alive = None;
        self.nodes[n].life += 1;
        self.owed.retain(|(node, _)| *node != n);
        for other in (0..self.nodes.len()).filter(|other| *other != n).collect::<Vec<_>>() {
            self.plan(other, 0, Event::Tell(Input::PeerDown(Peer(n as u32))));
        }
        let in_ms = 20 + self.random.below(600);
        self.plan(n, in_ms, Event::Start);
    }

    /// Cuts a random group of nodes off from the others, or a single link, for a while.
    fn partition(&mut self) {
        self.summary.partitions += 1;
        let (count, in_ms) = (self.nodes.len(), 50 + self.random.below(800));
        let side = self.random.below(1 << count);
        let alone = self.random.chance(300).then(|| (self.random.below(count as u64), self.random.below(count as u64)));
        for (one, two) in (0..count).flat_map(|one| (0..count).map(move |two| (one, two))) {
            let apart = match alone {
                Some(link) => link == (one as u64, two as u64),
                None => (side >> one ^ side >> two) & 1 == 1,
            };
            if apart && self.cut.insert((one, two)) {
                self.plan(one, in_ms, Event::Heal(one, two));
            }
        }
    }

    fn tell(&mut self, n: usize, input: Input) {
        let submitted = match &input {
            Input::Submitted { transactions, from, .. } => Some((transactions.clone(), from.is_none())),
            _ => None,
        };
        let Some(alive) = &mut self.nodes[n].alive else { return };
        let mut outputs = Vec::new();
        alive.replica.step(input, at(self.now), &mut outputs);
        for output in outputs {
            match output {
                Output::Admitted(answers) => {
                    let (transactions, _) = submitted.clone().expect("an answer to what was submitted");
                    assert_eq!(answers.len(), transactions.len());
                    for (answer, transaction) in answers.iter().zip(&transactions) {
                        if matches!(answer, Err(Refusal::ReferenceUnknown { .. })) {
                            self.summary.early += u64::from(self.early.insert((n, transaction.id())));
                        }
                    }
                    let accepted = answers.into_iter().filter_map(Result::ok);
                    accepted.for_each(|id| {
                        assert!(self.accepted.contains(&id) || submitted.as_ref().is_some_and(|(_, own)| *own));
                        self.accepted.insert(id);
                        self.owed.insert((n, id));
                    });
                }
                output => self.perform(n, output),
            }
        }
    }

    fn perform(&mut self, n: usize, output: Output) {
        let takes_ms = 1 + self.random.below(8);
        match output {
            Output::Admitted(_) | Output::Keep { .. } => {}
            Output::Dropped { dropped, .. } => {
                for dropped in dropped {
                    let key = (n, dropped.id());
                    assert!(self.owed.remove(&key) || self.early.remove(&key), "dropped what it did not hold");
                    self.dropped.insert(dropped.id());
                }
            }
            Output::Execute(work) => {
                let (header, shown) = make(&work, &self.nodes[n].sets);
                let amendments = amendments(&shown, &self.nodes[n].sets);
                if work.height().0 > self.nodes[n].chain.len() as u64 + 1 {
                    self.made_ahead.insert(header.hash());
                }
                self.nodes[n].ran(&shown);
                // Batches are executed one after another.
                let at_ms = (self.now + takes_ms).max(self.executing_until[n]);
                self.executing_until[n] = at_ms;
                let (header, shown) = (Box::new(header), Some(Box::new(shown)));
                let input = Input::Executed { header, shown, amendments };
                self.plan(n, at_ms - self.now, Event::Tell(input));
            }
            Output::Check(shown) => {
                let sets = &self.nodes[n].sets;
                let verdict = if node::is_good(&shown, sets) { Verdict::Good } else { Verdict::Bad };
                let (block, amendments) = (shown.block.hash(), amendments(&shown, sets));
                self.nodes[n].ran(&shown);
                self.plan(n, takes_ms, Event::Tell(Input::Checked { block, verdict, amendments }));
            }
            Output::Hold { transactions, .. } => self.nodes[n].held = transactions,
            Output::Sign(intent) => {
                let signed: Signed = self.nodes[n].sign(n, &intent, &self.world);
                self.plan(n, takes_ms, Event::Tell(Input::Signed(signed)));
            }
            Output::Record { record, bodies } => {
                let bodies = bodies.iter().map(|body| body.iter().map(|tx| tx.signed().encode()).collect()).collect();
                let record = Box::new(Record { bodies, ..*record });
                self.nodes[n].begin_record(&record);
                self.plan(n, takes_ms, Event::Record(record));
            }
            Output::Persist { certificate, .. } => self.plan(n, takes_ms, Event::Persist(certificate)),
            Output::SetTimer(time) => self.plan(n, time.since_ms(at(self.now)), Event::Tell(Input::Tick)),
            Output::Send(to, message) => self.send(n, to, &message),
            Output::Relay(to, transactions) => self.relay(n, to, &transactions),
            Output::ServeDecided { to, height } => {
                let Some(Committed { certificate, block, .. }) = self.nodes[n].chain.get(height.0 as usize - 1) else {
                    return;
                };
                let message = Message::Decided { certificate: certificate.clone(), block: block.clone() };
                self.summary.caught_up += 1;
                self.send(n, Recipient::One(to), &message);
            }
            Output::ServeTransactions { to, block, missing } => {
                let Some(known) = self.nodes[n].chain.iter().find(|known| known.block.hash() == block) else { return };
                let encoded = |place: u32| known.transactions.get(place as usize).map(|tx| tx.signed().encode());
                let message = Message::Transactions { block, transactions: answer(missing, encoded) };
                self.send(n, Recipient::One(to), &message);
            }
            Output::Verify { block, transactions } => {
                self.summary.fetched += 1;
                let decoded = transactions.iter().map(|bytes| SignedTransaction::decode(bytes).unwrap());
                let transactions = decoded.map(|signed| self.world.verify(signed)).collect();
                self.plan(n, takes_ms, Event::Tell(Input::Supplied { block, transactions }));
            }
            Output::Apply(shown, _) => {
                panic!("node {n} is to apply {:?}, whose outcomes it did not ask for", shown.block)
            }
            Output::Sync(Peer(peer), SyncMessage::GetBlocks { from, count, .. }) => {
                let blocks = self.nodes[peer as usize].blocks(from, count);
                self.summary.synced += blocks.blocks.len() as u64;
                let from = Peer(peer);
                let to = Recipient::One(Peer(n as u32));
                self.deliver(peer as usize, to, |_| Input::Synced { from, blocks: blocks.clone() });
            }
            Output::Sync(peer, message) => panic!("{message:?} is sent to {peer:?}"),
            Output::Examine(examination) => {
                let examined = examination.run(&self.world.genesis.identity(), self.world.verifier());
                self.plan(n, takes_ms, Event::Tell(Input::Examined(examined)));
            }
            Output::Lied { peer, reason } => panic!("node {n} says that {peer:?} lies: {reason}"),
            Output::Evidence(evidence) => panic!("node {n} accuses an honest one: {evidence:?}"),
            Output::KeyUsedElsewhere(signed) => panic!("node {n} does not remember {signed:?}"),
            Output::Halted(reason) => panic!("node {n} stops: {reason}"),
        }
    }

    fn persist(&mut self, n: usize, certificate: Certificate) {
        let (height, hash) = (certificate.height, certificate.block_hash);
        let expected = *self.decided.entry(height).or_insert(hash);
        assert_eq!(hash, expected, "two blocks at height {height}");
        self.summary.ahead += u64::from(self.made_ahead.remove(&hash));
        self.summary.highest_round = self.summary.highest_round.max(certificate.round.0);
        let others = self.nodes[n].others_of(height, &hash);
        self.summary.given_back += others;
        let transactions = self.nodes[n].persist(&self.world, certificate);
        self.summary.epochs = self.summary.epochs.max(self.nodes[n].epoch());
        for transaction in &transactions {
            let id = transaction.id();
            assert!(transaction.transaction().expiration > self.nodes[n].time(), "committed after its expiration");
            self.committed.insert(id);
            self.owed.remove(&(n, id));
        }
        self.tell(n, Input::Persisted { height });
    }

    fn send(&mut self, from: usize, to: Recipient, message: &Message) {
        let bytes = message.encode();
        let peer = Peer(from as u32);
        self.deliver(from, to, |_| Input::Message { from: peer, message: Box::new(Message::decode(&bytes).unwrap()) });
    }

    fn relay(&mut self, from: usize, to: Recipient, transactions: &[Verified]) {
        let (peer, now) = (Some(Peer(from as u32)), at(self.now));
        let input = |_| Input::Submitted { transactions: transactions.to_vec(), since: now, from: peer, keep: false };
        self.deliver(from, to, input);
    }

    /// What is sent arrives late, twice, or not at all while there are faults.
    fn deliver(&mut self, from: usize, to: Recipient, input: impl Fn(usize) -> Input) {
        let is_meant = |n: usize| match to {
            Recipient::All => n != from,
            Recipient::One(Peer(peer)) => n == peer as usize,
        };
        let faults = if self.now < CLIENTS_UNTIL { self.faults } else { Faults::NONE };
        for n in (0..self.nodes.len()).filter(|n| is_meant(*n)) {
            if self.random.chance(faults.loss) || self.cut.contains(&(from, n)) {
                continue;
            }
            let copies = 1 + u64::from(self.random.chance(faults.doubled));
            for _ in 0..copies {
                let slow = if self.random.chance(faults.slow) { self.random.below(600) } else { 0 };
                let in_ms = 1 + self.random.below(4) + slow;
                self.plan(n, in_ms, Event::Tell(input(n)));
            }
        }
    }
}
