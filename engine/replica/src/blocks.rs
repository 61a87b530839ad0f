//! The way of a block through a replica: made here of what waits, or shown by another node and checked; then decided.

use std::collections::HashSet;

use hanse_consensus as consensus;
use hanse_consensus::{Basis, CompactBlock, Consensus, Intent, Message, Peer, Recipient, Slot, Verdict, Word};
use hanse_txpool::{Place, admission};
use hanse_types::{Canonical, Certificate, Hash, Header, Verified};

use crate::interface::{Amendments, HaltReason, Output, Shown, Stage, Work};
use crate::replica::Replica;
use crate::under_way::{Candidate, Making};

/// Bytes of transactions that one answer to a peer has at most; one transaction it always has. The peer asks again for
/// the rest.
const ANSWER_BYTES: usize = 1 << 20;

impl<C: Consensus> Replica<C> {
    /// Hands out a batch to be executed.
    pub(crate) fn propose(&mut self, slot: Slot, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        if self.propose_ahead(slot, out)? {
            return Ok(());
        }
        // What an earlier round made of this height comes to nothing, or is decided as it is.
        let ids = self.under_way.give_up_own(slot.height);
        self.pool.returned(ids);
        let timestamp = self.next_time();
        let sealed = self.pool.seal(Place { height: slot.height, timestamp });
        self.drop_from_pool(sealed.dropped, out);
        if sealed.batch.is_empty() {
            return self.consult(consensus::Input::Withdrawn, out);
        }
        self.under_way.make(Making { slot, timestamp, transactions: sealed.batch.clone() });
        out.push(Output::Execute(Work { slot, timestamp, batch: sealed.batch }));
        Ok(())
    }

    /// The batch was executed: consensus learns of the block.
    pub(crate) fn executed(
        &mut self,
        header: Box<Header>,
        shown: Option<Box<Shown>>,
        amendments: Amendments,
        out: &mut Vec<Output>,
    ) -> Result<(), HaltReason> {
        if self.under_way.was_abandoned(&header) {
            return Ok(());
        }
        if self.is_ahead(&header) {
            self.made_ahead(header, shown, amendments);
            return Ok(());
        }
        let Header { height, tx_count: found, timestamp, .. } = *header;
        let unexpected = HaltReason::Unexpected { height, stage: Stage::Execution };
        let making = self.under_way.executed(&header).ok_or(unexpected)?;
        let (expected, expected_timestamp) = (making.transactions.len(), making.timestamp);
        if found as usize != expected || timestamp != expected_timestamp {
            self.pool.returned(making.transactions.iter().map(Verified::id));
            return Err(HaltReason::OtherBlock { height, found, expected, timestamp, expected_timestamp });
        }
        let (hash, verdict) = (header.hash(), Some(Verdict::Good));
        let (transactions, input) = match shown {
            Some(shown) => (shown.transactions.to_vec(), consensus::Input::Built(shown.block)),
            None => (making.transactions, consensus::Input::Executed(header)),
        };
        self.under_way.add(Candidate {
            height,
            hash,
            timestamp,
            transactions,
            amendments,
            verdict,
            own: true,
            asked: true,
        });
        self.consult(input, out)
    }

    /// Has another node's block run, once all of its transactions are here.
    pub(crate) fn check(&mut self, block: CompactBlock, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        let hash = block.hash();
        let Header { height, timestamp, .. } = *block.header();
        let place = Place { height, timestamp };
        // It was made or run here in an earlier round, or ahead of its turn, or still runs.
        if let Some(Candidate { verdict, asked, transactions, .. }) = self.under_way.candidate(&hash) {
            let is_allowed = *asked || self.is_allowed(transactions, place);
            let verdict = if is_allowed { *verdict } else { Some(Verdict::Bad) };
            self.under_way.ask(&hash);
            let known = verdict.map(|verdict| consensus::Input::Checked { block: hash, verdict });
            return known.map_or(Ok(()), |known| self.consult(known, out));
        }
        let found: Vec<Option<&Verified>> = block.transactions().iter().map(|leaf| self.find(&hash, leaf)).collect();
        let missing: Vec<u32> = (0..).zip(&found).filter(|(_, tx)| tx.is_none()).map(|(place, _)| place).collect();
        if !missing.is_empty() {
            self.under_way.wait_for(block);
            return self.consult(consensus::Input::Missing { block: hash, transactions: missing }, out);
        }
        let transactions: Vec<Verified> = found.into_iter().flatten().cloned().collect();
        if !self.is_allowed(&transactions, place) {
            return self.consult(consensus::Input::Checked { block: hash, verdict: Verdict::Bad }, out);
        }
        let shown = Shown { block, transactions: transactions.clone().into() };
        self.under_way.add(Candidate {
            height,
            hash,
            timestamp,
            transactions,
            amendments: Amendments::default(),
            verdict: None,
            own: false,
            asked: true,
        });
        out.push(self.have_run(shown));
        Ok(())
    }

