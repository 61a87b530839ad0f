//! A bump allocator inside the initial memory.
//!
//! A call lives for microseconds in an instance of its own, so nothing is given back, but that the newest allocation
//! can grow in place and be freed. Memory grows only when the initial pages are used up.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr;

const PAGE: usize = 65_536;

unsafe extern "C" {
    /// Placed by the linker after stack and data.
    static __heap_base: u8;
}

struct Bump {
    /// First free address.
    next: Cell<*const u8>,
}

// SAFETY: WebAssembly modules of this target have one thread.
unsafe impl Sync for Bump {}

#[global_allocator]
static HEAP: Bump = Bump { next: Cell::new(&raw const __heap_base) };

/// The free memory up to the end of the pages that are there: where it starts, and how many bytes it has. The host can
/// write there, and [`claim`] then makes an allocation of what it wrote.
pub(crate) fn free_room() -> (*mut u8, usize) {
    let start = HEAP.free();
    (start as *mut u8, memory_bytes() - start)
}

/// Allocates so many bytes where the free memory starts, with what is written there; null if there are not so many.
///
/// Not by way of Rust's global allocator, of which the compiler knows that its blocks hold nothing yet.
pub(crate) fn claim(count: usize) -> *mut u8 {
    let start = HEAP.free();
    match start.checked_add(count) {
        Some(end) if HEAP.use_up_to(end) => start as *mut u8,
        _ => ptr::null_mut(),
    }
}

fn memory_bytes() -> usize {
    core::arch::wasm32::memory_size(0) * PAGE
}

impl Bump {
    fn free(&self) -> usize {
        self.next.get() as usize
    }

    /// Sets the end of what is used; `false` if memory can't grow so far.
    fn use_up_to(&self, end: usize) -> bool {
        let have = memory_bytes();
        if end > have {
            let pages = (end - have).div_ceil(PAGE);
            if core::arch::wasm32::memory_grow(0, pages) == usize::MAX {
                return false;
            }
        }
        self.next.set(end as *const u8);
        true
    }
}

// SAFETY: blocks are cut from the memory after `__heap_base`, one after another, so they overlap neither each other
// nor stack or data; a block is reused only after it was freed.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.free().next_multiple_of(layout.align());
        match start.checked_add(layout.size()) {
            Some(end) if self.use_up_to(end) => start as *mut u8,
            _ => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block as usize + layout.size() == self.free() {
            self.next.set(block);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let is_newest = block as usize + layout.size() == self.free();
        if is_newest {
            return match (block as usize).checked_add(new_size) {
                Some(end) if self.use_up_to(end) => block,
                _ => ptr::null_mut(),
            };
        }
        // SAFETY: the caller vouches that size and alignment make a layout.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(new_size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both blocks are ours, hold so many bytes, and do not overlap.
            unsafe { ptr::copy_nonoverlapping(block, new, layout.size().min(new_size)) };
        }
        new
    }
}
