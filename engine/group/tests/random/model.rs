//! What programs come to, computed without the machine: on a map, by the meaning of the operations alone.
//!
//! It knows neither gas nor traps, so only programs of [`super::program::Mix::Modelled`] with gas in abundance. What it
//! says of nested calls is what the machine promises: one that fails leaves nothing behind.

use std::collections::BTreeMap;

use hanse_abi::Event;
use hanse_scheduler::BlockRun;
use hanse_state::MemoryView;
use hanse_types::{Address, Execution, ReceiptEvent, Status, Transaction};
use hanse_vm::system::{lifecycle, names};

use super::chain::Block;
use super::contract::{METHODS, VARIANTS, op};
use super::program::encode;
use super::transactions::{all_contracts, first_variant};

type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// How a call failed.
#[derive(Debug)]
struct Failure {
    status: Status,
    code: u32,
    fields: Vec<u8>,
    message: String,
}

impl Failure {
    fn new(status: Status, message: impl Into<String>) -> Failure {
        Failure { status, code: 0, fields: Vec::new(), message: message.into() }
    }

    /// What the caller sees.
    fn bytes(&self) -> Vec<u8> {
        match self.status {
            Status::Reverted => [&self.code.to_le_bytes()[..], &self.fields].concat(),
            _ => self.message.clone().into_bytes(),
        }
    }
}

/// A transaction after another, on one state.
pub struct Model {
    /// Where the accumulator of each contract that there is starts.
    contracts: BTreeMap<Address, u64>,
    state: State,
    stack: Vec<Address>,
    events: Vec<ReceiptEvent>,
    /// Calls, nested ones too, by status.
    statuses: [usize; Status::ALL.len()],
}

impl Model {
    /// A model of what is there.
    pub fn new(view: &MemoryView) -> Model {
        let there = |(place, address): (usize, Address)| {
            lifecycle::describe(view, &address).unwrap().map(|_| (address, VARIANTS[first_variant(place)].start))
        };
        Model {
            contracts: all_contracts().into_iter().enumerate().filter_map(there).collect(),
            state: listed(view),
            stack: Vec::new(),
            events: Vec::new(),
            statuses: [0; Status::ALL.len()],
        }
    }

    /// Holds a block against what the model says, and counts the calls.
    pub fn check(mut self, block: &Block, run: &BlockRun, after: &MemoryView, statuses: &mut [usize]) {
        for (place, execution) in run.executions.iter().enumerate() {
            let transaction = block.batch[run.order[place]].transaction();
            let expected = Execution { gas_used: execution.gas_used, ..self.transaction(&block.parent, transaction) };
            assert_eq!(*execution, expected, "transaction {place}, by the machine and by the model: {transaction:?}");
        }
        assert!(listed(after) == self.state, "the block leaves another state than the model");
        statuses.iter_mut().zip(self.statuses).for_each(|(sum, count)| *sum += count);
    }

    fn transaction(&mut self, parent: &MemoryView, transaction: &Transaction) -> Execution {
        self.events.clear();
        let (contract, result) = match names::find(parent, &transaction.contract).unwrap() {
            Some(contract) => (contract, self.call(contract, &transaction.method, transaction.args.clone(), false)),
            None => {
                let hanse_types::ContractRef::Name { name, version } = &transaction.contract else { unreachable!() };
                let message = format!("no contract is named {name:?} (version {version})");
                (Address::ZERO, Err(Failure::new(Status::ContractNotFound, message)))
            }
        };
        let (status, output, error_code, message, failed_in) = match result {
            Ok(output) => (Status::Success, output, 0, String::new(), Address::ZERO),
            Err(Failure { status, code, fields, message }) => (status, fields, code, message, contract),
        };
        let events = std::mem::take(&mut self.events);
        Execution { status, gas_used: Default::default(), output, error_code, message, failed_in, events }
    }

    fn call(&mut self, contract: Address, method: &str, program: Vec<u8>, read_only: bool) -> Result<Vec<u8>, Failure> {
        let (state, events) = (self.state.clone(), self.events.len());
        let result = self.enter(contract, method, program, read_only);
        if result.is_err() {
            self.state = state;
            self.events.truncate(events);
        }
        let status = result.as_ref().map_or_else(|failure| failure.status, |_| Status::Success);
        self.statuses[usize::from(status.code())] += 1;
        result
    }

