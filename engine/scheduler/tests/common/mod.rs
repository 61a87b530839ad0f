//! Synthetic programs, a seeded generator of them, and what every run of them must satisfy.
#![allow(unreachable_pub, clippy::unwrap_used, dead_code)]

use std::sync::Arc;

use hanse_abi::Status;
use hanse_scheduler::{BlockRun, CallSite, Execute, Hints, canonical, propose_in, replay, run_serial, verify};
use hanse_state::{Added, Halt, MemoryView, ScanRequest, StateAccess, effects};
use hanse_types::{Address, Dag, Delta, Execution, Gas, Value};

/// What a program does, one after the other. `acc` is a number that takes up everything the program sees.
#[derive(Clone, Debug)]
pub enum Op {
    Read(u8),
    Write(u8),
    WriteOddSize(u8),
    Remove(u8),
    Add {
        key: u8,
        amount: i128,
        min: u128,
        max: u128,
    },
    Scan {
        from: u8,
        to: u8,
        limit: usize,
        reverse: bool,
    },
    /// Reads a key that depends on what was seen.
    ReadFar,
    /// Writes a key that depends on what was seen.
    WriteFar,
    /// Skips so many operations if `acc` is odd.
    SkipIfOdd(usize),
    /// Fails as a whole if `acc` is divisible by this.
    AbortIf(u64),
    /// Does these, and undoes them if `acc` is odd afterwards.
    Nested(Vec<Op>),
}

#[derive(Clone, Debug)]
pub struct Program {
    pub ops: Vec<Op>,
    pub args: Vec<u8>,
}

/// Runs programs over this many keys.
pub struct Interpreter {
    pub keys: u8,
}

struct Machine<'a> {
    keys: u8,
    acc: u64,
    gas: u64,
    state: &'a mut dyn StateAccess,
}

struct Aborted;

pub fn key(n: u8) -> Vec<u8> {
    hanse_abi::keys::full_key(&Address([1; 20]), &[b'k', 0, n])
}

impl Machine<'_> {
    fn see(&mut self, bytes: Option<&[u8]>) {
        let mut acc = self.acc ^ bytes.map_or(0x9e37_79b9, |bytes| 1 + bytes.len() as u64);
        for byte in bytes.unwrap_or_default() {
            acc = (acc ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.acc = acc ^ (acc >> 29);
    }

    fn run(&mut self, ops: &[Op]) -> Result<Result<(), Aborted>, Halt> {
        let mut at = 0;
        while let Some(op) = ops.get(at) {
            at += 1;
            self.gas += 1;
            match op {
                Op::Read(n) => {
                    let value = self.state.get(&key(*n))?;
                    self.see(value.as_deref());
                }
                Op::Write(n) => self.state.set(&key(*n), Value::new(&(self.acc % 60).to_le_bytes()))?,
                Op::WriteOddSize(n) => self.state.set(&key(*n), Value::new(&[self.acc as u8; 3]))?,
                Op::Remove(n) => self.state.remove(&key(*n))?,
                Op::Add { key: n, amount, min, max } => {
                    let delta = Delta { amount: *amount, width: 8, min: *min, max: *max };
                    let added = self.state.add(&key(*n), delta)?;
                    self.see(Some(&[match added {
                        Added::Done => 1,
                        Added::OutOfBounds => 2,
                        Added::NotANumber => 3,
                    }]));
                }
                Op::Scan { from, to, limit, reverse } => {
                    let (start, end) = (key(*from), key(*to));
                    let request = ScanRequest { start: &start, end: &end, limit: *limit, reverse: *reverse };
                    for (found, value) in self.state.scan(request)? {
                        self.see(Some(&found));
                        self.see(Some(&value));
                    }
                }
                Op::ReadFar => {
                    let n = (self.acc % u64::from(self.keys)) as u8;
                    let value = self.state.get(&key(n))?;
                    self.see(value.as_deref());
                }
                Op::WriteFar => {
                    let n = (self.acc % u64::from(self.keys)) as u8;
                    self.state.set(&key(n), Value::new(&(self.acc % 50).to_le_bytes()))?;
                }
                Op::SkipIfOdd(count) => at += if self.acc % 2 == 1 { *count } else { 0 },
                Op::AbortIf(divisor) if self.acc.is_multiple_of(*divisor) => return Ok(Err(Aborted)),
                Op::AbortIf(_) => {}
                Op::Nested(inner) => {
                    let savepoint = self.state.savepoint();
                    let aborted = self.run(inner)?.is_err();
                    if aborted || self.acc % 2 == 1 {
                        self.state.rollback(savepoint);
                    }
                }
            }
        }
        Ok(Ok(()))
    }
}

impl Execute for Interpreter {
    type Transaction = Program;
    type Runner = ();

    fn runner(&self) {}

    fn execute(
        &self,
        (): &mut (),
        program: &Program,
        mut state: Box<dyn StateAccess>,
    ) -> (Result<Execution, Halt>, Box<dyn StateAccess>) {
        let savepoint = state.savepoint();
        let mut machine = Machine { keys: self.keys, acc: 7, gas: 0, state: &mut *state };
        let result = machine.run(&program.ops);
        let (acc, gas) = (machine.acc, machine.gas);
        let status = match result {
            Err(halt) => return (Err(halt), state),
            Ok(Ok(())) => Status::Success,
            Ok(Err(Aborted)) => {
                state.rollback(savepoint);
                Status::Reverted
            }
        };
        let execution = Execution {
            status,
            gas_used: Gas(gas),
            output: acc.to_le_bytes().to_vec(),
            error_code: 0,
            message: String::new(),
            failed_in: Address::ZERO,
            events: Vec::new(),
        };
        (Ok(execution), state)
    }

    fn call_site<'a>(&self, program: &'a Program) -> Option<CallSite<'a>> {
        Some(CallSite {
            contract: Address([1; 20]),
            method: if program.args.is_empty() { "none" } else { "some" },
            caller: Address([2; 20]),
            args: &program.args,
        })
    }
}

