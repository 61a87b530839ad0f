//! Catching up: committed blocks from several peers at a time, ahead of the height under way.
//!
//! Consensus asks a peer for the block of its height when somebody says that the height is over. Where a node is further
//! behind than that, [`BlockSync`] takes the request over: it asks several peers for ranges of blocks, has what arrives
//! verified, keeps it in order, and hands consensus block after block as if a peer had answered at once. Consensus checks
//! and decides each as it does any other; nothing here decides.
//!
//! It promises that
//! - what counts was verified: the blocks of a range follow one another, each was decided by the validators of its height,
//!   has the content that its header says, and every transaction's signature is good ([`Examination`]), or its receipts and
//!   access sets are those that the header says;
//! - a peer that sends something else is left alone for a while, and reported ([`SyncOutput::Lied`]); what it was asked for
//!   is asked of others;
//! - a peer that is slow, silent, or has not got what it was asked for costs no more than a time-out, and the faster ones are
//!   asked for more;
//! - what is asked for and kept is bounded, in blocks and in bytes;
//! - it holds nothing that a crash could take: where it goes on is the ledger's height.
//!
//! It does no I/O, verifies nothing itself and knows the time only from its inputs. A claim of a great height makes it ask,
//! nothing else.
//!
//! A node may take a block's outcomes (receipts and access sets) from peers too ([`BlockSync::by_outcomes`]): then it applies
//! them instead of running the block. The newest blocks are run in any case, and those whose outcomes nobody has.
//!
//! A node that has nothing yet may begin with a portable snapshot instead of the first block: [`SnapshotFetch`] gets that, also
//! from several peers at a time.
//!
//! Start reading at [`BlockSync`].

mod examine;
mod fetch;
mod machine;
mod message;
mod source;

pub use examine::{End, Examination, Examined, SyncedBlock};
pub use fetch::{FetchLimits, FetchOutput, FetchProgress, FetchStage, SnapshotFetch};
pub use machine::{BlockSync, Progress, SyncLimits, SyncOutput};
pub use message::{Blocks, DecidedBlock, Description, Offer, SyncMessage};