    fn enter(
        &mut self,
        contract: Address,
        method: &str,
        program: Vec<u8>,
        read_only: bool,
    ) -> Result<Vec<u8>, Failure> {
        if self.stack.contains(&contract) {
            let message = format!("{contract} is running already and can't be called again meanwhile");
            return Err(Failure::new(Status::Reentrancy, message));
        }
        let Some(acc) = self.contracts.get(&contract).copied() else {
            return Err(Failure::new(Status::ContractNotFound, format!("no contract at {contract}")));
        };
        if method != "look" && !METHODS.contains(&method) {
            return Err(Failure::new(Status::MethodNotFound, format!("no method {method:?}")));
        }
        self.stack.push(contract);
        let read_only = read_only || method == "look";
        let result = Run { model: self, contract, read_only, acc, room: [0; 256], program, at: 0 }.run();
        self.stack.pop();
        result
    }
}

fn listed(view: &MemoryView) -> State {
    view.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

/// One program while it runs.
struct Run<'a> {
    model: &'a mut Model,
    contract: Address,
    read_only: bool,
    acc: u64,
    /// Where values are read to, and written from.
    room: [u8; 256],
    program: Vec<u8>,
    at: usize,
}

/// An operation's fields.
#[derive(Clone, Copy)]
struct Fields {
    number: u8,
    a: u8,
    b: u8,
    c: u8,
    d: u32,
}

