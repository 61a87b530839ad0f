//! Transactions that another node has passed on too soon: they refer to a block that is not durable here yet.
//!
//! Nodes make a block durable one after the other, and a client that sees it at the first of them refers to it at once. That
//! node passes its transaction on to the others once; if they forgot it, it would wait until that node makes a block. So
//! they keep it apart, and judge it when the chain has come so far. They keep few, and none of far-off blocks: what there is
//! no room for still waits where its client has sent it.

use std::collections::BTreeMap;

use hanse_types::{Height, Timestamp, Verified};

use crate::pool::Pool;

/// Most that are kept, and most of their canonical bytes.
const COUNT: usize = 1_024;
const BYTES: usize = 4 << 20;
/// How many blocks another node can be ahead of this one that is not behind for long.
const AHEAD: u64 = 4;

/// Those that have come too soon, by the block that they wait for.
#[derive(Debug, Default)]
pub(crate) struct Early {
    came: BTreeMap<Height, Vec<Came>>,
    count: usize,
    bytes: usize,
}

/// A transaction, and when it was submitted.
#[derive(Debug)]
struct Came {
    transaction: Verified,
    since: Timestamp,
}

impl Early {
    fn keep(&mut self, transaction: Verified, since: Timestamp) {
        let bytes = self.bytes + transaction.byte_count();
        if self.count < COUNT && bytes <= BYTES {
            (self.count, self.bytes) = (self.count + 1, bytes);
            let height = transaction.transaction().ref_height;
            self.came.entry(height).or_default().push(Came { transaction, since });
        }
    }

    /// Takes out those that wait for this block or an earlier one.
    fn take(&mut self, height: Height) -> Vec<Came> {
        let later = self.came.split_off(&height.next());
        let due: Vec<Came> = std::mem::replace(&mut self.came, later).into_values().flatten().collect();
        self.count -= due.len();
        self.bytes -= due.iter().map(|came| came.transaction.byte_count()).sum::<usize>();
        due
    }
}

impl Pool {
    /// Takes one that was refused as its reference is not known, if it soon may be.
    pub(crate) fn keep_early(&mut self, transaction: Verified, since: Timestamp) {
        if transaction.transaction().ref_height.0 <= self.history.height().0.saturating_add(AHEAD) {
            self.early.keep(transaction, since);
        }
    }

    /// Admits what was passed on too soon and refers to blocks that are in the chain by now. What breaks another rule is
    /// forgotten: nobody was promised anything.
    pub fn admit_early(&mut self, now: Timestamp) {
        for Came { transaction, since } in self.early.take(self.history.height()) {
            drop(self.relayed(transaction, since, now));
        }
    }
}
