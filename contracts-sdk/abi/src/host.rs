//! The host interface: every function that a contract may import, with its type and its cost.
//!
//! Pointers are offsets into the contract's memory, lengths are in bytes, both unsigned 32-bit. A pointer or length
//! that leaves the memory is a trap. All functions live in one import namespace, [`NAMESPACE`], whose name carries
//! the version. A module that imports anything else is refused at deployment.
//!
//! | function | does | returns |
//! |---|---|---|
//! | `input(ptr, cap)` | copies the call's arguments, if they fit into `cap` bytes | their length |
//! | `output(ptr, len)` | sets the call's return value | – |
//! | `context(ptr)` | writes the [`CallContext`] in [`CONTEXT_BYTES`] bytes | – |
//! | `state_get(key, key_len, ptr, cap)` | copies the key's value, if it fits into `cap` bytes | its length, or [`ABSENT`] |
//! | `state_set(key, key_len, ptr, len)` | writes a value | – |
//! | `state_remove(key, key_len)` | removes a key | – |
//! | `state_add(key, key_len, low, high, width, bounds, bounds_len)` | adds the signed 128-bit number `high:low` to an unsigned little-endian integer of `width` bytes (1, 2, 4, 8, 16; absent is zero), without reading it; `bounds` holds minimum and maximum as two 16-byte integers, or `bounds_len` is 0 | 0, or 1 if it would leave the bounds or the width |
//! | `state_scan(start, start_len, end, end_len, limit, flags)` | reads keys in `start..end` (an empty end means all that start with `start`), at most `limit` entries, in order (backwards with [`SCAN_REVERSE`]); the answer, Borsh `Vec<(Vec<u8>, Vec<u8>)>`, goes to the host's buffer | its length |
//! | `call(address, method, method_len, args, args_len, gas)` | calls another contract with at most `gas` (−1: all that is left); its return value goes to the host's buffer; if it reverted, its error's code as 4 little-endian bytes and then the fields; if it failed otherwise, the message | status code << 32 \| length |
//! | `buffer(ptr, offset, len)` | copies from the host's buffer | – |
//! | `event(ptr, len)` | emits a Borsh-encoded [`Event`](crate::Event) | – |
//! | `revert(code, ptr, len)` | ends the call with an error of the contract: its code, and its fields in Borsh | never |
//! | `panic(ptr, len)` | ends the call with a message | never |
//! | `block_hash(height, ptr)` | writes the hash of one of the last 256 blocks | 1, or 0 if it is not among them |
//! | `sha256(ptr, len, out)` | writes 32 bytes | – |
//! | `verify(algorithm, key, key_len, message, message_len, signature, signature_len)` | checks a signature; algorithm 0 is ed25519, 1 is secp256k1 | 1 or 0 |
//! | `debug(ptr, len)` | writes to the node's debug log, or nowhere | – |

use crate::gas::Cost;

/// The import namespace, version included.
pub const NAMESPACE: &str = "hanse1";
/// Every exported method's name starts with this: `transfer` is exported as `hanse.transfer`, of type `() -> ()`.
pub const METHOD_PREFIX: &str = "hanse.";
/// The custom section that holds the ABI document: JSON objects one after another, in any order, since the linker joins
/// what each item of the source puts there. The module `document` reads them.
pub const ABI_SECTION: &str = "hanse_abi";
/// The code with which a contract's generated entry says by `revert` that the arguments do not decode; the host turns
/// it into [`Status::InvalidArguments`](crate::Status::InvalidArguments). The fields are one byte: the number of the
/// argument from 0, or the number of arguments where bytes were left over.
pub const INVALID_ARGUMENTS_CODE: u32 = u32::MAX;
/// The code with which the SDK says by `revert` that an addition left its bounds and the contract did not ask to handle
/// that; the host turns it into [`Status::OutOfBounds`](crate::Status::OutOfBounds). No fields.
pub const OUT_OF_BOUNDS_CODE: u32 = u32::MAX - 1;
/// The least code that a contract can't use for errors of its own.
pub const FIRST_RESERVED_CODE: u32 = u32::MAX - 255;
/// What `state_get` returns for a key without a value.
pub const ABSENT: i32 = -1;
/// Flag of `state_scan`: from the end backwards.
pub const SCAN_REVERSE: i32 = 1;
/// Flag of `state_scan`: values are left empty, only keys are returned.
pub const SCAN_KEYS_ONLY: i32 = 2;

/// Length of the encoded [`CallContext`].
pub const CONTEXT_BYTES: usize = 20 * 3 + 8 * 2 + 1;