impl Run<'_> {
    fn run(mut self) -> Result<Vec<u8>, Failure> {
        while self.at < self.program.len() {
            let head = self.take(8);
            let d = u32::from_le_bytes(*head.last_chunk().unwrap());
            self.operation(Fields { number: head[0], a: head[1], b: head[2], c: head[3], d })?;
        }
        Ok(self.acc.to_le_bytes().to_vec())
    }

    fn take(&mut self, bytes: usize) -> Vec<u8> {
        let taken = self.program[self.at..self.at + bytes].to_vec();
        self.at += bytes;
        taken
    }

    fn see(&mut self, bytes: &[u8]) {
        let mut acc = self.acc ^ (bytes.len() as u64 + 1);
        for byte in bytes {
            acc = (acc ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.acc = acc ^ (acc >> 29);
    }

    fn see_number(&mut self, number: i32) {
        self.see(&number.to_le_bytes());
    }

    fn divisible(&self, by: u32) -> bool {
        self.acc.is_multiple_of(u64::from(by))
    }

    /// The state's key, of a number or, where there is a modulus, of what the accumulator leaves over.
    fn key(&self, number: u8, modulus: u8) -> Vec<u8> {
        let number = if modulus == 0 { number } else { (self.acc % u64::from(modulus)) as u8 };
        hanse_abi::keys::full_key(&self.contract, &[b'k', number])
    }

    fn writable(&self, what: &str) -> Result<(), Failure> {
        match self.read_only {
            true => Err(Failure::new(Status::InvalidOperation, format!("a view can't {what}"))),
            false => Ok(()),
        }
    }

    fn operation(&mut self, fields: Fields) -> Result<(), Failure> {
        let Fields { number, a, b, c, d } = fields;
        match number {
            op::GET => self.get(&self.key(a, b)),
            op::SET => {
                self.writable("write")?;
                self.room[..8].copy_from_slice(&(self.acc % 60).to_le_bytes());
                self.room[8..16].fill(0);
                let value = self.room[..usize::from(c)].to_vec();
                self.model.state.insert(self.key(a, b), value);
            }
            op::REMOVE => {
                self.writable("remove")?;
                self.model.state.remove(&self.key(a, b));
            }
            op::ADD => self.add(fields)?,
            op::SCAN => self.scan(fields),
            op::SKIP_IF_ODD if self.acc % 2 == 1 => self.at += d as usize,
            op::REVERT_IF if self.divisible(d) => {
                let (code, fields) = (c.into(), self.acc.to_le_bytes().to_vec());
                return Err(Failure { status: Status::Reverted, code, fields, message: String::new() });
            }
            op::PANIC_IF if self.divisible(d) => {
                let message = String::from_utf8_lossy(&self.acc.to_le_bytes()[..usize::from(c)]).into_owned();
                return Err(Failure::new(Status::Panicked, message));
            }
            op::SKIP_IF_ODD | op::REVERT_IF | op::PANIC_IF | op::OUTPUT => {}
            op::EVENT => {
                self.writable("emit events")?;
                let event = Event { name: "E".into(), topics: vec![vec![a]], data: self.acc.to_le_bytes().to_vec() };
                self.model.events.push(ReceiptEvent { contract: self.contract, event });
            }
            op::CALL => self.call(fields),
            _ => panic!("the model does not know operation {number}"),
        }
        Ok(())
    }

    fn get(&mut self, key: &[u8]) {
        match self.model.state.get(key).cloned() {
            None => self.see_number(-1),
            Some(value) => {
                self.room[..value.len()].copy_from_slice(&value);
                self.see_number(value.len() as i32);
                if !value.is_empty() {
                    self.see(&value);
                }
            }
        }
    }

    fn add(&mut self, Fields { a, b, c, d, .. }: Fields) -> Result<(), Failure> {
        let key = self.key(a, b);
        let (amount, width) = (i128::from(d.cast_signed()), c & 31);
        let bounds = if c & 32 == 0 { Vec::new() } else { self.take(32) };
        let (min, max): (u128, u128) = match bounds.is_empty() {
            true => (0, u128::MAX),
            false => borsh::from_slice(&bounds).unwrap(),
        };
        self.writable("add")?;
        let mut number = [0; 16];
        if let Some(value) = self.model.state.get(&key) {
            if value.len() != usize::from(width) {
                let message = format!("the key holds something else than a number of {width} bytes");
                return Err(Failure::new(Status::InvalidOperation, message));
            }
            number[..value.len()].copy_from_slice(value);
        }
        let sum = u128::from_le_bytes(number).checked_add_signed(amount);
        let most = u128::MAX >> (128 - 8 * u32::from(width));
        let fitting = sum.filter(|sum| (min..=max.min(most)).contains(sum));
        if let Some(sum) = fitting {
            self.model.state.insert(key, sum.to_le_bytes()[..usize::from(width)].to_vec());
        }
        self.see_number(fitting.is_none().into());
        Ok(())
    }

    fn scan(&mut self, Fields { a, b, c, d, .. }: Fields) {
        let prefix = hanse_abi::keys::full_key(&self.contract, b"k");
        let (start, end) = (self.key(a, 0), self.key(b, 0));
        let is_inside = |key: &[u8]| match c & 4 {
            0 => *start <= *key && *key < *end,
            _ => key.starts_with(&prefix),
        };
        let inside = self.model.state.iter().filter(|(key, _)| is_inside(key));
        let mut entries: Vec<(Vec<u8>, Vec<u8>)> =
            inside.map(|(key, value)| (key[prefix.len() - 1..].to_vec(), value.clone())).collect();
        if c & 1 != 0 {
            entries.reverse();
        }
        entries.truncate(d as usize);
        if c & 2 != 0 {
            entries.iter_mut().for_each(|(_, value)| value.clear());
        }
        self.see_buffer(encode(&entries));
    }

    fn see_buffer(&mut self, mut bytes: Vec<u8>) {
        bytes.truncate(4_096);
        self.see(&bytes);
    }

    fn call(&mut self, Fields { a, b, c, d, .. }: Fields) {
        let head = self.take(28 + usize::from(a));
        let mut args = self.take(d as usize);
        if b != 0 {
            args[usize::from(b)] = self.acc as u8 & c;
        }
        let contract = Address(*head[8..].first_chunk().unwrap());
        let method = std::str::from_utf8(&head[28..]).unwrap();
        let (status, bytes) = match self.model.call(contract, method, args, self.read_only) {
            Ok(output) => (Status::Success, output),
            Err(failure) => (failure.status, failure.bytes()),
        };
        self.see_number(status.code().into());
        self.see_buffer(bytes);
    }
}
