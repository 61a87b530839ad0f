//! Tries to break the machine: hostile modules, mutants, pinned gas, system contracts, nested calls.
//!
//! One test binary, as each would link a compiler. Start reading at [`world`], which runs every transaction in four ways
//! and demands one answer.
#![allow(clippy::unwrap_used)]

mod calls;
mod compiling;
mod documents;
mod gas;
mod host_functions;
mod hostile;
mod isolation;
mod limits;
mod mutants;
mod system;
mod touched;
mod world;
