//! The escrow holds tokens, pays them out once, and undoes what the token refuses.

use escrow::{Closed, Deal, Error, EscrowClient, Opened};
use hanse_sdk::prelude::{Address, Status};
use hanse_sdk_testing::{Contract, World};
use token::{TokenClient, Transfer};

struct Market {
    world: World,
    token: TokenClient<Contract>,
    escrow: EscrowClient<Contract>,
    buyer: Address,
    seller: Address,
}

fn setup() -> Market {
    let world = World::new();
    let [buyer, seller] = world.accounts(["buyer", "seller"]);
    let token = world.deploy(buyer, TokenClient::create(100));
    let escrow = world.deploy(seller, EscrowClient::deploy());
    token.by(buyer).approve(escrow.address(), 60).expect_ok();
    Market { world, token, escrow, buyer, seller }
}

impl Market {
    fn deal(&self, amount: u128) -> Deal {
        let until_ms = self.world.time_ms() + 1_000;
        Deal { seller: self.seller, token: self.token.address(), amount, until_ms }
    }

    fn balances(&self) -> [u128; 3] {
        [self.buyer, self.escrow.address(), self.seller].map(|owner| self.token.balance_of(owner))
    }
}

#[test]
fn a_content_buyer_lets_the_seller_be_paid_once() {
    let market = setup();
    let Market { escrow, buyer, seller, .. } = &market;
    let opened = escrow.by(*buyer).open(1, market.deal(40)).expect_ok();
    let opened = opened.emitted(Opened { buyer: *buyer, seller: *seller, number: 1, amount: 40 });
    opened.emitted(Transfer { from: *buyer, to: escrow.address(), amount: 40 });
    assert_eq!(market.balances(), [60, 40, 0]);
    escrow.by(*buyer).release(1).expect_ok().emitted(Closed { buyer: *buyer, paid_to: *seller, number: 1 });
    assert_eq!(market.balances(), [60, 0, 40]);
    escrow.by(*buyer).release(1).expect_err(Error::Unknown { number: 1 });
}

#[test]
fn only_the_seller_refunds_and_the_buyer_waits() {
    let market = setup();
    let Market { world, escrow, buyer, seller, .. } = &market;
    let deal = market.deal(10);
    escrow.by(*buyer).open(1, deal.clone()).expect_ok();
    escrow.by(*buyer).open(1, deal.clone()).expect_err(Error::Exists { number: 1 });
    escrow.by(*buyer).open(2, deal.clone()).expect_ok();
    escrow.by(*buyer).refund(*buyer, 1).expect_err(Error::NotSeller);
    escrow.by(*seller).refund(*buyer, 1).expect_ok();
    assert_eq!(market.balances(), [90, 10, 0]);
    escrow.by(*buyer).cancel(2).expect_err(Error::TooEarly { until_ms: deal.until_ms });
    assert_eq!(escrow.deal(*buyer, 2), Some(deal), "a refused call leaves the deal open");
    world.advance_ms(1_000);
    escrow.by(*buyer).cancel(2).expect_ok();
    assert_eq!(market.balances(), [100, 0, 0]);
}

#[test]
fn what_the_token_refuses_is_undone() {
    let market = setup();
    let Market { escrow, buyer, .. } = &market;
    let refused = Error::Token { status: Status::Reverted.code(), code: 2 };
    let outcome = escrow.by(*buyer).open(1, market.deal(61)).expect_err(refused);
    assert!(outcome.all_events().is_empty());
    assert_eq!(escrow.deal(*buyer, 1), None);
    assert_eq!(market.balances(), [100, 0, 0]);
    let nowhere = Deal { token: *buyer, ..market.deal(1) };
    let refused = Error::Token { status: Status::ContractNotFound.code(), code: 0 };
    escrow.by(*buyer).open(1, nowhere).expect_err(refused);
}

#[test]
fn deals_of_different_buyers_open_in_parallel() {
    let market = setup();
    let Market { world, token, escrow, buyer, seller } = &market;
    token.by(*buyer).transfer(*seller, 20).expect_ok();
    token.by(*seller).approve(escrow.address(), 20).expect_ok();
    let deals = [escrow.by(*buyer).open(1, market.deal(5)), escrow.by(*seller).open(1, market.deal(5))];
    world.block(deals).expect_all_ok().assert_parallel();
}
