//! One call of a contract, as the contract sees it.

use std::cell::RefCell;
use std::rc::Rc;

use borsh::BorshDeserialize;
use hanse_abi::gas::SCAN_ENTRY;
use hanse_abi::host::{self, CallContext, HostFunction, SCAN_KEYS_ONLY, SCAN_REVERSE};
use hanse_abi::{Address, Event, Status, keys};
use hanse_sdk::host::Backend;
use hanse_types::crypto::{PublicKey, Signature};
use hanse_types::limits;
use sha2::{Digest, Sha256};

use crate::panics::{Refused, Reverted, unwind};
use crate::state;
use crate::world::Inner;

/// The host's side of one running call.
pub(crate) struct Frame {
    pub(crate) world: Rc<Inner>,
    pub(crate) context: CallContext,
    pub(crate) args: Vec<u8>,
    pub(crate) output: RefCell<Vec<u8>>,
}

impl Frame {
    fn charge(&self, function: HostFunction, bytes: usize) {
        self.world.charge(function.cost.of(bytes as u64));
    }

    fn key(&self, key: &[u8]) -> Vec<u8> {
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
        let mut after = self.key(start);
        while after.last() == Some(&255) {
            after.pop();
        }
        if let Some(last) = after.last_mut() {
            *last += 1;
        }
        after
    }
}

fn refuse(status: Status, why: String) -> ! {
    unwind(Refused { status, why })
}

/// Ends the contract's code if something is longer than a chain allows.
fn within(what: &str, found: usize, limit: usize) {
    if found > limit {
        refuse(Status::LimitExceeded, format!("{what} is {found}, the limit is {limit}"));
    }
}

impl Backend for Frame {
    fn input(&self) -> Vec<u8> {
        self.charge(host::INPUT, self.args.len());
        self.args.clone()
    }

    fn output(&self, bytes: &[u8]) {
        within("the return value", bytes.len(), limits::OUTPUT_BYTES);
        self.charge(host::OUTPUT, bytes.len());
        self.output.replace(bytes.to_vec());
    }

    fn context(&self) -> CallContext {
        self.charge(host::CONTEXT, 0);
        self.context
    }

    fn state_get(&self, key: &[u8]) -> Option<Vec<u8>> {
        within("a key", key.len(), limits::KEY_BYTES);
        let full = self.key(key);
        let value = self.world.state.borrow().get(&full).cloned();
        self.charge(host::STATE_GET, key.len() + value.as_ref().map_or(0, Vec::len));
        self.world.record(|access| access.read(full));
        value
    }

    fn state_set(&self, key: &[u8], value: &[u8]) {
        self.may_change_state("write");
        within("a key", key.len(), limits::KEY_BYTES);
        within("a value", value.len(), limits::CONTRACT_VALUE_BYTES);
        self.charge(host::STATE_SET, key.len() + value.len());
        let full = self.key(key);
        self.world.record(|access| access.write(full.clone()));
        self.world.state.borrow_mut().put(full, Some(value.to_vec()));
    }

    fn state_remove(&self, key: &[u8]) {
        self.may_change_state("remove");
        within("a key", key.len(), limits::KEY_BYTES);
        self.charge(host::STATE_REMOVE, key.len());
        let full = self.key(key);
        self.world.record(|access| access.write(full.clone()));
        self.world.state.borrow_mut().put(full, None);
    }

    fn state_add(&self, key: &[u8], delta: i128, width: u32, bounds: Option<(u128, u128)>) -> bool {
        self.may_change_state("add");
        within("a key", key.len(), limits::KEY_BYTES);
        self.charge(host::STATE_ADD, key.len() + width as usize);
        let full = self.key(key);
        let sum = state::add(self.world.state.borrow().get(&full).map(Vec::as_slice), delta, width, bounds);
        match sum {
            Some(sum) => {
                self.world.record(|access| access.add(full.clone()));
                self.world.state.borrow_mut().put(full, Some(sum));
                true
            }
            None => {
                self.world.record(|access| access.read(full));
                false
            }
        }
    }

