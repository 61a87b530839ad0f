//! Copying and filling memory.
//!
//! The compiler calls these by name. Those that Rust brings along take care of alignment, which WebAssembly does not ask
//! for, and are four times as long.

/// Copies 8 bytes a step, then the rest.
///
/// # Safety
/// As for C: both ranges are valid and do not overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    let mut at = 0;
    // SAFETY: `at` stays below `count`, and the caller vouches for so many bytes at both places.
    unsafe {
        while count - at >= 8 {
            to.add(at).cast::<u64>().write_unaligned(from.add(at).cast::<u64>().read_unaligned());
            at += 8;
        }
        while at < count {
            *to.add(at) = *from.add(at);
            at += 1;
        }
    }
    to
}

/// Fills byte by byte: it is in every contract, and hardly any fills more than a hash.
///
/// # Safety
/// As for C: the range is valid.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    let mut at = 0;
    // SAFETY: `at` stays below `count`, and the caller vouches for so many bytes.
    unsafe {
        while at < count {
            *to.add(at) = byte as u8;
            at += 1;
        }
    }
    to
}
