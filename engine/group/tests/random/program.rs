//! Random programs for the contract of [`super::contract`].

use borsh::BorshSerialize;
use hanse_types::Address;

use super::contract::{METHODS, op, tiny};

/// A small seeded generator (splitmix64): everything random follows from its seed.
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

/// The Borsh encoding.
pub fn encode(value: &impl BorshSerialize) -> Vec<u8> {
    borsh::to_vec(value).unwrap()
}

/// What kinds of operations programs are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// All that there are.
    Everything,
    /// Mostly bounded additions.
    Adds,
    /// Mostly scans, and what they could miss.
    Scans,
    /// Reads and writes of keys that are known beforehand.
    Plain,
    /// Reads and writes of keys that depend on what was read.
    Far,
    /// What [`super::model`] knows.
    Modelled,
}

/// What programs are about.
#[derive(Clone, Debug)]
pub struct Theme {
    pub mix: Mix,
    /// Keys of each contract that are used: from here …
    pub first_key: u8,
    /// … so many.
    pub keys: u8,
    /// Contracts that run programs, or will once they are deployed.
    pub contracts: Vec<Address>,
    /// Whom to pay.
    pub payees: Vec<Address>,
}

/// An operation's bytes; one that skips others says how many.
struct Operation {
    bytes: Vec<u8>,
    skips: usize,
}

fn plain(number: u8, a: u8, b: u8, c: u8, d: u32) -> Operation {
    let mut bytes = vec![number, a, b, c];
    bytes.extend_from_slice(&d.to_le_bytes());
    Operation { bytes, skips: 0 }
}

impl Theme {
    /// A program of so many operations at most. Programs in it are nested so deep at most.
    pub fn program(&self, rng: &mut Rng, operations: u64, depth: u8) -> Vec<u8> {
        let count = 1 + rng.below(operations);
        let operations: Vec<Operation> = (0..count).map(|_| self.operation(rng, depth)).collect();
        let lengths: Vec<usize> = operations.iter().map(|operation| operation.bytes.len()).collect();
        let mut program = Vec::with_capacity(lengths.iter().sum());
        for (at, operation) in operations.into_iter().enumerate() {
            program.extend(operation.bytes);
            if operation.skips > 0 {
                let skipped: usize = lengths.iter().skip(at + 1).take(operation.skips).sum();
                let field = program.len() - 4;
                program[field..].copy_from_slice(&(skipped as u32).to_le_bytes());
            }
        }
        program
    }

    fn operation(&self, rng: &mut Rng, depth: u8) -> Operation {
        match self.mix {
            Mix::Plain => self.access(rng, false),
            Mix::Far => match rng.below(8) {
                0 => self.control(rng),
                1 if depth > 0 => self.call(rng, depth),
                _ => {
                    let far = rng.below(2) == 0;
                    self.access(rng, far)
                }
            },
            Mix::Adds => match rng.below(10) {
                0..=6 => self.add(rng),
                7 => self.control(rng),
                8 if depth > 0 => self.call(rng, depth),
                _ => self.access(rng, false),
            },
            Mix::Scans => match rng.below(8) {
                0..=2 => self.scan(rng),
                3 => self.control(rng),
                4 if depth > 0 => self.call(rng, depth),
                _ => self.access(rng, false),
            },
            Mix::Everything => match rng.below(16) {
                0..=4 => {
                    let far = rng.once_in(3);
                    self.access(rng, far)
                }
                5 | 6 => self.add(rng),
                7 => self.scan(rng),
                8..=11 if depth > 0 => self.call(rng, depth),
                12 | 13 => self.control(rng),
                _ => self.other(rng),
            },
            Mix::Modelled => match rng.below(16) {
                0..=4 => {
                    let far = rng.once_in(3);
                    self.access(rng, far)
                }
                5 | 6 => self.add(rng),
                7 => self.scan(rng),
                8..=11 if depth > 0 => self.nested(rng, depth).with_gas(None),
                12 | 13 => self.control(rng),
                14 => plain(op::OUTPUT, 0, 0, rng.below(9) as u8, 0),
                _ => plain(op::EVENT, rng.next() as u8, 0, 0, 0),
            },
        }
    }

    fn key(&self, rng: &mut Rng) -> u8 {
        self.first_key + rng.below(u64::from(self.keys)) as u8
    }

    /// Reads, writes or removes a key, which depends on what was seen if it is `far`.
    fn access(&self, rng: &mut Rng, far: bool) -> Operation {
        let (key, modulus) = (self.key(rng), if far { self.keys } else { 0 });
        match rng.below(7) {
            0..=2 => plain(op::GET, key, modulus, 0, 0),
            3 | 4 => plain(op::SET, key, modulus, 8, 0),
            5 if self.mix != Mix::Adds => plain(op::SET, key, modulus, *rng.pick(&[0, 1, 2, 4, 8, 16, 3, 200]), 0),
            _ => plain(op::REMOVE, key, modulus, 0, 0),
        }
    }

    /// Adds to a key, of which some are of sixteen bytes and most are of eight, and sometimes as if it were another.
    fn add(&self, rng: &mut Rng) -> Operation {
        let key = self.key(rng);
        let modulus = if rng.once_in(6) { self.keys } else { 0 };
        let width = if key % 8 == 7 { 16 } else { 8 };
        let width = if rng.once_in(20) { *rng.pick(&[1, 2, 4, 16]) } else { width };
        let amount = if rng.once_in(4) { rng.below(100) as i32 - 60 } else { rng.below(20) as i32 - 4 };
        let bounds: Option<(u128, u128)> = match rng.below(5) {
            0 | 1 => None,
            2 => Some((0, 80)),
            3 => Some((10, 60)),
            _ => Some((0, u128::from(u64::MAX))),
        };
        let mut operation =
            plain(op::ADD, key, modulus, width | if bounds.is_some() { 32 } else { 0 }, amount.cast_unsigned());
        operation.bytes.extend(bounds.map(|bounds| encode(&bounds)).unwrap_or_default());
        operation
    }

