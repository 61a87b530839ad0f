//! State as one transaction of a running block sees it, with everything that it observes and does noted down.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hanse_types::{Delta, RangeRead, Value};
use smallvec::SmallVec;

use crate::access::{Added, Halt, Savepoint, ScanRequest, StateAccess};
use crate::access_set::{AccessSet, KeyAdd, Kind, Seen, Slot, Touch};
use crate::block_state::{BlockState, KeyHash};
use crate::cells::Filling;
use crate::number::{self, Refused};
use crate::view::Entry;

/// Beyond so many keys a transaction's own keys are found by hash instead of by looking through them.
const LINEAR_KEYS: usize = 16;

/// Keys that are remembered from one transaction to the next.
const RECENT: usize = 16;

/// Access sets under which a transaction was scheduled, so that it may not leave them.
#[derive(Clone, Debug, Default)]
pub struct Confinement {
    touches: SmallVec<[(Slot, Kind, Option<Delta>); 4]>,
    ranges: Vec<RangeRead>,
}

impl Confinement {
    /// Confines to what a speculative run touched. Adds that commute must be the same again, as the plan relied on
    /// their amounts; `commutes` says which adds do, the others count as writes.
    pub fn to_set(set: &AccessSet, commutes: impl Fn(usize) -> bool) -> Confinement {
        let mut add = 0;
        let touches = set.touches.iter().map(|touch| match touch.kind {
            Kind::Add => {
                let at = add;
                add += 1;
                let kind = if commutes(at) { Kind::Add } else { Kind::Write };
                (touch.slot, kind, Some(set.adds[at].delta()))
            }
            kind => (touch.slot, kind, None),
        });
        Confinement { touches: touches.collect(), ranges: set.ranges.clone() }
    }

    /// Confines to predicted reads and writes (a predicted add is a write, as its amount is not known).
    pub fn to_prediction(touches: impl Iterator<Item = (Slot, Kind)>) -> Confinement {
        let touches = touches.map(|(slot, kind)| (slot, if kind == Kind::Add { Kind::Write } else { kind }, None));
        Confinement { touches: touches.collect(), ranges: Vec::new() }
    }

    /// Whether a key may be touched in this way. A planned write covers everything.
    fn allows(&self, slot: Slot, need: Kind) -> bool {
        self.touches.iter().any(|(other, kind, _)| *other == slot && (*kind == Kind::Write || *kind == need))
    }

    /// Whether the sum of a transaction's adds to a key may be this.
    fn allows_sum(&self, slot: Slot, sum: &Delta) -> bool {
        let planned = self.touches.iter().find(|(other, _, _)| *other == slot);
        planned.is_some_and(|(_, kind, delta)| *kind == Kind::Write || delta.as_ref() == Some(sum))
    }

    fn allows_range(&self, start: &[u8], end: &[u8]) -> bool {
        self.ranges.iter().any(|range| *range.start <= *start && *end <= *range.end)
    }
}

/// Something that a transaction did to a key.
#[derive(Debug)]
enum Effect {
    Set(Option<Value>),
    Add(Delta),
}

/// The place of an effect among those of the transaction; the latest of a key counts.
type EffectAt = u32;

/// Nothing was done to the key.
const UNCHANGED: EffectAt = EffectAt::MAX;

/// Records one transaction after another; its buffers are reused.
pub struct Recorder {
    block: Arc<BlockState>,
    confinement: Option<Confinement>,
    touched: Vec<Touched>,
    by_slot: HashMap<Slot, usize, RandomState>,
    ranges: Vec<RangeRead>,
    /// Everything that was done, also what was replaced or undone since: nothing is moved or copied until the end.
    effects: Vec<Effect>,
    /// Places in `touched`, with the effect that each had before.
    journal: Vec<(u32, EffectAt)>,
    /// It strayed where that could not be said at once.
    strayed: bool,
    /// Where it makes new slots.
    filling: Filling,
    /// Keys that were touched lately, by their hashes.
    recent: [Option<Recent>; RECENT],
    /// While the block's state stands still, the number of that time.
    frozen: Option<u32>,
}

/// A key that was touched lately.
struct Recent {
    hash: KeyHash,
    slot: Slot,
    /// What it held, and whose value that was, at a time when the state stood still.
    held: Option<(u32, Option<Value>, Seen)>,
}

struct Touched {
    slot: Slot,
    /// Tells most keys apart without comparing them.
    hash: KeyHash,
    seen: Seen,
    present: bool,
    effect: EffectAt,
}

