//! Validators that misbehave by rules in a file: what a development chain is tried with, and no other chain accepts.
//!
//! The validator itself is the honest one; the rules stand between it and the others. So what it keeps of its own words is
//! true, and what the others hear is not. It knows how to lose, delay, double, repeat and garble what is sent, and to
//! contradict: to sign with the validator's key, which on such a chain everybody has, what it did not vote for.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hanse_consensus::{Message, SignedStatement, Statement, Word};
use hanse_group::SyncMessage;
use hanse_group::network::{Frame, Module, Peer, Recipient, Transport};
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::{Canonical, ChainIdentity, Hash, sign_bytes};
use serde::Deserialize;
use thiserror::Error;

use crate::random::Random;

/// Frames that can be repeated.
const REMEMBERED: usize = 256;

/// Why rules can't be followed.
#[derive(Debug, Error)]
pub(crate) enum FaultsError {
    /// The option is not as it must be.
    #[error("--faults takes N=FILE, N being a validator from 2 on; found {0:?}")]
    Option(String),
    /// There is no such validator.
    #[error("--faults names validator {named}, the chain has {count}, and the first is the one that is asked")]
    NoSuch {
        /// The one that was named.
        named: usize,
        /// How many there are.
        count: usize,
    },
    /// The chain is not one in development.
    #[error("the chain {0:?} is not one in development: its validators do not misbehave at anybody's word")]
    NotATest(String),
    /// The file can't be read.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file holds no rules.
    #[error("{path}: {error}")]
    Rules {
        /// Which.
        path: String,
        /// What is wrong, and where.
        error: toml::de::Error,
    },
}

/// Which validator, counted from 1, follows which rules.
#[derive(Clone, Debug)]
pub(crate) struct FaultsOption {
    pub(super) validator: usize,
    file: PathBuf,
}

impl std::str::FromStr for FaultsOption {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<FaultsOption, FaultsError> {
        let wrong = || FaultsError::Option(text.to_owned());
        let (validator, file) = text.split_once('=').ok_or_else(wrong)?;
        let validator = validator.parse().ok().filter(|validator| *validator > 1).ok_or_else(wrong)?;
        Ok(FaultsOption { validator, file: file.into() })
    }
}

/// A file of rules. Each is tried on each frame; the first that fits is followed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// The same seed lets chance fall alike for the same frames.
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    rule: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// What is done.
    r#do: Action,
    /// With what; with everything if absent.
    message: Option<Kind>,
    /// Towards which validator, counted from 1; all if absent.
    to: Option<u32>,
    /// From the first to the last of these heights; at all if absent. Frames that tell no height are of none.
    heights: Option<(u64, u64)>,
    /// In so many of a thousand cases; always if absent.
    #[serde(default = "always")]
    chance: u64,
    /// How late, in milliseconds; for `delay` and `replay`.
    #[serde(default = "some_ms")]
    delay_ms: u64,
}

const fn always() -> u64 {
    1_000
}

const fn some_ms() -> u64 {
    300
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// It is not sent.
    Drop,
    /// It is sent late.
    Delay,
    /// It is sent twice.
    Double,
    /// It is sent, and again something that was sent before.
    Replay,
    /// A byte of it is changed.
    Tamper,
    /// Of a vote: the contrary is signed and sent too.
    Equivocate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Proposal,
    Prevote,
    Precommit,
    Quorum,
    Status,
    Request,
    Block,
    Transactions,
    Decided,
    Evidence,
    Raft,
    Relay,
    GetBlocks,
    Blocks,
    GetOffers,
    Offers,
    GetDescription,
    Description,
    GetChunk,
    Chunk,
}

impl Kind {
    fn of(frame: &Frame) -> Kind {
        let message = match frame {
            Frame::Transactions(_) => return Kind::Relay,
            Frame::Sync(message) => return Kind::of_sync(message),
            Frame::Consensus(message) => message,
        };
        match **message {
            Message::Proposal(_) => Kind::Proposal,
            Message::Vote(SignedStatement { statement: Statement { word: Word::Precommit(_), .. }, .. }) => {
                Kind::Precommit
            }
            Message::Vote(_) => Kind::Prevote,
            Message::Quorum(_) => Kind::Quorum,
            Message::Status(_) => Kind::Status,
            Message::Request(_) => Kind::Request,
            Message::Block(_) => Kind::Block,
            Message::Transactions { .. } => Kind::Transactions,
            Message::Decided { .. } => Kind::Decided,
            Message::Evidence(_) => Kind::Evidence,
            Message::Raft(_) => Kind::Raft,
        }
    }
}

impl Kind {
    const fn of_sync(message: &SyncMessage) -> Kind {
        match message {
            SyncMessage::GetBlocks { .. } => Kind::GetBlocks,
            SyncMessage::Blocks(_) => Kind::Blocks,
            SyncMessage::GetOffers => Kind::GetOffers,
            SyncMessage::Offers(_) => Kind::Offers,
            SyncMessage::GetDescription { .. } => Kind::GetDescription,
            SyncMessage::Description(_) => Kind::Description,
            SyncMessage::GetChunk { .. } => Kind::GetChunk,
            SyncMessage::Chunk { .. } => Kind::Chunk,
        }
    }
}

