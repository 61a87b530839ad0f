//! What is durable: one database per group, one batch per block.
//!
//! A [`Ledger`] holds a group's chain: headers with their certificates, DAGs, transactions, receipts, access sets, the
//! state, its commitment, and the indexes over them. It promises:
//!
//! - A block is visible when all of it is durable, and never in part: everything of a block is one batch, written ahead
//!   and synced before anyone can read it. After a kill at any instant the ledger opens at the last block or the next.
//! - What it opened it has checked: format, chain, group, genesis, and that everything of the newest block adds up to its
//!   header. What is wrong is refused with the reason, never repaired in silence.
//! - After a write that failed it accepts no further block until it is opened anew: what the disk holds is not known.
//! - Readers never wait for a block to be written, and what they hold does not change under them.
//!
//! - A block that it accepts is its header's: digests come with evidence ([`BlockContent`]), parent and certificate are
//!   checked. It takes nobody's word.
//! - Who decides blocks may change; whoever trusts the founders can follow from set to set ([`handover`]).
//! - The state after any block can be read, and proven where the group's commitment can, until history is pruned.
//! - Transactions that are in no block yet are kept beside the chain if they shall outlive the process ([`queue`]), with
//!   marks at those that may have brought the node down ([`suspects`]).
//! - A snapshot of it, taken while it runs, is whole or is none.
//!
//! Without the feature `rocksdb` there is the store in memory only: for simulators, never for a node.
//!
//! It does not know how blocks are made or agreed upon.
//!
//! Start reading at [`ledger`], then [`append`](Ledger::append) and [`store`].

pub mod append;
pub mod check;
pub mod content;
pub mod error;
pub mod events;
pub mod failures;
pub mod handover;
pub mod history;
pub mod ledger;
pub mod options;
pub mod portable;
pub mod proofs;
pub mod query;
pub mod queue;
#[cfg(feature = "rocksdb")]
pub mod snapshot;
pub mod store;
pub mod suspects;

mod cache;
mod chunks;
mod keys;
mod meta;
mod open;
mod undo;
mod views;

pub use append::NewBlock;
pub use cache::CacheUse;
pub use content::{BlockContent, Commitment, ContentError, Digests, OtherDigest, Outcome, Settled};
pub use error::{LedgerError, StoreError};
pub use events::{EventPosition, EventQuery, EventsPage, FoundEvent};
pub use handover::Handover;
pub use ledger::{Ledger, Statistics, Tip};
pub use options::LedgerOptions;
pub use proofs::{InclusionProof, StateProof, Tree};
pub use query::{TransactionPlace, TransactionsPage};
pub use queue::{DroppedTransaction, QueueWrite, Renewal};
#[cfg(feature = "rocksdb")]
pub use snapshot::{Manifest, SnapshotError};
#[cfg(feature = "rocksdb")]
pub use store::RocksStore;
pub use store::{Closed, MemoryStore, Store};
pub use suspects::{Interrupted, SuspectMark};