/// A small seeded generator (splitmix64).
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// What kinds of operations a block's programs are made of.
#[derive(Clone, Copy, Debug)]
pub enum Mix {
    Everything,
    Adds,
    Scans,
    Plain,
}

pub fn random_op(rng: &mut Rng, keys: u8, mix: Mix, depth: u8) -> Op {
    let n = rng.below(u64::from(keys)) as u8;
    let roll = match mix {
        Mix::Everything => rng.below(24),
        Mix::Adds => [0, 1, 4, 4, 4, 4, 4, 4, 15][rng.below(9) as usize],
        Mix::Scans => [0, 1, 2, 3, 8, 8, 9][rng.below(7) as usize],
        Mix::Plain => rng.below(4),
    };
    match roll {
        0 | 20 | 21 => Op::Read(n),
        1 | 22 | 23 => Op::Write(n),
        2 => Op::Read(n),
        3 => Op::Remove(n),
        4..=7 => {
            let amount = rng.below(41) as i128 - 20;
            let (min, max) = match rng.below(4) {
                0 => (0, u128::MAX),
                1 => (0, 80),
                2 => (10, 60),
                _ => (0, u128::from(u64::MAX)),
            };
            Op::Add { key: n, amount, min, max }
        }
        8 | 9 => {
            let to = rng.below(u64::from(keys) + 1) as u8;
            Op::Scan { from: n, to, limit: 1 + rng.below(6) as usize, reverse: rng.below(2) == 0 }
        }
        10 | 11 => Op::ReadFar,
        12 => Op::WriteFar,
        13 | 14 => Op::SkipIfOdd(1 + rng.below(3) as usize),
        15 => Op::AbortIf(2 + rng.below(5)),
        16 => Op::WriteOddSize(n),
        _ if depth < 2 => {
            let count = 1 + rng.below(3);
            Op::Nested((0..count).map(|_| random_op(rng, keys, mix, depth + 1)).collect())
        }
        _ => Op::Read(n),
    }
}

pub fn random_block(rng: &mut Rng, keys: u8, mix: Mix, size: usize) -> Vec<Program> {
    let program = |rng: &mut Rng| {
        let length = 1 + rng.below(6);
        let ops = (0..length).map(|_| random_op(rng, keys, mix, 0)).collect();
        let args = (0..rng.below(3) * 8).map(|_| rng.below(256) as u8).collect();
        Program { ops, args }
    };
    (0..size).map(|_| program(rng)).collect()
}

