//! One engine on a bench: the test plays the other three validators, the clock, and whoever runs blocks.
#![allow(clippy::unwrap_used, dead_code)]

use std::sync::Arc;

use hanse_consensus::bft::{Beginning, Bugs, Config, Schedule, Timing, Tip};
use hanse_consensus::*;
use hanse_types::crypto::{CryptoSuite, SecretKey, Signer};
use hanse_types::genesis::Validator;
use hanse_types::*;

/// A disk without faults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    pub(crate) journal: Vec<u8>,
    pub(crate) guard: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(pub(crate) std::rc::Rc<std::cell::RefCell<Files>>);

impl LogFile for Memory {
    fn append_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.borrow_mut().journal.extend(bytes);
        Ok(())
    }

    fn replace_synced(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.borrow_mut().journal = bytes.to_vec();
        Ok(())
    }
}

impl Disk for Memory {
    fn write_synced(&mut self, record: &[u8]) -> Result<(), DiskError> {
        self.0.borrow_mut().guard = record.to_vec();
        Ok(())
    }
}

pub(crate) fn chain() -> ChainIdentity {
    ChainIdentity {
        chain_id: "chain".into(),
        group_id: "group".into(),
        genesis: Hash([1; 32]),
        crypto: CryptoSuite::Standard,
    }
}

pub(crate) fn key(index: u32) -> SecretKey {
    SecretKey::ed25519([index as u8 + 1; 32])
}

pub(crate) fn set(members: &[u32]) -> Arc<ValidatorSet> {
    let validator = |index: &u32| Validator { name: format!("v{index}"), key: key(*index).public_key() };
    Arc::new(ValidatorSet::new(members.iter().map(validator).collect()).unwrap())
}

pub(crate) const TIP: Tip = Tip { height: Height(0), hash: Hash([7; 32]), timestamp: Timestamp(1_000) };
/// The height under way.
pub(crate) const H: Height = Height(1);
/// The engine's validator. The proposers of rounds 0 to 3 of height 1 are 1, 2, 3, 0.
pub(crate) const ME: u32 = 0;
pub(crate) const PEERS: [Peer; 3] = [Peer(1), Peer(2), Peer(3)];

pub(crate) struct Bench {
    pub(crate) engine: Bft<Standard>,
    pub(crate) signer: SafeSigner<Memory, Memory>,
    pub(crate) files: Memory,
    pub(crate) now: Timestamp,
    /// Whether blocks that are to be checked are good; none to leave that to the test.
    pub(crate) verdict: Option<Verdict>,
    /// What it has said since the test last looked.
    pub(crate) said: Vec<Word>,
    /// What it has sent, other than its own votes and proposals.
    pub(crate) sent: Vec<(Recipient, Message)>,
    /// Everything else.
    pub(crate) outputs: Vec<Output>,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::of(Some(ME), Memory::default(), true)
    }

    /// An engine with a validator's key, or none, on these files.
    pub(crate) fn of(me: Option<u32>, files: Memory, first_start: bool) -> Bench {
        let Files { journal, guard } = files.0.borrow().clone();
        let stored = Stored { first_start, journal: Some(&journal), guard: Some(&guard), tip: TIP.height, noted: None };
        let signer = SafeSigner::open(files.clone(), files.clone(), &chain(), stored).unwrap();
        let set = set(&[0, 1, 2, 3]);
        let key = me.map(|me| key(me).public_key());
        let config = Config { chain: chain(), key, timing: Timing::default(), bugs: Bugs::default() };
        let beginning = Beginning {
            tip: TIP,
            schedule: Schedule::new(&set),
            set,
            epoch: Epoch(0),
            votes_from: signer.from(),
            recovered: signer.recovered().to_vec(),
        };
        let engine = Bft::new(config, Standard, beginning);
        let mut bench = Bench {
            engine,
            signer,
            files,
            now: Timestamp(10_000),
            verdict: Some(Verdict::Good),
            said: Vec::new(),
            sent: Vec::new(),
            outputs: Vec::new(),
        };
        bench.tell(Input::Start);
        PEERS.into_iter().for_each(|peer| bench.tell(Input::PeerUp(peer)));
        bench.sent.clear();
        bench
    }

    /// The same validator after a crash.
    pub(crate) fn restarted(self) -> Bench {
        Bench::of(Some(ME), self.files, false)
    }

    pub(crate) fn tell(&mut self, input: Input) {
        let mut out = Vec::new();
        self.engine.step(input, self.now, &mut out);
        for output in out {
            match output {
                Output::Sign(intent) => {
                    let signed = self.signer.sign(&intent, &chain(), &key(ME)).unwrap();
                    self.said.push(intent.statement.word);
                    self.tell(Input::Signed(signed));
                }
                Output::Check(block) if self.verdict.is_some() => {
                    let verdict = self.verdict.unwrap();
                    self.tell(Input::Checked { block: block.hash(), verdict });
                }
                Output::Send(Recipient::All, Message::Vote(vote)) if vote.validator == ME => {}
                Output::Send(recipient, message) => self.sent.push((recipient, message)),
                other => self.outputs.push(other),
            }
        }
    }

    pub(crate) fn hear(&mut self, from: u32, message: Message) {
        self.tell(Input::Message { from: Peer(from), message });
    }

    /// Validators vote in a round.
    pub(crate) fn votes(&mut self, from: &[u32], kind: VoteKind, round: u32, block: Option<Hash>) {
        for validator in from {
            self.hear(*validator, Message::Vote(vote(*validator, kind, round, block)));
        }
    }

    pub(crate) fn prevotes(&mut self, from: &[u32], round: u32, block: Option<Hash>) {
        self.votes(from, VoteKind::Prevote, round, block);
    }

    pub(crate) fn precommits(&mut self, from: &[u32], round: u32, block: Option<Hash>) {
        self.votes(from, VoteKind::Precommit, round, block);
    }

    pub(crate) fn time_out(&mut self, round: u32, step: Step) {
        self.tell(Input::Timeout(Timer::Step { height: H, round: Round(round), step }));
    }

    pub(crate) fn said(&mut self) -> Vec<Word> {
        std::mem::take(&mut self.said)
    }

    pub(crate) fn round(&self) -> u32 {
        self.engine.position().1.0
    }

    pub(crate) fn decided(&self) -> Option<&Certificate> {
        let certificate = |output: &Output| matches!(output, Output::Decide(_));
        match self.outputs.iter().find(|output| certificate(output)) {
            Some(Output::Decide(certificate)) => Some(certificate),
            _ => None,
        }
    }
}

