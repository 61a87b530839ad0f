//! Compiles contracts before the transactions that deploy them enter the pool, so that no block waits for the compiler.
//!
//! This is this node's own business: a block whose code was never seen here compiles it when it runs, with the same result.
//! What is prepared is bounded: one thread, a few transactions that wait for it, and only code that its sender may deploy
//! and has the gas for.

use std::sync::Arc;

use hanse_ledger::Ledger;
use hanse_state::StateError;
use hanse_types::crypto::CryptoSuite;
use hanse_types::{Gas, Params, Transaction, Verified};
use hanse_vm::system::{lifecycle, params};
use hanse_vm::{InvalidModule, Vm};
use tokio::sync::{Semaphore, oneshot};
use tracing::warn;

use crate::guarded::guarded;
use crate::submit_error::SubmitError;

/// Transactions that may wait for the compiler.
const WAITING: usize = 8;

/// See the module.
pub(crate) struct Preparation {
    vm: Vm,
    ledger: Ledger,
    compiler: rayon::ThreadPool,
    room: Arc<Semaphore>,
}

impl Preparation {
    /// Prepares code for this machine, on this pool of one thread.
    pub(crate) fn new(vm: Vm, ledger: Ledger, compiler: rayon::ThreadPool) -> Preparation {
        Preparation { vm, ledger, compiler, room: Arc::new(Semaphore::new(WAITING)) }
    }

    /// Checks and compiles the code that a transaction deploys, if it does; gives the transaction back.
    ///
    /// # Errors
    /// If the code is none that this chain allows, or too many wait already.
    pub(crate) async fn of(&self, verified: Verified) -> Result<Verified, SubmitError> {
        if let Some((code, params)) = self.code(verified.transaction()) {
            self.prepare(code, params, verified.transaction().gas_limit).await?;
        }
        Ok(verified)
    }

    /// The code that a transaction would have compiled, and the parameters in force.
    fn code(&self, transaction: &Transaction) -> Option<(Vec<u8>, Params)> {
        if !lifecycle::changes_code(transaction) {
            return None;
        }
        let find = || {
            let (tip, state, _) = self.ledger.frozen();
            let params = params::load(&*state)?;
            // The pool will refuse it.
            if transaction.expiration <= tip.header.timestamp {
                return Ok(None);
            }
            let code = lifecycle::code_to_compile(&*state, &params, transaction)?;
            Ok::<_, StateError>(code.map(|code| (code, params)))
        };
        // A state that can't be read stops the group soon enough.
        find().ok().flatten()
    }

    async fn prepare(&self, code: Vec<u8>, params: Params, gas: Gas) -> Result<(), SubmitError> {
        let permit = self.room.clone().try_acquire_owned().map_err(|_| SubmitError::Busy)?;
        let (done, prepared) = oneshot::channel();
        let (vm, crypto) = (self.vm.clone(), self.ledger.genesis().crypto);
        self.compiler.spawn(move || {
            let result = prepare(&vm, crypto, &code, &params, gas);
            drop(permit);
            // Whoever submitted may have gone.
            let _ = done.send(result);
        });
        Ok(prepared.await.unwrap_or(Ok(()))?)
    }
}

/// Checks code, and compiles it if the gas pays for that. Only what the rules say counts: whatever else goes wrong here goes
/// wrong again when the block runs, with the same result on every node.
fn prepare(vm: &Vm, crypto: CryptoSuite, code: &[u8], params: &Params, gas: Gas) -> Result<(), InvalidModule> {
    vm.check(code, params)?;
    if lifecycle::compile_gas(code) <= gas.0
        && let Err(reason) = guarded(|| vm.prepare(crypto, code, params))
    {
        warn!(%reason, "code could not be compiled ahead");
    }
    Ok(())
}
