//! Transactions of a world: run natively on its ledger and, if it is mirrored, on the machine.

use std::rc::Rc;

use hanse_abi::{Address, Status};
use hanse_sdk::client::Deployment;
use hanse_sdk::entry::{Entries, Kind};
use hanse_sdk_mirror::{Action, Code};

use crate::execution::{Transaction, transact};
use crate::ledger::{Deployed, Ledger, contract_address};
use crate::mirror::Mirror;
use crate::record::{Ended, Record};

/// See the module.
pub(crate) struct Chain {
    ledger: Rc<Ledger>,
    mirror: Option<Mirror>,
}

impl Chain {
    pub(crate) fn new(mirror: Option<Mirror>) -> Chain {
        Chain { ledger: Rc::new(Ledger::new()), mirror }
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Calls a method.
    #[track_caller]
    pub(crate) fn call(&self, transaction: Transaction<'_>) -> Record {
        let record = transact(&self.ledger, transaction);
        let Transaction { by, contract, method, args, kind } = transaction;
        self.compare(by, &record, || Action::Call {
            contract,
            method: method.unwrap_or_default().to_owned(),
            args: args.to_vec(),
            read_only: kind == Kind::View,
        });
        record
    }

    /// Deploys a contract and runs its `init` method; its address. If that fails, there is no contract.
    #[track_caller]
    pub(crate) fn deploy<C: Entries>(&self, by: Address, first: &Deployment<C>) -> (Address, Record) {
        let name = self.ledger.new_name(C::NAME);
        let address = contract_address(&by, &name);
        self.ledger.set_deployed(address, Some(Deployed { find: C::entry, owner: by }));
        self.ledger.set_name(address, name.clone());
        let record = self.first_call(by, address, first, Kind::Init);
        if !record.ended.status.is_success() {
            self.ledger.set_deployed(address, None);
        }
        let args = first.args.to_vec();
        self.compare(by, &record, || Action::Deploy { name, code: code_of::<C>(), args });
        (address, record)
    }

    /// Puts other code in a contract's place and runs its `migrate` method. If that fails, the old code stays.
    #[track_caller]
    pub(crate) fn upgrade<C: Entries>(&self, by: Address, address: Address, first: &Deployment<C>) -> Record {
        let before = self.ledger.deployed(&address);
        let record = match self.may_upgrade(by, &address, before) {
            Ok(deployed) => {
                self.ledger.set_deployed(address, Some(Deployed { find: C::entry, ..deployed }));
                self.first_call(by, address, first, Kind::Migrate)
            }
            Err(ended) => self.refused(by, &address, ended),
        };
        if !record.ended.status.is_success() {
            self.ledger.set_deployed(address, before);
        }
        let args = first.args.to_vec();
        self.compare(by, &record, || Action::Upgrade { contract: address, code: code_of::<C>(), args });
        record
    }

    fn may_upgrade(&self, by: Address, address: &Address, deployed: Option<Deployed>) -> Result<Deployed, Ended> {
        let name = self.ledger.name(address);
        match deployed {
            None => Err(Ended::failed(Status::ContractNotFound, format!("there is no contract at {name}"))),
            Some(deployed) if deployed.owner == by => Ok(deployed),
            Some(deployed) => {
                let (owner, by) = (self.ledger.name(&deployed.owner), self.ledger.name(&by));
                Err(Ended::failed(Status::PermissionDenied, format!("{name} belongs to {owner}, not to {by}")))
            }
        }
    }

    /// The record of a transaction that did not come so far as to run code.
    fn refused(&self, by: Address, address: &Address, ended: Ended) -> Record {
        self.ledger.begin();
        let label = format!("{}.upgrade by {}", self.ledger.name(address), self.ledger.name(&by));
        self.ledger.finish(label, ended)
    }

    fn first_call<C>(&self, by: Address, contract: Address, first: &Deployment<C>, kind: Kind) -> Record {
        transact(&self.ledger, Transaction { by, contract, method: first.method, args: &first.args, kind })
    }

    #[track_caller]
    fn compare(&self, by: Address, native: &Record, action: impl FnOnce() -> Action) {
        if let Some(mirror) = &self.mirror {
            mirror.run(&self.ledger, by, action(), native);
        }
    }
}

fn code_of<C: Entries>() -> Code {
    Code { crate_name: C::CRATE.to_owned(), contract: C::NAME.to_owned() }
}
