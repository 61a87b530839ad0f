//! Reading blocks and what belongs to them.

use hanse_types::{
    Address, Block, Canonical, Certificate, Dag, Hash, Header, Height, Receipt, RwSet, SignedTransaction, TxId, TxIndex,
};

use crate::chunks::Chunk;
use crate::error::LedgerError;
use crate::keys;
use crate::ledger::{Current, Ledger, find_block};
use crate::open;
use crate::store::{RangeQuery, Read, Table};

/// Entries that are read at a time.
const ENTRIES: usize = 16;

/// A transaction with its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionPlace {
    /// The transaction.
    pub signed: SignedTransaction,
    /// Its block.
    pub height: Height,
    /// Its position there.
    pub index: TxIndex,
}

/// Some of a list of transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionsPage {
    /// Ids, in order.
    pub ids: Vec<TxId>,
    /// The transactions, in the same order.
    pub transactions: Vec<SignedTransaction>,
    /// Where the list goes on, if it does.
    pub next: Option<TxIndex>,
}

/// Reads at one moment; none of what does not exist.
impl Ledger {
    /// The header of a block.
    ///
    /// # Errors
    /// These and all that follow: if the store fails or holds damaged bytes, or the ledger began with a later block.
    pub fn header(&self, height: Height) -> Result<Option<Header>, LedgerError> {
        let current = self.current();
        if height > current.height() {
            return Ok(None);
        }
        self.shared.beginning.check_header(height)?;
        Ok(Some(header(current.reader(), height)?.0))
    }

    /// The header of the block with this hash.
    ///
    /// # Errors
    /// As for [`Ledger::header`].
    pub fn header_by_hash(&self, hash: &Hash) -> Result<Option<Header>, LedgerError> {
        match find_block(self.current().reader(), hash)? {
            Some(height) => self.header(height),
            None => Ok(None),
        }
    }

    /// A block's header, and what shows that it was agreed upon.
    ///
    /// # Errors
    /// As for [`Ledger::header`].
    pub fn header_and_certificate(&self, height: Height) -> Result<Option<(Header, Certificate)>, LedgerError> {
        self.existing(height, header)
    }

    /// What shows that a block was agreed upon.
    ///
    /// # Errors
    /// As for [`Ledger::header`].
    pub fn certificate(&self, height: Height) -> Result<Option<Certificate>, LedgerError> {
        Ok(self.header_and_certificate(height)?.map(|(_, certificate)| certificate))
    }

    /// A block's hash.
    ///
    /// # Errors
    /// As for [`Ledger::header`].
    pub fn block_hash(&self, height: Height) -> Result<Option<Hash>, LedgerError> {
        let current = self.current();
        let Some(back) = current.height().0.checked_sub(height.0) else { return Ok(None) };
        let recent = usize::try_from(back).ok().and_then(|back| current.recent.iter().nth_back(back));
        match recent {
            Some(hash) => Ok(Some(*hash)),
            None => Ok(self.header(height)?.map(|header| header.hash())),
        }
    }

    /// A block's DAG.
    ///
    /// # Errors
    /// As for [`Ledger::header`].
    pub fn dag(&self, height: Height) -> Result<Option<Dag>, LedgerError> {
        self.existing(height, dag)
    }

    /// A whole block.
    ///
    /// # Errors
    /// As for [`Ledger::header`].
    pub fn block(&self, height: Height) -> Result<Option<Block>, LedgerError> {
        self.existing(height, |reader, height| {
            let (header, _) = header(reader, height)?;
            let transactions = records(reader, Table::Tx, height, 0, header.tx_count as usize)?;
            Ok(Block { dag: dag(reader, height)?, transactions, header })
        })
    }

    /// Ids of a block's transactions, in block order.
    ///
    /// # Errors
    /// As for [`Ledger::header`].
    pub fn tx_ids(&self, height: Height) -> Result<Option<Vec<TxId>>, LedgerError> {
        let ids = self.existing(height, open::ids)?;
        Ok(ids.map(|ids| ids.into_iter().map(|(id, _)| id).collect()))
    }

    /// At most `limit` transactions of a block, from an index on.
    ///
    /// # Errors
    /// As for [`Ledger::header`].
    pub fn transactions(
        &self,
        height: Height,
        from: TxIndex,
        limit: usize,
    ) -> Result<Option<TransactionsPage>, LedgerError> {
        self.existing(height, |reader, height| {
            let ids = open::ids(reader, height)?;
            let start = from.as_usize().min(ids.len());
            let end = start.saturating_add(limit).min(ids.len());
            let transactions = records(reader, Table::Tx, height, start as u32, end - start)?;
            let next = (end < ids.len()).then_some(TxIndex(end as u32));
            Ok(TransactionsPage { ids: ids[start..end].iter().map(|(id, _)| *id).collect(), transactions, next })
        })
    }

