//! Guesses at access sets, so that a transaction that will conflict anyway is not run for nothing.
//!
//! A guess is made of templates: a key is a sequence of constant bytes, the caller's address, and slices of the
//! arguments. Templates are *declared* (a contract's ABI says how its keys are made) or *learned* from access sets that
//! were seen. A wrong guess harms nobody: a transaction that leaves its guess is a stray and runs once more. Guesses are
//! only made while the last transactions conflicted much; where they do not, running a transaction is the best guess.
//!
//! What is learned changes only between sub-batches, in block order, so it never depends on timing.

use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::RandomState;
use hanse_state::{AccessSet, BlockState, Kind, Slot, StateError};
use hanse_types::Address;

use crate::execute::CallSite;

/// Most methods that are remembered; beyond, no new ones are learned.
const METHODS_MAX: usize = 4_096;
/// Longest arguments in which parts of keys are looked for, in bytes.
const ARGS_SEARCHED: usize = 256;
/// Shortest slice of the arguments that counts as part of a key, in bytes.
const SLICE_MIN: usize = 4;
/// Access sets that must have fitted before a learned guess is used.
const CONFIDENT: u32 = 2;
/// Times that a method's templates are learned anew before it is given up.
const RELEARN_MAX: u32 = 16;
/// A sub-batch is contended if one in so many of its transactions can't keep a speculative result.
const CONTENDED_ONE_IN: usize = 8;

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes, always.
    Bytes(Vec<u8>),
    /// The caller's address.
    Caller,
    /// These bytes of the encoded arguments.
    Args(Range<usize>),
}

/// How a method makes one of the keys that it touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The parts of the full state key.
    pub pieces: Vec<Piece>,
    /// What it does to the key.
    pub kind: Kind,
    /// Whether it looks at the value.
    pub reads: bool,
}

#[derive(Debug, Default)]
struct Method {
    templates: Vec<Template>,
    fitted: u32,
    relearned: u32,
}

/// A guessed touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    /// Which key.
    pub slot: Slot,
    /// What is done to it.
    pub kind: Kind,
    /// Whether its value is looked at.
    pub reads: bool,
}

impl Guess {
    /// Both are done to the key.
    fn include(&mut self, other: &Guess) {
        if self.kind != other.kind {
            self.kind = Kind::Write;
        }
        self.reads |= other.reads;
    }
}

/// What is known about methods' access sets.
#[derive(Debug, Default)]
pub struct Hints {
    /// Methods of a contract are few: a list is searched faster than names are hashed.
    methods: HashMap<Address, Vec<(String, Method)>, RandomState>,
    count: usize,
    /// Whether a sub-batch was run before.
    warm: bool,
    contended: bool,
    chained: bool,
}

impl Hints {
    /// Declares how a method makes its keys.
    pub fn declare(&mut self, contract: Address, method: &str, templates: Vec<Template>) {
        if let Some(entry) = self.method_mut(contract, method) {
            *entry = Method { templates, fitted: CONFIDENT, relearned: 0 };
        }
    }

    /// Whether nothing is known of the workload yet.
    pub(crate) fn is_cold(&self) -> bool {
        !self.warm
    }

    /// Whether the last transactions were a chain, so that running the next in order is the best that can be done.
    pub(crate) fn is_chained(&self) -> bool {
        self.chained
    }

    /// Takes note of whether a sub-batch was a chain.
    pub(crate) fn note_chain(&mut self, is_chain: bool) {
        // What comes after a chain is another workload: what was learned before it says nothing about it.
        self.contended &= is_chain || !self.chained;
        self.chained = is_chain;
    }

    /// Whether guesses are worth their while at present.
    pub(crate) fn is_contended(&self) -> bool {
        self.contended
    }

    /// Takes note of how many of a sub-batch's transactions could not keep a speculative result.
    pub(crate) fn note_contention(&mut self, conflicting: usize, transactions: usize) {
        self.warm = true;
        self.contended = conflicting * CONTENDED_ONE_IN >= transactions.max(1);
    }

