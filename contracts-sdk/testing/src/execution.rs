//! Runs transactions natively: code in a frame, undone if it fails.

use std::cell::RefCell;
use std::rc::Rc;

use hanse_abi::Address;
use hanse_abi::gas::{CALL, TRANSACTION};
use hanse_abi::host::CallContext;
use hanse_sdk::entry::Kind;

use crate::frame::Frame;
use crate::ledger::Ledger;
use crate::panics::{self, End};
use crate::record::{Ended, Record};

/// One call of a contract, by an account.
#[derive(Clone, Copy)]
pub(crate) struct Transaction<'a> {
    pub(crate) by: Address,
    pub(crate) contract: Address,
    /// None where a contract is deployed that has nothing to set up.
    pub(crate) method: Option<&'a str>,
    pub(crate) args: &'a [u8],
    pub(crate) kind: Kind,
}

/// Runs a transaction natively.
pub(crate) fn transact(ledger: &Rc<Ledger>, transaction: Transaction<'_>) -> Record {
    let Transaction { by, contract, method, args, kind } = transaction;
    let what = method.unwrap_or("deploy");
    let label = format!("{}.{what} by {}", ledger.name(&contract), ledger.name(&by));
    let context = CallContext {
        caller: by,
        origin: by,
        contract,
        height: ledger.height.get(),
        time_ms: ledger.time_ms.get(),
        read_only: kind == Kind::View,
    };
    ledger.begin();
    let charged = panics::catch(|| ledger.charge(TRANSACTION.of(args.len() as u64)));
    let ended = match (charged, method) {
        (End::Refused(refused), _) => Ended::failed(refused.status, refused.why),
        (_, Some(method)) => call_as(ledger, context, method, args, kind),
        (_, None) => Ended::returned(Vec::new()),
    };
    ledger.finish(label, ended)
}

/// Calls a method for another contract.
fn nested(ledger: &Rc<Ledger>, context: CallContext, method: &str, args: &[u8]) -> Ended {
    call_as(ledger, context, method, args, Kind::Call)
}

/// Calls a method; what it did is undone if it fails.
fn call_as(ledger: &Rc<Ledger>, context: CallContext, method: &str, args: &[u8], kind: Kind) -> Ended {
    let (entry, mark) = match ledger.enter(&context, method, kind) {
        Ok(entered) => entered,
        Err(ended) => return ended,
    };
    let read_only = context.read_only || entry.kind == Kind::View;
    let ended = run(ledger, CallContext { read_only, ..context }, args, entry.run);
    ledger.leave(mark, ended.status.is_success());
    ended
}

fn run(ledger: &Rc<Ledger>, context: CallContext, args: &[u8], run: fn()) -> Ended {
    let output = RefCell::new(Vec::new());
    let frame = Rc::new(Frame { ledger: ledger.clone(), context, args: args.to_vec(), output, nested });
    let end = panics::catch(|| {
        ledger.charge(CALL.of(args.len() as u64));
        hanse_sdk::host::enter(frame.clone(), run);
    });
    match end {
        End::Returned => Ended::returned(frame.output.take()),
        End::Reverted(reverted) => Ended::reverted(reverted.code, reverted.fields),
        End::Refused(refused) => Ended::failed(refused.status, refused.why),
        End::Panicked(message) => Ended::failed(hanse_abi::Status::Panicked, message),
    }
}
