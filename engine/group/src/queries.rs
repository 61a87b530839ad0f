//! Answers questions of the state: simulations, views, ABI documents. Has an engine and threads of its own; nothing that
//! execution reads can be touched from here.

use std::any::Any;
use std::sync::Arc;

use hanse_ledger::Ledger;
use hanse_state::{BlockState, Halt, Recorder, StateAccess, StateError};
use hanse_types::{Address, ContractRef, Execution, Height, RwSet, Timestamp, Transaction, TxId, TxIndex};
use hanse_vm::system::{self, lifecycle, names};
use hanse_vm::{BlockContext, Query, Vm};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::trace::{self, TraceError, TxTrace};

/// What a transaction would do in the next block.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// What it gives.
    pub execution: Execution,
    /// What it touches.
    pub rw_set: RwSet,
    /// Lines that contracts wrote to the debug log.
    pub debug: Vec<String>,
    /// The block on whose state it ran.
    pub height: Height,
}

/// A deployed contract, as the state has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractInfo {
    /// Where it is.
    pub address: Address,
    /// Code, version, condition; none for a system contract.
    pub deployed: Option<(lifecycle::Record, lifecycle::Info)>,
    /// Its name.
    pub name: String,
}

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    /// State could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The node failed while it answered, or is stopping.
    #[error("the query was not answered; the node is stopping, or failed inside it")]
    Stopped,
}

/// See the module.
pub(crate) struct Queries {
    vm: Vm,
    pool: rayon::ThreadPool,
    ledger: Ledger,
    clock: Clock,
}

impl Queries {
    pub(crate) fn new(vm: Vm, pool: rayon::ThreadPool, ledger: Ledger, clock: Clock) -> Queries {
        Queries { vm, pool, ledger, clock }
    }

    /// The node's time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs a transaction on the newest state, for its answer only.
    pub(crate) async fn run(&self, transaction: Transaction, read_only: bool) -> Result<Simulation, QueryError> {
        let (sender, answer) = oneshot::channel();
        let (vm, ledger, clock) = (self.vm.clone(), self.ledger.clone(), self.clock.clone());
        self.pool.spawn(move || {
            let answer = simulate(&vm, &ledger, &clock, &transaction, read_only);
            // Let go of it first: whoever has the answer may go on to close the ledger and open it anew.
            drop(ledger);
            // Whoever asked may have gone.
            let _ = sender.send(answer);
        });
        answer.await.map_err(|_| QueryError::Stopped)?
    }

    /// Runs a committed transaction again, none if the chain does not have it.
    pub(crate) async fn trace(&self, id: TxId) -> Result<Option<TxTrace>, TraceError> {
        let (sender, answer) = oneshot::channel();
        let (vm, ledger) = (self.vm.clone(), self.ledger.clone());
        self.pool.spawn(move || {
            let answer = trace::trace(&vm, &ledger, id);
            drop(ledger);
            // Whoever asked may have gone.
            let _ = sender.send(answer);
        });
        answer.await.map_err(|_| TraceError::Stopped)?
    }

    /// What the state says of a contract, none if there is none.
    pub(crate) fn contract(&self, contract: &ContractRef) -> Result<Option<ContractInfo>, QueryError> {
        let state = self.ledger.state();
        let Some(address) = names::find(&*state, contract)? else { return Ok(None) };
        if let Some(native) = system::contract(&address) {
            return Ok(Some(ContractInfo { address, deployed: None, name: native.name().to_owned() }));
        }
        let deployed = lifecycle::describe(&*state, &address)?;
        Ok(deployed.map(|(record, info)| ContractInfo {
            address,
            name: info.name.clone(),
            deployed: Some((record, info)),
        }))
    }

    /// The ABI document of a contract, none if there is no contract or it has none.
    pub(crate) fn abi(&self, contract: &ContractRef) -> Result<Option<Vec<u8>>, QueryError> {
        let Some(info) = self.contract(contract)? else { return Ok(None) };
        let Some((record, _)) = info.deployed else {
            return Ok(system::contract(&info.address).map(|native| native.abi().as_bytes().to_vec()));
        };
        let code = lifecycle::code_of(&*self.ledger.state(), &record)?;
        Ok(code.and_then(|code| hanse_vm::abi_of(&code)))
    }
}

fn simulate(
    vm: &Vm,
    ledger: &Ledger,
    clock: &Clock,
    transaction: &Transaction,
    read_only: bool,
) -> Result<Simulation, QueryError> {
    let (tip, state, _) = ledger.frozen();
    let params = system::params::load(&*state)?;
    let timestamp = clock.now().max(tip.header.timestamp.plus_ms(1));
    let recent_hashes = ledger.recent_hashes().into_iter().rev().map(|(_, hash)| hash).collect();
    let context =
        BlockContext { height: tip.header.height.next(), crypto: tip.header.crypto, timestamp, recent_hashes, params };
    let block = Arc::new(BlockState::new(state, 64));
    let recorder = Box::new(Recorder::new(block.clone()));
    let (result, recorder) = vm.query(&Arc::new(context), transaction, recorder, read_only);
    let Query { execution, debug } = result.map_err(halted)?;
    let set = taken(recorder)?;
    // The transaction is alone in its block: all that it saw is the parent's.
    let rw_set = block.to_rw_set(&set, TxIndex);
    Ok(Simulation { execution, rw_set, debug, height: tip.header.height })
}

fn taken(recorder: Box<dyn StateAccess>) -> Result<hanse_state::AccessSet, QueryError> {
    let any: Box<dyn Any> = recorder;
    let mut recorder = any.downcast::<Recorder>().map_err(|_| QueryError::Stopped)?;
    recorder.take().map_err(halted)
}

fn halted(halt: Halt) -> QueryError {
    match halt {
        Halt::State(error) => error.into(),
        Halt::Stray | Halt::Engine { .. } => QueryError::Stopped,
    }
}