pub fn random_parent(rng: &mut Rng, keys: u8) -> Arc<MemoryView> {
    let mut view = MemoryView::default();
    for n in 0..keys {
        match rng.below(5) {
            0 => {}
            1 => view.put(&key(n), Some(Value::new(&[9; 3]))),
            _ => view.put(&key(n), Some(Value::new(&rng.below(60).to_le_bytes()))),
        }
    }
    Arc::new(view)
}

/// One pool for each number of threads, made once.
pub struct Pools(Vec<rayon::ThreadPool>);

impl Pools {
    pub fn new() -> Pools {
        let pool = |threads: &usize| rayon::ThreadPoolBuilder::new().num_threads(*threads).build().unwrap();
        Pools([1, 2, 3, 4, 8].iter().map(pool).collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = &rayon::ThreadPool> {
        self.0.iter()
    }

    pub fn get(&self, n: usize) -> &rayon::ThreadPool {
        &self.0[n % self.0.len()]
    }
}

/// Names the first transaction of which two runs differ.
fn assert_executions(left: &[Execution], right: &[Execution], what: &str) {
    let first = left.iter().zip(right).position(|(left, right)| left != right);
    if let Some(place) = first {
        panic!("{what}: transaction {place} of {}: {:?} or {:?}", left.len(), left[place], right[place]);
    }
    assert_eq!(left.len(), right.len(), "number of executions: {what}");
}

/// Everything about a run that nodes compare.
pub fn assert_same(left: &BlockRun, right: &BlockRun, what: &str) {
    assert_executions(&left.executions, &right.executions, what);
    assert_eq!(left.dag, right.dag, "DAG: {what}");
    assert_eq!(left.rw_sets(), right.rw_sets(), "access sets: {what}");
    assert_eq!(left.changes(), right.changes(), "changes: {what}");
}

/// Proposes a batch on every number of threads, and holds the block against the serial loop and against replay.
pub fn check_block(
    pools: &Pools,
    interpreter: &Interpreter,
    batch: &[Program],
    parent: &Arc<MemoryView>,
    sub_batch: usize,
    hints: impl Fn() -> Hints + Sync,
) -> BlockRun {
    let propose = |pool: &rayon::ThreadPool| {
        pool.install(|| propose_in(interpreter, batch, parent.clone(), &mut hints(), sub_batch)).unwrap()
    };
    let block = propose(pools.get(0));
    for pool in pools.iter().skip(1) {
        let other = propose(pool);
        assert_eq!(block.order, other.order, "order on {} threads", pool.current_num_threads());
        assert_same(&block, &other, &format!("proposed on {} threads", pool.current_num_threads()));
    }
    let dag = canonical::from_rw_sets(&block.rw_sets(), parent.clone()).unwrap();
    assert_eq!(block.dag, dag, "the DAG that grew with the block is not that of its durable access sets");
    let mut order = block.order.clone();
    order.sort_unstable();
    assert!(order.into_iter().eq(0..batch.len()), "every transaction is in the block once");

    let serial = run_serial(interpreter, batch, block.order.iter().copied(), parent.clone()).unwrap();
    assert_executions(&block.executions, &serial.executions, "the serial loop");
    assert_eq!(block.changes(), serial.changes().unwrap(), "the serial loop gives other changes");
    let applied = effects::changes(&**parent, &block.rw_sets()).unwrap();
    assert_eq!(block.changes(), applied, "the access sets, applied without running anything, give other changes");

    let ordered: Vec<Program> = block.order.iter().map(|index| batch[*index].clone()).collect();
    for pool in pools.iter() {
        let replayed = pool.install(|| replay(interpreter, &ordered, &block.dag, parent.clone())).unwrap();
        assert_eq!(verify(&block.dag, &replayed), Ok(()));
        assert_same(&block, &replayed, &format!("replayed on {} threads", pool.current_num_threads()));
    }
    let chain: Vec<Vec<u32>> = (0..ordered.len() as u32).map(|v| v.checked_sub(1).into_iter().collect()).collect();
    let one_by_one = replay(interpreter, &ordered, &Dag::from_rows(&chain).unwrap(), parent.clone()).unwrap();
    assert_same(&block, &one_by_one, "run one by one");
    block
}