    /// The guess for a call, if there is a confident one.
    ///
    /// # Errors
    /// If the state can't be read.
    pub(crate) fn guess(&self, site: &CallSite<'_>, state: &BlockState) -> Result<Option<Vec<Guess>>, StateError> {
        let Some(method) = self.method(site).filter(|method| method.fitted >= CONFIDENT) else { return Ok(None) };
        let mut key = Vec::with_capacity(64);
        let mut guesses = Vec::with_capacity(method.templates.len());
        for template in &method.templates {
            if !template.fill(site, &mut key) {
                return Ok(None);
            }
            let guess = Guess { slot: state.slot(&key)?, kind: template.kind, reads: template.reads };
            // Two templates make one key where the caller is an argument too: whoever pays himself.
            match guesses.iter_mut().find(|other: &&mut Guess| other.slot == guess.slot) {
                Some(other) => other.include(&guess),
                None => guesses.push(guess),
            }
        }
        Ok(Some(guesses))
    }

    /// Learns from what a call touched.
    pub(crate) fn learn(&mut self, site: &CallSite<'_>, set: &AccessSet, state: &BlockState) {
        if let Some(method) = self.method_mut(site.contract, site.method) {
            method.learn(site, set, state);
        }
    }

    fn method(&self, site: &CallSite<'_>) -> Option<&Method> {
        let methods = self.methods.get(&site.contract)?;
        methods.iter().find(|(name, _)| name == site.method).map(|(_, method)| method)
    }

    fn method_mut(&mut self, contract: Address, name: &str) -> Option<&mut Method> {
        let known = self.methods.get(&contract).is_some_and(|methods| methods.iter().any(|(other, _)| other == name));
        if !known {
            if self.count >= METHODS_MAX {
                return None;
            }
            self.count += 1;
            self.methods.entry(contract).or_default().push((name.to_owned(), Method::default()));
        }
        let methods = self.methods.get_mut(&contract)?;
        methods.iter_mut().find(|(other, _)| other == name).map(|(_, method)| method)
    }
}

impl Method {
    fn learn(&mut self, site: &CallSite<'_>, set: &AccessSet, state: &BlockState) {
        if self.relearned > RELEARN_MAX {
            return;
        }
        if !self.templates.is_empty() && self.fits(site, set, state) {
            self.fitted = self.fitted.saturating_add(1);
            return;
        }
        self.fitted = 0;
        self.relearned += 1;
        // A range that depends on data can't be guessed by templates of keys.
        self.templates = if set.ranges.is_empty() {
            set.touches
                .iter()
                .map(|touch| Template::of(state.key(touch.slot), touch.kind, touch.is_read(), site))
                .collect()
        } else {
            Vec::new()
        };
    }

    /// Whether everything that was touched had been guessed. Less may be touched: a call that fails stops early.
    fn fits(&self, site: &CallSite<'_>, set: &AccessSet, state: &BlockState) -> bool {
        if !set.ranges.is_empty() {
            return false;
        }
        let mut key = Vec::with_capacity(64);
        let mut guessed: Vec<(Vec<u8>, Kind)> = Vec::with_capacity(self.templates.len());
        for template in &self.templates {
            if !template.fill(site, &mut key) {
                return false;
            }
            guessed.push((key.clone(), template.kind));
        }
        set.touches.iter().all(|touch| {
            let key = state.key(touch.slot);
            guessed.iter().any(|(other, kind)| **other == **key && (*kind == touch.kind || *kind == Kind::Write))
        })
    }
}

impl Template {
    /// The template that makes this key of this call.
    fn of(key: &[u8], kind: Kind, reads: bool, site: &CallSite<'_>) -> Template {
        let mut pieces = Vec::new();
        // The contract's prefix is the same in all its keys, even where it happens to look like an argument.
        let mut constant: Vec<u8> = key.iter().take(hanse_abi::keys::PREFIX_BYTES).copied().collect();
        let mut at = constant.len();
        while at < key.len() {
            let rest = &key[at..];
            let (piece, length) = if rest.starts_with(site.caller.as_bytes()) {
                (Piece::Caller, Address::BYTES)
            } else if let Some(range) = longest_slice(site.args, rest) {
                (Piece::Args(range.clone()), range.len())
            } else {
                constant.push(key[at]);
                at += 1;
                continue;
            };
            if !constant.is_empty() {
                pieces.push(Piece::Bytes(std::mem::take(&mut constant)));
            }
            pieces.push(piece);
            at += length;
        }
        if !constant.is_empty() {
            pieces.push(Piece::Bytes(constant));
        }
        Template { pieces, kind, reads }
    }

