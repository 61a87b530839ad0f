//! What a database says about itself.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::{Hash, Height};

use crate::error::LedgerError;
use crate::store::{Batch, Read, Table};

/// Version of the layout of all tables. Another one is refused, never migrated in silence.
pub(crate) const FORMAT: u32 = 3;

const FORMAT_KEY: &[u8] = b"format";
const IDENTITY_KEY: &[u8] = b"identity";
const TIP_KEY: &[u8] = b"tip";
const BEGINNING_KEY: &[u8] = b"beginning";

/// Whose ledger it is.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Identity {
    pub(crate) chain_id: String,
    pub(crate) group_id: String,
    pub(crate) genesis: Hash,
}

impl Identity {
    /// Refuses another one than that.
    pub(crate) fn check(&self, expected: &Identity) -> Result<(), LedgerError> {
        let differs = |what, found: &dyn ToString, expected: &dyn ToString| {
            Err(LedgerError::OtherChain { what, found: found.to_string(), expected: expected.to_string() })
        };
        if self.chain_id != expected.chain_id {
            return differs("chain", &self.chain_id, &expected.chain_id);
        }
        if self.group_id != expected.group_id {
            return differs("group", &self.group_id, &expected.group_id);
        }
        if self.genesis != expected.genesis {
            return differs("genesis", &self.genesis, &expected.genesis);
        }
        Ok(())
    }
}

/// Where the chain stands.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct TipRecord {
    /// Height of the newest block.
    pub(crate) height: Height,
    /// Its hash.
    pub(crate) hash: Hash,
    /// The oldest block that may hold a transaction which has not expired.
    pub(crate) window: Height,
    /// The oldest block whose access sets were not pruned, and whose state can be read.
    pub(crate) history_from: Height,
    /// Transactions of all blocks.
    pub(crate) transactions: u64,
}

/// Where a ledger begins that was made of a portable snapshot. The genesis block it has in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Beginning {
    /// The oldest block of which there is more than the header and the ids of its transactions.
    pub(crate) blocks: Height,
    /// The oldest of which there is that much.
    pub(crate) headers: Height,
}

impl Default for Beginning {
    /// Of a ledger that has all blocks.
    fn default() -> Beginning {
        Beginning { blocks: Height(1), headers: Height(1) }
    }
}

impl Beginning {
    /// Refuses a block that is not here.
    pub(crate) fn check_block(&self, height: Height) -> Result<(), LedgerError> {
        check_from(self.blocks, height)
    }

    /// Refuses a block whose header is not here.
    pub(crate) fn check_header(&self, height: Height) -> Result<(), LedgerError> {
        check_from(self.headers, height)
    }
}

fn check_from(first: Height, height: Height) -> Result<(), LedgerError> {
    match Height(0) < height && height < first {
        true => Err(LedgerError::BeforeFirst { height, first }),
        false => Ok(()),
    }
}

/// The format, none in an empty database.
pub(crate) fn format(reader: &dyn Read) -> Result<Option<u32>, LedgerError> {
    read(reader, FORMAT_KEY)
}

pub(crate) fn identity(reader: &dyn Read) -> Result<Identity, LedgerError> {
    read(reader, IDENTITY_KEY)?.ok_or_else(|| missing(IDENTITY_KEY))
}

pub(crate) fn tip(reader: &dyn Read) -> Result<TipRecord, LedgerError> {
    read(reader, TIP_KEY)?.ok_or_else(|| missing(TIP_KEY))
}

/// Where the ledger begins.
pub(crate) fn beginning(reader: &dyn Read) -> Result<Beginning, LedgerError> {
    Ok(read(reader, BEGINNING_KEY)?.unwrap_or_default())
}

pub(crate) fn put_beginning(batch: &mut Batch, beginning: &Beginning) {
    put(batch, BEGINNING_KEY, beginning);
}

pub(crate) fn put_tip(batch: &mut Batch, tip: &TipRecord) {
    put(batch, TIP_KEY, tip);
}

pub(crate) fn put_new(batch: &mut Batch, identity: &Identity) {
    put(batch, FORMAT_KEY, &FORMAT);
    put(batch, IDENTITY_KEY, identity);
}

fn put(batch: &mut Batch, key: &[u8], value: &impl BorshSerialize) {
    let bytes = borsh::to_vec(value).expect("a bounded value encodes into memory");
    batch.put(Table::Meta, key, &bytes);
}

fn read<T: BorshDeserialize>(reader: &dyn Read, key: &[u8]) -> Result<Option<T>, LedgerError> {
    let Some(bytes) = reader.get(Table::Meta, key)? else { return Ok(None) };
    borsh::from_slice(&bytes).map(Some).map_err(|error| LedgerError::damaged(place(key), error))
}

fn missing(key: &[u8]) -> LedgerError {
    LedgerError::damaged(place(key), "it is missing")
}

fn place(key: &[u8]) -> String {
    format!("record {:?} of table meta", String::from_utf8_lossy(key))
}
