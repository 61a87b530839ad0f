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
        let Some(start) = NonNull::new(block) else { out_of_memory() };
        self.start = start;
        self.capacity = capacity;
    }

    /// So many bytes at the start of the free memory.
    ///
    /// # Safety
    /// Whoever asks must have had them written there, or write them to [`Encoded::start`] before they are looked at.
    #[cfg(target_arch = "wasm32")]
    pub(crate) unsafe fn claimed(len: usize) -> Encoded {
        let Some(start) = NonNull::new(crate::runtime::allocator::claim(len)) else { out_of_memory() };
        Encoded { start, len, capacity: len }
    }

    /// Where the bytes are.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn start(&mut self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Gives the block back. Not inlined: contracts have a place where bytes are dropped in most of their functions.
    #[inline(never)]
    fn free(&mut self) {
        if self.capacity > 0 {
            // SAFETY: the block is ours and of this layout, and nobody looks at it after this.
            unsafe { dealloc(self.start.as_ptr(), layout(self.capacity)) };
        }
    }

    /// Leaves room for the length of what is written next; to be handed to [`Encoded::end_counted`].
    pub(crate) fn begin_counted(&mut self) -> usize {
        self.append(&[0; 4]);
        self.len
    }

    /// Writes how many bytes were written since then into the room that was left: 4 bytes, little-endian.
    pub(crate) fn end_counted(&mut self, begin: usize) {
        let length = ((self.len - begin) as u32).to_le_bytes();
        // SAFETY: the 4 bytes before `begin` were appended by `begin_counted`.
        unsafe { self.start.as_ptr().add(begin).sub(4).copy_from_nonoverlapping(length.as_ptr(), 4) };
    }
}

fn out_of_memory() -> ! {
    crate::host::panic("out of memory")
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
        self.free();
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
