//! The only client that is left after everything healed, in some runs.
//!
//! It sends to one node, and the next transaction when that one is committed there. So nobody else has a reason to begin a
//! block, and every vote that is needed has to come from those who only see that another waits.

use hanse_consensus::Input;
use hanse_types::{Timestamp, TxId};

use crate::execution::Tx;
use crate::node::EPOCH_MS;
use crate::world::World;

/// What it has sent, and to whom.
pub(super) struct Question {
    at: usize,
    sent: Sent,
}

enum Sent {
    /// To an engine alone.
    Engine(Tx),
    /// To a whole node; when it is over.
    Whole { id: TxId, expires: Timestamp },
}

impl World {
    /// Whether this client is the only one.
    pub(super) fn is_quiet(&self) -> bool {
        self.scenario.quiet && self.healed.is_some()
    }

    /// Sends the next one when the one before is answered.
    pub(super) fn quiet_client(&mut self) {
        if let Some(question) = self.question.take() {
            if self.waits(&question) {
                self.question = Some(question);
                return;
            }
            self.summary.answered += u64::from(self.is_answered(&question));
        }
        let able: Vec<usize> = (0..self.nodes.len()).filter(|at| self.takes_questions(*at)).collect();
        if able.is_empty() {
            return;
        }
        let at = able[self.work.below(able.len() as u64) as usize];
        let sent = if self.real.is_some() { self.ask_whole(at) } else { Some(self.ask_engine(at)) };
        self.question = sent.map(|sent| Question { at, sent });
    }

    fn is_answered(&mut self, question: &Question) -> bool {
        match question.sent {
            Sent::Engine(tx) => self.nodes[question.at].done.contains(&tx),
            Sent::Whole { id, .. } => self.is_committed_at(question.at, &id),
        }
    }

    /// Whether a question is open. It would be for ever if its node is no validator any more and passes on nothing that it is
    /// sent, or if it is over: that is said with the next block, and there is nobody else who has anything for one.
    fn waits(&mut self, question: &Question) -> bool {
        let at = question.at;
        match question.sent {
            Sent::Engine(_) => !self.is_answered(question) && self.takes_questions(at),
            Sent::Whole { id, expires } => self.is_pending_at(at, &id) && Timestamp(EPOCH_MS + self.time) < expires,
        }
    }

    /// Whether a node can get a transaction into a block: an honest one that votes; a whole one also by others.
    fn takes_questions(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        let engine = node.life.as_ref().filter(|_| node.is_honest()).map(|life| life.mind.engine());
        engine.is_some_and(|engine| self.real.is_some() || engine.votes())
    }

    /// None if the node does not take it.
    fn ask_whole(&mut self, at: usize) -> Option<Sent> {
        let transaction = self.signed_for(at)?;
        let (id, expires) = (transaction.id(), transaction.transaction().expiration);
        self.submit(at, vec![transaction]);
        self.is_pending_at(at, &id).then_some(Sent::Whole { id, expires })
    }

    fn ask_engine(&mut self, at: usize) -> Sent {
        let tx = Tx(self.next_tx << 8);
        self.transactions.insert(tx.leaf(), tx);
        self.nodes[at].hear_of(tx, tx.leaf());
        self.tell(at, Input::BatchReady);
        Sent::Engine(tx)
    }
}
