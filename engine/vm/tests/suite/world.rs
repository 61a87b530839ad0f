//! A small chain in memory. Each transaction is run on a fresh machine and on one that has run everything before, over
//! plain state and over recorded state; the four runs must agree in all that nodes agree on.

use std::any::Any;
use std::sync::{Arc, LazyLock};

use borsh::BorshSerialize;
use hanse_state::{BlockState, ChangeSet, MemoryView, PlainState, Recorder, StateAccess};
use hanse_types::crypto::{PublicKey, SecretKey, Signer};
use hanse_types::genesis::{ConsensusKind, CryptoSuite, GenesisAccount, Validator};
use hanse_types::{
    Address, ContractRef, Execution, Gas, Genesis, Hash, Height, Params, RwSet, StateCommitment, Status, Timestamp,
    Transaction, TxIndex,
};
use hanse_vm::{BlockContext, Vm, VmConfig, contract_address, system};

/// An administrator of the chain.
pub(crate) const ADMIN: Address = Address([0xad; 20]);
/// Somebody, with [`WEALTH`].
pub(crate) const ALICE: Address = Address([0xa1; 20]);
/// Somebody else, with nothing.
pub(crate) const BOB: Address = Address([0xb0; 20]);
/// What [`ALICE`] has at the start.
pub(crate) const WEALTH: u128 = 1_000;
/// Gas limit where the limit is not the matter.
pub(crate) const GAS: u64 = 1_000_000_000;

/// The machine on which all tests run everything, at the same time.
static WARM: LazyLock<Vm> = LazyLock::new(|| machine(4));

/// A machine for so many threads.
pub(crate) fn machine(threads: usize) -> Vm {
    Vm::new(&VmConfig { threads, artifacts: None }).unwrap()
}

/// The key of a node.
pub(crate) fn node_key(n: u8) -> PublicKey {
    SecretKey::ed25519([n; 32]).public_key()
}

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) execution: Execution,
    pub(crate) rw_set: RwSet,
    pub(crate) changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// See the module.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) view: Arc<MemoryView>,
    pub(crate) block: BlockContext,
    pub(crate) gas_limit: u64,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(|_| {})
    }

    /// A chain with other parameters than the usual ones.
    pub(crate) fn with(change: impl FnOnce(&mut Params)) -> World {
        let mut params = Params::default();
        change(&mut params);
        World::founded(params, ConsensusKind::Bft)
    }

    /// A chain whose validators agree in this way.
    pub(crate) fn agreeing_by(consensus: ConsensusKind) -> World {
        World::founded(Params::default(), consensus)
    }

    fn founded(params: Params, consensus: ConsensusKind) -> World {
        let genesis = Genesis {
            chain_id: "chain".into(),
            group_id: "group".into(),
            timestamp: Timestamp(1),
            consensus,
            crypto: CryptoSuite::Standard,
            state_commitment: StateCommitment::Flat,
            validators: vec![Validator { name: "founder".into(), key: node_key(1) }],
            administrators: vec![ADMIN],
            accounts: vec![GenesisAccount { address: ALICE, balance: WEALTH }],
            params: params.clone(),
        };
        let mut view = MemoryView::default();
        view.apply(&system::genesis_state(&genesis));
        let recent_hashes = (1..=255u8).map(|n| Hash([n; 32])).collect();
        let crypto = CryptoSuite::Standard;
        let block = BlockContext { height: Height(1_000), crypto, timestamp: Timestamp(77), recent_hashes, params };
        World { view: Arc::new(view), block, gas_limit: GAS }
    }

    /// A transaction of somebody.
    pub(crate) fn transaction(&self, sender: Address, contract: Address, method: &str, args: Vec<u8>) -> Transaction {
        Transaction {
            version: Transaction::VERSION,
            chain_id: "chain".into(),
            group_id: "group".into(),
            sender,
            nonce: 0,
            ref_height: Height(1),
            ref_hash: [0; 8],
            timestamp: Timestamp(1),
            expiration: Timestamp(2),
            gas_limit: Gas(self.gas_limit),
            business_id: Vec::new(),
            contract: ContractRef::Address(contract),
            method: method.into(),
            args,
        }
    }

    /// Runs a transaction in all ways, and applies what it did.
    pub(crate) fn run(&mut self, transaction: &Transaction) -> Execution {
        let (outcome, changes) = self.outcome(transaction);
        Arc::make_mut(&mut self.view).apply(&changes);
        outcome.execution
    }

    /// Runs a transaction in all ways, for its answer only.
    pub(crate) fn dry(&self, transaction: &Transaction) -> Outcome {
        self.outcome(transaction).0
    }

    fn outcome(&self, transaction: &Transaction) -> (Outcome, ChangeSet) {
        let fresh = machine(1);
        let (plain, changes) = self.plain(&fresh, transaction);
        let cold = self.recorded(&fresh, transaction);
        let (warm_plain, _) = self.plain(&WARM, transaction);
        let warm = self.recorded(&WARM, transaction);
        assert_eq!(cold, warm, "a fresh machine and a warm one differ");
        assert_eq!(plain, warm_plain, "a fresh machine and a warm one differ over plain state");
        assert_eq!(plain, cold.execution, "plain and recorded state differ");
        assert_eq!(listed(&changes), cold.changes, "plain and recorded state differ in what changed");
        check_receipt(&plain, transaction);
        (cold, changes)
    }

    /// Runs a transaction over plain state.
    pub(crate) fn plain(&self, vm: &Vm, transaction: &Transaction) -> (Execution, ChangeSet) {
        let state = Box::new(PlainState::new(self.view.clone(), 16));
        let (result, state) = vm.execute(&Arc::new(self.block.clone()), transaction, state);
        let state: Box<dyn Any> = state;
        (result.unwrap(), state.downcast::<PlainState>().unwrap().changes().unwrap())
    }

    /// Runs a transaction over recorded state.
    pub(crate) fn recorded(&self, vm: &Vm, transaction: &Transaction) -> Outcome {
        let block_state = Arc::new(BlockState::new(self.view.clone(), 16));
        let recorder: Box<dyn StateAccess> = Box::new(Recorder::new(block_state.clone()));
        let (result, state) = vm.execute(&Arc::new(self.block.clone()), transaction, recorder);
        let state: Box<dyn Any> = state;
        let set = state.downcast::<Recorder>().unwrap().take().unwrap();
        let rw_set = block_state.to_rw_set(&set, TxIndex);
        block_state.apply(&set, hanse_state::Seen::transaction(0));
        Outcome { execution: result.unwrap(), rw_set, changes: listed(&block_state.changes()) }
    }

    /// Calls a contract as [`ALICE`].
    pub(crate) fn call(&mut self, contract: Address, method: &str, args: &[u8]) -> Execution {
        self.call_as(ALICE, contract, method, args)
    }

    pub(crate) fn call_as(&mut self, sender: Address, contract: Address, method: &str, args: &[u8]) -> Execution {
        let transaction = self.transaction(sender, contract, method, args.to_vec());
        self.run(&transaction)
    }

    /// Calls a system contract with arguments in Borsh.
    pub(crate) fn system(
        &mut self,
        sender: Address,
        contract: Address,
        method: &str,
        args: &impl BorshSerialize,
    ) -> Execution {
        self.call_as(sender, contract, method, &encode(args))
    }

    /// Deploys code as [`ALICE`], whether that succeeds or not.
    pub(crate) fn try_deploy(&mut self, name: &str, code: &[u8], args: &[u8]) -> Execution {
        self.system(ALICE, system::lifecycle::ADDRESS, "deploy", &(name, code, args))
    }

    /// Deploys a module in text form as [`ALICE`].
    pub(crate) fn deploy(&mut self, name: &str, text: &str) -> Address {
        let execution = self.try_deploy(name, &wasm(text), &[]);
        assert_eq!(execution.status, Status::Success, "{name}: {}", execution.message);
        contract_address(CryptoSuite::Standard, &ALICE, name)
    }
}