    fn state_scan(&self, start: &[u8], end: &[u8], limit: u32, flags: i32) -> Vec<(Vec<u8>, Vec<u8>)> {
        let (mut from, mut to) = (self.key(start), self.scan_end(start, end));
        let reverse = flags & SCAN_REVERSE != 0;
        let with_values = flags & SCAN_KEYS_ONLY == 0;
        let state = self.world.state.borrow();
        let all = state.range(&from, &to).map(|(key, value)| (key.clone(), value.clone()));
        let limit = (limit as usize).min(limits::SCAN_ENTRIES);
        let found: Vec<_> = if reverse { all.rev().take(limit).collect() } else { all.take(limit).collect() };
        drop(state);
        // Where the limit was reached, what lies beyond was not looked at.
        if let Some((last, _)) = found.last().filter(|_| found.len() == limit) {
            match reverse {
                true => from.clone_from(last),
                false => to = [last, &[0][..]].concat(),
            }
        }
        self.world.record(|access| access.scan(from, to));
        let prefix = keys::PREFIX_BYTES;
        let entry =
            |(key, value): (Vec<u8>, Vec<u8>)| (key[prefix..].to_vec(), if with_values { value } else { Vec::new() });
        let answer: Vec<_> = found.into_iter().map(entry).collect();
        let bytes: usize = answer.iter().map(|(key, value)| key.len() + value.len()).sum();
        self.charge(host::STATE_SCAN, start.len() + end.len());
        self.world.charge(SCAN_ENTRY.base * answer.len() as u64 + SCAN_ENTRY.per_byte * bytes as u64);
        answer
    }

    fn call(&self, address: &Address, method: &str, args: &[u8], gas: Option<u64>) -> (Status, Vec<u8>) {
        self.charge(host::CALL, method.len() + args.len());
        let context = CallContext { caller: self.context.contract, contract: *address, ..self.context };
        let end = self.world.within(gas, || self.world.call(context, method, args));
        let answer = match end.status {
            Status::Success => end.output,
            Status::Reverted => [&end.code.to_le_bytes()[..], &end.fields].concat(),
            _ => end.message.into_bytes(),
        };
        self.charge(host::BUFFER, answer.len());
        (end.status, answer)
    }

    fn event(&self, encoded: &[u8]) {
        self.may_change_state("emit events");
        self.charge(host::EVENT, encoded.len());
        match Event::try_from_slice(encoded) {
            Ok(event) => {
                within("the number of an event's topics", event.topics.len(), limits::EVENT_TOPICS);
                self.world.emit(self.context.contract, event);
            }
            Err(error) => refuse(Status::InvalidOperation, format!("the event does not decode: {error}")),
        }
    }

    fn revert(&self, code: u32, fields: &[u8]) -> ! {
        self.charge(host::REVERT, fields.len());
        unwind(Reverted { code, fields: fields.to_vec() })
    }

    fn block_hash(&self, height: u64) -> Option<[u8; 32]> {
        self.charge(host::BLOCK_HASH, 0);
        let now = self.context.height;
        let recent = height < now && now - height <= 256;
        recent.then(|| Sha256::digest([&b"block"[..], &height.to_le_bytes()].concat()).into())
    }

    fn sha256(&self, bytes: &[u8]) -> [u8; 32] {
        self.charge(host::SHA256, bytes.len() + 32);
        Sha256::digest(bytes).into()
    }

    fn verify(&self, algorithm: u32, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        self.charge(host::VERIFY, key.len() + message.len() + signature.len());
        let key = match algorithm {
            0 => key.try_into().ok().map(PublicKey::Ed25519),
            1 => key.try_into().ok().map(PublicKey::Secp256k1),
            _ => None,
        };
        let signature = signature.try_into().ok().map(Signature);
        key.zip(signature).is_some_and(|(key, signature)| key.verify(message, &signature).is_ok())
    }

    fn debug(&self, text: &str) {
        self.charge(host::DEBUG, text.len());
        println!("{}: {text}", self.world.name(&self.context.contract));
    }
}
