//! The host of WebAssembly runs: imports, each wrapped so that pointers and lengths come from one Rust value.

use alloc::vec::Vec;
use core::mem::MaybeUninit;

use hanse_abi::host::{ABSENT, CONTEXT_BYTES, CallContext};
use hanse_abi::{Address, Status};

use crate::data::{self, Encoded};
use crate::runtime::allocator::free_room;

mod import {
    #[link(wasm_import_module = "hanse1")]
    unsafe extern "C" {
        pub(super) fn input(to: *mut u8, cap: usize) -> usize;
        pub(super) fn output(from: *const u8, len: usize);
        pub(super) fn context(to: *mut u8);
        pub(super) fn state_get(key: *const u8, key_len: usize, to: *mut u8, cap: usize) -> i32;
        pub(super) fn state_set(key: *const u8, key_len: usize, from: *const u8, len: usize);
        pub(super) fn state_remove(key: *const u8, key_len: usize);
        pub(super) fn state_add(
            key: *const u8,
            key_len: usize,
            low: u64,
            high: u64,
            width: u32,
            bounds: *const u8,
            bounds_len: usize,
        ) -> i32;
        pub(super) fn state_scan(
            start: *const u8,
            start_len: usize,
            end: *const u8,
            end_len: usize,
            limit: u32,
            flags: i32,
        ) -> usize;
        pub(super) fn call(
            address: *const u8,
            method: *const u8,
            method_len: usize,
            args: *const u8,
            args_len: usize,
            gas: i64,
        ) -> u64;
        pub(super) fn buffer(to: *mut u8, offset: usize, len: usize);
        pub(super) fn event(from: *const u8, len: usize);
        pub(super) fn revert(code: u32, from: *const u8, len: usize) -> !;
        pub(super) fn panic(from: *const u8, len: usize) -> !;
        pub(super) fn block_hash(height: u64, to: *mut u8) -> i32;
        pub(super) fn sha256(from: *const u8, len: usize, to: *mut u8);
        pub(super) fn verify(
            algorithm: u32,
            key: *const u8,
            key_len: usize,
            message: *const u8,
            message_len: usize,
            signature: *const u8,
            signature_len: usize,
        ) -> i32;
        pub(super) fn debug(from: *const u8, len: usize);
    }
}

/// Takes the first `len` bytes of the host's buffer.
fn from_buffer(len: usize) -> Encoded {
    // SAFETY: the buffer holds `len` bytes, all of which are written before anybody looks.
    unsafe {
        let mut bytes = Encoded::claimed(len);
        import::buffer(bytes.start(), 0, len);
        bytes
    }
}

/// The call's arguments.
pub fn input() -> Encoded {
    let (start, room) = free_room();
    // SAFETY: nobody owns the free memory, where the host writes the arguments if they fit, and says their length. It is
    // claimed next; if they did not fit, the memory has grown by then, and they are asked for again.
    unsafe {
        let len = import::input(start, room);
        let mut bytes = Encoded::claimed(len);
        if len > room {
            import::input(bytes.start(), len);
        }
        bytes
    }
}

/// Sets the return value.
pub fn output(bytes: &[u8]) {
    // SAFETY: pointer and length are of one slice.
    unsafe { import::output(bytes.as_ptr(), bytes.len()) }
}

/// Who calls what, when.
pub fn context() -> CallContext {
    let mut written = MaybeUninit::<WrittenContext>::uninit();
    // SAFETY: the host writes exactly so many bytes, and any bytes are a value of this type.
    let written = unsafe {
        import::context(written.as_mut_ptr().cast());
        written.assume_init()
    };
    CallContext {
        caller: Address(written.caller),
        origin: Address(written.origin),
        contract: Address(written.contract),
        height: u64::from_le_bytes(written.height),
        time_ms: u64::from_le_bytes(written.time_ms),
        read_only: written.read_only != 0,
    }
}

/// The context as the host writes it: its fields one after another, as Borsh has them.
#[repr(C)]
struct WrittenContext {
    caller: [u8; Address::BYTES],
    origin: [u8; Address::BYTES],
    contract: [u8; Address::BYTES],
    height: [u8; 8],
    time_ms: [u8; 8],
    read_only: u8,
}

const _: () = assert!(size_of::<WrittenContext>() == CONTEXT_BYTES);

/// The value of a key, if it has one.
pub fn state_get(key: &[u8]) -> Option<Encoded> {
    let (start, room) = free_room();
    // SAFETY: the key's pointer and length are of one slice; for the value, see `input`.
    unsafe {
        let len = import::state_get(key.as_ptr(), key.len(), start, room);
        if len == ABSENT {
            return None;
        }
        let len = len as usize;
        let mut value = Encoded::claimed(len);
        if len > room {
            import::state_get(key.as_ptr(), key.len(), value.start(), len);
        }
        Some(value)
    }
}

