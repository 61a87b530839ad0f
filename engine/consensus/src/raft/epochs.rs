//! From one validator set to the next.
//!
//! The block that changes the validators ends the log of the old ones: they agree on nothing after it, since their leader
//! proposes only when all before is durable, and nobody takes a block that has not the validators which the one before
//! names. **The new ones begin a log of their own** on that block: with its own terms, votes and places, and a record that
//! is of their epoch only. It is a group that is founded anew, on a block instead of a genesis.
//!
//! So there is no time in which two sets decide together (*joint consensus*), and none is needed. All who begin the new log
//! have the block in their ledgers, decided by a majority of the old set, so they begin alike. Nobody has two records of
//! one epoch: who was in it before has the record of it ([`Record`]), and who has the record of an earlier epoch was not.
//! What is said of another epoch than one's own is not read. A member of the old set that did not hear the block was
//! decided gets it from a ledger, like one that was away; if all who know crash before they have told, those who are left
//! elect one who has the block in its log, as for every block.
//!
//! While nobody leads the new set yet there are no blocks: for about the time of an election.

use std::sync::Arc;

use hanse_types::{Epoch, Hash, Height};

use crate::raft::Raft;
use crate::raft::canvass::Presence;
use crate::raft::member::Member;
use crate::raft::record::Record;
use crate::verify::Verify;
use crate::{Fault, Output, Recipient};

/// A validator's Raft of the epoch that decides after a durable block; none for an observer, and where a record forbids.
pub(super) fn member_of(
    me: Option<u32>,
    validators: usize,
    record: Option<&Record>,
    epoch: Epoch,
    height: Height,
) -> Option<Member> {
    let (me, record) = me.zip(record)?;
    if record.epoch < epoch {
        return Some(Member::beginning(me, validators, epoch, height));
    }
    // With the record of a later epoch, the ledger was put back from a copy. It says nothing until it is there again.
    (record.epoch == epoch).then(|| Member::new(me, validators, record.clone()))
}

impl<V: Verify> Raft<V> {
    /// A block is durable that names other validators than its own: they decide the next.
    pub(super) fn hand_over(&mut self, next: Hash, out: &mut Vec<Output>) -> Result<(), Fault> {
        let height = self.height();
        let named =
            self.next_set.take().filter(|(from, set)| *from == height && set.hash(self.config.chain.crypto) == next);
        let (_, set) = named.ok_or(Fault::WrongValidators { height, expected: next })?;
        self.set = Arc::new((*set).clone().succeeding(&self.set));
        (self.set_hash, self.epoch) = (next, Epoch(self.epoch.0 + 1));
        let is_writing = self.is_writing || self.member.as_ref().is_some_and(Member::is_recording);
        self.is_writing = false;
        let me = self.config.key.and_then(|key| self.set.index_of(&key));
        self.member = member_of(me, self.set.len(), self.record.as_ref(), self.epoch, self.tip.height);
        match &mut self.member {
            Some(member) if is_writing => member.wait(),
            _ => self.is_writing = is_writing,
        }
        self.presence = Presence::default();
        (self.heard, self.held, self.ahead) = (None, None, None);
        self.forget_validators();
        // Those who have not heard of it ask for the block.
        out.push(Output::Send(Recipient::All, self.own_status()));
        self.lead_alone();
        Ok(())
    }

    /// Nobody else could lead a set of one.
    pub(super) fn lead_alone(&mut self) {
        if let Some(member) = self.member.as_mut().filter(|_| self.set.len() == 1) {
            member.campaign();
        }
    }
}
