//! A ballot: one vote per address, until it closes.
//!
//! Parallel: fully. A vote writes only its voter's own key and adds to the option's count without reading it, so all
//! voters vote side by side, also for the same option. Votes only read what the ballot is about.
#![no_std]

use hanse_sdk::prelude::*;

/// What is voted on.
#[data]
pub struct Question {
    /// The question.
    pub text: String,
    /// The options, numbered from 0.
    pub options: Vec<String>,
    /// When voting ends, in milliseconds since 1970.
    pub closes_ms: u64,
}

/// The question, who voted for what, and how often each option was chosen.
#[contract]
pub struct Ballot {
    question: Item<Question>,
    votes: Map<Address, u32>,
    counts: Map<u32, u64>,
}

/// Somebody voted.
#[event]
pub struct Voted {
    #[topic]
    voter: Address,
    option: u32,
}

/// Why the ballot refuses.
#[error]
pub enum Error {
    /// One vote per address.
    #[msg("you voted for option {option} already")]
    Twice {
        /// The option.
        option: u32,
    },
    /// Too late.
    #[msg("voting ended at {closes_ms}")]
    Closed {
        /// When, in milliseconds since 1970.
        closes_ms: u64,
    },
    /// There is no such option.
    #[msg("there are {options} options, numbered from 0")]
    NoSuchOption {
        /// How many there are.
        options: u32,
    },
    /// There is nothing to choose from.
    #[msg("a ballot needs at least two options")]
    TooFew,
}

#[methods]
impl Ballot {
    /// Opens the ballot.
    #[init]
    pub fn create(&mut self, text: String, options: Vec<String>, closes_ms: u64) -> Result<(), Error> {
        ensure!(options.len() >= 2, Error::TooFew);
        self.question.set(Question { text, options, closes_ms });
        Ok(())
    }

    /// Votes for an option.
    pub fn vote(&mut self, ctx: &Ctx, option: u32) -> Result<(), Error> {
        let (options, closes_ms) = self.question.find().map_or((0, 0), |q| (q.options.len() as u32, q.closes_ms));
        ensure!(ctx.time_ms() < closes_ms, Error::Closed { closes_ms });
        ensure!(option < options, Error::NoSuchOption { options });
        if let Some(option) = self.votes.find(ctx.caller()) {
            return Err(Error::Twice { option });
        }
        self.votes.set(ctx.caller(), option);
        self.counts.add(option, 1);
        emit(Voted { voter: ctx.caller(), option });
        Ok(())
    }

    /// What is voted on.
    pub fn question(&self) -> Option<Question> {
        self.question.find()
    }

    /// Who voted for what.
    pub fn vote_of(&self, voter: Address) -> Option<u32> {
        self.votes.find(voter)
    }

    /// How often each option was chosen.
    pub fn counts(&self) -> Vec<u64> {
        let options = self.question.find().map_or(0, |question| question.options.len() as u32);
        (0..options).map(|option| self.counts.get(option)).collect()
    }
}
