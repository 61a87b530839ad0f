//! `hanse contract host`: the real machine beside the native worlds of a contract's tests.
//!
//! Started by the test kit, never by people: reads requests from the standard input and answers them on the standard
//! output (see [`hanse_sdk_mirror`]), until its input ends. Each world is a state in memory, with the system contracts and
//! nothing else at first. What a transaction did to the system contracts' own keys is not reported: natively there are none.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use hanse_abi::{Address, keys};
use hanse_sdk_mirror::{Action, Answer, Code, MODULES_VARIABLE, NOTES_VARIABLE, Report, Request, VERSION};
use hanse_state::{BlockState, ChangeSet, MemoryView, Recorder, Seen, StateAccess};
use hanse_types::genesis::{ConsensusKind, CryptoSuite};
use hanse_types::{
    ContractRef, Execution, Gas, Genesis, Hash, Height, Params, RwSet, StateCommitment, Timestamp, Transaction,
    TxIndex, limits,
};
use hanse_vm::{BlockContext, Vm, VmConfig, system};
use serde::{Deserialize, Serialize};

use super::exit::Failure;

/// More than a test's transaction uses, deployments included.
const GAS_LIMIT: Gas = Gas(1 << 40);
/// Keys that a transaction usually touches.
const USUAL_KEYS: usize = 16;

/// A module that tests may deploy, in the list that the environment names.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Module {
    pub(crate) crate_name: String,
    pub(crate) contract: String,
    pub(crate) wasm: PathBuf,
}

/// Answers until the input ends.
pub(crate) fn run() -> Result<(), Failure> {
    let mut host = Host::new()?;
    let (mut from, mut to) = (BufReader::new(io::stdin()), BufWriter::new(io::stdout()));
    while let Some(request) = hanse_sdk_mirror::read(&mut from)? {
        let answer = host.answer(request);
        hanse_sdk_mirror::write(&mut to, &answer)?;
    }
    Ok(())
}

struct Host {
    vm: Vm,
    modules: BTreeMap<Code, Vec<u8>>,
    worlds: BTreeMap<u32, Arc<MemoryView>>,
    /// Names of contracts, for the notes.
    names: BTreeMap<(u32, Address), String>,
    notes: Option<File>,
}

impl Host {
    fn new() -> Result<Host, Failure> {
        let vm =
            Vm::new(&VmConfig { threads: 1, artifacts: None }).map_err(|error| Failure::error(error.to_string()))?;
        let (worlds, names) = (BTreeMap::new(), BTreeMap::new());
        Ok(Host { vm, modules: modules()?, worlds, names, notes: notes()? })
    }

    fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::Hello(VERSION) => Answer::Done,
            Request::Hello(other) => Answer::Refused(format!(
                "the contract's SDK speaks version {other} with its host, and this hanse version {VERSION}"
            )),
            Request::Forget(world) => {
                self.worlds.remove(&world);
                Answer::Done
            }
            Request::Run(transaction) => match self.transact(*transaction) {
                Ok(report) => Answer::Report(Box::new(report)),
                Err(reason) => Answer::Refused(reason),
            },
        }
    }

    fn transact(&mut self, asked: hanse_sdk_mirror::Transaction) -> Result<Report, String> {
        let hanse_sdk_mirror::Transaction { world, height, time_ms, by, action } = asked;
        let (label, read_only) = self.label(world, by, &action);
        let is_deployment = matches!(action, Action::Deploy { .. } | Action::Upgrade { .. });
        let (contract, method, args) = self.call(action)?;
        let transaction = transaction(by, contract, method, args);
        let block = Arc::new(block(height, time_ms));
        let view = self.worlds.entry(world).or_insert_with(|| Arc::new(genesis()));
        let (execution, rw_set, changes) = execute(&self.vm, &block, &transaction, view, read_only)?;
        Arc::make_mut(view).apply(&changes);
        let mut report = report(execution, rw_set, &changes);
        if is_deployment && report.status == 0 {
            // What the lifecycle contract returns is no result of the contract.
            report.output.clear();
        }
        self.note(&label, report.gas).map_err(|error| format!("the notes can't be written: {error}"))?;
        Ok(report)
    }

    /// What is run, for the notes; and whether it is a query.
    fn label(&mut self, world: u32, by: Address, action: &Action) -> (String, bool) {
        match action {
            Action::Deploy { name, code, .. } => {
                self.names.insert(
                    (world, hanse_vm::contract_address(CryptoSuite::Standard, &by, name)),
                    code.contract.clone(),
                );
                (format!("{}.(deploy)", code.contract), false)
            }
            Action::Upgrade { contract, code, .. } => {
                self.names.insert((world, *contract), code.contract.clone());
                (format!("{}.(upgrade)", code.contract), false)
            }
            Action::Call { contract, method, read_only, .. } => {
                let name = self.names.get(&(world, *contract)).map_or("?", String::as_str);
                (format!("{name}.{method}"), *read_only)
            }
        }
    }

    /// Contract, method and arguments of the transaction.
    fn call(&self, action: Action) -> Result<(Address, String, Vec<u8>), String> {
        let lifecycle = |method: &str, args: Vec<u8>| (system::lifecycle::ADDRESS, method.to_owned(), args);
        match action {
            Action::Deploy { name, code, args } => Ok(lifecycle("deploy", encode(&(name, self.module(&code)?, args))?)),
            Action::Upgrade { contract, code, args } => {
                Ok(lifecycle("upgrade", encode(&(contract, self.module(&code)?, args))?))
            }
            Action::Call { contract, method, args, .. } => Ok((contract, method, args)),
        }
    }

    fn module(&self, code: &Code) -> Result<&Vec<u8>, String> {
        self.modules.get(code).ok_or_else(|| {
            format!(
                "there is no module of the contract {} in the crate {}; put a contract that tests need into a crate of \
                 its own and make that a dev-dependency, or make the world by World::only_native()",
                code.contract, code.crate_name
            )
        })
    }

    fn note(&mut self, label: &str, gas: u64) -> io::Result<()> {
        match &mut self.notes {
            Some(notes) => notes.write_all(format!("{label} {gas}\n").as_bytes()),
            None => Ok(()),
        }
    }
}

/// The modules that the environment lists.
fn modules() -> Result<BTreeMap<Code, Vec<u8>>, Failure> {
    let Some(list) = std::env::var_os(MODULES_VARIABLE).map(PathBuf::from) else {
        return Err(Failure::usage(format!("{MODULES_VARIABLE} names no list of modules"))
            .hint("this command is for the test kit: run `hanse contract test`"));
    };
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|error| Failure::error(format!("{} does not read: {error}", path.display())))
    };
    let listed: Vec<Module> = serde_json::from_slice(&read(&list)?)
        .map_err(|error| Failure::error(format!("{} is no list of modules: {error}", list.display())))?;
    let loaded = listed
        .into_iter()
        .map(|Module { crate_name, contract, wasm }| Ok((Code { crate_name, contract }, read(&wasm)?)));
    loaded.collect()
}

/// This process's own file in the folder for notes, if one is wanted.
fn notes() -> Result<Option<File>, Failure> {
    let Some(folder) = std::env::var_os(NOTES_VARIABLE).map(PathBuf::from) else { return Ok(None) };
    let path = folder.join(std::process::id().to_string());
    Ok(Some(OpenOptions::new().create(true).append(true).open(path)?))
}

