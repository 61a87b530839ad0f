//! The operations of the host interface, the same for native and WebAssembly contracts: each charges its gas, checks its
//! limits, and goes to the state by the contract's own keys only.
//!
//! Every access of the state also takes from what a transaction may touch ([`limits::RW_SET_BYTES`]), again if it touches
//! the same key again: each leaves a trace until the transaction ends. Counted is what passes by here, not what the state
//! makes of it, so a transaction reaches the limit at the same access however it is run.

use borsh::BorshSerialize;
use hanse_abi::gas::{self, Cost};
use hanse_abi::host::{self, CallContext};
use hanse_abi::{Event, keys};
use hanse_state::{Added, ScanRequest};
use hanse_types::crypto::{PublicKey, Signature};
use hanse_types::{Address, Delta, ReceiptEvent, Status, Value, limits};

use crate::failure::{Failure, Stop};
use crate::session::{Call, Entry, Session};

/// What an access takes from [`limits::RW_SET_BYTES`] beside its keys and values: above what its entries in the access set
/// have in bytes, and about what its trace takes in memory.
const ACCESS_BYTES: usize = 64;
/// What finding a contract takes: its record, and its name where a transaction gives one.
const FIND_BYTES: usize = 512;
/// Entries that a scan reads in one go even where it could not pay for entries as long as they may be, lest every scan
/// with little gas goes to the state for each entry.
const SCAN_STEP_MIN: usize = 32;
/// Most bytes that a transaction's accesses take: one contract is found before its code runs.
const TOUCHED_MAX: usize = limits::RW_SET_BYTES - FIND_BYTES;
/// Longest entry of a scan, in bytes.
const SCAN_ENTRY_MAX: usize = limits::STATE_KEY_BYTES + limits::CONTRACT_VALUE_BYTES;

/// What a nested call gives its caller.
pub(crate) type Answer = Result<Vec<u8>, Failure>;

impl Session {
    /// Uses gas.
    pub(crate) fn charge(&mut self, amount: u64) -> Result<(), Stop> {
        match self.gas_left.checked_sub(amount) {
            Some(left) => {
                self.gas_left = left;
                Ok(())
            }
            None => {
                self.gas_left = 0;
                Err(Failure::out_of_gas().into())
            }
        }
    }

    fn pay(&mut self, cost: Cost, bytes: usize) -> Result<(), Stop> {
        self.charge(cost.of(bytes as u64))
    }

    /// Takes from what a transaction may touch; before the state is asked, so that it never holds more.
    fn touch(&mut self, bytes: usize) -> Result<(), Stop> {
        self.touched_bytes += bytes;
        within("all keys and values that a transaction touches, in bytes", self.touched_bytes, TOUCHED_MAX)
    }

    /// Who calls what, when.
    pub(crate) fn context(&mut self) -> Result<CallContext, Stop> {
        self.pay(host::CONTEXT.cost, 0)?;
        let frame = self.frame();
        Ok(CallContext {
            caller: frame.caller,
            origin: self.origin,
            contract: frame.contract,
            height: self.block.height.0,
            time_ms: self.block.timestamp.0,
            read_only: frame.read_only,
        })
    }

    /// The arguments' length, after paying for their copy.
    pub(crate) fn input(&mut self) -> Result<&[u8], Stop> {
        self.pay(host::INPUT.cost, self.frame().input.len())?;
        Ok(&self.frame().input)
    }

    /// Sets the return value.
    pub(crate) fn output(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.pay(host::OUTPUT.cost, bytes.len())?;
        within("the return value", bytes.len(), limits::OUTPUT_BYTES)?;
        self.frame_mut().output = bytes.to_vec();
        Ok(())
    }

    /// Puts the full state key together in `self.key`.
    fn make_key(&mut self, key: &[u8]) -> Result<(), Stop> {
        within("a key", key.len(), limits::KEY_BYTES)?;
        let prefix = keys::contract_prefix(&self.frame().contract);
        self.key.clear();
        self.key.extend_from_slice(&prefix);
        self.key.extend_from_slice(key);
        Ok(())
    }

