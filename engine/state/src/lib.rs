//! What a transaction may see: views, recording, the block's state, commitment.
//!
//! A [`StateView`] is frozen state that anyone may read: a ledger snapshot, a map in memory, or the changes of an
//! uncommitted block over either. A transaction never holds one. It holds a [`StateAccess`], the only door of a
//! contract to state, which notes everything that was seen and done.
//!
//! It knows nothing of transactions' meaning, of threads' scheduling or of disks.
//!
//! Start reading at [`view`], then [`access`].

pub mod access;
pub mod access_set;
pub mod block_state;
mod cells;
pub mod changes;
pub mod commitment;
pub mod effects;
pub mod number;
pub mod once;
pub mod plain;
pub mod recorder;
pub mod view;

pub use access::{Added, Halt, Savepoint, ScanRequest, StateAccess};
pub use access_set::{AccessSet, KeyAdd, Kind, Seen, Slot, Touch};
pub use block_state::BlockState;
pub use changes::{ChangeSet, Overlay};
pub use once::OnceSlice;
pub use plain::PlainState;
pub use recorder::{Confinement, Recorder};
pub use view::{Entry, MemoryView, StateError, StateView};