    /// Writes the key of a call into `key`; false if its arguments are too short.
    fn fill(&self, site: &CallSite<'_>, key: &mut Vec<u8>) -> bool {
        key.clear();
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) => key.extend_from_slice(bytes),
                Piece::Caller => key.extend_from_slice(site.caller.as_bytes()),
                Piece::Args(range) => match site.args.get(range.clone()) {
                    Some(slice) => key.extend_from_slice(slice),
                    None => return false,
                },
            }
        }
        true
    }
}

/// The longest slice of the arguments with which `bytes` start, if it is long enough and not just zeros, which any two
/// encodings share.
fn longest_slice(args: &[u8], bytes: &[u8]) -> Option<Range<usize>> {
    if args.len() > ARGS_SEARCHED {
        return None;
    }
    let common = |from: usize| args[from..].iter().zip(bytes).take_while(|(left, right)| left == right).count();
    let best =
        (0..args.len()).map(|from| (common(from), from)).max_by_key(|(length, from)| (*length, usize::MAX - from));
    let (length, from) = best.filter(|(length, _)| *length >= SLICE_MIN)?;
    bytes[..length].iter().any(|byte| *byte != 0).then_some(from..from + length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hanse_state::{MemoryView, Seen, Touch};
    use std::sync::Arc;

    fn site<'a>(caller: &Address, args: &'a [u8]) -> CallSite<'a> {
        CallSite { contract: Address([9; 20]), method: "transfer", caller: *caller, args }
    }

    fn key(address: &Address) -> Vec<u8> {
        hanse_abi::keys::full_key(&Address([9; 20]), &[b"balances\0", &address.0[..]].concat())
    }

    /// What a token's transfer touches.
    fn set(state: &BlockState, from: &Address, to: &Address) -> AccessSet {
        let touch = |address, kind, seen| Touch { slot: state.slot(&key(address)).unwrap(), kind, seen, present: true };
        let touches = [touch(from, Kind::Write, Seen::PARENT), touch(to, Kind::Add, Seen::NOTHING)];
        AccessSet { touches: touches.into_iter().collect(), ..AccessSet::default() }
    }

    #[test]
    fn a_methods_keys_are_learned_from_what_it_touched() {
        let state = BlockState::new(Arc::new(MemoryView::default()), 0);
        let mut hints = Hints::default();
        let account = |n: u8| Address([n; 20]);
        let args = |to: &Address, amount: u128| [&to.0[..], &amount.to_le_bytes()].concat();
        for n in 1..=3 {
            let (from, to) = (account(n), account(n + 10));
            let args = args(&to, u128::from(n));
            assert_eq!(hints.guess(&site(&from, &args), &state), Ok(None));
            hints.learn(&site(&from, &args), &set(&state, &from, &to), &state);
        }
        let (from, to) = (account(77), account(78));
        let args = args(&to, 1 << 90);
        let guess = hints.guess(&site(&from, &args), &state).unwrap().unwrap();
        assert_eq!(guess[0], Guess { slot: state.find(&key(&from)).unwrap(), kind: Kind::Write, reads: true });
        assert_eq!(guess[1], Guess { slot: state.find(&key(&to)).unwrap(), kind: Kind::Add, reads: false });
        assert_eq!(hints.guess(&site(&from, &args[..10]), &state), Ok(None), "arguments that are too short");

        let guess = hints.guess(&site(&to, &args), &state).unwrap().unwrap();
        let own = Guess { slot: state.find(&key(&to)).unwrap(), kind: Kind::Write, reads: true };
        assert_eq!(guess, [own], "a key that two templates make is guessed once");
    }
}