    /// A transaction, with its place in the chain.
    ///
    /// # Errors
    /// As for [`Ledger::header`].
    pub fn transaction(&self, id: &TxId) -> Result<Option<TransactionPlace>, LedgerError> {
        let current = self.current();
        let Some((height, index)) = find_transaction(current.reader(), id)? else { return Ok(None) };
        let signed = record(current.reader(), Table::Tx, height, index)?;
        Ok(Some(TransactionPlace { signed, height, index }))
    }

    /// Where in the chain a transaction is.
    ///
    /// # Errors
    /// As for [`Ledger::header`].
    pub fn find_transaction(&self, id: &TxId) -> Result<Option<(Height, TxIndex)>, LedgerError> {
        find_transaction(self.current().reader(), id)
    }

    /// The receipt at a place.
    ///
    /// # Errors
    /// As for [`Ledger::header`].
    pub fn receipt(&self, height: Height, index: TxIndex) -> Result<Option<Receipt>, LedgerError> {
        self.existing_record(Table::Receipt, height, index)
    }

    /// The receipt of a transaction.
    ///
    /// # Errors
    /// As for [`Ledger::header`].
    pub fn receipt_of(&self, id: &TxId) -> Result<Option<Receipt>, LedgerError> {
        match self.find_transaction(id)? {
            Some((height, index)) => self.receipt(height, index),
            None => Ok(None),
        }
    }

    /// All receipts of a block.
    ///
    /// # Errors
    /// As for [`Ledger::header`].
    pub fn receipts(&self, height: Height) -> Result<Option<Vec<Receipt>>, LedgerError> {
        self.existing(height, receipts)
    }

    /// The access set of the transaction at a place.
    ///
    /// # Errors
    /// As for [`Ledger::header`], and if it was pruned.
    pub fn rw_set(&self, height: Height, index: TxIndex) -> Result<Option<RwSet>, LedgerError> {
        check_not_pruned(&self.current(), height)?;
        self.existing_record(Table::RwSet, height, index)
    }

    /// All access sets of a block.
    ///
    /// # Errors
    /// As for [`Ledger::header`], and if they were pruned.
    pub fn rw_sets(&self, height: Height) -> Result<Option<Vec<RwSet>>, LedgerError> {
        let current = self.current();
        if height > current.height() {
            return Ok(None);
        }
        rw_sets(&current, height).map(Some)
    }

    /// Ids of the transactions of a sender with a business id, oldest first, at most `limit` from a place on.
    ///
    /// # Errors
    /// As for [`Ledger::header`]; and if the place is before the first block that is here.
    pub fn by_business_id(
        &self,
        sender: &Address,
        business_id: &[u8],
        from: (Height, TxIndex),
        limit: usize,
    ) -> Result<Vec<(Height, TxIndex, TxId)>, LedgerError> {
        self.shared.beginning.check_block(from.0.max(Height(1)))?;
        let prefix = keys::business(sender, business_id);
        let start = keys::at_record(&prefix, from.0, from.1);
        let end = keys::at_record(&prefix, Height(u64::MAX), TxIndex(u32::MAX));
        let query = RangeQuery { start: &start, end: &end, limit, reverse: false };
        let damaged = || LedgerError::damaged("the index of business ids", "an entry is cut off");
        let mut found = Vec::new();
        for (key, id) in self.current().reader().range(Table::Index, query)? {
            let (height, index) = keys::split_record(&key[prefix.len()..]).ok_or_else(damaged)?;
            let id = id.try_into().map_err(|_| damaged())?;
            found.push((height, TxIndex(index), TxId(Hash(id))));
        }
        Ok(found)
    }

    /// Reads of a block, if it exists.
    fn existing<T>(
        &self,
        height: Height,
        read: impl FnOnce(&dyn Read, Height) -> Result<T, LedgerError>,
    ) -> Result<Option<T>, LedgerError> {
        let current = self.current();
        if height > current.height() {
            return Ok(None);
        }
        self.shared.beginning.check_block(height)?;
        read(current.reader(), height).map(Some)
    }

    fn existing_record<T: Canonical>(
        &self,
        table: Table,
        height: Height,
        index: TxIndex,
    ) -> Result<Option<T>, LedgerError> {
        let found = self.existing(height, |reader, height| {
            let (header, _) = header(reader, height)?;
            let exists = index.0 < header.tx_count;
            exists.then(|| record(reader, table, height, index)).transpose()
        })?;
        Ok(found.flatten())
    }

    /// The leaves of a block's transaction tree.
    pub(crate) fn transaction_leaves(&self, current: &Current, height: Height) -> Result<Vec<Hash>, LedgerError> {
        let (header, _) = header(current.reader(), height)?;
        let transactions = records(current.reader(), Table::Tx, height, 0, header.tx_count as usize)?;
        let leaf = |signed: &SignedTransaction| signed.leaf(signed.id(&self.shared.identity.genesis));
        Ok(transactions.iter().map(leaf).collect())
    }
}

