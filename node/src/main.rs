//! The process `hanse`: a node with its RPC, and the command line that talks to one.
//!
//! - [`cli`] is what people and scripts type: commands, arguments, output, exit codes.
//! - [`rpc`] answers requests of a running node, strictly and within bounds.
//! - [`dev`] is a chain on this machine with accounts that everyone knows.
//! - [`groups`] are the ledgers that the node takes part in, [`p2p`] is its network.
//! - [`service`] is a node as a process, by settings that [`config`] reads from a file; [`log`] and [`metrics`] are what
//!   it tells its operators.
//! - [`light`] is a node that follows headers alone and trusts no other.
//! - [`keys`] finds the key that signs: a development account, or an encrypted file.
//!
//! A command talks to a node by RPC only, as every application does; nothing here reads a running node's files. What a
//! chain does is the business of `hanse-group` and below.
//!
//! Start reading at [`cli`].

mod cli;
mod config;
mod dev;
mod groups;
mod keys;
mod light;
mod log;
mod metrics;
mod p2p;
mod pki;
mod random;
mod rpc;
mod service;

/// Threads make and free many small things, often not the same ones.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
