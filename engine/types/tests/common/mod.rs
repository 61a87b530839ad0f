//! Values for tests that look from outside: fixed ones, generated ones, and bytes that are almost right.
#![allow(dead_code, reason = "each test takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test that can't build its values has failed")]

pub(crate) mod generate;
pub(crate) mod mutate;
pub(crate) mod samples;
