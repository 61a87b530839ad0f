//! Portable snapshots: a ledger at one height as bytes that do not depend on its database, and a ledger made of them.
//!
//! What they consist of is defined in [`hanse_types::portable`]. An [`Exporter`] holds the ledger as it is at one moment and
//! gives the chunks, which are the same at every honest member; a [`Folder`] keeps them in files; [`import`](fn@import) makes a ledger of
//! them, which has no blocks before the snapshot's own ([`Ledger::first`](crate::Ledger::first)) and goes on from there.
//!
//! `import` takes nobody's word for anything that a header says: the snapshot's header must be decided by validators who
//! follow from the genesis by handovers, its blocks lead to that header by their parents, and transactions, receipts, access
//! sets and, with the Merkle commitment, the state must be what it commits to. With the flat commitment a header says what
//! changed and not what there is, so whoever imports must have the manifest from as many members as can't all lie.
//!
//! On the disk, [`make`](fn@make) makes the ledger beside its place, and [`adopt`](fn@adopt) gives it that place when the ledger of
//! before is closed: a crash leaves the one or the other.
//!
//! It does not know where chunks come from.

#[cfg(feature = "rocksdb")]
mod adopt;
mod export;
mod folder;
mod import;

#[cfg(feature = "rocksdb")]
pub use adopt::{AdoptError, adopt, make};
pub use export::{ExportError, Exporter};
pub use folder::{Folder, FolderError};
pub use import::{ImportError, carry_over, import};