    fn check_writable(&self, what: &str) -> Result<(), Stop> {
        if self.frame().read_only {
            return Err(Failure::new(Status::InvalidOperation, format!("a view can't {what}")).into());
        }
        Ok(())
    }

    /// Reads a key.
    pub(crate) fn get(&mut self, key: &[u8]) -> Result<Option<Value>, Stop> {
        self.pay(host::STATE_GET.cost, key.len())?;
        self.make_key(key)?;
        self.read_key()
    }

    /// Reads `self.key`; the bytes of the key are paid for.
    fn read_key(&mut self) -> Result<Option<Value>, Stop> {
        self.touch(self.key.len() + ACCESS_BYTES)?;
        let value = self.state.get(&self.key)?;
        let bytes = value.as_ref().map_or(0, |value| value.len());
        self.charge(host::STATE_GET.cost.per_byte * bytes as u64)?;
        self.touch(bytes)?;
        Ok(value)
    }

    /// Reads a key of another contract, which only system contracts may.
    pub(crate) fn get_of(&mut self, contract: &Address, key: &[u8]) -> Result<Option<Value>, Stop> {
        self.pay(host::STATE_GET.cost, key.len())?;
        self.key = keys::full_key(contract, key);
        self.read_key()
    }

    /// Writes a key.
    pub(crate) fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Stop> {
        within("a value", value.len(), limits::CONTRACT_VALUE_BYTES)?;
        self.set_long(key, value)
    }

    /// [`Session::set`] for values as long as the format allows: contracts' code.
    pub(crate) fn set_long(&mut self, key: &[u8], value: &[u8]) -> Result<(), Stop> {
        self.pay(host::STATE_SET.cost, key.len() + value.len())?;
        self.check_writable("write")?;
        within("a value", value.len(), limits::VALUE_BYTES)?;
        self.make_key(key)?;
        self.touch(self.key.len() + value.len() + ACCESS_BYTES)?;
        Ok(self.state.set(&self.key, Value::new(value))?)
    }