impl Rules {
    /// Reads those of an option, for a chain that calls itself so and has so many validators.
    pub(super) fn read(option: &FaultsOption, chain_id: &str, count: usize) -> Result<Rules, FaultsError> {
        if chain_id != crate::keys::dev::CHAIN_ID {
            return Err(FaultsError::NotATest(chain_id.to_owned()));
        }
        if option.validator > count {
            return Err(FaultsError::NoSuch { named: option.validator, count });
        }
        let path = |path: &Path| path.display().to_string();
        let text = std::fs::read_to_string(&option.file)
            .map_err(|error| FaultsError::File { path: path(&option.file), error })?;
        toml::from_str(&text).map_err(|error| FaultsError::Rules { path: path(&option.file), error })
    }
}

/// A way out that follows rules.
#[derive(Debug)]
pub(super) struct Misbehaving {
    way_out: Arc<dyn Transport>,
    /// The others, as the way out knows them.
    peers: Vec<Peer>,
    rules: Rules,
    chain: ChainIdentity,
    key: SecretKey,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    random: Random,
    sent: VecDeque<(Module, Arc<[u8]>)>,
}

impl Misbehaving {
    pub(super) fn new(
        way_out: Arc<dyn Transport>,
        peers: Vec<Peer>,
        rules: Rules,
        chain: ChainIdentity,
        key: SecretKey,
    ) -> Misbehaving {
        let state = Mutex::new(State { random: Random::new(rules.seed), sent: VecDeque::new() });
        Misbehaving { way_out, peers, rules, chain, key, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send_to(&self, peer: Peer, frame: &Arc<[u8]>, decoded: &Frame) {
        let module = decoded.module();
        let Some(rule) = self.rule_for(peer, decoded) else { return self.pass(peer, module, frame.clone()) };
        match rule.r#do {
            Action::Drop => {}
            Action::Delay => self.pass_late(peer, module, frame.clone(), rule.delay_ms),
            Action::Double => {
                self.pass(peer, module, frame.clone());
                self.pass(peer, module, frame.clone());
            }
            Action::Replay => {
                self.pass(peer, module, frame.clone());
                let before = {
                    let State { random, sent } = &mut *self.state();
                    (!sent.is_empty()).then(|| sent[random.below(sent.len() as u64) as usize].clone())
                };
                before.into_iter().for_each(|(module, frame)| self.pass_late(peer, module, frame, rule.delay_ms));
            }
            Action::Tamper => self.pass(peer, module, self.tampered(frame)),
            Action::Equivocate => {
                self.pass(peer, module, frame.clone());
                let contrary = self.contrary(decoded);
                contrary.into_iter().for_each(|frame| self.pass(peer, module, frame.encode().into()));
            }
        }
    }

    fn rule_for(&self, peer: Peer, frame: &Frame) -> Option<&Rule> {
        let kind = Kind::of(frame);
        let height = match frame {
            Frame::Consensus(message) => message.height(),
            Frame::Transactions(_) | Frame::Sync(_) => None,
        };
        self.rules.rule.iter().find(|rule| {
            let there = rule.to.is_none_or(|to| to == peer.0 + 1);
            let then = rule.heights.is_none_or(|(first, last)| height.is_some_and(|at| (first..=last).contains(&at.0)));
            let is_meant = rule.message.is_none_or(|wanted| wanted == kind) && there && then;
            is_meant && self.state().random.below(1_000) < rule.chance
        })
    }

    fn pass(&self, peer: Peer, module: Module, frame: Arc<[u8]>) {
        self.way_out.send(Recipient::One(peer), module, frame);
    }

    fn pass_late(&self, peer: Peer, module: Module, frame: Arc<[u8]>, ms: u64) {
        let way_out = self.way_out.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            way_out.send(Recipient::One(peer), module, frame);
        });
    }

    fn tampered(&self, frame: &[u8]) -> Arc<[u8]> {
        let mut bytes = frame.to_vec();
        let at = self.state().random.below(bytes.len().max(1) as u64) as usize;
        bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
        bytes.into()
    }

    /// The other thing to say at the position of a vote: none for a block, a block that is none for none.
    fn contrary(&self, frame: &Frame) -> Option<Frame> {
        let Frame::Consensus(message) = frame else { return None };
        let Message::Vote(SignedStatement { statement, validator, .. }) = **message else { return None };
        let other = |choice: Option<Hash>| if choice.is_some() { None } else { Some(Hash([7; 32])) };
        let Statement { epoch, height, round, word } = statement;
        let (word, bytes) = match word {
            Word::Propose { .. } => return None,
            Word::Prevote(choice) => {
                let hash = other(choice).unwrap_or(Hash::ZERO);
                (Word::Prevote(other(choice)), sign_bytes::prevote(&self.chain, epoch, height, round, &hash))
            }
            Word::Precommit(choice) => {
                let hash = other(choice).unwrap_or(Hash::ZERO);
                (Word::Precommit(other(choice)), sign_bytes::precommit(&self.chain, epoch, height, round, &hash))
            }
        };
        let signature = self.key.sign(&bytes).ok()?;
        let statement = Statement { epoch, height, round, word };
        Some(Frame::Consensus(Box::new(Message::Vote(SignedStatement { statement, validator, signature }))))
    }
}

impl Transport for Misbehaving {
    fn send(&self, to: Recipient, module: Module, frame: Arc<[u8]>) {
        let Ok(decoded) = Frame::decode(&frame) else { return };
        let is_meant = |peer: &&Peer| match to {
            Recipient::All => true,
            Recipient::One(one) => **peer == one,
        };
        self.peers.iter().filter(is_meant).for_each(|peer| self.send_to(*peer, &frame, &decoded));
        let sent = &mut self.state().sent;
        if sent.len() == REMEMBERED {
            sent.pop_front();
        }
        sent.push_back((module, frame));
    }
}