/// The proposer of a round of height 1.
pub(crate) fn proposer(round: u32) -> u32 {
    (round + 1) % 4
}

/// A block of height 1 made in a round, which differs from others by its name.
pub(crate) fn block(round: u32, name: u8) -> CompactBlock {
    let set = set(&[0, 1, 2, 3]).hash(CryptoSuite::Standard);
    let header = Header {
        crypto: CryptoSuite::Standard,
        chain_id: "chain".into(),
        group_id: "group".into(),
        height: H,
        parent: TIP.hash,
        timestamp: Timestamp(10_000),
        tx_root: Hash::ZERO,
        receipt_root: Hash::ZERO,
        rw_set_root: Hash::ZERO,
        dag_digest: Dag::empty().digest(CryptoSuite::Standard),
        state_root: Hash([name; 32]),
        validators: set,
        next_validators: set,
        epoch: Epoch(0),
        round: Round(round),
        proposer: proposer(round),
        gas_used: Gas(0),
        tx_count: 0,
        extra: Vec::new(),
    };
    CompactBlock::new(header, Dag::empty(), Vec::new()).unwrap()
}

/// Signs as anybody.
pub(crate) fn sign(validator: u32, statement: Statement) -> SignedStatement {
    let Statement { epoch, height, round, word } = statement;
    let bytes = match word {
        Word::Propose { block, valid_round } => {
            sign_bytes::proposal(&chain(), epoch, height, round, valid_round, &block)
        }
        Word::Prevote(block) => sign_bytes::prevote(&chain(), epoch, height, round, &block.unwrap_or(Hash::ZERO)),
        Word::Precommit(block) => sign_bytes::precommit(&chain(), epoch, height, round, &block.unwrap_or(Hash::ZERO)),
    };
    SignedStatement { statement, validator, signature: key(validator).sign(&bytes).unwrap() }
}

pub(crate) fn vote(validator: u32, kind: VoteKind, round: u32, block: Option<Hash>) -> SignedStatement {
    sign(validator, Statement::vote(kind, Epoch(0), H, Round(round), block))
}

pub(crate) fn quorum(from: &[u32], kind: VoteKind, round: u32, block: Option<Hash>) -> Quorum {
    let signatures =
        from.iter().map(|validator| (*validator, vote(*validator, kind, round, block).signature)).collect();
    Quorum { kind, epoch: Epoch(0), height: H, round: Round(round), block, signatures }
}

/// A proposal in a round by its proposer; again, if a valid round is given.
pub(crate) fn proposal(round: u32, block: &CompactBlock, polka: Option<Quorum>) -> Message {
    let valid_round = polka.as_ref().map(|polka| polka.round);
    let word = Word::Propose { block: block.hash(), valid_round };
    let statement = Statement { epoch: Epoch(0), height: H, round: Round(round), word };
    Message::Proposal(Proposal { signed: sign(proposer(round), statement), block: block.clone(), polka })
}

pub(crate) fn certificate(from: &[u32], round: u32, block: Hash) -> Certificate {
    let Quorum { height, round, epoch, signatures, .. } = quorum(from, VoteKind::Precommit, round, Some(block));
    Certificate { height, round, epoch, block_hash: block, signatures }
}