/// Who calls what, when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, borsh::BorshSerialize, borsh::BorshDeserialize)]
pub struct CallContext {
    /// Who made this call: an account or a contract.
    pub caller: crate::Address,
    /// Who signed the transaction.
    pub origin: crate::Address,
    /// The contract that runs.
    pub contract: crate::Address,
    /// Height of the block that is being made.
    pub height: u64,
    /// Time of the block that is being made, in milliseconds since 1970.
    pub time_ms: u64,
    /// Whether this call may change state.
    pub read_only: bool,
}

/// A WebAssembly value type of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// 32 bits.
    I32,
    /// 64 bits.
    I64,
}

/// One function of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostFunction {
    /// Name of the import in [`NAMESPACE`].
    pub name: &'static str,
    /// Parameter types.
    pub params: &'static [Type],
    /// Result type, if it has one.
    pub result: Option<Type>,
    /// What it costs; the bytes counted are all that it copies in or out, keys included.
    pub cost: Cost,
}

use Type::{I32, I64};

const fn function(
    name: &'static str,
    params: &'static [Type],
    result: Option<Type>,
    base: u64,
    per_byte: u64,
) -> HostFunction {
    HostFunction { name, params, result, cost: Cost { base, per_byte } }
}

/// Copies the arguments in.
pub const INPUT: HostFunction = function("input", &[I32, I32], Some(I32), 20, 1);
/// Sets the return value.
pub const OUTPUT: HostFunction = function("output", &[I32, I32], None, 20, 1);
/// Writes the call's context.
pub const CONTEXT: HostFunction = function("context", &[I32], None, 60, 0);
/// Reads a key.
pub const STATE_GET: HostFunction = function("state_get", &[I32, I32, I32, I32], Some(I32), 400, 1);
/// Writes a key.
pub const STATE_SET: HostFunction = function("state_set", &[I32, I32, I32, I32], None, 800, 4);
/// Removes a key.
pub const STATE_REMOVE: HostFunction = function("state_remove", &[I32, I32], None, 800, 1);
/// Adds to a key without reading it.
pub const STATE_ADD: HostFunction = function("state_add", &[I32, I32, I64, I64, I32, I32, I32], Some(I32), 800, 4);
/// Reads a range of keys.
pub const STATE_SCAN: HostFunction = function("state_scan", &[I32, I32, I32, I32, I32, I32], Some(I32), 1_000, 1);
/// Calls another contract.
pub const CALL: HostFunction = function("call", &[I32, I32, I32, I32, I32, I64], Some(I64), 2_000, 1);
/// Copies from the host's buffer.
pub const BUFFER: HostFunction = function("buffer", &[I32, I32, I32], None, 20, 1);
/// Emits an event.
pub const EVENT: HostFunction = function("event", &[I32, I32], None, 200, 2);
/// Ends the call with an error.
pub const REVERT: HostFunction = function("revert", &[I32, I32, I32], None, 20, 1);
/// Ends the call with a message.
pub const PANIC: HostFunction = function("panic", &[I32, I32], None, 20, 1);
/// Reads the hash of a recent block.
pub const BLOCK_HASH: HostFunction = function("block_hash", &[I64, I32], Some(I32), 200, 0);
/// SHA-256.
pub const SHA256: HostFunction = function("sha256", &[I32, I32, I32], None, 300, 2);
/// Checks a signature.
pub const VERIFY: HostFunction = function("verify", &[I32, I32, I32, I32, I32, I32, I32], Some(I32), 100_000, 2);
/// Writes to the debug log.
pub const DEBUG: HostFunction = function("debug", &[I32, I32], None, 20, 1);

/// The whole interface.
pub const FUNCTIONS: [HostFunction; 17] = [
    INPUT,
    OUTPUT,
    CONTEXT,
    STATE_GET,
    STATE_SET,
    STATE_REMOVE,
    STATE_ADD,
    STATE_SCAN,
    CALL,
    BUFFER,
    EVENT,
    REVERT,
    PANIC,
    BLOCK_HASH,
    SHA256,
    VERIFY,
    DEBUG,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_has_its_stated_length() {
        assert_eq!(borsh::to_vec(&CallContext::default()).map(|bytes| bytes.len()).ok(), Some(CONTEXT_BYTES));
    }

    #[test]
    fn names_are_unique() {
        for (i, function) in FUNCTIONS.iter().enumerate() {
            assert!(FUNCTIONS[i + 1..].iter().all(|other| other.name != function.name), "{}", function.name);
        }
    }
}
