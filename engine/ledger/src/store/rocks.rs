//! RocksDB as a store.
//!
//! One database per group, a column family per [`Table`]. All families share the write-ahead log, so a batch over many
//! is atomic by one record of it, which is synced before the write returns. A log whose end is torn opens at the last
//! whole record; what was acknowledged was synced, so nothing acknowledged is lost by that.

use std::path::Path;
use std::sync::Arc;

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBPinnableSlice,
    DBRecoveryMode, Direction, IteratorMode, LogLevel, Options, ReadOptions, SnapshotWithThreadMode, WriteBatch,
    WriteOptions,
};

use super::{Batch, Closed, Closing, Operation, Pair, RangeQuery, Read, Store, Table, background};
use crate::error::StoreError;
use crate::options::LedgerOptions;

/// Bits of a Bloom filter per key: about one false positive in a hundred.
const BLOOM_BITS: f64 = 10.0;
/// Most bytes of a log for people.
const INFO_LOG_BYTES: usize = 1 << 20;

/// A group's database in a directory. Cheap to clone.
#[derive(Clone)]
pub struct RocksStore {
    shared: Arc<Shared>,
}

struct Shared {
    db: DB,
    place: String,
    families: [String; Table::ALL.len()],
    /// Stands after the database, and so is dropped after it.
    closing: Closing,
}

impl RocksStore {
    /// Opens the database of a chain, or makes one in an absent or empty directory.
    ///
    /// # Errors
    /// If the directory can't be used, holds another chain's database, or is in use.
    pub fn open(path: &Path, chain: &str, options: &LedgerOptions) -> Result<RocksStore, StoreError> {
        let database = database_options(options);
        check_families(path, chain, &database)?;
        let descriptors = descriptors(chain, options);
        let db = DB::open_cf_descriptors(&database, path, descriptors).map_err(failed(path, "open"))?;
        Ok(RocksStore::of(db, path, chain))
    }

    /// Opens the database of a chain for reading; a write fails. Nothing of it is changed, so it need not be in nobody's use.
    ///
    /// # Errors
    /// If there is none in the directory, or it is another chain's.
    pub fn open_read_only(path: &Path, chain: &str, options: &LedgerOptions) -> Result<RocksStore, StoreError> {
        let database = database_options(options);
        check_families(path, chain, &database)?;
        let descriptors = descriptors(chain, options);
        let db = DB::open_cf_descriptors_read_only(&database, path, descriptors, false);
        Ok(RocksStore::of(db.map_err(failed(path, "open"))?, path, chain))
    }

    fn of(db: DB, path: &Path, chain: &str) -> RocksStore {
        let families = Table::ALL.map(|table| table.column_family(chain));
        RocksStore {
            shared: Arc::new(Shared { db, place: path.display().to_string(), families, closing: Closing::default() }),
        }
    }
}

/// Refuses a database with tables that are not this chain's.
fn check_families(path: &Path, chain: &str, database: &Options) -> Result<(), StoreError> {
    if !path.join("CURRENT").exists() {
        return Ok(());
    }
    let families = Table::ALL.map(|table| table.column_family(chain));
    let existing = DB::list_cf(database, path).map_err(failed(path, "list its tables"))?;
    let known = |name: &String| name == rocksdb::DEFAULT_COLUMN_FAMILY_NAME || families.contains(name);
    let found: Vec<_> = existing.into_iter().filter(|name| !known(name)).collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(StoreError::OtherTables { place: path.display().to_string(), chain: chain.into(), found })
}

fn descriptors(chain: &str, options: &LedgerOptions) -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(options.block_cache_bytes);
    let descriptor =
        |table: &Table| ColumnFamilyDescriptor::new(table.column_family(chain), table_options(*table, &cache, options));
    Table::ALL.iter().map(descriptor).collect()
}

fn failed(path: &Path, action: &'static str) -> impl Fn(rocksdb::Error) -> StoreError {
    let place = path.display().to_string();
    move |error| StoreError::Failed { place: place.clone(), action, reason: error.into_string() }
}

impl Shared {
    fn family(&self, table: Table) -> Result<&ColumnFamily, StoreError> {
        let name = &self.families[table as usize];
        self.db.cf_handle(name).ok_or_else(|| self.failed("find a table", format!("there is no {name}")))
    }

    fn failed(&self, action: &'static str, reason: String) -> StoreError {
        StoreError::Failed { place: self.place.clone(), action, reason }
    }

    fn get(&self, table: Table, key: &[u8], options: ReadOptions) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.db.get_pinned_cf_opt(self.family(table)?, key, &options);
        let value = value.map_err(|error| self.failed("read", error.into_string()))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn multi_get(
        &self,
        table: Table,
        keys: &[&[u8]],
        options: ReadOptions,
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let values = self.db.batched_multi_get_cf_opt(self.family(table)?, keys.iter().copied(), false, &options);
        let own = |value: Option<DBPinnableSlice<'_>>| value.map(|value| value.to_vec());
        let values = values.into_iter().map(|value| value.map(own));
        values.collect::<Result<_, _>>().map_err(|error| self.failed("read", error.into_string()))
    }

    fn range(&self, table: Table, query: RangeQuery<'_>, mut options: ReadOptions) -> Result<Vec<Pair>, StoreError> {
        let RangeQuery { start, end, limit, reverse } = query;
        if start >= end || limit == 0 {
            return Ok(Vec::new());
        }
        options.set_iterate_lower_bound(start);
        options.set_iterate_upper_bound(end);
        // The upper bound keeps the end itself out.
        let mode = if reverse { IteratorMode::From(end, Direction::Reverse) } else { IteratorMode::Start };
        let mut pairs = Vec::new();
        for pair in self.db.iterator_cf_opt(self.family(table)?, options, mode).take(limit) {
            let (key, value) = pair.map_err(|error| self.failed("read a range", error.into_string()))?;
            pairs.push((key.into_vec(), value.into_vec()));
        }
        Ok(pairs)
    }
}

