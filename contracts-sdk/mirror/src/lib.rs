//! What a test of a contract and the machine that mirrors it say to each other.
//!
//! A test runs a contract natively, in a `World` of `hanse-sdk-testing`. Under `hanse contract test` the test kit also
//! starts `hanse contract host`, a process with the real virtual machine, and hands it every deployment and call, so that
//! the contract's WebAssembly module does the same on the same state. So contracts never compile the machine. The kit
//! writes a [`Request`] to the process's standard input and reads an [`Answer`] from its standard output; both are
//! [frames](fn@write): 4 bytes of length, little-endian, then Borsh. The process ends when its input does.
//!
//! It knows nothing of how either side runs a contract, and nothing of what is compared.
//!
//! Start reading at [`Request`].

mod frame;

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_abi::{Address, Event};
use sha2::{Digest, Sha256};

pub use frame::{FRAME_BYTES, read, write};

/// Of what is said here; both sides must speak the same.
pub const VERSION: u32 = 1;
/// The environment variable that names the program `hanse`; a test kit that finds it mirrors its worlds.
pub const HOST_VARIABLE: &str = "HANSE_TEST_HOST";
/// The environment variable that names the list of modules, for the host: a JSON array of [`Code`] with paths.
pub const MODULES_VARIABLE: &str = "HANSE_TEST_MODULES";
/// The environment variable that names a folder, where each host notes what it ran, a line for each transaction.
pub const NOTES_VARIABLE: &str = "HANSE_TEST_NOTES";

/// Which contract's module: a contract's name is not enough, as tests may know several of one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Code {
    /// The crate that the contract is written in, by its name in Rust.
    pub crate_name: String,
    /// The contract's name in its source.
    pub contract: String,
}

/// What the host is asked.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Request {
    /// The first request: which [`VERSION`] the kit speaks.
    Hello(u32),
    /// To run a transaction.
    Run(Box<Transaction>),
    /// To forget a world, because the test that made it has ended.
    Forget(u32),
}

/// A transaction, and where it runs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Transaction {
    /// Which world, by a number that the kit chooses; the first transaction of a world makes it.
    pub world: u32,
    /// Height of the block.
    pub height: u64,
    /// Time of the block, in milliseconds since 1970.
    pub time_ms: u64,
    /// Who signs.
    pub by: Address,
    /// What is done.
    pub action: Action,
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Action {
    /// Deploys a contract under a name, with arguments for its `init` method.
    Deploy {
        /// The name, of which, with the deployer, the address is made.
        name: String,
        /// The module.
        code: Code,
        /// The encoded arguments; empty if there is no such method.
        args: Vec<u8>,
    },
    /// Puts another module in a contract's place, with arguments for its `migrate` method.
    Upgrade {
        /// The contract.
        contract: Address,
        /// The module.
        code: Code,
        /// The encoded arguments; empty if there is no such method.
        args: Vec<u8>,
    },
    /// Calls a method.
    Call {
        /// The contract.
        contract: Address,
        /// The method.
        method: String,
        /// Its encoded arguments.
        args: Vec<u8>,
        /// Whether it is asked outside of transactions, where it can't change state.
        read_only: bool,
    },
}

/// What the host answers.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Answer {
    /// Nothing to say: to a greeting, and to being told to forget.
    Done,
    /// What a transaction did.
    Report(Box<Report>),
    /// That it can't run the transaction at all: there is no such module, for example.
    Refused(String),
}

/// What a transaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Report {
    /// How it ended: the code of a [`hanse_abi::Status`].
    pub status: u8,
    /// What it returned; for a deployment the address, for an upgrade the version.
    pub output: Vec<u8>,
    /// Code of the contract's error; 0 for none.
    pub error_code: u32,
    /// Fields of the contract's error.
    pub error_fields: Vec<u8>,
    /// What is to be said about a failure that is not the contract's own error.
    pub message: String,
    /// Events of contracts, each with its contract.
    pub events: Vec<(Address, Event)>,
    /// Keys that were observed, in order. All keys are full state keys, and none is of a system contract.
    pub reads: Vec<Vec<u8>>,
    /// Ranges that were observed, in order: start, and the first key after.
    pub scans: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys that were written or removed, in order.
    pub writes: Vec<Vec<u8>>,
    /// Keys that were added to, in order.
    pub adds: Vec<Vec<u8>>,
    /// Keys whose value is another now, in order, with that value.
    pub changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Gas that was used, instructions included.
    pub gas: u64,
}

/// The hash of a block of every world: worlds have no blocks, but contracts may ask.
pub fn block_hash(height: u64) -> [u8; 32] {
    Sha256::digest([&b"block"[..], &height.to_le_bytes()].concat()).into()
}
