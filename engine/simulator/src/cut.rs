//! Faults of a run that can be left out, one by one, with the rest of the run as it was.
//!
//! A seed's faults are numbered as they come: the third crash is `c2`. A [`Keep`] names those that stay; what is not in it
//! doesn't happen. For the others to stay what they were, the dice are taken up at each fault as they lay there in the
//! whole run, whose run therefore comes first ([`Tape`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::random::Random;
use crate::scenario::Scenario;

/// Kinds of faults, each with its letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A faulty node, by its place among them.
    Byzantine,
    /// A node that may lose its record, by its place among them.
    Forgetful,
    /// A node whose clock is astray, by its place among them.
    Astray,
    /// Clocks that differ.
    Skew,
    /// The slow node.
    Slow,
    /// Transactions that not everybody hears of.
    Missing,
    /// What the network loses, doubles and delays in one window of time.
    Network,
    /// A change of the network's shape.
    Partition,
    /// A crash, or a write at which power will fail.
    Crash,
    /// A restart after which power fails again.
    Restart,
    /// A disk that is full or fails to sync.
    Trouble,
    /// A node that stands still.
    Pause,
    /// Clocks that are astray move.
    Clocks,
    /// A write of a ledger that fails.
    Write,
}

impl Kind {
    const ALL: [(Kind, char); 14] = [
        (Kind::Byzantine, 'b'),
        (Kind::Forgetful, 'f'),
        (Kind::Astray, 'a'),
        (Kind::Skew, 'k'),
        (Kind::Slow, 's'),
        (Kind::Missing, 'm'),
        (Kind::Network, 'n'),
        (Kind::Partition, 'p'),
        (Kind::Crash, 'c'),
        (Kind::Restart, 'r'),
        (Kind::Trouble, 'd'),
        (Kind::Pause, 'z'),
        (Kind::Clocks, 'j'),
        (Kind::Write, 'w'),
    ];

    fn letter(self) -> char {
        Kind::ALL.iter().find(|(kind, _)| *kind == self).map_or('?', |(_, letter)| *letter)
    }
}

/// A fault: its kind, and its number among those of the kind.
pub(crate) type Fault = (Kind, u32);

/// What stays of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// The faults that happen.
    pub(crate) faults: BTreeSet<Fault>,
    /// When everything heals, in virtual milliseconds, if earlier than in the whole run.
    pub(crate) heal_ms: Option<u64>,
    /// After how many transactions there are no more before everything heals.
    pub(crate) transactions: Option<u64>,
    /// With another number than 0, messages and work take other times than in the whole run: what is left of it may need
    /// other chances to come to the same.
    pub(crate) salt: u64,
}

impl Keep {
    /// How many faults stay.
    pub fn len(&self) -> usize {
        self.faults.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = self.faults.iter().map(|(kind, number)| format!("{}{number}", kind.letter()));
        let heal = self.heal_ms.map(|ms| format!("heal={ms}"));
        let transactions = self.transactions.map(|count| format!("tx={count}"));
        let salt = Some(self.salt).filter(|salt| *salt != 0).map(|salt| format!("salt={salt}"));
        let parts: Vec<String> = faults.chain(heal).chain(transactions).chain(salt).collect();
        f.write_str(if parts.is_empty() { "none" } else { "" })?;
        f.write_str(&parts.join(","))
    }
}

/// Why a text says of no run what stays of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no fault; a list is like b0,n3,c12,heal=900,tx=5,salt=2, or none")]
pub struct KeepError(String);

impl FromStr for Keep {
    type Err = KeepError;

    fn from_str(text: &str) -> Result<Keep, KeepError> {
        let mut keep = Keep::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "none") {
            keep.take(part).ok_or_else(|| KeepError(part.to_owned()))?;
        }
        Ok(keep)
    }
}

impl Keep {
    /// Takes over a part of the list; nothing, if it is none.
    fn take(&mut self, part: &str) -> Option<()> {
        match part.split_once('=') {
            Some(("heal", ms)) => self.heal_ms = Some(ms.parse().ok()?),
            Some(("tx", count)) => self.transactions = Some(count.parse().ok()?),
            Some(("salt", salt)) => self.salt = salt.parse().ok()?,
            Some(_) => return None,
            None => {
                let (kind, letter) = Kind::ALL.iter().find(|(_, letter)| part.starts_with(*letter))?;
                self.faults.insert((*kind, part.strip_prefix(*letter)?.parse().ok()?));
            }
        }
        Some(())
    }
}

/// What is done with the faults of a run.
#[derive(Clone, Debug, Default)]
enum Mode {
    /// All of them happen.
    #[default]
    All,
    /// All of them happen and are noted.
    Noted,
    /// These happen.
    Some(Keep),
}

