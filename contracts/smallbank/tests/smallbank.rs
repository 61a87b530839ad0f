//! The six procedures move money and lose none.

use hanse_sdk_testing::{Contract, World};
use smallbank::{Error, SmallBankClient};

fn setup() -> (World, SmallBankClient<Contract>) {
    let world = World::new();
    let bank = world.deploy(world.account("operator"), SmallBankClient::deploy());
    for customer in 1..=3 {
        bank.open(customer, 100, 10).expect_ok();
    }
    (world, bank)
}

#[test]
fn deposits_and_savings_change_one_customer() {
    let (_, bank) = setup();
    bank.deposit_checking(1, 5).expect_ok();
    bank.transact_savings(1, 7).expect_ok();
    assert_eq!(bank.balance(1), 122);
    bank.transact_savings(1, -107).expect_ok();
    assert_eq!(bank.balance(1), 15);
    bank.transact_savings(1, -1).expect_err(Error::TooLittle { customer: 1, have: 0, need: 1 });
    bank.transact_savings(1, i64::MIN).expect_err(Error::TooLittle { customer: 1, have: 0, need: 1 << 63 });
    assert_eq!(bank.balance(2), 110);
}

#[test]
fn amalgamation_moves_everything() {
    let (_, bank) = setup();
    bank.amalgamate(1, 2).expect_ok();
    assert_eq!((bank.balance(1), bank.balance(2)), (0, 220));
    bank.amalgamate(2, 2).expect_ok();
    assert_eq!(bank.balance(2), 220);
}

#[test]
fn checks_take_from_checking_first() {
    let (_, bank) = setup();
    bank.write_check(1, 4).expect_ok();
    bank.send_payment(1, 2, 7).expect_err(Error::TooLittle { customer: 1, have: 6, need: 7 });
    bank.write_check(1, 16).expect_ok();
    assert_eq!(bank.balance(1), 90);
    bank.write_check(1, 91).expect_err(Error::TooLittle { customer: 1, have: 90, need: 91 });
}

#[test]
fn payments_to_one_customer_and_deposits_run_in_parallel() {
    let (world, bank) = setup();
    let calls = [
        bank.send_payment(1, 3, 1).erased(),
        bank.send_payment(2, 3, 2).erased(),
        bank.deposit_checking(3, 4).erased(),
    ];
    world.block(calls).expect_all_ok().assert_parallel();
    assert_eq!(bank.balance(3), 117);
    let calls = [bank.send_payment(1, 2, 1), bank.send_payment(2, 3, 1)];
    world.block(calls).expect_all_ok().assert_conflict_on("SmallBank.checking");
}