impl Recorder {
    /// A recorder of transactions of this block.
    pub fn new(block: Arc<BlockState>) -> Recorder {
        Recorder {
            block,
            confinement: None,
            touched: Vec::with_capacity(8),
            by_slot: HashMap::default(),
            ranges: Vec::new(),
            effects: Vec::with_capacity(8),
            journal: Vec::with_capacity(8),
            strayed: false,
            filling: Filling::default(),
            recent: [const { None }; RECENT],
            frozen: None,
        }
    }

    /// Confines the next transaction: its first access outside is a [`Halt::Stray`].
    pub fn confine(&mut self, confinement: Option<Confinement>) {
        self.confinement = confinement;
    }

    /// Says that the block's state does not change until this is called again (`phase` is another number each time), or
    /// that it may (none). What stands still is read once by each recorder, so that threads do not fight for the locks
    /// of keys that all transactions touch.
    pub fn freeze(&mut self, phase: Option<u32>) {
        self.frozen = phase;
    }

    /// What was recorded since the last call; the recorder is ready for the next transaction.
    ///
    /// # Errors
    /// [`Halt::Stray`] if adds amount to something else than the confinement counted on.
    pub fn take(&mut self) -> Result<AccessSet, Halt> {
        let mut set = AccessSet::default();
        self.take_into(&mut set).map(|()| set)
    }

    /// [`Recorder::take`], to where it shall stay: access sets are large.
    ///
    /// # Errors
    /// As [`Recorder::take`]; what is in `set` is of no use then.
    pub fn take_into(&mut self, set: &mut AccessSet) -> Result<(), Halt> {
        let confinement = self.confinement.take();
        set.clear();
        set.ranges.append(&mut self.ranges);
        let mut strayed = std::mem::take(&mut self.strayed);
        for touched in self.touched.drain(..) {
            let Touched { slot, seen, present, .. } = touched;
            let effect = self.effects.get_mut(touched.effect as usize);
            let kind = match effect {
                None if seen == Seen::NOTHING => continue,
                None => Kind::Read,
                Some(Effect::Set(value)) => {
                    set.writes.push((slot, value.take()));
                    Kind::Write
                }
                // A rollback undid what had been made of the add, but not that its key was read.
                Some(Effect::Add(delta)) if seen != Seen::NOTHING => {
                    let (below, _) = self.block.read(slot);
                    set.writes.push((slot, number::apply(below.as_ref(), delta).map_or(below, Some)));
                    Kind::Write
                }
                Some(Effect::Add(delta)) => {
                    strayed |= confinement.as_ref().is_some_and(|plan| !plan.allows_sum(slot, delta));
                    set.adds.push(KeyAdd::new(slot, delta));
                    Kind::Add
                }
            };
            set.touches.push(Touch { slot, kind, seen, present });
        }
        self.by_slot.clear();
        self.journal.clear();
        self.effects.clear();
        if strayed { Err(Halt::Stray) } else { Ok(()) }
    }

    /// Forgets what was recorded, as of a transaction that halted.
    pub fn discard(&mut self) {
        // What the stopped transaction did is of no interest, whether it was allowed or not.
        let _ = self.take();
    }

    /// The place of a key among this transaction's keys.
    fn touch(&mut self, key: &[u8]) -> Result<usize, Halt> {
        let hash = self.block.hash(key);
        let linear = self.touched.len() <= LINEAR_KEYS;
        if linear {
            let same = |touched: &Touched| touched.hash == hash && **self.block.key(touched.slot) == *key;
            if let Some(at) = self.touched.iter().position(same) {
                return Ok(at);
            }
        }
        let slot = self.slot(hash, key)?;
        if !linear {
            self.index_slots();
            if let Some(at) = self.by_slot.get(&slot) {
                return Ok(*at);
            }
            self.by_slot.insert(slot, self.touched.len());
        }
        self.touched.push(Touched { slot, hash, seen: Seen::NOTHING, present: false, effect: UNCHANGED });
        Ok(self.touched.len() - 1)
    }

    /// The slot of a key. One that all transactions of a block read, as the record of their contract, is found without
    /// going to the table that all threads share.
    fn slot(&mut self, hash: KeyHash, key: &[u8]) -> Result<Slot, Halt> {
        let place = hash.place(RECENT);
        if let Some(recent) = &self.recent[place]
            && recent.hash == hash
            && **self.block.key(recent.slot) == *key
        {
            return Ok(recent.slot);
        }
        let slot = self.block.slot_hashed(hash, key, &mut self.filling)?;
        self.recent[place] = Some(Recent { hash, slot, held: None });
        Ok(slot)
    }