    fn scan(&self, rng: &mut Rng) -> Operation {
        let (from, to) = (self.key(rng), self.key(rng).saturating_add(rng.below(2) as u8));
        let limit = if rng.once_in(4) { u32::MAX } else { rng.below(6) as u32 };
        plain(op::SCAN, from, to, rng.below(8) as u8, limit)
    }

    /// Goes on elsewhere, or ends, if what was seen is so.
    fn control(&self, rng: &mut Rng) -> Operation {
        let c = rng.below(7) as u8;
        // What comes last is more than the model knows.
        let kinds = if self.mix == Mix::Modelled { 11 } else { 16 };
        match rng.below(kinds) {
            0..=4 => Operation { skips: 1 + rng.below(3) as usize, ..plain(op::SKIP_IF_ODD, 0, 0, 0, 0) },
            5..=8 => plain(op::REVERT_IF, 0, 0, c, 2 + rng.below(5) as u32),
            9 | 10 => plain(op::PANIC_IF, 0, 0, c, 3 + rng.below(8) as u32),
            11 | 12 => plain(op::TRAP_IF, 0, 0, c % 4, 2 + rng.below(8) as u32),
            13 | 14 => plain(op::MISUSE_IF, 0, 0, c % 6, 3 + rng.below(8) as u32),
            _ => plain(op::SPIN_IF, 0, 0, 0, 6 + rng.below(20) as u32),
        }
    }

    fn other(&self, rng: &mut Rng) -> Operation {
        match rng.below(10) {
            0..=2 => plain(op::EVENT, rng.next() as u8, 0, 0, 0),
            3 => plain(op::BURN, 0, 0, 0, 1 + rng.below(2_000) as u32),
            4 => plain(op::CONTEXT, 0, 0, 0, 0),
            5 => plain(op::BLOCK_HASH, rng.below(5) as u8, 0, 0, 0),
            6 => plain(op::OUTPUT, 0, 0, rng.below(9) as u8, 0),
            7 => plain(op::GROW, rng.below(3) as u8, 0, 0, 0),
            8 => plain(op::DEBUG, 0, 0, 0, 0),
            _ => plain(op::SHA256, 0, 0, 0, 0),
        }
    }

    /// Calls another contract, WebAssembly or native, mostly with all gas.
    fn call(&self, rng: &mut Rng, depth: u8) -> Operation {
        let call = match rng.below(20) {
            0 | 1 => {
                let args = encode(&(rng.pick(&self.payees), u128::from(rng.below(100))));
                Call { contract: Address::native(1), method: "transfer", args, varied: Some((20, 0x3f)) }
            }
            2 => Call::plain(1, "balance_of", encode(rng.pick(&self.payees))),
            3 => Call::plain(3, "register", encode(&(name(rng), 0u32, rng.pick(&self.contracts)))),
            4 => Call::plain(3, "resolve", encode(&(name(rng), rng.below(3) as u32))),
            5 if rng.once_in(4) => Call::plain(2, "deploy", encode(&(name(rng), tiny(), Vec::<u8>::new()))),
            5 => Call::plain(2, "freeze", encode(rng.pick(&self.contracts))),
            6 => Call::plain(4, "get", Vec::new()),
            7 => {
                let contract = *rng.pick(&self.payees);
                Call { contract, method: METHODS[0], args: Vec::new(), varied: None }
            }
            _ => self.nested(rng, depth),
        };
        let gas = rng.once_in(4).then(|| rng.below(40_000));
        call.with_gas(gas)
    }

    /// A call of a contract that runs a program, whose first key may depend on what the caller saw.
    fn nested(&self, rng: &mut Rng, depth: u8) -> Call {
        let mut args = self.program(rng, 4, depth - 1);
        // Often it comes to nothing only after it has done something.
        if rng.once_in(3) {
            args.extend(self.control(rng).bytes);
        }
        let has_key = [op::GET, op::SET, op::REMOVE, op::ADD].contains(&args[0]);
        let varied = (has_key && rng.once_in(2)).then_some((1, (self.keys - 1) | 1));
        let method = match rng.below(12) {
            0 => "look",
            1 => "nothing",
            n => METHODS[n as usize % METHODS.len()],
        };
        Call { contract: *rng.pick(&self.contracts), method, args, varied }
    }
}

struct Call {
    contract: Address,
    method: &'static str,
    args: Vec<u8>,
    /// A byte of the arguments that is made of the accumulator, and the bits of it that are taken.
    varied: Option<(u8, u8)>,
}

impl Call {
    /// The operation, with so much gas, or all that there is.
    fn with_gas(self, gas: Option<u64>) -> Operation {
        let (at, mask) = self.varied.unwrap_or((0, 0));
        let mut operation = plain(op::CALL, self.method.len() as u8, at, mask, self.args.len() as u32);
        operation.bytes.extend_from_slice(&gas.unwrap_or(u64::MAX).to_le_bytes());
        operation.bytes.extend_from_slice(&self.contract.0);
        operation.bytes.extend_from_slice(self.method.as_bytes());
        operation.bytes.extend(self.args);
        operation
    }

    fn plain(number: u16, method: &'static str, args: Vec<u8>) -> Call {
        Call { contract: Address::native(number), method, args, varied: None }
    }
}

/// One of few names, so that they collide.
pub fn name(rng: &mut Rng) -> String {
    format!("name{}", rng.below(6))
}