/// Header and certificate of a block that must exist.
pub(crate) fn header(reader: &dyn Read, height: Height) -> Result<(Header, Certificate), LedgerError> {
    let place = format!("the header of block {height}");
    let entry = reader.get(Table::Header, &keys::height(height))?;
    let entry = entry.ok_or_else(|| LedgerError::damaged(&place, "it is missing"))?;
    let chunk = Chunk::read(&entry, &place)?;
    Ok((decode(chunk.get(0), &place)?, decode(chunk.get(1), &place)?))
}

/// The DAG of a block that must exist.
pub(crate) fn dag(reader: &dyn Read, height: Height) -> Result<Dag, LedgerError> {
    let place = format!("the DAG of block {height}");
    let bytes = reader.get(Table::Dag, &keys::height(height))?;
    let bytes = bytes.ok_or_else(|| LedgerError::damaged(&place, "it is missing"))?;
    Dag::decode(&bytes).map_err(|error| LedgerError::damaged(&place, error))
}

/// The receipts of a block that must exist.
pub(crate) fn receipts(reader: &dyn Read, height: Height) -> Result<Vec<Receipt>, LedgerError> {
    let (header, _) = header(reader, height)?;
    records(reader, Table::Receipt, height, 0, header.tx_count as usize)
}

/// The access sets of a block that must exist.
pub(crate) fn rw_sets(current: &Current, height: Height) -> Result<Vec<RwSet>, LedgerError> {
    check_not_pruned(current, height)?;
    let (header, _) = header(current.reader(), height)?;
    records(current.reader(), Table::RwSet, height, 0, header.tx_count as usize)
}

pub(crate) fn check_not_pruned(current: &Current, height: Height) -> Result<(), LedgerError> {
    let floor = current.record.history_from;
    if height < floor { Err(LedgerError::Pruned { floor }) } else { Ok(()) }
}

fn find_transaction(reader: &dyn Read, id: &TxId) -> Result<Option<(Height, TxIndex)>, LedgerError> {
    let Some(bytes) = reader.get(Table::Index, &keys::transaction(id))? else { return Ok(None) };
    let place = keys::split_record(&bytes);
    let (height, index) = place.ok_or_else(|| LedgerError::damaged("the index of transactions", "cut off"))?;
    Ok(Some((height, TxIndex(index))))
}

/// One record of a block, which must be there.
pub(crate) fn record<T: Canonical>(
    reader: &dyn Read,
    table: Table,
    height: Height,
    index: TxIndex,
) -> Result<T, LedgerError> {
    let mut found = records(reader, table, height, index.0, 1)?;
    found.pop().ok_or_else(|| missing(table, height, index.0))
}

/// So many records of a block from an index on, all of which must be there.
pub(crate) fn records<T: Canonical>(
    reader: &dyn Read,
    table: Table,
    height: Height,
    from: u32,
    count: usize,
) -> Result<Vec<T>, LedgerError> {
    let mut found = Vec::with_capacity(count);
    if count == 0 {
        return Ok(found);
    }
    // The entry that holds the first record starts at its index or before.
    let (lowest, after) = (keys::record(height, 0), keys::record(height, from + 1));
    let query = RangeQuery { start: &lowest, end: &after, limit: 1, reverse: true };
    let mut entries = reader.range(table, query)?;
    let end = keys::height(height.next());
    while let Some((last, _)) = entries.last() {
        let resume = [&last[..], &[0]].concat();
        for (key, entry) in &entries {
            let first = keys::split_record(key).ok_or_else(|| missing(table, height, from))?.1;
            let place = format!("entry {first} of block {height} in table {}", table.name());
            let chunk = Chunk::read(entry, &place)?;
            let next = from as usize + found.len();
            let wanted = (count - found.len()).min((first as usize + chunk.len()).saturating_sub(next));
            for at in next..next + wanted {
                let bytes = at.checked_sub(first as usize).and_then(|at| chunk.get(at));
                found.push(decode(bytes, &place)?);
            }
        }
        if found.len() == count {
            return Ok(found);
        }
        let query = RangeQuery { start: &resume, end: &end, limit: ENTRIES, reverse: false };
        entries = reader.range(table, query)?;
    }
    Err(missing(table, height, from + found.len() as u32))
}

fn missing(table: Table, height: Height, index: u32) -> LedgerError {
    let place = format!("record {index} of block {height} in table {}", table.name());
    LedgerError::damaged(place, "it is missing")
}

fn decode<T: Canonical>(bytes: Option<&[u8]>, place: &str) -> Result<T, LedgerError> {
    let bytes = bytes.ok_or_else(|| LedgerError::damaged(place, "a record is missing"))?;
    T::decode(bytes).map_err(|error| LedgerError::damaged(place, error))
}
