//! The configuration of a node that runs as a service: one TOML file, overridden by the environment.
//!
//! Each key is declared once ([`keys`]), with its words, type, default and bounds; the file that `hanse init` writes, the
//! check of what an operator wrote, and the variables that override it all follow from that. Nothing is guessed: unknown
//! keys and values out of bounds are refused, with their place and the nearest name. For each value it is known where it
//! came from.
//!
//! | where | example |
//! |---|---|
//! | default | `threads = 0` of `[execution]` |
//! | file | `hanse.toml:12` |
//! | environment | `HANSE_RPC__LISTEN=0.0.0.0:7420` |
//!
//! It knows nothing of what values do; whether folders and files that it names can be used is seen by [`check`]. Start
//! reading at [`keys`].

pub(crate) mod admin;
pub(crate) mod certificates;
pub(crate) mod check;
pub(crate) mod error;
pub(crate) mod keys;
pub(crate) mod load;
mod nearest;
mod role;
pub(crate) mod sync;
pub(crate) mod template;

pub(crate) use certificates::trust;
pub(crate) use error::ConfigError;
pub(crate) use keys::Config;
pub(crate) use load::{Loaded, Origin};
pub(crate) use role::Role;

/// The file's name in a node's folder.
pub(crate) const FILE: &str = "hanse.toml";
