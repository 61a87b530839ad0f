//! What is kept of a transaction while it runs: its calls, and what happens in them, in one order.

use std::sync::Arc;
use std::time::Instant;

use hanse_state::{Added, Entry, Halt, PlainState, Savepoint, ScanRequest, StateAccess};
use hanse_types::{Address, Delta, Gas, ReceiptEvent, Value};
use hanse_vm::trace::{Entered, Left};
use hanse_vm::{Entry as Door, Failure, Trace};
use parking_lot::Mutex;

/// A call.
#[derive(Clone, Debug)]
pub struct TracedCall {
    /// The call that made it, by its place; none for the transaction's own.
    pub parent: Option<usize>,
    /// The contract.
    pub contract: Address,
    /// Who called it.
    pub caller: Address,
    /// The method.
    pub method: String,
    /// Its arguments, encoded.
    pub input: Vec<u8>,
    /// By which door the contract was entered.
    pub entry: Door,
    /// What it used, the calls inside it included.
    pub gas_used: Gas,
    /// What it returned, or how it failed.
    pub result: Result<Vec<u8>, Failure>,
    /// The contract in which its failure began.
    pub failed_in: Address,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Step {
    /// In which call, by its place; none before the first.
    pub call: Option<usize>,
    /// What.
    pub did: Did,
}

/// What a transaction can do.
#[derive(Clone, Debug)]
pub enum Did {
    /// It called: the place of the call.
    Called(usize),
    /// It read a key.
    Read {
        /// Full state key.
        key: Vec<u8>,
        /// What was there.
        value: Option<Value>,
    },
    /// It wrote a key, or removed it.
    Wrote {
        /// Full state key.
        key: Vec<u8>,
        /// What is there now.
        value: Option<Value>,
    },
    /// It added to a number.
    Added {
        /// Full state key.
        key: Vec<u8>,
        /// What, and within which bounds.
        delta: Delta,
        /// Whether it fitted.
        outcome: Added,
    },
    /// It read a range of keys, or a part of one.
    Scanned {
        /// First key, full.
        start: Vec<u8>,
        /// First key after it.
        end: Vec<u8>,
        /// From the end backwards.
        reverse: bool,
        /// What was found.
        entries: Vec<Entry>,
    },
    /// It emitted an event. If the call fails later, that is undone too.
    Emitted(ReceiptEvent),
}

impl Did {
    /// What keeping it takes.
    fn bytes(&self) -> usize {
        let length = |value: &Option<Value>| value.as_ref().map_or(0, |value| value.len());
        match self {
            Did::Called(_) => 0,
            Did::Read { key, value } | Did::Wrote { key, value } => key.len() + length(value),
            Did::Added { key, .. } => key.len(),
            Did::Scanned { start, end, entries, .. } => {
                let entries = entries.iter().map(|(key, value)| key.len() + value.len());
                start.len() + end.len() + entries.sum::<usize>()
            }
            Did::Emitted(ReceiptEvent { event, .. }) => {
                event.name.len() + event.topics.iter().map(Vec::len).sum::<usize>() + event.data.len()
            }
        }
    }
}

/// What was heard so far.
pub(super) struct Record {
    pub(super) calls: Vec<TracedCall>,
    pub(super) steps: Vec<Step>,
    /// Where the failure that is on its way out began.
    pub(super) failed_call: Option<usize>,
    pub(super) left_off: u64,
    /// Calls that have not ended, with the gas they began with; none for those that were not kept.
    open: Vec<(Option<usize>, u64)>,
    /// What may still be kept.
    steps_left: usize,
    bytes_left: usize,
}

impl Record {
    pub(super) fn new(steps: usize, bytes: usize) -> Record {
        Record {
            calls: Vec::new(),
            steps: Vec::new(),
            failed_call: None,
            left_off: 0,
            open: Vec::new(),
            steps_left: steps,
            bytes_left: bytes,
        }
    }

    /// The innermost call that was kept and has not ended.
    fn present(&self) -> Option<usize> {
        self.open.iter().rev().find_map(|(call, _)| *call)
    }

    /// Whether there is room for one more of so many bytes, which is taken.
    fn take_room(&mut self, bytes: usize) -> bool {
        if self.steps_left == 0 || bytes > self.bytes_left {
            self.left_off += 1;
            return false;
        }
        self.steps_left -= 1;
        self.bytes_left -= bytes;
        true
    }

    fn did(&mut self, did: Did) {
        if self.take_room(did.bytes()) {
            self.steps.push(Step { call: self.present(), did });
        }
    }

    fn entered(&mut self, call: &Entered<'_>) {
        if !self.take_room(call.method.len() + call.input.len()) {
            return self.open.push((None, call.gas));
        }
        let (parent, place) = (self.present(), self.calls.len());
        self.steps.push(Step { call: parent, did: Did::Called(place) });
        self.open.push((Some(place), call.gas));
        self.calls.push(TracedCall {
            parent,
            contract: call.contract,
            caller: call.caller,
            method: call.method.to_owned(),
            input: call.input.to_vec(),
            entry: call.entry,
            gas_used: Gas(0),
            result: Ok(Vec::new()),
            failed_in: Address::ZERO,
        });
    }

