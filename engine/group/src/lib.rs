//! Join the parts to time, disk, CPU and network; supervise them.
//!
//! A [`Group`] is one running ledger of one node: clients' transactions go in, receipts and headers come out. Inside, the
//! replica (a state machine without I/O) decides what happens, and the driver makes it happen: on the CPU pool, on the
//! disk, in time.
//!
//! It promises that a receipt is given out only after its block is durable; that a transaction that was accepted ends in
//! a block or is reported as dropped, over crashes and restarts too if that was asked for; and that a failure inside stops
//! this group and nothing else.
//!
//! It knows nothing of RPC, of configuration files or of other groups.
//!
//! Start reading at [`wiring`], then `driver.rs` and [`execution`].

pub mod agreement;
mod blame;
pub mod chain;
mod clock;
pub mod config;
mod deciding;
mod driver;
pub mod drops;
mod engine;
mod event;
mod exchange;
pub mod execution;
pub mod failed;
pub mod feed;
pub mod group;
mod guarded;
pub mod held;
mod hints;
mod inbound;
mod intake;
mod look;
pub mod network;
pub mod observe;
mod preparation;
pub mod queries;
mod queue;
pub mod recovery;
mod report;
mod running;
pub mod snapshots;
pub mod status;
mod submit_error;
mod suspects;
pub mod sync;
pub mod timeline;
pub mod trace;
mod votes;
mod window;
pub mod wiring;
mod workers;

pub use agreement::{Accusation, Agreement, Part};
pub use config::GroupConfig;
pub use drops::{DropLimits, DropRecord};
pub use exchange::{decided, transactions_of};
pub use execution::BlockExecutor;
pub use failed::{FailedPlace, FailedTransaction, Failure, RetryError};
pub use group::{Durability, Group, QUERY_GAS, WaitError};
pub use hanse_replica::sync::SyncMessage;
pub use hanse_txpool::Listed;
pub use look::Settings;
pub use network::{Hub, Network};
pub use observe::{BlockFigures, Observe};
pub use queries::{ContractInfo, QueryError, Simulation};
pub use snapshots::{OfferRules, SyncMode};
pub use status::TransactionStatus;
pub use submit_error::SubmitError;
pub use sync::{Lie, SyncStatus};
pub use timeline::Timelines;
pub use trace::{TraceError, TxTrace};
pub use votes::VotesError;
pub use wiring::{LEDGER_FOLDER, OpenError};
