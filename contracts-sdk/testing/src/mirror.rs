//! The real machine beside the native world: runs each transaction too, and tells where it does something else.
//!
//! It is a process, `hanse contract host`, that `hanse contract test` names in the environment; all worlds of a test
//! program share one. Compared is all that a chain keeps, but for gas: status, result, the error's code and fields, events,
//! access set, changed state. Texts of panics differ by nature, and are shown only.
//!
//! Start reading at [`Mirror::run`].

mod connection;
mod difference;

use hanse_abi::{Address, Status};
use hanse_sdk_mirror::{Action, Answer, HOST_VARIABLE, Request};

use crate::ledger::Ledger;
use crate::record::Record;
use connection::ask;

/// The machine's side of one world.
pub(crate) struct Mirror {
    world: u32,
}

impl Mirror {
    /// The mirror of a new world, if the environment says that worlds are mirrored.
    pub(crate) fn of_new_world() -> Option<Mirror> {
        std::env::var_os(HOST_VARIABLE).map(|_| Mirror { world: connection::new_world() })
    }

    /// Runs a transaction that the ledger has just run, and compares.
    ///
    /// # Panics
    /// If the two did something else, which fails the test.
    #[track_caller]
    pub(crate) fn run(&self, ledger: &Ledger, by: Address, action: Action, native: &Record) {
        // Natively only what host functions cost counts, so the machine would run out earlier. Nothing of it stays.
        if native.ended.status == Status::OutOfGas && ledger.gas_limit.get() != u64::MAX {
            return;
        }
        let (height, time_ms) = (ledger.height.get(), ledger.time_ms.get());
        let transaction = hanse_sdk_mirror::Transaction { world: self.world, height, time_ms, by, action };
        let report = match ask(&Request::Run(Box::new(transaction))) {
            Ok(Answer::Report(report)) => report,
            Ok(Answer::Refused(reason)) => panic!("{} can't be run on the machine: {reason}", native.label),
            Ok(Answer::Done) => panic!("hanse contract host did not run {}", native.label),
            Err(reason) => panic!("{reason}"),
        };
        let differences = difference::between(native, &report, ledger);
        assert!(
            differences.is_empty(),
            "{}: native code and WebAssembly differ\n  {}",
            native.label,
            differences.join("\n  ")
        );
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        // If the host is gone, it holds nothing any more.
        let _ = ask(&Request::Forget(self.world));
    }
}
