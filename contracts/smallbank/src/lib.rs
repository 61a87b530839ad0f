//! SmallBank: the banking benchmark's six procedures, each customer with a savings and a checking account.
//!
//! Parallel: procedures on different customers. Deposits and the paid side of [`SmallBank::send_payment`] and
//! [`SmallBank::amalgamate`] only add, so any number of them reach one customer side by side; whoever pays reads its own
//! accounts and runs one after another.
//!
//! The benchmark lets a check overdraw at a penalty. Here money is unsigned and a check that is not covered is refused,
//! which touches the same keys.
#![no_std]

use hanse_sdk::prelude::*;

/// Two accounts per customer.
#[contract]
pub struct SmallBank {
    savings: Map<u64, u64>,
    checking: Map<u64, u64>,
}

/// Why the bank refuses.
#[error]
pub enum Error {
    /// The customer has not so much.
    #[msg("customer {customer} has {have}, and {need} is needed")]
    TooLittle {
        /// Who was to pay.
        customer: u64,
        /// What it has.
        have: u64,
        /// What was to be paid.
        need: u64,
    },
}

#[methods]
impl SmallBank {
    /// Opens both accounts of a customer, or sets them anew.
    pub fn open(&mut self, customer: u64, savings: u64, checking: u64) {
        self.savings.set(customer, savings);
        self.checking.set(customer, checking);
    }

    /// What a customer has in all.
    pub fn balance(&self, customer: u64) -> u64 {
        self.savings.get(customer).saturating_add(self.checking.get(customer))
    }

    /// Pays into a checking account.
    pub fn deposit_checking(&mut self, customer: u64, amount: u64) {
        self.checking.add(customer, amount);
    }

    /// Pays into a savings account, or out of it with a negative amount.
    pub fn transact_savings(&mut self, customer: u64, amount: i64) -> Result<(), Error> {
        let need = amount.unsigned_abs();
        if amount >= 0 {
            self.savings.add(customer, need);
            return Ok(());
        }
        let have = self.savings.get(customer);
        ensure!(have >= need, Error::TooLittle { customer, have, need });
        self.savings.set(customer, have - need);
        Ok(())
    }

    /// Moves all that one customer has to another's checking account.
    pub fn amalgamate(&mut self, from: u64, to: u64) {
        let (savings, checking) = (self.savings.get(from), self.checking.get(from));
        self.savings.set(from, 0);
        self.checking.set(from, 0);
        self.checking.add(to, savings);
        self.checking.add(to, checking);
    }

    /// Cashes a check: out of the checking account, and what is missing there out of the savings.
    pub fn write_check(&mut self, customer: u64, amount: u64) -> Result<(), Error> {
        let (savings, checking) = (self.savings.get(customer), self.checking.get(customer));
        let have = savings.saturating_add(checking);
        ensure!(have >= amount, Error::TooLittle { customer, have, need: amount });
        let missing = amount.saturating_sub(checking);
        self.checking.set(customer, checking.saturating_sub(amount));
        if missing > 0 {
            self.savings.set(customer, savings - missing);
        }
        Ok(())
    }

    /// Pays from one checking account to another.
    pub fn send_payment(&mut self, from: u64, to: u64, amount: u64) -> Result<(), Error> {
        let have = self.checking.get(from);
        ensure!(have >= amount, Error::TooLittle { customer: from, have, need: amount });
        self.checking.set(from, have - amount);
        self.checking.add(to, amount);
        Ok(())
    }
}
