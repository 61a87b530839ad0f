//! One call of a contract, as the contract sees it.

use std::cell::RefCell;
use std::rc::Rc;

use borsh::BorshDeserialize;
use hanse_abi::gas::SCAN_ENTRY;
use hanse_abi::host::{self, CallContext, HostFunction, SCAN_KEYS_ONLY, SCAN_REVERSE};
use hanse_abi::{Address, Event, Status, keys};
use hanse_sdk::host::Backend;
use hanse_state::{Added, ScanRequest, StateAccess};
use hanse_types::crypto::{PublicKey, Signature};
use hanse_types::{Delta, Value, limits};
use sha2::{Digest, Sha256};

use crate::ledger::{self, Ledger};
use crate::panics::{Reverted, refuse, unwind};
use crate::record::Ended;

/// How another contract is called.
pub(crate) type Nested = fn(&Rc<Ledger>, CallContext, &str, &[u8]) -> Ended;

/// The host's side of one running call.
pub(crate) struct Frame {
    pub(crate) ledger: Rc<Ledger>,
    pub(crate) context: CallContext,
    pub(crate) args: Vec<u8>,
    pub(crate) output: RefCell<Vec<u8>>,
    pub(crate) nested: Nested,
}

impl Frame {
    fn charge(&self, function: HostFunction, bytes: usize) {
        self.ledger.charge(function.cost.of(bytes as u64));
    }

    /// The full state key.
    fn key(&self, key: &[u8]) -> Vec<u8> {
        within("a key", key.len(), limits::KEY_BYTES);
        keys::full_key(&self.context.contract, key)
    }

    fn may_change_state(&self, what: &str) {
        if self.context.read_only {
            refuse(Status::InvalidOperation, format!("a view can't {what}"));
        }
    }

    /// Where a scan ends: an empty end means all keys that start with `start`.
    fn scan_end(&self, start: &[u8], end: &[u8]) -> Vec<u8> {
        if !end.is_empty() {
            return self.key(end);
        }
        let mut after = start.to_vec();
        while after.last() == Some(&255) {
            after.pop();
        }
        if let Some(last) = after.last_mut() {
            *last += 1;
        }
        after
    }
}

/// Ends the contract's code if something is longer than a chain allows.
fn within(what: &str, found: usize, limit: usize) {
    if let Err(why) = ledger::within(what, found, limit) {
        refuse(Status::LimitExceeded, why);
    }
}

impl Backend for Frame {
    fn input(&self) -> Vec<u8> {
        self.charge(host::INPUT, self.args.len());
        self.args.clone()
    }

    fn output(&self, bytes: &[u8]) {
        self.charge(host::OUTPUT, bytes.len());
        within("the return value", bytes.len(), limits::OUTPUT_BYTES);
        self.output.replace(bytes.to_vec());
    }

    fn context(&self) -> CallContext {
        self.charge(host::CONTEXT, 0);
        self.context
    }