/// Whether the key has a value.
pub fn state_has(key: &[u8]) -> bool {
    // SAFETY: pointer and length are of one slice, and a capacity of zero has nothing written.
    let len = unsafe { import::state_get(key.as_ptr(), key.len(), key.as_ptr().cast_mut(), 0) };
    len != ABSENT
}

/// Writes a value.
pub fn state_set(key: &[u8], value: &[u8]) {
    // SAFETY: each pointer goes with the length of its slice.
    unsafe { import::state_set(key.as_ptr(), key.len(), value.as_ptr(), value.len()) }
}

/// Removes a key.
pub fn state_remove(key: &[u8]) {
    // SAFETY: pointer and length are of one slice.
    unsafe { import::state_remove(key.as_ptr(), key.len()) }
}

/// Adds to an unsigned integer without reading it; `false` if that would leave the bounds or the width.
pub fn state_add(key: &[u8], delta: i128, width: u32, bounds: Option<(u128, u128)>) -> bool {
    let both = bounds.map(|(least, most)| [least.to_le_bytes(), most.to_le_bytes()]);
    let (bounds, bounds_len) =
        both.as_ref().map_or((key.as_ptr(), 0), |both| (both.as_ptr().cast(), size_of_val(both)));
    let (low, high) = (delta as u64, (delta >> 64) as u64);
    // SAFETY: the key's pointer and length are of one slice; the bounds are 32 bytes or none.
    unsafe { import::state_add(key.as_ptr(), key.len(), low, high, width, bounds, bounds_len) == 0 }
}

/// Reads a range; an empty end means all keys that start with `start`.
pub fn state_scan(start: &[u8], end: &[u8], limit: u32, flags: i32) -> Vec<(Vec<u8>, Vec<u8>)> {
    // SAFETY: each pointer goes with the length of its slice.
    let len = unsafe { import::state_scan(start.as_ptr(), start.len(), end.as_ptr(), end.len(), limit, flags) };
    data::decode_stored(&from_buffer(len))
}

/// Calls another contract with at most `gas`, or with all that is left.
pub fn call(address: &Address, method: &str, args: &[u8], gas: Option<u64>) -> (Status, Encoded) {
    let gas = gas.map_or(-1, |gas| gas.min(i64::MAX as u64) as i64);
    // SAFETY: an address is 20 bytes, which the host reads; the other pointers go with the length of their slices.
    let answer =
        unsafe { import::call(address.0.as_ptr(), method.as_ptr(), method.len(), args.as_ptr(), args.len(), gas) };
    let status = Status::from_code((answer >> 32) as u8).unwrap_or(Status::InvalidOperation);
    (status, from_buffer(answer as u32 as usize))
}

/// Emits an encoded event.
pub fn event(encoded: &[u8]) {
    // SAFETY: pointer and length are of one slice.
    unsafe { import::event(encoded.as_ptr(), encoded.len()) }
}

/// Ends the call with an error.
pub fn revert(code: u32, fields: &[u8]) -> ! {
    // SAFETY: pointer and length are of one slice; the host never returns from this.
    unsafe { import::revert(code, fields.as_ptr(), fields.len()) }
}

/// Ends the call with a message.
pub fn panic(message: &str) -> ! {
    panic_bytes(message.as_bytes())
}

/// Ends the call with a message, which should be UTF-8.
pub(crate) fn panic_bytes(message: &[u8]) -> ! {
    // SAFETY: pointer and length are of one slice; the host never returns from this.
    unsafe { import::panic(message.as_ptr(), message.len()) }
}

/// Hash of one of the last 256 blocks.
pub fn block_hash(height: u64) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    // SAFETY: the host writes 32 bytes or none.
    let found = unsafe { import::block_hash(height, hash.as_mut_ptr()) };
    (found != 0).then_some(hash)
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    // SAFETY: pointer and length are of one slice; the host writes 32 bytes.
    unsafe { import::sha256(bytes.as_ptr(), bytes.len(), hash.as_mut_ptr()) };
    hash
}

/// Checks a signature.
pub fn verify(algorithm: u32, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    // SAFETY: each pointer goes with the length of its slice.
    let good = unsafe {
        import::verify(
            algorithm,
            key.as_ptr(),
            key.len(),
            message.as_ptr(),
            message.len(),
            signature.as_ptr(),
            signature.len(),
        )
    };
    good != 0
}

/// Writes to the node's debug log, or nowhere.
pub fn debug(text: &str) {
    // SAFETY: pointer and length are of one slice.
    unsafe { import::debug(text.as_ptr(), text.len()) }
}
