//! The block after the one that is being voted on, made ahead.
//!
//! When consensus foresees that this node's turn comes next, the node does not wait for the votes: it seals and executes its
//! batch on top of the block that will probably be decided. If that block is decided, and the turn is this node's, the batch
//! is there when it is asked for, or on its way; if not, its transactions go back to their places, and nothing happened.
//! Nobody is told anything ahead: consensus hears of the block when it asks for it.

use hanse_consensus as consensus;
use hanse_consensus::{Consensus, Slot, Verdict};
use hanse_txpool::Place;
use hanse_types::{Hash, Header, Height, TxId, Verified};

use crate::interface::{Amendments, HaltReason, Output, Shown, Work};
use crate::replica::Replica;
use crate::under_way::{Ahead, Made, Making, Progress};

impl<C: Consensus> Replica<C> {
    /// This node's turn will come at this place, if its parent is decided.
    pub(crate) fn foresee(&mut self, slot: Slot) {
        if self.ahead.as_ref().is_some_and(|ahead| ahead.slot == slot) {
            return;
        }
        self.give_up_ahead();
        self.ahead = Some(Ahead { slot, claimed: Vec::new(), progress: Progress::Foreseen });
    }

    /// Makes the block that is foreseen, once there is something to make it of.
    pub(crate) fn make_ahead(&mut self, out: &mut Vec<Output>) {
        let Some(ahead) = self.ahead.as_mut().filter(|ahead| !ahead.has_batch()) else { return };
        let slot = ahead.slot;
        let Some(parent) = self.under_way.block(&slot.parent) else { return };
        // What the parent changes for the blocks after it counts when it is durable.
        let is_good = parent.verdict == Some(Verdict::Good) && parent.amendments == Amendments::default();
        if !is_good || !self.under_way.has_room() {
            return;
        }
        let ids: Vec<TxId> = parent.transactions.iter().map(Verified::id).collect();
        let timestamp = self.now.max(parent.timestamp.plus_ms(1));
        ahead.claimed.extend(self.pool.claim(&ids));
        if !self.pool.is_due(self.now) {
            return;
        }
        let sealed = self.pool.seal(Place { height: slot.height, timestamp });
        if !sealed.batch.is_empty() {
            let making = Making { slot, timestamp, transactions: sealed.batch.clone() };
            ahead.progress = Progress::Making(making);
            out.push(Output::Execute(Work { slot, timestamp, batch: sealed.batch }));
        }
        self.drop_from_pool(sealed.dropped, out);
    }

    /// Whether a block made ahead, or being made, has its parent on the disk: consensus may ask for it.
    pub(crate) fn is_ahead_due(&self) -> bool {
        let next = self.pool.history().height().next();
        self.ahead.as_ref().is_some_and(|ahead| ahead.has_batch() && ahead.slot.height == next)
    }

    /// Whether what was executed is the batch ahead.
    pub(crate) fn is_ahead(&self, header: &Header) -> bool {
        let place = (header.height, header.round, header.parent);
        let is_it = |making: &Making| (making.slot.height, making.slot.round, making.slot.parent) == place;
        let progress = self.ahead.as_ref().map(|ahead| &ahead.progress);
        matches!(progress, Some(Progress::Making(making)) if is_it(making))
    }

    /// The batch ahead was executed: it waits for its turn.
    pub(crate) fn made_ahead(&mut self, header: Box<Header>, shown: Option<Box<Shown>>, amendments: Amendments) {
        let Some(ahead) = &mut self.ahead else { return };
        if let Progress::Making(making) = std::mem::replace(&mut ahead.progress, Progress::Foreseen) {
            ahead.progress = Progress::Made(Box::new(Made { making, header, shown, amendments }));
        }
    }

    /// Consensus asks for a block: whether the one ahead is it. If it is for another place, it comes to nothing.
    pub(crate) fn propose_ahead(&mut self, slot: Slot, out: &mut Vec<Output>) -> Result<bool, HaltReason> {
        let Some(ahead) = self.ahead.take_if(|ahead| ahead.slot == slot && ahead.has_batch()) else {
            self.give_up_ahead();
            return Ok(false);
        };
        match ahead.progress {
            Progress::Foreseen => return Ok(false),
            Progress::Making(making) => self.under_way.make(making),
            Progress::Made(made) => {
                let Made { making, header, shown, amendments } = *made;
                self.under_way.make(making);
                self.executed(header, shown, amendments, out)?;
            }
        }
        Ok(true)
    }

    /// A block of this height is decided: what was made ahead on another, or for this height, comes to nothing.
    pub(crate) fn settle_ahead(&mut self, height: Height, block: &Hash) {
        let fits = |ahead: &Ahead| ahead.slot.height == height.next() && ahead.slot.parent == *block;
        if !self.ahead.as_ref().is_none_or(fits) {
            self.give_up_ahead();
        }
    }

    /// Gives back what was taken for the block ahead.
    pub(crate) fn give_up_ahead(&mut self) {
        let Some(Ahead { slot, claimed, progress }) = self.ahead.take() else { return };
        self.pool.returned(claimed);
        let making = match progress {
            Progress::Foreseen => return,
            Progress::Making(making) => {
                self.under_way.abandon(&slot);
                making
            }
            Progress::Made(made) => made.making,
        };
        self.pool.returned(making.transactions.iter().map(Verified::id));
    }

    /// Consensus is told that there may be a block, where one was made ahead for the height that has come.
    pub(crate) fn offer_ahead(&mut self, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        match self.is_ahead_due() && self.under_way.has_room() {
            true => self.consult(consensus::Input::BatchReady, out),
            false => Ok(()),
        }
    }
}
