//! A constant-product pool of two currencies, which it keeps for its traders.
//!
//! Parallel: hardly, and that is its point among the examples. Every trade reads and writes the reserves, since its price
//! depends on the trade before; only deposits and payments between traders' own balances run beside it. A pool is as fast
//! as one core; several pools run in parallel.
#![no_std]

use hanse_sdk::prelude::*;

/// Parts of a thousand that a trade leaves in the pool.
const FEE: u128 = 3;
const WHOLE: u128 = 1_000;

/// What the pool holds.
#[data]
#[derive(Default)]
pub struct Reserves {
    /// Of the first currency.
    pub a: u64,
    /// Of the second.
    pub b: u64,
    /// Shares of the pool that were given out.
    pub shares: u64,
}

/// The two currencies.
#[data]
#[derive(Copy)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

/// Reserves, what traders have, and who owns the pool.
#[contract]
pub struct Pool {
    reserves: Item<Reserves>,
    funds_a: Map<Address, u64>,
    funds_b: Map<Address, u64>,
    shares: Map<Address, u64>,
    /// Who may credit traders with what they paid in elsewhere.
    operator: Item<Address>,
}

/// A trade was made.
#[event]
pub struct Swapped {
    #[topic]
    trader: Address,
    paid: Side,
    amount: u64,
    got: u64,
}

/// Why the pool refuses.
#[error]
pub enum Error {
    /// The trader has not so much.
    #[msg("you have {have}, and {need} is needed")]
    TooLittle {
        /// What it has.
        have: u64,
        /// What is needed.
        need: u64,
    },
    /// The price moved too far.
    #[msg("this trade would give {got}, less than the {least} that was asked for")]
    PriceMoved {
        /// What the trade would give.
        got: u64,
        /// What the trader wants at least.
        least: u64,
    },
    /// The pool has nothing to trade with, or the amount is too small for any share.
    #[msg("there is too little in the pool, or the amount is too small")]
    NoLiquidity,
    /// A number would not fit.
    #[msg("the amount is too large for this pool")]
    TooMuch,
    /// Only the operator may do this.
    #[msg("only the pool's operator credits traders")]
    NotOperator,
}

#[methods]
impl Pool {
    /// Opens an empty pool; the caller is its operator.
    #[init]
    pub fn create(&mut self, ctx: &Ctx) {
        self.operator.set(ctx.caller());
    }

    /// Credits a trader with what it paid in.
    pub fn credit(&mut self, ctx: &Ctx, trader: Address, side: Side, amount: u64) -> Result<(), Error> {
        ensure!(self.operator.find() == Some(ctx.caller()), Error::NotOperator);
        self.funds(side).try_add(trader, amount).map_err(|_| Error::TooMuch)
    }

    /// Puts both currencies into the pool and gives shares for them. What exceeds the pool's ratio is not taken.
    pub fn add_liquidity(&mut self, ctx: &Ctx, most_a: u64, most_b: u64) -> Result<u64, Error> {
        let reserves = self.reserves.get();
        let (a, b, shares) = added(&reserves, most_a, most_b)?;
        self.take(ctx.caller(), Side::A, a)?;
        self.take(ctx.caller(), Side::B, b)?;
        self.shares.try_add(ctx.caller(), shares).map_err(|_| Error::TooMuch)?;
        self.reserves.set(Reserves {
            a: sum(reserves.a, a)?,
            b: sum(reserves.b, b)?,
            shares: sum(reserves.shares, shares)?,
        });
        Ok(shares)
    }

    /// Gives shares back for their part of both currencies.
    pub fn remove_liquidity(&mut self, ctx: &Ctx, shares: u64) -> Result<(u64, u64), Error> {
        let have = self.shares.get(ctx.caller());
        ensure!(have >= shares, Error::TooLittle { have, need: shares });
        let mut reserves = self.reserves.get();
        ensure!(reserves.shares > 0, Error::NoLiquidity);
        let (a, b) = (part(reserves.a, shares, reserves.shares)?, part(reserves.b, shares, reserves.shares)?);
        self.shares.set(ctx.caller(), have - shares);
        reserves = Reserves { a: reserves.a - a, b: reserves.b - b, shares: reserves.shares - shares };
        self.reserves.set(&reserves);
        self.funds_a.try_add(ctx.caller(), a).map_err(|_| Error::TooMuch)?;
        self.funds_b.try_add(ctx.caller(), b).map_err(|_| Error::TooMuch)?;
        Ok((a, b))
    }

