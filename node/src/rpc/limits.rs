//! What one request may hold, and how many are served at a time: what is fixed, the defaults of what an operator may set, and
//! what was set ([`Capacity`]).

use std::time::Duration;

use hanse_client::views::RequestLimits;
use hanse_group::{QUERY_GAS, trace};
use hanse_types::Gas;
use hanse_types::limits::SIGNED_TRANSACTION_BYTES;

/// Bytes of a JSON body: a deployment of the largest contract in hexadecimal, and room for its envelope.
pub(crate) const BODY_BYTES: usize = 2 * SIGNED_TRANSACTION_BYTES + (256 << 10);
/// Bytes of a bulk submission.
pub(crate) const BULK_BYTES: usize = 16 << 20;
/// Bytes of all bulk submissions that are being read and worked on at the same time; more wait unread.
pub(crate) const BULK_MEMORY_BYTES: usize = 64 << 20;
/// Longest that a bulk submission may take, from its headers to its answer.
pub(crate) const BULK_TIME: Duration = Duration::from_secs(60);
/// Requests in one batch.
pub(crate) const BATCH_REQUESTS: usize = 100;
/// Transactions in one bulk submission.
pub(crate) const BULK_TRANSACTIONS: usize = 20_000;
/// Requests that are served at the same time, those that wait for a block included.
pub(crate) const CONCURRENT_REQUESTS: usize = 1_024;
/// Requests of operators that are served at the same time, beside those.
pub(crate) const OPERATOR_REQUESTS: usize = 16;
/// Questions about past states, and proofs, that are worked on at the same time: they cost more than others.
pub(crate) const DEEP_READS: usize = 4;
/// Simulations and views that run or wait to run: their threads are few, so that blocks have the others.
pub(crate) const QUERIES: usize = 64;
/// Entries of a page: blocks, contracts, names, keys, waiting transactions.
pub(crate) const PAGE_ENTRIES: usize = 100;
/// Bytes of keys and values after which a page of state ends.
pub(crate) const PAGE_BYTES: usize = 1 << 20;
/// Transactions of a block that one answer shows.
pub(crate) const BLOCK_TRANSACTIONS: usize = 1_000;
/// Keys in one request for many.
pub(crate) const STATE_KEYS: usize = 1_000;
/// Waiting transactions that a simulation is compared with.
pub(crate) const CONFLICTS_LOOKED_AT: usize = 1_000;
/// Conflicts that a simulation names.
pub(crate) const CONFLICTS: usize = 20;
/// Steps of a critical path that one answer lists.
pub(crate) const PATH_STEPS: usize = 100;
/// Blocks of one question about several,
pub(crate) const DAG_BLOCKS: u64 = 100;
/// and if it does not say.
pub(crate) const DAG_BLOCKS_DEFAULT: u64 = 20;
/// Versions of a name that one answer lists.
pub(crate) const NAME_VERSIONS: usize = 100;
/// Longest wait that a request may ask for.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(60);
/// The wait if a request does not say.
pub(crate) const WAIT_DEFAULT: Duration = Duration::from_secs(10);
/// Blocks that one event query looks at.
pub(crate) const EVENT_BLOCKS: u64 = 1_000;
/// Events that one query gives.
pub(crate) const EVENTS_MAX: usize = 1_000;
/// Failed transactions that one answer lists.
pub(crate) const FAILED_MAX: usize = 500;
/// Vertices of a DAG that one answer lists.
pub(crate) const DAG_VERTICES: usize = 10_000;
/// Runs of transactions that one answer lists.
pub(crate) const TIMELINE_RUNS: usize = 10_000;
/// Hot keys that one answer lists.
pub(crate) const HOT_KEYS: usize = 10;
/// Streams that are open at the same time,
pub(crate) const STREAMS: usize = 256;
/// and of one client.
pub(crate) const STREAMS_PER_CLIENT: usize = 32;
/// Requests of one client in a second,
pub(crate) const CLIENT_REQUESTS: u32 = 5_000;
/// and transactions that it submits.
pub(crate) const CLIENT_TRANSACTIONS: u32 = 50_000;
/// Pages that streams read from the ledger at the same time.
pub(crate) const STREAM_READS: usize = 2;
/// Most events in one page of a stream,
pub(crate) const STREAM_EVENTS: usize = 256;
/// and most blocks.
pub(crate) const STREAM_BLOCKS: usize = 16;
/// How long a client may take nothing of what is being sent to it.
pub(crate) const READER_PATIENCE: Duration = Duration::from_secs(30);
/// Contracts whose ABI is kept at hand.
pub(crate) const CACHED_ABIS: usize = 256;