    /// Whether these transactions may be in a block, whose height has begun.
    fn is_allowed(&self, transactions: &[Verified], place: Place) -> bool {
        // No height begins before its parent is in the history, so nothing is unwritten.
        let (params, history) = (self.pool.params(), self.pool.history());
        admission::check_block(transactions, params, history, place, &HashSet::new()).is_ok()
    }

    fn find(&self, block: &Hash, leaf: &Hash) -> Option<&Verified> {
        let fetched = || self.under_way.fetched(block, leaf);
        self.pool.by_leaf(leaf).or_else(fetched).or_else(|| self.from_before.get(leaf))
    }

    /// Has the transactions of a block made durable before its precommit: the lock on it outlives a crash, so what it is made
    /// of must too, or all could be locked on a block that nobody can run. A prevote binds nobody after a crash that a
    /// precommit does not follow, and of two locks the later counts, so one block is enough.
    pub(crate) fn hold(&mut self, intent: &Intent, out: &mut Vec<Output>) {
        let (Word::Precommit(Some(block)), Basis::Both(..)) = (intent.statement.word, &intent.basis) else { return };
        let Some(candidate) = self.under_way.block(&block).filter(|_| self.held != Some(block)) else { return };
        self.held = Some(block);
        out.push(Output::Hold { block, transactions: candidate.transactions.clone() });
    }

    /// A block was run.
    pub(crate) fn checked(
        &mut self,
        block: Hash,
        verdict: Verdict,
        amendments: Amendments,
        out: &mut Vec<Output>,
    ) -> Result<(), HaltReason> {
        match self.under_way.checked(&block, verdict, amendments) {
            true => self.consult(consensus::Input::Checked { block, verdict }, out),
            // Its height is over in the meantime.
            false => Ok(()),
        }
    }

    /// Transactions came for a block.
    pub(crate) fn supplied(
        &mut self,
        block: &Hash,
        transactions: Vec<Verified>,
        out: &mut Vec<Output>,
    ) -> Result<(), HaltReason> {
        match self.under_way.supply(block, transactions) {
            Some(block) => self.check(block, out),
            None => Ok(()),
        }
    }

    /// A block is decided: it is to be written, and nothing else of its height can be any more.
    pub(crate) fn decide(&mut self, certificate: Certificate, out: &mut Vec<Output>) -> Result<(), HaltReason> {
        let (height, hash) = (certificate.height, certificate.block_hash);
        let unexpected = HaltReason::Unexpected { height, stage: Stage::Execution };
        let params = self.under_way.decide(&hash).ok_or(unexpected)?;
        if let Some(params) = params {
            self.pool.set_params((*params).clone());
        }
        self.settle_ahead(height, &hash);
        let given_up = self.under_way.give_up(height);
        self.pool.returned(given_up);
        out.push(Output::Persist { height, certificate });
        Ok(())
    }

    /// Answers a peer that lacks transactions of a block.
    pub(crate) fn serve_transactions(&mut self, to: Peer, block: Hash, missing: Vec<u32>, out: &mut Vec<Output>) {
        let Some(known) = self.under_way.block(&block) else {
            out.push(Output::ServeTransactions { to, block, missing });
            return;
        };
        let transactions = answer(missing, |place| {
            known.transactions.get(place as usize).map(|transaction| transaction.signed().encode())
        });
        out.push(Output::Send(Recipient::One(to), Message::Transactions { block, transactions }));
    }
}

/// As many of the transactions at these places as one message takes.
pub fn answer(missing: Vec<u32>, encoded: impl Fn(u32) -> Option<Vec<u8>>) -> Vec<(u32, Vec<u8>)> {
    let (mut answer, mut bytes) = (Vec::new(), 0);
    for place in missing {
        let Some(transaction) = encoded(place) else { continue };
        bytes += transaction.len();
        if bytes > ANSWER_BYTES && !answer.is_empty() {
            break;
        }
        answer.push((place, transaction));
    }
    answer
}
