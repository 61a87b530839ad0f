//! What `no_std` leaves to us on WebAssembly: an allocator, a panic handler, and the copying of memory.

pub(crate) mod allocator;
mod memory;
mod panic;
