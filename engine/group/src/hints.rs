//! What contracts' ABIs say of the keys that their methods touch, told to the scheduler before it makes a block.
//!
//! The macros of the SDK derive it from a contract's source. It is a forecast: where it is wrong the scheduler notices, and
//! learns from what it sees instead.

use std::collections::HashSet;

use hanse_abi::document::{Abi, HintedAccess, KeyTemplate, TemplatePart};
use hanse_abi::keys;
use hanse_scheduler::Hints;
use hanse_scheduler::predict::{Piece, Template};
use hanse_state::{Kind, StateError, StateView};
use hanse_types::{Address, ContractRef, Transaction};
use hanse_vm::system::lifecycle;

/// Contracts whose ABIs have been looked at; when there are more, all are looked at again.
const KNOWN_MAX: usize = 4_096;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct DeclaredHints {
    known: HashSet<Address>,
}

impl DeclaredHints {
    /// Declares what is known of the contracts that are called here for the first time.
    ///
    /// # Errors
    /// If the state can't be read.
    pub(crate) fn declare<'a>(
        &mut self,
        transactions: impl Iterator<Item = &'a Transaction>,
        state: &dyn StateView,
        hints: &mut Hints,
    ) -> Result<(), StateError> {
        let mut last = None;
        for transaction in transactions {
            let ContractRef::Address(contract) = transaction.contract else { continue };
            if last == Some(contract) {
                continue;
            }
            last = Some(contract);
            if self.known.len() >= KNOWN_MAX {
                self.known.clear();
            }
            if self.known.insert(contract) {
                declare_contract(&contract, state, hints)?;
            }
        }
        Ok(())
    }
}

fn declare_contract(contract: &Address, state: &dyn StateView, hints: &mut Hints) -> Result<(), StateError> {
    let Some((record, _)) = lifecycle::describe(state, contract)? else { return Ok(()) };
    let Some(code) = lifecycle::code_of(state, &record)? else { return Ok(()) };
    // A contract may have any bytes in its place.
    let Some(abi) = hanse_vm::abi_of(&code).and_then(|abi| Abi::parse(&abi).ok()) else { return Ok(()) };
    for method in &abi.methods {
        let Some(templates) = abi.key_templates(&method.name) else { continue };
        // Every call reads the contract's record.
        let record = Template {
            pieces: vec![Piece::Bytes(lifecycle::record_key(contract).to_vec())],
            kind: Kind::Read,
            reads: true,
        };
        let templates = templates.into_iter().map(|template| to_template(contract, template));
        hints.declare(*contract, &method.name, std::iter::once(record).chain(templates).collect());
    }
    Ok(())
}

