//! A store in memory that harms whoever reads one key of the state: the node then fails while it runs a transaction that
//! reads it, as it would by a bug of its own.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::path::Path;
use std::sync::Arc;

use hanse_ledger::error::StoreError;
use hanse_ledger::store::{Batch, Closed, MemoryStore, Operation, Pair, RangeQuery, Read, Store, Table};
use hanse_types::Address;
use tokio::sync::watch;

/// Whoever asks for this account's label comes to harm.
pub const POISON: Address = Address([0xbb; 20]);

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    None,
    /// A panic.
    Panic,
    /// The read never ends: a crash follows, before an acquittal that is written by itself is durable.
    Hang,
    /// The store fails.
    Error,
}

/// See the module.
#[derive(Clone)]
pub struct HarmfulStore {
    memory: Arc<MemoryStore>,
    reader: HarmfulReader,
    harmed: watch::Receiver<u32>,
}

#[derive(Clone)]
struct HarmfulReader {
    inner: Arc<dyn Read>,
    harm: Harm,
    harmed: Arc<watch::Sender<u32>>,
}

impl HarmfulStore {
    pub fn new(memory: MemoryStore, harm: Harm) -> HarmfulStore {
        let memory = Arc::new(memory);
        let (sender, harmed) = watch::channel(0);
        let reader = HarmfulReader { inner: memory.clone(), harm, harmed: Arc::new(sender) };
        HarmfulStore { memory, reader, harmed }
    }

    /// What a process finds that is started now, as if the one before had ended at this moment.
    pub fn crashed(&self, harm: Harm) -> HarmfulStore {
        HarmfulStore::new(self.memory.restarted(), harm)
    }

    /// Ends when somebody has come to harm.
    pub async fn has_harmed(&self) {
        self.harmed.clone().wait_for(|times| *times > 0).await.unwrap();
    }

    pub fn writes(&self) -> u64 {
        self.memory.writes()
    }
}

impl HarmfulReader {
    fn touch(&self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        if table != Table::State || self.harm == Harm::None || !key.ends_with(&POISON.0) {
            return Ok(());
        }
        self.harmed.send_modify(|times| *times += 1);
        match self.harm {
            Harm::None => Ok(()),
            Harm::Panic => panic!("harmed by the poisoned account"),
            Harm::Hang => loop {
                std::thread::park();
            },
            Harm::Error => Err(StoreError::Failed {
                place: "memory".into(),
                action: "read",
                reason: "injected: the poisoned account can't be read".into(),
            }),
        }
    }
}

/// The batch; if it writes nothing new, without what takes suspicions back.
fn without_acquittals(batch: &Batch) -> Batch {
    let mut kept = Batch::default();
    for operation in batch.iter() {
        match operation {
            Operation::Put { .. } => return batch.clone(),
            Operation::Remove { table: Table::Exception, key } if key.starts_with(b"s") => {}
            Operation::Remove { table, key } => kept.remove(table, key),
            Operation::RemoveRange { table, start, end } => kept.remove_range(table, start, end),
        }
    }
    kept
}

impl Read for HarmfulReader {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.touch(table, key)?;
        self.inner.get(table, key)
    }

    fn multi_get(&self, table: Table, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        keys.iter().try_for_each(|key| self.touch(table, key))?;
        self.inner.multi_get(table, keys)
    }

    fn range(&self, table: Table, query: RangeQuery<'_>) -> Result<Vec<Pair>, StoreError> {
        self.inner.range(table, query)
    }
}

impl Read for HarmfulStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.reader.get(table, key)
    }

    fn multi_get(&self, table: Table, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.reader.multi_get(table, keys)
    }

    fn range(&self, table: Table, query: RangeQuery<'_>) -> Result<Vec<Pair>, StoreError> {
        self.reader.range(table, query)
    }
}

impl Store for HarmfulStore {
    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        if self.reader.harm == Harm::Hang {
            self.memory.write(&without_acquittals(batch))
        } else {
            self.memory.write(batch)
        }
    }

    fn closed(&self) -> Closed {
        self.memory.closed()
    }

    fn snapshot(&self) -> Arc<dyn Read> {
        Arc::new(HarmfulReader { inner: self.memory.snapshot(), ..self.reader.clone() })
    }

    fn checkpoint(&self, path: &Path) -> Result<(), StoreError> {
        self.memory.checkpoint(path)
    }

    fn size(&self) -> Result<u64, StoreError> {
        self.memory.size()
    }
}