    /// Enters the first keys into the index, when there are too many to look through.
    fn index_slots(&mut self) {
        if self.by_slot.is_empty() {
            self.by_slot.extend(self.touched.iter().enumerate().map(|(at, touched)| (touched.slot, at)));
        }
    }

    fn check(&self, at: usize, need: Kind) -> Result<(), Halt> {
        match &self.confinement {
            Some(confinement) if !confinement.allows(self.touched[at].slot, need) => Err(Halt::Stray),
            _ => Ok(()),
        }
    }

    /// What the transaction did to a key so far.
    fn effect(&self, at: usize) -> Option<&Effect> {
        self.effects.get(self.touched[at].effect as usize)
    }

    fn replace_effect(&mut self, at: usize, effect: Effect) {
        let new = self.effects.len() as EffectAt;
        self.effects.push(effect);
        let old = std::mem::replace(&mut self.touched[at].effect, new);
        self.journal.push((at as u32, old));
    }

    /// What lies below this transaction, and who left it.
    fn read(&mut self, at: usize) -> (Option<Value>, Seen) {
        let Touched { slot, hash, .. } = self.touched[at];
        let Some(phase) = self.frozen.filter(|_| self.block.is_changed(slot)) else { return self.block.read(slot) };
        let recent = self.recent[hash.place(RECENT)].as_mut().filter(|recent| recent.slot == slot);
        let Some(recent) = recent else { return self.block.read(slot) };
        match &recent.held {
            Some((then, value, seen)) if *then == phase => (value.clone(), *seen),
            _ => {
                let (value, seen) = self.block.read(slot);
                recent.held = Some((phase, value.clone(), seen));
                (value, seen)
            }
        }
    }

    /// Reads what lies below this transaction, and notes that it was seen.
    fn observe(&mut self, at: usize) -> Result<Option<Value>, Halt> {
        self.check(at, Kind::Read)?;
        let (value, seen) = self.read(at);
        let touched = &mut self.touched[at];
        if touched.seen == Seen::NOTHING {
            touched.seen = seen;
            touched.present = value.is_some();
        }
        Ok(value)
    }

    /// Turns an add into the read and the write that it stands for.
    fn materialise(&mut self, at: usize, delta: &Delta) -> Result<Option<Value>, Halt> {
        let below = self.observe(at)?;
        // The delta fitted when it was recorded. Under a DAG that lies the value may have moved since; then what was
        // just observed contradicts that DAG, and any value will do.
        let value = number::apply(below.as_ref(), delta).map_or(below, Some);
        self.replace_effect(at, Effect::Set(value.clone()));
        Ok(value)
    }

    fn write(&mut self, key: &[u8], value: Option<Value>) -> Result<(), Halt> {
        let at = self.touch(key)?;
        self.check(at, Kind::Write)?;
        // As with an add that is undone: that it had fitted was seen.
        if matches!(self.effect(at), Some(Effect::Add(_))) {
            self.observe(at)?;
        }
        self.replace_effect(at, Effect::Set(value));
        Ok(())
    }

    /// Adds to a key that this transaction has read or written: no longer commutative.
    fn add_to_known(&mut self, at: usize, value: Option<&Value>, delta: &Delta) -> Result<Added, Halt> {
        match number::apply(value, delta) {
            Ok(value) => {
                self.check(at, Kind::Write)?;
                self.replace_effect(at, Effect::Set(Some(value)));
                Ok(Added::Done)
            }
            Err(refused) => Ok(refused.into()),
        }
    }

    /// Adds to a key that this transaction has not touched, or only added to: commutative if it fits.
    fn add_unseen(&mut self, at: usize, before: Option<Delta>, delta: Delta) -> Result<Added, Halt> {
        let Some(sum) = before.map_or(Some(delta), |before| number::merge(&before, &delta)) else {
            let before = before.unwrap_or(delta);
            let value = self.materialise(at, &before)?;
            return self.add_to_known(at, value.as_ref(), &delta);
        };
        // Looking at the value to check the bounds is no observation as long as the check succeeds: the order of adds
        // is only free where it can't fail.
        let (below, _) = self.read(at);
        match number::apply(below.as_ref(), &sum) {
            Ok(_) => {
                self.check(at, Kind::Add)?;
                self.replace_effect(at, Effect::Add(sum));
                Ok(Added::Done)
            }
            Err(refused) => {
                if let Some(before) = before {
                    self.materialise(at, &before)?;
                } else {
                    self.observe(at)?;
                }
                Ok(refused.into())
            }
        }
    }

