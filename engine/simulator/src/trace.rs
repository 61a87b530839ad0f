//! A run for people to read: one line for each thing that happens.

use hanse_consensus::{Input, Message, Quorum, Request, SignedStatement, Statement, Timer, Word};
use hanse_types::Hash;

use crate::oracle::kind_name;

/// Four hexadecimal digits of a hash.
fn short(hash: Hash) -> String {
    format!("{:02x}{:02x}", hash.0[0], hash.0[1])
}

fn choice(block: Option<Hash>) -> String {
    block.map_or_else(|| "nil".to_owned(), short)
}

pub(crate) fn statement(statement: &Statement) -> String {
    let Statement { height, round, word, .. } = *statement;
    match word {
        Word::Propose { block, valid_round: None } => format!("{height}/{round} proposal {}", short(block)),
        Word::Propose { block, valid_round: Some(valid) } => {
            format!("{height}/{round} proposal {} of round {valid}", short(block))
        }
        Word::Prevote(block) => format!("{height}/{round} prevote {}", choice(block)),
        Word::Precommit(block) => format!("{height}/{round} precommit {}", choice(block)),
    }
}

fn signed(signed: &SignedStatement) -> String {
    format!("{} by v{}", statement(&signed.statement), signed.validator)
}

fn quorum(quorum: &Quorum) -> String {
    let Quorum { kind, height, round, block, .. } = quorum;
    let voters: Vec<u32> = quorum.signatures.iter().map(|(index, _)| *index).collect();
    format!("{height}/{round} {} {} by {voters:?}", kind_name(*kind), choice(*block))
}

pub(crate) fn message(message: &Message) -> String {
    match message {
        Message::Proposal(proposal) => signed(&proposal.signed),
        Message::Vote(vote) => signed(vote),
        Message::Quorum(votes) => quorum(votes),
        Message::Status(status) => format!("status {}/{}", status.height, status.round),
        Message::Request(Request::Decided(height)) => format!("asks for block {height}"),
        Message::Request(Request::Block(hash)) => format!("asks for {}", short(*hash)),
        Message::Request(Request::Transactions { block, missing }) => {
            format!("asks for {} transactions of {}", missing.len(), short(*block))
        }
        Message::Block(block) => format!("block {}", short(block.hash())),
        Message::Transactions { block, transactions } => {
            format!("{} transactions of {}", transactions.len(), short(*block))
        }
        Message::Decided { certificate, .. } => {
            format!("{}/{} decided {}", certificate.height, certificate.round, short(certificate.block_hash))
        }
        Message::Raft(_) => "a raft's words".to_owned(),
        Message::Evidence(evidence) => format!("evidence against v{}", evidence.validator()),
    }
}

pub(crate) fn input(input: &Input) -> String {
    match input {
        Input::Message { from, message: said } => format!("<- {}: {}", from.0, message(said)),
        Input::Timeout(Timer::Step { height, round, step }) => format!("{height}/{round} {step:?} timed out"),
        Input::Timeout(timer) => format!("{timer:?}"),
        Input::Signed(own) => format!("signed {}", statement(own.statement())),
        Input::Checked { block, verdict } => format!("{} is {verdict:?}", short(*block)),
        Input::Built(block) => format!("made {}", short(block.hash())),
        Input::Persisted { height } => format!("{height} is durable"),
        Input::Validators { from, .. } => format!("other validators from {from}"),
        other => format!("{other:?}"),
    }
}