    /// Removes a key.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Result<(), Stop> {
        self.pay(host::STATE_REMOVE.cost, key.len())?;
        self.check_writable("remove")?;
        self.make_key(key)?;
        self.touch(self.key.len() + ACCESS_BYTES)?;
        Ok(self.state.remove(&self.key)?)
    }

    /// Adds to a number; whether it fitted.
    pub(crate) fn add(&mut self, key: &[u8], delta: Delta) -> Result<bool, Stop> {
        self.pay(host::STATE_ADD.cost, key.len() + usize::from(delta.width))?;
        self.check_writable("add")?;
        if !hanse_state::number::is_width(delta.width) {
            let message = format!("a number has 1, 2, 4, 8 or 16 bytes, not {}", delta.width);
            return Err(Failure::new(Status::InvalidOperation, message).into());
        }
        self.make_key(key)?;
        // It may turn out to be a read and a write.
        self.touch(2 * (self.key.len() + ACCESS_BYTES))?;
        match self.state.add(&self.key, delta)? {
            Added::Done => Ok(true),
            Added::OutOfBounds => Ok(false),
            Added::NotANumber => {
                let message = format!("the key holds something else than a number of {} bytes", delta.width);
                Err(Failure::new(Status::InvalidOperation, message).into())
            }
        }
    }

    /// Reads a range of keys; the answer has the contract's own keys.
    pub(crate) fn scan(
        &mut self,
        start: &[u8],
        end: &[u8],
        limit: usize,
        flags: i32,
    ) -> Result<Vec<(Vec<u8>, Value)>, Stop> {
        self.pay(host::STATE_SCAN.cost, start.len() + end.len())?;
        if flags & !(host::SCAN_REVERSE | host::SCAN_KEYS_ONLY) != 0 {
            return Err(Failure::new(Status::InvalidOperation, "a scan has an unknown flag").into());
        }
        within("the end of a scan", end.len(), limits::KEY_BYTES)?;
        self.make_key(start)?;
        let end = if end.is_empty() { successor(&self.key) } else { keys::full_key(&self.frame().contract, end) };
        let start = std::mem::take(&mut self.key);
        let mut scan =
            Scan { start, end, reverse: flags & host::SCAN_REVERSE != 0, left: limit.min(limits::SCAN_ENTRIES) };
        let mut entries = Vec::new();
        while scan.left > 0 {
            let step = self.scan_step(&mut scan)?;
            for (mut key, mut value) in step {
                self.pay(gas::SCAN_ENTRY, key.len() - keys::PREFIX_BYTES + value.len())?;
                self.touch(key.len() + value.len())?;
                key.drain(..keys::PREFIX_BYTES);
                if flags & host::SCAN_KEYS_ONLY != 0 {
                    value = Value::default();
                }
                entries.push((key, value));
            }
        }
        self.key = scan.start;
        Ok(entries)
    }

    /// Reads some of what a scan has left: no more than can be paid for, however long the entries are, or a few.
    fn scan_step(&mut self, scan: &mut Scan) -> Result<Vec<(Vec<u8>, Value)>, Stop> {
        // A range ends where the scan was told to, or just behind a key that it came upon.
        self.touch(scan.start.len() + scan.end.len() + 2 * ACCESS_BYTES)?;
        let by_gas = self.gas_left / gas::SCAN_ENTRY.of(SCAN_ENTRY_MAX as u64);
        let by_room = (TOUCHED_MAX - self.touched_bytes) / SCAN_ENTRY_MAX;
        let whatever_they_hold = by_gas.min(by_room as u64) as usize;
        // And one to find out that it can't be paid for.
        let if_empty = usize::try_from(self.gas_left / gas::SCAN_ENTRY.base).unwrap_or(usize::MAX).saturating_add(1);
        let limit = whatever_they_hold.max(SCAN_STEP_MIN).min(if_empty).min(scan.left);
        let Scan { start, end, reverse, .. } = &*scan;
        let step = self.state.scan(ScanRequest { start, end, limit, reverse: *reverse })?;
        self.touch(step.last().map_or(0, |(key, _)| key.len()))?;
        scan.advance(limit, &step);
        Ok(step)
    }

    /// Charges for an event before it is decoded, and refuses one that is too long to be looked at.
    pub(crate) fn pay_for_event(&mut self, encoded_bytes: usize) -> Result<(), Stop> {
        self.pay(host::EVENT.cost, encoded_bytes)?;
        within("an event", encoded_bytes, limits::EVENT_BYTES)
    }

    /// Emits an event that is paid for.
    pub(crate) fn emit(&mut self, event: Event, encoded_bytes: usize) -> Result<(), Stop> {
        self.check_writable("emit events")?;
        within("the number of events", self.events.len() + 1, limits::EVENTS)?;
        within("the number of an event's topics", event.topics.len(), limits::EVENT_TOPICS)?;
        within("an event's name", event.name.len(), limits::NAME_BYTES)?;
        self.event_bytes += encoded_bytes;
        within("all events of a transaction", self.event_bytes, limits::EVENT_BYTES)?;
        let event = ReceiptEvent { contract: self.frame().contract, event };
        if let Some(trace) = &mut self.trace {
            trace.emitted(&event);
        }
        self.events.push(event);
        Ok(())
    }

    /// The hash of one of the last blocks.
    pub(crate) fn block_hash(&mut self, height: u64) -> Result<Option<[u8; 32]>, Stop> {
        self.pay(host::BLOCK_HASH.cost, 0)?;
        Ok(self.block.block_hash(height).map(|hash| hash.0))
    }

    /// SHA-256.
    pub(crate) fn sha256(&mut self, bytes: &[u8]) -> Result<[u8; 32], Stop> {
        use sha2::Digest;
        self.pay(host::SHA256.cost, bytes.len())?;
        Ok(sha2::Sha256::digest(bytes).into())
    }

    /// Whether a signature is good; algorithm 0 is ed25519, 1 is secp256k1.
    pub(crate) fn verify(
        &mut self,
        algorithm: u32,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, Stop> {
        self.pay(host::VERIFY.cost, key.len() + message.len() + signature.len())?;
        let key = match algorithm {
            0 => key.try_into().ok().map(PublicKey::Ed25519),
            1 => key.try_into().ok().map(PublicKey::Secp256k1),
            _ => return Err(Failure::new(Status::InvalidOperation, "unknown signature algorithm").into()),
        };
        let (Some(key), Ok(signature)) = (key, signature.try_into()) else { return Ok(false) };
        Ok(key.verify(message, &Signature(signature)).is_ok())
    }

    /// Writes to the debug log, if anybody wants one.
    pub(crate) fn debug(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.pay(host::DEBUG.cost, bytes.len())?;
        if let Some(lines) = &mut self.debug {
            lines.push(String::from_utf8_lossy(bytes).into_owned());
        }
        Ok(())
    }

    /// Calls another contract. A failure of it is an answer, not a failure of the caller.
    pub(crate) fn call(
        mut self: Box<Self>,
        contract: Address,
        method: &str,
        input: Vec<u8>,
        gas_limit: Option<u64>,
        entry: Entry,
    ) -> (Box<Self>, Result<Answer, Stop>) {
        let paid = self.pay(host::CALL.cost, method.len() + input.len());
        if let Err(stop) = paid.and_then(|()| self.touch(FIND_BYTES)) {
            return (self, Err(stop));
        }
        let (frame, read_only) = (self.frame(), self.frame().read_only);
        // A contract is made, and changed, by whoever deploys it; the lifecycle contract only lends a hand.
        let caller = if entry == Entry::Call { frame.contract } else { frame.caller };
        let kept_back = self.gas_left - gas_limit.unwrap_or(u64::MAX).min(self.gas_left);
        self.gas_left -= kept_back;
        let (mut session, result) = self.run(Call { contract, caller, method, input, read_only, entry });
        session.gas_left += kept_back;
        let answer = match result {
            Ok(output) => Ok(Ok(output)),
            Err(Stop::Failed(failure)) => Ok(Err(*failure)),
            Err(halt) => Err(halt),
        };
        (session, answer)
    }
}

