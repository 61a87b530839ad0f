//! What each method does.

pub(super) mod block;
pub(super) mod chain;
pub(super) mod contract;
pub(super) mod event;
pub(super) mod ledger;
pub(super) mod state;
pub(super) mod tx;