    fn left(&mut self, how: &Left<'_>, gas: u64) {
        let Some((place, gas_before)) = self.open.pop() else { return };
        let (result, failed_in) = match how {
            Left::Returned(output) => {
                // Whatever failed inside was caught.
                self.failed_call = None;
                (Ok(output.to_vec()), Address::ZERO)
            }
            Left::Failed { failure, failed_in } => {
                // A call whose failure began further in only passes it on.
                let kept = place.and_then(|place| self.calls.get(place));
                if kept.is_none_or(|call| call.contract == *failed_in) {
                    self.failed_call = place;
                }
                (Err((*failure).clone()), *failed_in)
            }
        };
        if let Some(call) = place.and_then(|place| self.calls.get_mut(place)) {
            call.gas_used = Gas(gas_before.saturating_sub(gas));
            (call.result, call.failed_in) = (result, failed_in);
        }
    }
}

/// A record that the state and the listener both write to.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Record>>);

impl Shared {
    pub(super) fn new(record: Record) -> Shared {
        Shared(Arc::new(Mutex::new(record)))
    }

    /// What was recorded; nothing is left.
    pub(super) fn take(&self) -> Record {
        std::mem::replace(&mut *self.0.lock(), Record::new(0, 0))
    }
}

/// Hears of calls.
pub(super) struct Listener(pub(super) Shared);

impl Trace for Listener {
    fn entered(&mut self, call: &Entered<'_>) {
        self.0.0.lock().entered(call);
    }

    fn left(&mut self, how: &Left<'_>, gas: u64) {
        self.0.0.lock().left(how, gas);
    }

    fn emitted(&mut self, event: &ReceiptEvent) {
        self.0.0.lock().did(Did::Emitted(event.clone()));
    }
}

/// A state of which every access is recorded, until the time is over.
pub(super) struct Watched {
    state: PlainState,
    record: Shared,
    deadline: Instant,
}

impl Watched {
    pub(super) fn new(state: PlainState, record: Shared, deadline: Instant) -> Watched {
        Watched { state, record, deadline }
    }

    fn in_time(&self) -> Result<(), Halt> {
        match Instant::now() < self.deadline {
            true => Ok(()),
            false => Err(Halt::Engine { reason: "the time for a trace is over".to_owned() }),
        }
    }

    fn did(&self, did: Did) {
        self.record.0.lock().did(did);
    }
}

impl StateAccess for Watched {
    fn get(&mut self, key: &[u8]) -> Result<Option<Value>, Halt> {
        self.in_time()?;
        let value = self.state.get(key)?;
        self.did(Did::Read { key: key.to_vec(), value: value.clone() });
        Ok(value)
    }

    fn get_content(&mut self, key: &[u8]) -> Result<Option<Value>, Halt> {
        self.in_time()?;
        // Not an observation, so it is in no access set either.
        self.state.get_content(key)
    }

    fn set(&mut self, key: &[u8], value: Value) -> Result<(), Halt> {
        self.in_time()?;
        self.did(Did::Wrote { key: key.to_vec(), value: Some(value.clone()) });
        self.state.set(key, value)
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Halt> {
        self.in_time()?;
        self.did(Did::Wrote { key: key.to_vec(), value: None });
        self.state.remove(key)
    }

    fn add(&mut self, key: &[u8], delta: Delta) -> Result<Added, Halt> {
        self.in_time()?;
        let outcome = self.state.add(key, delta)?;
        self.did(Did::Added { key: key.to_vec(), delta, outcome });
        Ok(outcome)
    }

    fn scan(&mut self, request: ScanRequest<'_>) -> Result<Vec<Entry>, Halt> {
        self.in_time()?;
        let entries = self.state.scan(request)?;
        let ScanRequest { start, end, reverse, .. } = request;
        self.did(Did::Scanned { start: start.to_vec(), end: end.to_vec(), reverse, entries: entries.clone() });
        Ok(entries)
    }

    fn savepoint(&mut self) -> Savepoint {
        self.state.savepoint()
    }

    fn rollback(&mut self, to: Savepoint) {
        self.state.rollback(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(record: &mut Record, gas: u64) {
        let contract = Address::native(1);
        record.entered(&Entered { contract, caller: contract, method: "m", input: &[1; 4], entry: Door::Call, gas });
    }

    #[test]
    fn what_happens_belongs_to_the_innermost_call() {
        let mut record = Record::new(10, 1_000);
        entered(&mut record, 100);
        entered(&mut record, 60);
        record.did(Did::Read { key: vec![1], value: None });
        record.left(&Left::Failed { failure: &Failure::out_of_gas(), failed_in: Address::native(1) }, 20);
        assert_eq!(record.failed_call, Some(1));
        record.did(Did::Wrote { key: vec![2], value: None });
        record.left(&Left::Returned(&[7]), 5);
        assert_eq!(record.failed_call, None, "it was caught");
        let calls: Vec<_> =
            record.calls.iter().map(|call| (call.parent, call.gas_used.0, call.result.is_ok())).collect();
        assert_eq!(calls, [(None, 95, true), (Some(0), 40, false)]);
        let steps: Vec<_> = record.steps.iter().map(|step| step.call).collect();
        assert_eq!(steps, [None, Some(0), Some(1), Some(0)]);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut record = Record::new(2, 20);
        entered(&mut record, 9);
        record.did(Did::Read { key: vec![0; 30], value: None });
        record.did(Did::Read { key: vec![0; 10], value: None });
        entered(&mut record, 8);
        record.did(Did::Read { key: vec![], value: None });
        record.left(&Left::Returned(&[]), 7);
        record.did(Did::Read { key: vec![], value: None });
        record.left(&Left::Returned(&[]), 0);
        assert_eq!((record.calls.len(), record.steps.len(), record.left_off), (1, 2, 4));
        assert_eq!(record.calls[0].gas_used, Gas(9));
    }
}