/// What is left of a scan: full keys, and a number of entries.
struct Scan {
    start: Vec<u8>,
    end: Vec<u8>,
    reverse: bool,
    left: usize,
}

impl Scan {
    /// Goes on behind a step that asked for so many entries and got these.
    fn advance(&mut self, asked: usize, step: &[(Vec<u8>, Value)]) {
        self.left -= step.len();
        match step.last() {
            Some((last, _)) if step.len() == asked => {
                let bound = if self.reverse { &mut self.end } else { &mut self.start };
                bound.clone_from(last);
                if !self.reverse {
                    bound.push(0);
                }
            }
            _ => self.left = 0,
        }
    }
}

/// Encoded length of an event, which is what it costs.
pub(crate) fn event_bytes(event: &Event) -> usize {
    let mut counter = ByteCounter(0);
    // Counting never fails.
    let _ = event.serialize(&mut counter);
    counter.0
}

struct ByteCounter(usize);

impl borsh::io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> borsh::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> borsh::io::Result<()> {
        Ok(())
    }
}

fn within(what: &str, found: usize, limit: usize) -> Result<(), Stop> {
    if found > limit {
        return Err(
            Failure::new(Status::LimitExceeded, format!("{what}: {found} is above the limit of {limit}")).into()
        );
    }
    Ok(())
}

/// The first key after all that start with `prefix`, which holds a byte below 255: every state key does.
fn successor(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_is_behind_all_that_start_with_the_prefix() {
        assert_eq!(successor(&[1, 2]), [1, 3]);
        assert_eq!(successor(&[1, 0, 255, 255]), [1, 1]);
    }

    #[test]
    fn an_events_length_is_that_of_its_encoding() {
        let event = Event { name: "Transfer".into(), topics: vec![vec![1, 2], vec![3]], data: vec![4; 9] };
        assert_eq!(borsh::to_vec(&event).map(|bytes| bytes.len()).ok(), Some(event_bytes(&event)));
    }
}
