//! Holds a buyer's tokens until the buyer is content or the deal is called off; it calls the token for both.
//!
//! Parallel: deals of different buyers, also in the same token, as far as the token lets them. Opening adds to the escrow's
//! balance in the token without reading it; paying out reads that balance, so payouts in one token follow one another.
#![no_std]

use hanse_sdk::prelude::*;

/// What the escrow uses of a token.
#[interface]
pub trait Token {
    /// Moves tokens of the caller.
    fn transfer(&mut self, to: Address, amount: u128);
    /// Moves tokens that their owner lets the caller take.
    fn transfer_from(&mut self, from: Address, to: Address, amount: u128);
}

/// A deal that is not done yet.
#[data]
pub struct Deal {
    /// Who gets the tokens if the buyer is content.
    pub seller: Address,
    /// The token's contract.
    pub token: Address,
    /// How much of it.
    pub amount: u128,
    /// From when on the buyer may call the deal off, in milliseconds since 1970.
    pub until_ms: u64,
}

/// Open deals.
#[contract]
pub struct Escrow {
    /// By buyer and a number of the buyer's choice.
    deals: Map<(Address, u64), Deal>,
}

/// A deal was opened.
#[event]
pub struct Opened {
    #[topic]
    buyer: Address,
    #[topic]
    seller: Address,
    number: u64,
    amount: u128,
}

/// A deal is done.
#[event]
pub struct Closed {
    #[topic]
    buyer: Address,
    #[topic]
    paid_to: Address,
    number: u64,
}

/// Why the escrow refuses.
#[error]
pub enum Error {
    /// The number is in use.
    #[msg("you have an open deal {number} already")]
    Exists {
        /// The number.
        number: u64,
    },
    /// There is no such open deal.
    #[msg("there is no open deal {number} of this buyer")]
    Unknown {
        /// The number.
        number: u64,
    },
    /// Too early.
    #[msg("the buyer can call the deal off from {until_ms} on")]
    TooEarly {
        /// In milliseconds since 1970.
        until_ms: u64,
    },
    /// Only the seller may do this.
    #[msg("only the seller gives the tokens back")]
    NotSeller,
    /// The token did not do as it was told.
    #[msg("the token refused: status {status}, code {code}")]
    Token {
        /// The call's status.
        status: u8,
        /// The token's error, 0 for none.
        code: u32,
    },
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Error {
        Error::Token { status: error.status().code(), code: error.code() }
    }
}

#[methods]
impl Escrow {
    /// Takes the buyer's tokens, which it must have approved, into escrow.
    pub fn open(&mut self, ctx: &Ctx, number: u64, deal: Deal) -> Result<(), Error> {
        let buyer = ctx.caller();
        ensure!(!self.deals.contains((buyer, number)), Error::Exists { number });
        self.deals.set((buyer, number), &deal);
        TokenClient::at(deal.token).transfer_from(buyer, ctx.contract(), deal.amount)?;
        emit(Opened { buyer, seller: deal.seller, number, amount: deal.amount });
        Ok(())
    }

    /// The buyer is content: the seller gets the tokens.
    pub fn release(&mut self, ctx: &Ctx, number: u64) -> Result<(), Error> {
        let deal = self.take(ctx.caller(), number)?;
        self.pay(ctx.caller(), number, deal.seller, &deal)
    }

    /// The seller gives the tokens back.
    pub fn refund(&mut self, ctx: &Ctx, buyer: Address, number: u64) -> Result<(), Error> {
        let deal = self.take(buyer, number)?;
        ensure!(deal.seller == ctx.caller(), Error::NotSeller);
        self.pay(buyer, number, buyer, &deal)
    }

    /// The buyer calls the deal off after its time.
    pub fn cancel(&mut self, ctx: &Ctx, number: u64) -> Result<(), Error> {
        let deal = self.take(ctx.caller(), number)?;
        ensure!(ctx.time_ms() >= deal.until_ms, Error::TooEarly { until_ms: deal.until_ms });
        self.pay(ctx.caller(), number, ctx.caller(), &deal)
    }

    /// An open deal.
    pub fn deal(&self, buyer: Address, number: u64) -> Option<Deal> {
        self.deals.find((buyer, number))
    }

    /// Removes the deal before anything is paid, so that nothing is paid twice.
    fn take(&mut self, buyer: Address, number: u64) -> Result<Deal, Error> {
        let deal = self.deals.find((buyer, number)).ok_or(Error::Unknown { number })?;
        self.deals.remove((buyer, number));
        Ok(deal)
    }

    fn pay(&mut self, buyer: Address, number: u64, to: Address, deal: &Deal) -> Result<(), Error> {
        TokenClient::at(deal.token).transfer(to, deal.amount)?;
        emit(Closed { buyer, paid_to: to, number });
        Ok(())
    }
}