/// What holds for every receipt, whatever was run.
fn check_receipt(execution: &Execution, transaction: &Transaction) {
    assert!(execution.gas_used <= transaction.gas_limit);
    assert!(execution.message.len() <= hanse_types::limits::MESSAGE_BYTES);
    assert!(execution.output.len() <= hanse_types::limits::OUTPUT_BYTES);
    assert!(execution.events.len() <= hanse_types::limits::EVENTS);
    if execution.status.is_success() {
        assert_eq!(execution.failed_in, Address::ZERO);
        assert_eq!((execution.error_code, &execution.message[..]), (0, ""));
    } else {
        assert!(execution.events.is_empty());
    }
    if !matches!(execution.status, Status::Success | Status::Reverted) {
        assert!(execution.output.is_empty());
    }
}

fn listed(changes: &ChangeSet) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    changes.iter().map(|(key, value)| (key.to_vec(), value.map(|value| value.to_vec()))).collect()
}

/// The Borsh encoding.
pub(crate) fn encode(value: &impl BorshSerialize) -> Vec<u8> {
    borsh::to_vec(value).unwrap()
}

/// A module from its text form.
pub(crate) fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A module with every host function imported, two pages of memory, and this inside.
///
/// A method is declared by `(func (export "hanse.name") …)`.
pub(crate) fn module(inside: &str) -> String {
    format!("(module {IMPORTS} (memory (export \"memory\") 2) {inside})")
}

/// A module with one method `run` of these instructions, and these data from address 0.
pub(crate) fn running(data: &str, instructions: &str) -> String {
    module(&format!("(data (i32.const 0) \"{data}\") (func (export \"hanse.run\") {instructions})"))
}

/// Every function of the host interface.
pub(crate) const IMPORTS: &str = r#"
    (import "hanse1" "input" (func $input (param i32 i32) (result i32)))
    (import "hanse1" "output" (func $output (param i32 i32)))
    (import "hanse1" "context" (func $context (param i32)))
    (import "hanse1" "state_get" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "hanse1" "state_set" (func $set (param i32 i32 i32 i32)))
    (import "hanse1" "state_remove" (func $remove (param i32 i32)))
    (import "hanse1" "state_add" (func $add (param i32 i32 i64 i64 i32 i32 i32) (result i32)))
    (import "hanse1" "state_scan" (func $scan (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "hanse1" "call" (func $call (param i32 i32 i32 i32 i32 i64) (result i64)))
    (import "hanse1" "buffer" (func $buffer (param i32 i32 i32)))
    (import "hanse1" "event" (func $event (param i32 i32)))
    (import "hanse1" "revert" (func $revert (param i32 i32 i32)))
    (import "hanse1" "panic" (func $panic (param i32 i32)))
    (import "hanse1" "block_hash" (func $block_hash (param i64 i32) (result i32)))
    (import "hanse1" "sha256" (func $sha256 (param i32 i32 i32)))
    (import "hanse1" "verify" (func $verify (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "hanse1" "debug" (func $debug (param i32 i32)))
"#;
