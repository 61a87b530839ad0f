//! The figures: what one core can do, beside an honest baseline.
//!
//! Every figure is a ratio within one run: the scheduler, the virtual machine or the commitment beside a plain loop over
//! the same transactions on the same state. What was measured on which machine, and what it means, is in
//! `docs/benchmarks.md`.
//!
//! It promises that what is timed is right: the results of every mode are compared with the plain loop's, and a
//! difference ends the run. It knows nothing of networks, disks and signatures.
//!
//! Start reading at [`measure`], then [`workload`].

pub mod command;
pub mod contracts;
pub mod executor;
pub mod measure;
pub mod output;
pub mod random;
pub mod record;
pub mod shape;
pub mod statistics;
pub mod workload;
pub mod world;
