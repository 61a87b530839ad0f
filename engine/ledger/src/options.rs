//! What an operator may choose.

/// Sizes and switches of a ledger. The defaults suit a node with a few gigabytes of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerOptions {
    /// Memory for blocks of tables that were read, in bytes.
    pub block_cache_bytes: usize,
    /// Memory for written entries that are in no table yet, in bytes, over all tables.
    pub write_buffer_bytes: usize,
    /// Memory for recently used values of the state, in bytes.
    pub value_cache_bytes: usize,
    /// Memory for recently used pages of the state commitment, in bytes. Should hold the upper pages: about a tenth of
    /// what the state takes.
    pub page_cache_bytes: usize,
    /// Most files that the database holds open.
    pub open_files_max: i32,
    /// Whether events can be found by their first topic too, which costs an index entry per event.
    pub index_topics: bool,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        LedgerOptions {
            block_cache_bytes: 256 << 20,
            write_buffer_bytes: 256 << 20,
            value_cache_bytes: 128 << 20,
            page_cache_bytes: 256 << 20,
            open_files_max: 512,
            index_topics: true,
        }
    }
}
