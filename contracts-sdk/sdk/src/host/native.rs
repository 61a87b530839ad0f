//! The host of native runs: a backend that is installed on the thread for the length of a call.

use std::cell::RefCell;
use std::rc::Rc;

use hanse_abi::host::CallContext;
use hanse_abi::{Address, Status};

use crate::data::Encoded;

/// What a native run asks of its host. The contract's side of one call; see [`hanse_abi::host`] for each function.
pub trait Backend {
    /// The call's arguments.
    fn input(&self) -> Vec<u8>;
    /// Sets the return value.
    fn output(&self, bytes: &[u8]);
    /// Who calls what, when.
    fn context(&self) -> CallContext;
    /// The value of a key.
    fn state_get(&self, key: &[u8]) -> Option<Vec<u8>>;
    /// Writes a value.
    fn state_set(&self, key: &[u8], value: &[u8]);
    /// Removes a key.
    fn state_remove(&self, key: &[u8]);
    /// Adds without reading; `false` if that would leave the bounds or the width.
    fn state_add(&self, key: &[u8], delta: i128, width: u32, bounds: Option<(u128, u128)>) -> bool;
    /// Reads a range; an empty end means all keys that start with `start`.
    fn state_scan(&self, start: &[u8], end: &[u8], limit: u32, flags: i32) -> Vec<(Vec<u8>, Vec<u8>)>;
    /// Calls another contract.
    fn call(&self, address: &Address, method: &str, args: &[u8], gas: Option<u64>) -> (Status, Vec<u8>);
    /// Emits an encoded event.
    fn event(&self, encoded: &[u8]);
    /// Ends the call with an error; must unwind.
    fn revert(&self, code: u32, fields: &[u8]) -> !;
    /// Hash of a recent block.
    fn block_hash(&self, height: u64) -> Option<[u8; 32]>;
    /// SHA-256.
    fn sha256(&self, bytes: &[u8]) -> [u8; 32];
    /// Checks a signature.
    fn verify(&self, algorithm: u32, key: &[u8], message: &[u8], signature: &[u8]) -> bool;
    /// Writes to the debug log.
    fn debug(&self, text: &str);
}

thread_local! {
    static BACKENDS: RefCell<Vec<Rc<dyn Backend>>> = const { RefCell::new(Vec::new()) };
}

/// Removes the backend again, also when the contract unwinds.
struct Entered;

impl Drop for Entered {
    fn drop(&mut self) {
        BACKENDS.with_borrow_mut(|backends| backends.pop());
    }
}

/// Runs `body` with this backend as the host of this thread. Can be nested, for calls between contracts.
pub fn enter<R>(backend: Rc<dyn Backend>, body: impl FnOnce() -> R) -> R {
    BACKENDS.with_borrow_mut(|backends| backends.push(backend));
    let _entered = Entered;
    body()
}

fn backend() -> Rc<dyn Backend> {
    let installed = BACKENDS.with_borrow(|backends| backends.last().cloned());
    installed.expect("a contract's code runs only inside a call: deploy it in a World and call it there")
}

/// The call's arguments.
pub fn input() -> Encoded {
    encoded(&backend().input())
}

/// Sets the return value.
pub fn output(bytes: &[u8]) {
    backend().output(bytes);
}

/// Who calls what, when.
pub fn context() -> CallContext {
    backend().context()
}

/// The value of a key, if it has one.
pub fn state_get(key: &[u8]) -> Option<Encoded> {
    backend().state_get(key).map(|value| encoded(&value))
}

fn encoded(bytes: &[u8]) -> Encoded {
    let mut encoded = Encoded::new();
    encoded.append(bytes);
    encoded
}

/// Whether the key has a value.
pub fn state_has(key: &[u8]) -> bool {
    backend().state_get(key).is_some()
}

/// Writes a value.
pub fn state_set(key: &[u8], value: &[u8]) {
    backend().state_set(key, value);
}

/// Removes a key.
pub fn state_remove(key: &[u8]) {
    backend().state_remove(key);
}

/// Adds to an unsigned integer without reading it; `false` if that would leave the bounds or the width.
pub fn state_add(key: &[u8], delta: i128, width: u32, bounds: Option<(u128, u128)>) -> bool {
    backend().state_add(key, delta, width, bounds)
}

/// Reads a range; an empty end means all keys that start with `start`.
pub fn state_scan(start: &[u8], end: &[u8], limit: u32, flags: i32) -> Vec<(Vec<u8>, Vec<u8>)> {
    backend().state_scan(start, end, limit, flags)
}

/// Calls another contract with at most `gas`, or with all that is left.
pub fn call(address: &Address, method: &str, args: &[u8], gas: Option<u64>) -> (Status, Encoded) {
    let (status, answer) = backend().call(address, method, args, gas);
    (status, encoded(&answer))
}

/// Emits an encoded event.
pub fn event(encoded: &[u8]) {
    backend().event(encoded);
}

/// Ends the call with an error.
pub fn revert(code: u32, fields: &[u8]) -> ! {
    backend().revert(code, fields)
}

/// Ends the call with a message.
#[track_caller]
pub fn panic(message: &str) -> ! {
    panic!("{message}")
}

/// Hash of one of the last 256 blocks.
pub fn block_hash(height: u64) -> Option<[u8; 32]> {
    backend().block_hash(height)
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    backend().sha256(bytes)
}

/// Checks a signature.
pub fn verify(algorithm: u32, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    backend().verify(algorithm, key, message, signature)
}

/// Writes to the node's debug log, or nowhere.
pub fn debug(text: &str) {
    backend().debug(text);
}