    fn state_get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.charge(host::STATE_GET, key.len());
        let full = self.key(key);
        let value = ledger::bytes(self.ledger.state(|state| state.get(&full)));
        self.ledger.charge(host::STATE_GET.cost.per_byte * value.as_ref().map_or(0, Vec::len) as u64);
        value
    }

    fn state_set(&self, key: &[u8], value: &[u8]) {
        within("a value", value.len(), limits::CONTRACT_VALUE_BYTES);
        self.charge(host::STATE_SET, key.len() + value.len());
        self.may_change_state("write");
        let full = self.key(key);
        self.ledger.state(|state| state.set(&full, Value::new(value)));
    }

    fn state_remove(&self, key: &[u8]) {
        self.charge(host::STATE_REMOVE, key.len());
        self.may_change_state("remove");
        let full = self.key(key);
        self.ledger.state(|state| state.remove(&full));
    }

    fn state_add(&self, key: &[u8], delta: i128, width: u32, bounds: Option<(u128, u128)>) -> bool {
        self.charge(host::STATE_ADD, key.len() + width as usize);
        self.may_change_state("add");
        let full = self.key(key);
        let (min, max) = bounds.unwrap_or((0, u128::MAX));
        let width = u8::try_from(width).unwrap_or(u8::MAX);
        if !hanse_state::number::is_width(width) {
            refuse(Status::InvalidOperation, format!("a number has 1, 2, 4, 8 or 16 bytes, not {width}"));
        }
        match self.ledger.state(|state| state.add(&full, Delta { amount: delta, width, min, max })) {
            Added::Done => true,
            Added::OutOfBounds => false,
            Added::NotANumber => {
                let why = format!("the key holds something else than a number of {width} bytes");
                refuse(Status::InvalidOperation, why)
            }
        }
    }

    fn state_scan(&self, start: &[u8], end: &[u8], limit: u32, flags: i32) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.charge(host::STATE_SCAN, start.len() + end.len());
        if flags & !(SCAN_REVERSE | SCAN_KEYS_ONLY) != 0 {
            refuse(Status::InvalidOperation, "a scan has an unknown flag".to_owned());
        }
        let from = self.key(start);
        let to = self.scan_end(&from, end);
        let limit = (limit as usize).min(limits::SCAN_ENTRIES);
        let request = ScanRequest { start: &from, end: &to, limit, reverse: flags & SCAN_REVERSE != 0 };
        let found = self.ledger.state(|state| state.scan(request));
        let entries = found.into_iter().map(|(key, value)| {
            let key = key[keys::PREFIX_BYTES..].to_vec();
            self.ledger.charge(SCAN_ENTRY.of((key.len() + value.len()) as u64));
            (key, if flags & SCAN_KEYS_ONLY == 0 { value.to_vec() } else { Vec::new() })
        });
        entries.collect()
    }

    fn call(&self, address: &Address, method: &str, args: &[u8], gas: Option<u64>) -> (Status, Vec<u8>) {
        self.charge(host::CALL, method.len() + args.len());
        let context = CallContext { caller: self.context.contract, contract: *address, ..self.context };
        let end = self.ledger.within_gas(gas, || (self.nested)(&self.ledger, context, method, args));
        let answer = match end.status {
            Status::Success => end.output,
            Status::Reverted => [&end.code.to_le_bytes()[..], &end.fields].concat(),
            _ => end.message.into_bytes(),
        };
        self.charge(host::BUFFER, answer.len());
        (end.status, answer)
    }

    fn event(&self, encoded: &[u8]) {
        self.charge(host::EVENT, encoded.len());
        within("an event", encoded.len(), limits::EVENT_BYTES);
        let event = match Event::try_from_slice(encoded) {
            Ok(event) => event,
            Err(error) => refuse(Status::InvalidOperation, format!("the event does not decode: {error}")),
        };
        self.may_change_state("emit events");
        within("the number of an event's topics", event.topics.len(), limits::EVENT_TOPICS);
        within("an event's name", event.name.len(), limits::NAME_BYTES);
        if let Err(why) = self.ledger.emit(self.context.contract, event, encoded.len()) {
            refuse(Status::LimitExceeded, why);
        }
    }

    fn revert(&self, code: u32, fields: &[u8]) -> ! {
        self.charge(host::REVERT, fields.len());
        within("the error's fields", fields.len(), limits::OUTPUT_BYTES);
        unwind(Reverted { code, fields: fields.to_vec() })
    }

    fn block_hash(&self, height: u64) -> Option<[u8; 32]> {
        self.charge(host::BLOCK_HASH, 0);
        let now = self.context.height;
        let recent = height < now && now - height <= limits::RECENT_BLOCKS;
        recent.then(|| hanse_sdk_mirror::block_hash(height))
    }

    fn sha256(&self, bytes: &[u8]) -> [u8; 32] {
        self.charge(host::SHA256, bytes.len());
        Sha256::digest(bytes).into()
    }

    fn verify(&self, algorithm: u32, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        self.charge(host::VERIFY, key.len() + message.len() + signature.len());
        let key = match algorithm {
            0 => key.try_into().ok().map(PublicKey::Ed25519),
            1 => key.try_into().ok().map(PublicKey::Secp256k1),
            _ => refuse(Status::InvalidOperation, "unknown signature algorithm".to_owned()),
        };
        let signature = signature.try_into().ok().map(Signature);
        key.zip(signature).is_some_and(|(key, signature)| key.verify(message, &signature).is_ok())
    }

    fn debug(&self, text: &str) {
        self.charge(host::DEBUG, text.len());
        println!("{}: {text}", self.ledger.name(&self.context.contract));
    }
}