fn to_template(contract: &Address, template: KeyTemplate) -> Template {
    let piece = |part| match part {
        TemplatePart::Bytes(bytes) => Piece::Bytes(bytes),
        TemplatePart::Caller => Piece::Caller,
        TemplatePart::Args(range) => Piece::Args(range),
    };
    let prefix = Piece::Bytes(keys::contract_prefix(contract).to_vec());
    let kind = match template.access {
        HintedAccess::Read => Kind::Read,
        HintedAccess::Add => Kind::Add,
        HintedAccess::Write => Kind::Write,
    };
    let pieces = std::iter::once(prefix).chain(template.parts.into_iter().map(piece)).collect();
    Template { pieces, kind, reads: kind == Kind::Read }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Arc;

    use hanse_scheduler::{BlockRun, propose_in, run_serial};
    use hanse_state::MemoryView;
    use hanse_types::crypto::CryptoSuite;
    use hanse_types::{Gas, Hash, Height, Params, Timestamp};
    use hanse_vm::{BlockContext, Vm, VmConfig, contract_address};

    /// Reads and writes the element of `slots` that its argument, one byte, names; its ABI says so.
    fn module() -> Vec<u8> {
        let abi = r#"{"name":"Slots","methods":[{"name":"touch","args":[{"name":"slot","type":"u8"}],"hints":[
            {"field":"slots","key":[{"arg":"slot"}],"access":"read"},
            {"field":"slots","key":[{"arg":"slot"}],"access":"write"}]}],
            "storage":[{"name":"slots","type":"Map<u8, u8>"}]}"#;
        let abi = abi.replace('"', "\\\"").replace('\n', " ");
        let text = format!(
            r#"(module
                (import "hanse1" "input" (func $input (param i32 i32) (result i32)))
                (import "hanse1" "state_get" (func $get (param i32 i32 i32 i32) (result i32)))
                (import "hanse1" "state_set" (func $set (param i32 i32 i32 i32)))
                (memory (export "memory") 1)
                (data (i32.const 0) "slots\00")
                (func (export "hanse.touch")
                    (drop (call $input (i32.const 6) (i32.const 1)))
                    (drop (call $get (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 8)))
                    (i32.store8 (i32.const 16) (i32.add (i32.load8_u (i32.const 16)) (i32.const 1)))
                    (call $set (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 1)))
                (@custom "hanse_abi" "{abi}"))"#
        );
        wat::parse_str(text).unwrap()
    }

    fn call(contract: Address, method: &str, args: Vec<u8>) -> Transaction {
        Transaction {
            version: Transaction::VERSION,
            chain_id: "test".into(),
            group_id: "test".into(),
            sender: Address([7; 20]),
            nonce: 0,
            ref_height: Height(0),
            ref_hash: [0; 8],
            timestamp: Timestamp(0),
            expiration: Timestamp(1),
            gas_limit: Gas(1_000_000_000),
            business_id: Vec::new(),
            contract: ContractRef::Address(contract),
            method: method.into(),
            args,
        }
    }

    /// The machine without signatures, which the block executor wants.
    struct Plain(Vm, Arc<BlockContext>);

    impl hanse_scheduler::Execute for Plain {
        type Transaction = Transaction;
        type Runner = hanse_vm::Runner;

        fn runner(&self) -> hanse_vm::Runner {
            self.0.runner(self.1.clone())
        }

        fn execute(
            &self,
            runner: &mut hanse_vm::Runner,
            transaction: &Transaction,
            state: Box<dyn hanse_state::StateAccess>,
        ) -> (Result<hanse_types::Execution, hanse_state::Halt>, Box<dyn hanse_state::StateAccess>) {
            runner.execute(transaction, state)
        }

        fn call_site<'a>(&self, transaction: &'a Transaction) -> Option<hanse_scheduler::CallSite<'a>> {
            Some(crate::execution::call_site(transaction))
        }
    }

    #[test]
    fn what_an_abi_declares_spares_the_second_run() {
        let context = BlockContext {
            height: Height(1),
            crypto: CryptoSuite::Standard,
            timestamp: Timestamp(1),
            recent_hashes: vec![Hash::ZERO],
            params: Params::default(),
        };
        let vm = Vm::new(&VmConfig { threads: 1, artifacts: None }).unwrap();
        let plain = Plain(vm, Arc::new(context));
        let mut state = MemoryView::default();
        let deploy = borsh::to_vec(&("slots", module(), Vec::<u8>::new())).unwrap();
        let batch = [call(lifecycle::ADDRESS, "deploy", deploy)];
        let deployed = run_serial(&plain, &batch, 0..1, Arc::new(state.clone())).unwrap();
        assert!(deployed.executions[0].message.is_empty(), "{:?}", deployed.executions[0]);
        state.apply(&deployed.changes().unwrap());

        // Four keys: in conflict, but worth threads, so that guesses are what counts.
        let contract = contract_address(CryptoSuite::Standard, &Address([7; 20]), "slots");
        let batch: Vec<Transaction> = (0..512).map(|n| call(contract, "touch", vec![n as u8 % 4])).collect();
        let state = Arc::new(state);
        let run = |hints: &mut Hints| -> BlockRun { propose_in(&plain, &batch, state.clone(), hints, 64).unwrap() };
        let mut hints = Hints::default();
        DeclaredHints::default().declare(batch.iter(), &*state, &mut hints).unwrap();
        let declared = run(&mut hints);
        let learned = run(&mut Hints::default());
        // The first sub-batch is speculated in vain, but for the first of each key; learning takes another.
        assert_eq!((declared.stats.executions, declared.stats.strays), (512 + 60, 0));
        assert!(learned.stats.executions > declared.stats.executions, "{:?}", learned.stats);
        assert_eq!(declared.changes(), learned.changes());
    }
}
