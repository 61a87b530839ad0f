//! The only door of a contract to state.

use std::any::Any;

use hanse_types::Delta;
use hanse_types::Value;
use thiserror::Error;

use crate::view::{Entry, StateError};

/// Why an execution must stop at once, without a receipt. Never a contract's doing that it could observe.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Halt {
    /// It touched something outside the access set under which it was scheduled; it will be run again, later in the
    /// block. Nothing of it is applied.
    #[error("the transaction left the access set under which it was scheduled")]
    Stray,
    /// State could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// What runs contracts failed on this node: it has run out of memory, or has a bug.
    #[error("the engine that runs contracts failed: {reason}")]
    Engine {
        /// What it said.
        reason: String,
    },
}

/// Outcome of an addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is recorded and will be applied.
    Done,
    /// It would leave its bounds; nothing was changed, and the key now counts as read.
    OutOfBounds,
    /// The key holds a value of another width; nothing was changed, and the key now counts as read.
    NotANumber,
}

/// A range to scan: full state keys, `start <= key < end`.
#[derive(Clone, Copy, Debug)]
pub struct ScanRequest<'a> {
    /// First key.
    pub start: &'a [u8],
    /// First key after the range.
    pub end: &'a [u8],
    /// Most entries wanted.
    pub limit: usize,
    /// From the end backwards.
    pub reverse: bool,
}

/// A point to which a failed nested call is undone. Only good for the access that gave it, and not after an earlier
/// savepoint of it was rolled back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Savepoint(pub usize);

/// State as one transaction sees it: its own effects over what was there.
///
/// Implementations record what the transaction observes and does; a contract can't hide an access, for it has no
/// other door. All keys are full state keys; callers see to the bounds on lengths.
///
/// # Errors
/// Every method fails only with a [`Halt`], upon which the caller unwinds and reports it, whatever else it would do.
pub trait StateAccess: Any + Send {
    /// The value of a key.
    fn get(&mut self, key: &[u8]) -> Result<Option<Value>, Halt>;

    /// The value of a key under which only one value can ever stand, such as the code of a contract under its hash.
    ///
    /// It is not an observation: who asks knows the value's name by something that was observed, so a node may keep such
    /// values in a cache without a difference in access sets. For any other key this would hide an access.
    fn get_content(&mut self, key: &[u8]) -> Result<Option<Value>, Halt>;

    /// Writes a value.
    fn set(&mut self, key: &[u8], value: Value) -> Result<(), Halt>;

    /// Removes a key; no error if it is absent (which is then not observed).
    fn remove(&mut self, key: &[u8]) -> Result<(), Halt>;

    /// Adds to an unsigned integer (an absent key is zero) without observing it, as long as the result stays within
    /// the delta's bounds and its width.
    fn add(&mut self, key: &[u8], delta: Delta) -> Result<Added, Halt>;

    /// Entries of a range, own effects included, in order. Observes the range as far as it was scanned, absences
    /// included.
    fn scan(&mut self, request: ScanRequest<'_>) -> Result<Vec<Entry>, Halt>;

    /// Marks this point.
    fn savepoint(&mut self) -> Savepoint;

    /// Undoes writes, removals and adds since the savepoint. Observations stay: they decided what happened; that an
    /// undone add had fitted is one of them.
    fn rollback(&mut self, to: Savepoint);
}
