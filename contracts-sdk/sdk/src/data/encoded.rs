//! Bytes that are being written.

use alloc::alloc::{Layout, dealloc, realloc};
use core::ops::Deref;
use core::ptr::NonNull;
use core::slice;

/// A byte string that only grows.
///
/// `Vec<u8>` would do, but its ways to fail bring a kilobyte of code into the smallest contract, and four more with the
/// formatting of their messages. This one ends the call when memory is used up.
pub struct Encoded {
    start: NonNull<u8>,
    len: usize,
    capacity: usize,
}

impl Encoded {
    /// Nothing yet.
    pub const fn new() -> Encoded {
        Encoded { start: NonNull::dangling(), len: 0, capacity: 0 }
    }

    /// Appends bytes.
    pub fn append(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        // SAFETY: there is room for as many bytes after the first `len`, and `bytes`, borrowed while this is borrowed
        // mutably, lies elsewhere.
        unsafe { self.start.as_ptr().add(self.len).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.len += bytes.len();
    }

    /// Appends one byte.
    pub fn push(&mut self, byte: u8) {
        self.append(&[byte]);
    }

    /// Makes room for that many more bytes.
    fn reserve(&mut self, additional: usize) {
        let needed = self.len + additional;
        if needed > self.capacity {
            self.grow(needed.max(2 * self.capacity).max(64));
        }
    }

    fn grow(&mut self, capacity: usize) {
        // SAFETY: the block is ours and of this layout; where there is none yet, its size is zero, for which the pointer
        // is not used. Sizes stay below `isize::MAX`, as more is never in memory.
        let block = unsafe {
            match self.capacity {
                0 => alloc::alloc::alloc(layout(capacity)),
                old => realloc(self.start.as_ptr(), layout(old), capacity),
            }
        };
        let Some(start) = NonNull::new(block) else { crate::host::panic("out of memory") };
        self.start = start;
        self.capacity = capacity;
    }

    /// The bytes that `fill` writes when it is given a place and how many bytes fit there, and of which it returns the
    /// number. It is asked twice if they do not fit into `usual` bytes.
    ///
    /// # Safety
    /// `fill` must write as many bytes as it says, if they fit, else none.
    #[cfg(target_arch = "wasm32")]
    pub(crate) unsafe fn filled(usual: usize, fill: &dyn Fn(*mut u8, usize) -> usize) -> Encoded {
        let mut bytes = Encoded::new();
        bytes.reserve(usual);
        bytes.len = fill(bytes.start.as_ptr(), bytes.capacity);
        let missing = bytes.len;
        if missing > bytes.capacity {
            bytes.len = 0;
            bytes.reserve(missing);
            bytes.len = fill(bytes.start.as_ptr(), bytes.capacity);
        }
        bytes
    }
}

fn layout(size: usize) -> Layout {
    // SAFETY: 1 is a power of two, and sizes of what is in memory do not overflow `isize`.
    unsafe { Layout::from_size_align_unchecked(size, 1) }
}

impl Default for Encoded {
    fn default() -> Self {
        Encoded::new()
    }
}

impl Deref for Encoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are written.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Encoded {
    fn drop(&mut self) {
        if self.capacity > 0 {
            // SAFETY: the block is ours and of this layout.
            unsafe { dealloc(self.start.as_ptr(), layout(self.capacity)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut bytes = Encoded::new();
        assert!(bytes.is_empty());
        let mut expected = Vec::new();
        for round in 0..100u8 {
            bytes.append(&vec![round; usize::from(round)]);
            bytes.push(255);
            expected.extend(vec![round; usize::from(round)]);
            expected.push(255);
        }
        assert_eq!(&bytes[..], &expected[..]);
    }
}
