//! Every bound on size, in one place; an outer layer allows at least what the inner one does.
//!
//! These are format limits: what no honest node ever makes or accepts. A group's parameters may be stricter
//! ([`crate::genesis::Params`]), never wider. The relations are checked when this crate is compiled.

/// Chain and group ids, in bytes.
pub const ID_BYTES: usize = 64;
/// Contract and method names, in bytes.
pub const NAME_BYTES: usize = 64;
/// A client's business id, in bytes.
pub const BUSINESS_ID_BYTES: usize = 64;
/// A contract's code, in bytes.
pub const CODE_BYTES: usize = 2 << 20;
/// A call's arguments, in bytes: the code of a deployment and its own arguments.
pub const ARGS_BYTES: usize = CODE_BYTES + (64 << 10);
/// A transaction's canonical bytes.
pub const TRANSACTION_BYTES: usize = ARGS_BYTES + 1024;
/// A signed transaction's canonical bytes.
pub const SIGNED_TRANSACTION_BYTES: usize = TRANSACTION_BYTES + 256;
/// A contract's own key, in bytes.
pub const KEY_BYTES: usize = 1 << 10;
/// A state key with its contract prefix, in bytes.
pub const STATE_KEY_BYTES: usize = KEY_BYTES + hanse_abi::keys::PREFIX_BYTES;
/// A value that a contract stores, in bytes.
pub const CONTRACT_VALUE_BYTES: usize = 128 << 10;
/// Entries that one range scan returns.
pub const SCAN_ENTRIES: usize = 1_024;
/// Any stored value, in bytes; a contract's code is one.
pub const VALUE_BYTES: usize = CODE_BYTES + 1024;
/// A call's return value, in bytes.
pub const OUTPUT_BYTES: usize = 256 << 10;
/// A panic's message, in bytes.
pub const MESSAGE_BYTES: usize = 1 << 10;
/// Events of one transaction.
pub const EVENTS: usize = 1_024;
/// Names, topics and data of all events of one transaction, in bytes.
pub const EVENT_BYTES: usize = 256 << 10;
/// Topics of one event.
pub const EVENT_TOPICS: usize = 4;
/// A receipt's canonical bytes.
pub const RECEIPT_BYTES: usize = OUTPUT_BYTES + MESSAGE_BYTES + EVENT_BYTES + EVENTS * 64 + 1024;
/// Keys and values of one access set, in bytes.
pub const RW_SET_BYTES: usize = 16 << 20;
/// Transactions of one block.
pub const BLOCK_TRANSACTIONS: usize = 65_536;
/// Predecessors in one block's DAG.
pub const DAG_EDGES: usize = 8 * BLOCK_TRANSACTIONS * 16;
/// A DAG's canonical bytes.
pub const DAG_BYTES: usize = 4 * (DAG_EDGES + BLOCK_TRANSACTIONS) + 16;
/// Canonical bytes of all transactions of one block.
pub const BLOCK_BODY_BYTES: usize = 32 << 20;
/// A header's canonical bytes, its extra data included.
pub const HEADER_BYTES: usize = 2 << 10;
/// A header's extra data, in bytes.
pub const HEADER_EXTRA_BYTES: usize = 1 << 10;
/// Validators of one group.
pub const VALIDATORS: usize = 1_024;
/// Members of one group: its validators and those who follow it.
pub const MEMBERS: usize = VALIDATORS;
/// A certificate's canonical bytes.
pub const CERTIFICATE_BYTES: usize = VALIDATORS * 128 + 256;
/// A block's canonical bytes.
pub const BLOCK_BYTES: usize = HEADER_BYTES + DAG_BYTES + BLOCK_BODY_BYTES + 4 * BLOCK_TRANSACTIONS + 1024;
/// A message between nodes, in bytes.
pub const MESSAGE_FRAME_BYTES: usize = BLOCK_BYTES + CERTIFICATE_BYTES + 4096;
/// Receipts and access sets of one block, as one node sends them to another, in bytes. A block may have more; it is run then.
pub const OUTCOMES_BYTES: usize = BLOCK_BODY_BYTES;
/// Transactions that are submitted or passed on together.
pub const BATCH_TRANSACTIONS: usize = 20_000;
/// The bytes of such a batch.
pub const BATCH_BYTES: usize = 16 << 20;
/// Recent block hashes that a contract can see.
pub const RECENT_BLOCKS: u64 = 256;
/// Depth of nested calls, the transaction's own call included.
pub const CALL_DEPTH: usize = 8;
/// A genesis' canonical bytes.
pub const GENESIS_BYTES: usize = 4 << 20;
/// A genesis with its founders' signatures.
pub const FOUNDING_BYTES: usize = GENESIS_BYTES + VALIDATORS * 128 + 64;
/// Administrators that a genesis may name.
pub const ADMINISTRATORS: usize = 1_024;
/// The greatest [`crate::genesis::Params::tx_gas_max`].
pub const TX_GAS: u64 = 1 << 40;
/// The greatest [`crate::genesis::Params::block_interval_ms`], in milliseconds: a minute.
pub const BLOCK_INTERVAL_MS: u64 = 60 * 1_000;
/// The greatest [`crate::genesis::Params::tx_lifetime_ms_max`], in milliseconds: a day.
pub const TX_LIFETIME_MS: u64 = 24 * 60 * 60 * 1_000;
/// The greatest [`crate::genesis::Params::ref_block_window`], in blocks.
pub const REF_BLOCK_WINDOW: u64 = 8_192;
/// The greatest [`crate::genesis::Params::memory_pages_max`], in pages of 64 KiB: 16 MiB.
pub const MEMORY_PAGES: u32 = 256;

const _: () = {
    assert!(ARGS_BYTES > CODE_BYTES);
    assert!(TRANSACTION_BYTES > ARGS_BYTES + 2 * ID_BYTES + 2 * NAME_BYTES + BUSINESS_ID_BYTES);
    assert!(SIGNED_TRANSACTION_BYTES > TRANSACTION_BYTES);
    assert!(BLOCK_BODY_BYTES > SIGNED_TRANSACTION_BYTES);
    assert!(VALUE_BYTES > CODE_BYTES && VALUE_BYTES >= CONTRACT_VALUE_BYTES);
    assert!(RW_SET_BYTES > VALUE_BYTES + STATE_KEY_BYTES);
    assert!(RECEIPT_BYTES > OUTPUT_BYTES + EVENT_BYTES + MESSAGE_BYTES);
    assert!(BLOCK_BYTES > HEADER_BYTES + DAG_BYTES + BLOCK_BODY_BYTES);
    assert!(MESSAGE_FRAME_BYTES > BLOCK_BYTES + CERTIFICATE_BYTES);
    assert!(HEADER_BYTES > HEADER_EXTRA_BYTES + 512);
    // A block's gas adds up without overflow.
    assert!(TX_GAS < u64::MAX / BLOCK_TRANSACTIONS as u64);
    assert!(TX_LIFETIME_MS > BLOCK_INTERVAL_MS);
    assert!(GENESIS_BYTES > VALIDATORS * 128 + ADMINISTRATORS * 20 + 1024);
};