impl Read for RocksStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.shared.get(table, key, ReadOptions::default())
    }

    fn multi_get(&self, table: Table, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.shared.multi_get(table, keys, ReadOptions::default())
    }

    fn range(&self, table: Table, query: RangeQuery<'_>) -> Result<Vec<Pair>, StoreError> {
        self.shared.range(table, query, ReadOptions::default())
    }
}

impl Store for RocksStore {
    fn closed(&self) -> Closed {
        self.shared.closing.closed()
    }

    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        let families: Vec<_> = Table::ALL.iter().map(|table| self.shared.family(*table)).collect::<Result<_, _>>()?;
        let mut record = WriteBatch::with_capacity_bytes(batch.byte_count() + 16 * batch.len());
        for operation in batch.iter() {
            match operation {
                Operation::Put { table, key, value } => record.put_cf(families[table as usize], key, value),
                Operation::Remove { table, key } => record.delete_cf(families[table as usize], key),
                Operation::RemoveRange { table, start, end } => {
                    record.delete_range_cf(families[table as usize], start, end);
                }
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        let written = self.shared.db.write_opt(record, &options);
        written.map_err(|error| self.shared.failed("write", error.into_string()))
    }

    fn snapshot(&self) -> Arc<dyn Read> {
        Arc::new(RocksSnapshot::new(self.shared.clone()))
    }

    fn checkpoint(&self, path: &Path) -> Result<(), StoreError> {
        let made = Checkpoint::new(&self.shared.db).and_then(|checkpoint| checkpoint.create_checkpoint(path));
        made.map_err(|error| self.shared.failed("make a snapshot", error.into_string()))
    }

    fn size(&self) -> Result<u64, StoreError> {
        let files = self.shared.db.live_files();
        let files = files.map_err(|error| self.shared.failed("list its files", error.into_string()))?;
        Ok(files.iter().map(|file| file.size as u64).sum())
    }
}

/// A snapshot that keeps its database open.
struct RocksSnapshot {
    /// Refers into `shared`; declared first, so that it is dropped first.
    snapshot: SnapshotWithThreadMode<'static, DB>,
    shared: Arc<Shared>,
}

impl RocksSnapshot {
    fn new(shared: Arc<Shared>) -> RocksSnapshot {
        // SAFETY: the reference points into the allocation of `shared`, which the snapshot holds and drops after it, and
        // which does not move or change while it is held. It does not leave this type.
        let db: &'static DB = unsafe { &*std::ptr::from_ref(&shared.db) };
        RocksSnapshot { snapshot: db.snapshot(), shared }
    }

    fn options(&self) -> ReadOptions {
        let mut options = ReadOptions::default();
        options.set_snapshot(&self.snapshot);
        options
    }
}

impl Read for RocksSnapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.shared.get(table, key, self.options())
    }

    fn multi_get(&self, table: Table, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.shared.multi_get(table, keys, self.options())
    }

    fn range(&self, table: Table, query: RangeQuery<'_>) -> Result<Vec<Pair>, StoreError> {
        self.shared.range(table, query, self.options())
    }
}

fn database_options(options: &LedgerOptions) -> Options {
    // Whatever is opened first would start them otherwise.
    background::start();
    let mut database = Options::default();
    database.create_if_missing(true);
    database.create_missing_column_families(true);
    database.set_paranoid_checks(true);
    database.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    database.set_db_write_buffer_size(options.write_buffer_bytes);
    database.set_max_total_wal_size(2 * options.write_buffer_bytes as u64);
    database.set_max_open_files(options.open_files_max);
    // A log that is written over is synced without the file system's own log, and frees no blocks that would have to be discarded
    // while others wait for it. RocksDB allows it with this way of recovery since 9.1, if nothing is ever written without the
    // log; a checkpoint copies such logs instead of linking them.
    database.set_recycle_log_file_num(8);
    database.set_max_background_jobs(background::JOBS);
    database.set_bytes_per_sync(1 << 20);
    database.set_log_level(LogLevel::Warn);
    database.set_max_log_file_size(INFO_LOG_BYTES);
    database.set_keep_log_file_num(2);
    database.set_stats_dump_period_sec(0);
    database
}

fn table_options(table: Table, cache: &Cache, options: &LedgerOptions) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_block_size(16 << 10);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    // Point reads of keys that may be absent, or in no order, are what filters are for.
    if matches!(table, Table::State | Table::StateNode | Table::Index | Table::Consensus) {
        blocks.set_bloom_filter(BLOOM_BITS, false);
    }
    let mut family = Options::default();
    family.set_block_based_table_factory(&blocks);
    family.set_compression_type(DBCompressionType::Lz4);
    // Hashes do not compress.
    if table == Table::StateNode {
        family.set_compression_type(DBCompressionType::None);
    }
    family.set_level_compaction_dynamic_level_bytes(true);
    family.set_write_buffer_size((options.write_buffer_bytes / 4).max(1 << 20));
    // Lives for a moment: compressing it would be wasted, and what is removed goes when a buffer is flushed, so soon.
    if table == Table::Pool {
        family.set_compression_type(DBCompressionType::None);
        family.set_write_buffer_size((options.write_buffer_bytes / 16).max(1 << 20));
    }
    family.set_max_write_buffer_number(3);
    family
}
