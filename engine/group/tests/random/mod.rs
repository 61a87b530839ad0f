//! Random blocks over the real machine: a contract that runs random programs ([`contract`], [`program`]), transactions
//! of all kinds ([`transactions`]), chains of them ([`chain`]), what every block must satisfy ([`lab`], [`tamper`]), what
//! programs must come to ([`model`]), and what was met on the way ([`tally`]).
#![allow(clippy::unwrap_used, unreachable_pub)]

pub mod chain;
pub mod contract;
pub mod lab;
pub mod model;
pub mod program;
pub mod tally;
pub mod tamper;
pub mod transactions;
