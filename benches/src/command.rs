//! What the binary can be asked for.

pub mod scheduler;