const _: () = assert!(BULK_BYTES > SIGNED_TRANSACTION_BYTES);

/// What an operator may set. Everything else is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// Requests that are served at the same time, those that wait for a block included.
    pub(crate) requests: usize,
    /// Questions about past states, and proofs, of those: they cost more than others.
    pub(crate) deep_reads: usize,
    /// Simulations and views that run or wait to run.
    pub(crate) queries: usize,
    /// Streams,
    pub(crate) streams: usize,
    /// and those of one client.
    pub(crate) streams_per_client: usize,
    /// Requests of one client in a second, by its address; 0 is no limit.
    pub(crate) client_requests: u32,
    /// Transactions that it submits in a second; 0 is no limit.
    pub(crate) client_transactions: u32,
    /// Whether that is so for clients of this machine too.
    pub(crate) client_limits_local: bool,
    /// How long a client may take nothing of what is being sent to it.
    pub(crate) reader_patience: Duration,
    /// Requests in one batch.
    pub(crate) batch_requests: usize,
    /// Transactions in one submission of many.
    pub(crate) bulk_transactions: usize,
    /// Bytes of a bulk submission,
    pub(crate) bulk_bytes: usize,
    /// and of all that are being read and worked on; more wait unread. Not less than of one.
    pub(crate) bulk_memory_bytes: usize,
    /// Longest wait that a request may ask for.
    pub(crate) wait: Duration,
    /// Entries of a page: blocks, contracts, names, keys, waiting transactions.
    pub(crate) page_entries: usize,
    /// Transactions of a block that one answer shows.
    pub(crate) block_transactions: usize,
    /// Keys in one request for many.
    pub(crate) state_keys: usize,
    /// Events that one query gives,
    pub(crate) events: usize,
    /// and blocks that it looks at.
    pub(crate) event_blocks: u64,
    /// Vertices of a DAG that one answer lists.
    pub(crate) dag_vertices: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Capacity {
            requests: CONCURRENT_REQUESTS,
            deep_reads: DEEP_READS,
            queries: QUERIES,
            streams: STREAMS,
            streams_per_client: STREAMS_PER_CLIENT,
            client_requests: CLIENT_REQUESTS,
            client_transactions: CLIENT_TRANSACTIONS,
            client_limits_local: false,
            reader_patience: READER_PATIENCE,
            batch_requests: BATCH_REQUESTS,
            bulk_transactions: BULK_TRANSACTIONS,
            bulk_bytes: BULK_BYTES,
            bulk_memory_bytes: BULK_MEMORY_BYTES,
            wait: WAIT_MAX,
            page_entries: PAGE_ENTRIES,
            block_transactions: BLOCK_TRANSACTIONS,
            state_keys: STATE_KEYS,
            events: EVENTS_MAX,
            event_blocks: EVENT_BLOCKS,
            dag_vertices: DAG_VERTICES,
        }
    }
}

impl Capacity {
    /// The length of a page that a request gets.
    pub(crate) fn page(&self, asked: Option<usize>) -> usize {
        asked.unwrap_or(self.page_entries).clamp(1, self.page_entries)
    }

    /// The wait that a request gets.
    pub(crate) fn wait(&self, asked_ms: Option<u64>) -> Duration {
        asked_ms.map_or(WAIT_DEFAULT, Duration::from_millis).min(self.wait)
    }

    /// All limits, as clients are told.
    pub(crate) fn view(&self) -> RequestLimits {
        RequestLimits {
            body_bytes: BODY_BYTES,
            bulk_bytes: self.bulk_bytes,
            batch_requests: self.batch_requests,
            bulk_transactions: self.bulk_transactions,
            wait_ms: self.wait.as_millis() as u64,
            requests: self.requests,
            client_requests: self.client_requests,
            client_transactions: self.client_transactions,
            deep_reads: self.deep_reads,
            queries: self.queries,
            query_gas: Gas(QUERY_GAS),
            page_entries: self.page_entries,
            page_bytes: PAGE_BYTES,
            block_transactions: self.block_transactions,
            state_keys: self.state_keys,
            events: self.events,
            event_blocks: self.event_blocks,
            dag_vertices: self.dag_vertices,
            dag_blocks: DAG_BLOCKS,
            timeline_runs: TIMELINE_RUNS,
            trace_steps: trace::STEPS_MAX,
            trace_bytes: trace::BYTES_MAX,
            conflicts_looked_at: CONFLICTS_LOOKED_AT,
        }
    }
}