    /// Trades an amount of one currency for the other, of which the trader wants `least`.
    pub fn swap(&mut self, ctx: &Ctx, pay: Side, amount: u64, least: u64) -> Result<u64, Error> {
        let reserves = self.reserves.get();
        let got = price(&reserves, pay, amount)?;
        ensure!(got >= least, Error::PriceMoved { got, least });
        self.take(ctx.caller(), pay, amount)?;
        let (a, b, other) = match pay {
            Side::A => (sum(reserves.a, amount)?, reserves.b - got, Side::B),
            Side::B => (reserves.a - got, sum(reserves.b, amount)?, Side::A),
        };
        self.reserves.set(Reserves { a, b, shares: reserves.shares });
        self.funds(other).try_add(ctx.caller(), got).map_err(|_| Error::TooMuch)?;
        emit(Swapped { trader: ctx.caller(), paid: pay, amount, got });
        Ok(got)
    }

    /// What a trade would give now.
    pub fn quote(&self, pay: Side, amount: u64) -> Result<u64, Error> {
        price(&self.reserves.get(), pay, amount)
    }

    /// What a trader has of both currencies, and its shares.
    pub fn funds_of(&self, trader: Address) -> (u64, u64, u64) {
        (self.funds_a.get(trader), self.funds_b.get(trader), self.shares.get(trader))
    }

    /// What the pool holds.
    pub fn reserves(&self) -> Reserves {
        self.reserves.get()
    }

    fn funds(&mut self, side: Side) -> &mut Map<Address, u64> {
        match side {
            Side::A => &mut self.funds_a,
            Side::B => &mut self.funds_b,
        }
    }

    fn take(&mut self, trader: Address, side: Side, amount: u64) -> Result<(), Error> {
        let funds = self.funds(side);
        let have = funds.get(trader);
        ensure!(have >= amount, Error::TooLittle { have, need: amount });
        funds.set(trader, have - amount);
        Ok(())
    }
}

/// What a trade gives: the product of the reserves never falls.
fn price(reserves: &Reserves, pay: Side, amount: u64) -> Result<u64, Error> {
    let (from, to) = match pay {
        Side::A => (reserves.a, reserves.b),
        Side::B => (reserves.b, reserves.a),
    };
    ensure!(from > 0 && to > 0, Error::NoLiquidity);
    let paid = u128::from(amount) * (WHOLE - FEE) / WHOLE;
    narrow(u128::from(to) * paid / (u128::from(from) + paid))
}

/// What is taken of both currencies, and the shares for it.
fn added(reserves: &Reserves, most_a: u64, most_b: u64) -> Result<(u64, u64, u64), Error> {
    if reserves.shares == 0 {
        let shares = narrow((u128::from(most_a) * u128::from(most_b)).isqrt())?;
        ensure!(shares > 0, Error::NoLiquidity);
        return Ok((most_a, most_b, shares));
    }
    let by_a = part(reserves.shares, most_a, reserves.a)?;
    let by_b = part(reserves.shares, most_b, reserves.b)?;
    let shares = by_a.min(by_b);
    ensure!(shares > 0, Error::NoLiquidity);
    // Rounded up, in favour of those who are in the pool already.
    let a = part_up(reserves.a, shares, reserves.shares)?;
    let b = part_up(reserves.b, shares, reserves.shares)?;
    Ok((a.min(most_a), b.min(most_b), shares))
}

/// `whole · numerator / denominator`, rounded down.
fn part(whole: u64, numerator: u64, denominator: u64) -> Result<u64, Error> {
    ensure!(denominator > 0, Error::NoLiquidity);
    narrow(u128::from(whole) * u128::from(numerator) / u128::from(denominator))
}

/// `whole · numerator / denominator`, rounded up.
fn part_up(whole: u64, numerator: u64, denominator: u64) -> Result<u64, Error> {
    ensure!(denominator > 0, Error::NoLiquidity);
    narrow((u128::from(whole) * u128::from(numerator)).div_ceil(u128::from(denominator)))
}

fn sum(a: u64, b: u64) -> Result<u64, Error> {
    a.checked_add(b).ok_or(Error::TooMuch)
}

fn narrow(number: u128) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| Error::TooMuch)
}
