//! What the binary can be asked for.

pub mod commitment;
pub mod scheduler;
pub mod vm;