    fn was_scanned(&self, key: &[u8]) -> bool {
        self.ranges.iter().any(|range| *range.start <= *key && *key < *range.end)
    }

    /// Own effects inside a range, adds made concrete.
    fn own_values(&mut self, start: &[u8], end: &[u8]) -> Result<BTreeMap<Vec<u8>, Option<Value>>, Halt> {
        let mut own = BTreeMap::new();
        for at in 0..self.touched.len() {
            let key = self.block.key(self.touched[at].slot).clone();
            if !(*start <= *key && *key < *end) {
                continue;
            }
            let value = match self.effect(at) {
                None => continue,
                Some(Effect::Set(value)) => value.clone(),
                Some(&Effect::Add(delta)) => self.materialise(at, &delta)?,
            };
            own.insert(key.to_vec(), value);
        }
        Ok(own)
    }
}

impl StateAccess for Recorder {
    fn get(&mut self, key: &[u8]) -> Result<Option<Value>, Halt> {
        let at = self.touch(key)?;
        match self.effect(at) {
            None => self.observe(at),
            Some(Effect::Set(value)) => Ok(value.clone()),
            Some(&Effect::Add(delta)) => self.materialise(at, &delta),
        }
    }

    fn get_content(&mut self, key: &[u8]) -> Result<Option<Value>, Halt> {
        let slot = self.block.slot(key)?;
        let own = self.touched.iter().position(|touched| touched.slot == slot);
        Ok(match own.and_then(|at| self.effect(at)) {
            Some(Effect::Set(value)) => value.clone(),
            _ => self.block.read(slot).0,
        })
    }

    fn set(&mut self, key: &[u8], value: Value) -> Result<(), Halt> {
        self.write(key, Some(value))
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Halt> {
        self.write(key, None)
    }

    fn add(&mut self, key: &[u8], delta: Delta) -> Result<Added, Halt> {
        let at = self.touch(key)?;
        match self.effect(at) {
            Some(Effect::Set(value)) => {
                let value = value.clone();
                self.add_to_known(at, value.as_ref(), &delta)
            }
            Some(&Effect::Add(before)) => self.add_unseen(at, Some(before), delta),
            // What was read, alone or in a scan, is known: adding to it depends on its value.
            None if self.touched[at].seen != Seen::NOTHING || self.was_scanned(key) => {
                let value = self.observe(at)?;
                self.add_to_known(at, value.as_ref(), &delta)
            }
            None => self.add_unseen(at, None, delta),
        }
    }

    fn scan(&mut self, request: ScanRequest<'_>) -> Result<Vec<Entry>, Halt> {
        let ScanRequest { start, end, limit, reverse } = request;
        if start >= end || limit == 0 {
            return Ok(Vec::new());
        }
        let own = self.own_values(start, end)?;
        let entries = self.block.scan(own, (start, end), limit, reverse)?;
        let seen = observed_range(&request, &entries);
        if self.confinement.as_ref().is_some_and(|confinement| !confinement.allows_range(&seen.start, &seen.end)) {
            return Err(Halt::Stray);
        }
        self.ranges.push(seen);
        Ok(entries)
    }

    fn savepoint(&mut self) -> Savepoint {
        Savepoint(self.journal.len())
    }

    fn rollback(&mut self, to: Savepoint) {
        while self.journal.len() > to.0 {
            let Some((at, effect)) = self.journal.pop() else { return };
            let at = at as usize;
            let undone = std::mem::replace(&mut self.touched[at].effect, effect);
            // That an add fitted was seen, and no longer follows from the adds that count: it becomes a read.
            if matches!(self.effects[undone as usize], Effect::Add(_)) && self.observe(at).is_err() {
                self.strayed = true;
            }
        }
    }
}

impl From<Refused> for Added {
    fn from(refused: Refused) -> Added {
        match refused {
            Refused::OutOfBounds => Added::OutOfBounds,
            Refused::NotANumber => Added::NotANumber,
        }
    }
}

/// How much of the range a scan with this answer has seen: all, or, if it stopped at its limit, up to the last entry.
fn observed_range(request: &ScanRequest<'_>, entries: &[Entry]) -> RangeRead {
    let (mut start, mut end) = (request.start.to_vec(), request.end.to_vec());
    if entries.len() == request.limit
        && let Some((last, _)) = entries.last()
    {
        if request.reverse {
            start = last.clone();
        } else {
            // The first key after `last`.
            end = last.clone();
            end.push(0);
        }
    }
    RangeRead { start, end }
}