/// The dice as they lay at each fault of the whole run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tape {
    mode: Mode,
    /// At each fault, and where the next of its kind was planned.
    dice: BTreeMap<(Fault, bool), Random>,
    /// How many there were of each kind, and plans of them.
    counts: BTreeMap<(Kind, bool), u32>,
    /// Faults that could happen so far.
    seen: BTreeSet<Fault>,
}

impl Tape {
    /// For a run whose faults are to be noted.
    pub(crate) fn noting() -> Tape {
        Tape { mode: Mode::Noted, ..Tape::default() }
    }

    /// For what stays of the run that this is the tape of.
    pub(crate) fn cut(&self, keep: Keep) -> Tape {
        Tape { mode: Mode::Some(keep), dice: self.dice.clone(), ..Tape::default() }
    }

    fn kept(&self) -> Option<&Keep> {
        match &self.mode {
            Mode::All | Mode::Noted => None,
            Mode::Some(keep) => Some(keep),
        }
    }

    /// What is left of a scenario.
    pub(crate) fn apply(&mut self, scenario: &mut Scenario) {
        scenario.byzantine = self.some_of(Kind::Byzantine, &scenario.byzantine);
        scenario.forgetful = self.some_of(Kind::Forgetful, &scenario.forgetful);
        scenario.astray = self.some_of(Kind::Astray, &scenario.astray);
        scenario.skewed = scenario.skewed && self.keeps((Kind::Skew, 0));
        if scenario.slow.1 > 0 && !self.keeps((Kind::Slow, 0)) {
            scenario.slow.1 = 0;
        }
        if scenario.missing > 0 && !self.keeps((Kind::Missing, 0)) {
            scenario.missing = 0;
        }
        let heal_ms = self.kept().and_then(|keep| keep.heal_ms);
        scenario.heal_ms = heal_ms.unwrap_or(scenario.heal_ms).min(scenario.heal_ms);
    }

    fn some_of<T: Clone>(&mut self, kind: Kind, all: &[T]) -> Vec<T> {
        let kept = all.iter().enumerate().filter(|(at, _)| self.keeps((kind, *at as u32)));
        kept.map(|(_, item)| item.clone()).collect()
    }

    fn keeps(&mut self, fault: Fault) -> bool {
        if let Mode::All = self.mode {
            return true;
        }
        self.seen.insert(fault);
        self.kept().is_none_or(|keep| keep.faults.contains(&fault))
    }

    /// The next fault of a kind is due. Whether it happens; the dice are those of the whole run.
    pub(crate) fn happens(&mut self, kind: Kind, dice: &mut Random) -> bool {
        let fault = (kind, self.take_up(kind, false, dice));
        self.keeps(fault)
    }

    /// The next fault of a kind is being planned: the dice are those of the whole run.
    pub(crate) fn plans(&mut self, kind: Kind, dice: &mut Random) {
        self.take_up(kind, true, dice);
    }

    fn take_up(&mut self, kind: Kind, plans: bool, dice: &mut Random) -> u32 {
        let count = self.counts.entry((kind, plans)).or_default();
        let number = *count;
        *count += 1;
        self.take_up_at((kind, number), plans, dice);
        number
    }

    fn take_up_at(&mut self, fault: Fault, plans: bool, dice: &mut Random) {
        match (&self.mode, self.dice.get(&(fault, plans))) {
            (Mode::Some(keep), Some(then)) if fault.0 == Kind::Network => *dice = then.salted(keep.salt),
            (Mode::Some(_), Some(then)) => *dice = then.clone(),
            (Mode::Noted, _) => {
                self.dice.insert((fault, plans), dice.clone());
            }
            (Mode::Some(_) | Mode::All, _) => {}
        }
    }

    /// A window of time begins. Whether the network has its faults in it.
    pub(crate) fn disturbs(&mut self, window: u32, dice: &mut Random) -> bool {
        let fault = (Kind::Network, window);
        self.take_up_at(fault, false, dice);
        self.keeps(fault)
    }

    /// By how much times are to differ from the whole run's.
    pub(crate) fn salt(&self) -> u64 {
        self.kept().map_or(0, |keep| keep.salt)
    }

    /// Whether a transaction comes, before everything has healed.
    pub(crate) fn has_transaction(&self, number: u64) -> bool {
        let most = self.kept().and_then(|keep| keep.transactions);
        most.is_none_or(|most| number <= most)
    }

    /// Faults that could happen.
    pub(crate) fn seen(&self) -> &BTreeSet<Fault> {
        &self.seen
    }
}
