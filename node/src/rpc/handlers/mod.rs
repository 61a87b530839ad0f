//! What each method does, by namespace.

mod admission;
mod block;
mod build;
mod chain;
mod contract;
mod dag;
mod dev;
pub(crate) mod event;
mod group;
mod ledger;
mod name;
mod node;
mod pool;
mod rpc;
mod state;
mod storage;
mod timeline;
mod trace;
mod tx;

use super::registry::Entry;

pub(super) use rpc::DISCOVER;
pub(super) use tx::durability;

/// The handlers' tables, in the order of [`hanse_client::methods::all`].
pub(super) const METHODS: &[&[Entry]] = &[
    chain::METHODS,
    block::METHODS,
    tx::METHODS,
    state::METHODS,
    contract::METHODS,
    dag::METHODS,
    event::METHODS,
    name::METHODS,
    pool::METHODS,
    ledger::METHODS,
    node::METHODS,
    group::METHODS,
    dev::METHODS,
];