/// Runs a transaction on a state and says what it did to it.
fn execute(
    vm: &Vm,
    block: &Arc<BlockContext>,
    transaction: &Transaction,
    view: &Arc<MemoryView>,
    read_only: bool,
) -> Result<(Execution, RwSet, ChangeSet), String> {
    let state = Arc::new(BlockState::new(view.clone(), USUAL_KEYS));
    let recorder: Box<dyn StateAccess> = Box::new(Recorder::new(state.clone()));
    let (result, recorder) = if read_only {
        let (result, recorder) = vm.query(block, transaction, recorder, true);
        (result.map(|query| query.execution), recorder)
    } else {
        vm.execute(block, transaction, recorder)
    };
    let execution = result.map_err(|halt| halt.to_string())?;
    let recorder: Box<dyn Any> = recorder;
    let mut recorder = recorder.downcast::<Recorder>().map_err(|_| "the machine gave another state back".to_owned())?;
    let set = recorder.take().map_err(|halt| halt.to_string())?;
    let rw_set = state.to_rw_set(&set, TxIndex);
    state.apply(&set, Seen::transaction(0));
    Ok((execution, rw_set, state.changes()))
}

fn report(execution: Execution, rw_set: RwSet, changes: &ChangeSet) -> Report {
    let reverted = execution.status == hanse_abi::Status::Reverted;
    let (output, error_fields) = if reverted { (Vec::new(), execution.output) } else { (execution.output, Vec::new()) };
    let events = execution.events.into_iter().filter(|event| event.contract.native_number().is_none());
    Report {
        status: execution.status.code(),
        output,
        error_code: execution.error_code,
        error_fields,
        message: execution.message,
        events: events.map(|event| (event.contract, event.event)).collect(),
        reads: of_contracts(rw_set.reads.into_iter().map(|read| read.key)),
        scans: rw_set
            .ranges
            .into_iter()
            .map(|range| (range.start, range.end))
            .filter(|(start, _)| is_contracts(start))
            .collect(),
        writes: of_contracts(rw_set.writes.into_iter().map(|write| write.key)),
        adds: of_contracts(rw_set.adds.into_iter().map(|add| add.key)),
        changes: changes
            .iter()
            .filter(|(key, _)| is_contracts(key))
            .map(|(key, value)| (key.to_vec(), value.map(|value| value.to_vec())))
            .collect(),
        gas: execution.gas_used.0,
    }
}

fn of_contracts(keys: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut keys: Vec<_> = keys.filter(|key| is_contracts(key)).collect();
    keys.sort();
    keys
}

/// Whether a key is not a system contract's.
fn is_contracts(key: &[u8]) -> bool {
    keys::split_key(key).is_some_and(|(contract, _)| contract.native_number().is_none())
}

fn encode(value: &impl borsh::BorshSerialize) -> Result<Vec<u8>, String> {
    borsh::to_vec(value).map_err(|error| error.to_string())
}

fn transaction(sender: Address, contract: Address, method: String, args: Vec<u8>) -> Transaction {
    Transaction {
        version: Transaction::VERSION,
        chain_id: "test".into(),
        group_id: "test".into(),
        sender,
        nonce: 0,
        ref_height: Height(0),
        ref_hash: [0; 8],
        timestamp: Timestamp(0),
        expiration: Timestamp(1),
        gas_limit: GAS_LIMIT,
        business_id: Vec::new(),
        contract: ContractRef::Address(contract),
        method,
        args,
    }
}

fn block(height: u64, time_ms: u64) -> BlockContext {
    let known = height.min(limits::RECENT_BLOCKS);
    let recent_hashes = (1..=known).map(|back| Hash(hanse_sdk_mirror::block_hash(height - back))).collect();
    BlockContext {
        height: Height(height),
        crypto: CryptoSuite::Standard,
        timestamp: Timestamp(time_ms),
        recent_hashes,
        params: Params::default(),
    }
}

fn genesis() -> MemoryView {
    let genesis = Genesis {
        chain_id: "test".into(),
        group_id: "test".into(),
        timestamp: Timestamp(0),
        consensus: ConsensusKind::Solo,
        crypto: CryptoSuite::Standard,
        state_commitment: StateCommitment::Flat,
        validators: Vec::new(),
        administrators: Vec::new(),
        accounts: Vec::new(),
        params: Params::default(),
    };
    let mut view = MemoryView::default();
    view.apply(&system::genesis_state(&genesis));
    view
}
