//! Every key, once: section, name, words, type, default, bounds.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use hanse_group::{DropLimits, OfferRules};
use hanse_ledger::LedgerOptions;
use hanse_txpool::PoolLimits;

use super::admin::AdminListen;
use super::role::Role;
use super::sync::SyncMode;
use crate::cli::{DEFAULT_NETWORK_PORT, DEFAULT_PORT};
use crate::groups::Accept;
use crate::log::{Format, Levels, Period};
use crate::p2p::address::{External, NodeName, PeerAddress};
use crate::rpc;

/// A day.
pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// A section of the file.
#[derive(Debug)]
pub(crate) struct Section {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is about, line by line.
    pub(crate) about: &'static [&'static str],
    /// Its keys.
    pub(crate) keys: &'static [Key],
}

/// A key of a section.
#[derive(Debug)]
pub(crate) struct Key {
    /// Its name in its section.
    pub(crate) name: &'static str,
    /// What it says, line by line.
    pub(crate) about: &'static [&'static str],
    /// The least and the most, of a number.
    pub(crate) bounds: Option<RangeInclusive<i64>>,
}

/// Declares the sections' types, their defaults, and the table that describes them.
macro_rules! sections {
    ($(
        $(#[doc = $about:literal])+
        $section:ident: $Section:ident {$(
            $(#[doc = $doc:literal])+
            $key:ident: $Type:ty = $default:expr $(, in $bounds:expr)?;
        )+}
    )+) => {
        /// All values.
        #[derive(Clone, Debug, PartialEq, Default)]
        pub(crate) struct Config {$(
            $(#[doc = $about])+
            pub(crate) $section: $Section,
        )+}

        $(
            $(#[doc = $about])+
            #[derive(Clone, Debug, PartialEq)]
            pub(crate) struct $Section {$(
                $(#[doc = $doc])+
                pub(crate) $key: $Type,
            )+}

            impl Default for $Section {
                fn default() -> Self {
                    $Section { $($key: $default,)+ }
                }
            }
        )+

        /// What there is, in the order of the file.
        pub(crate) const SECTIONS: &[Section] = &[$(Section {
            name: stringify!($section),
            about: &[$($about),+],
            keys: &[$(Key {
                name: stringify!($key),
                about: &[$($doc),+],
                bounds: sections!(@bounds $($bounds)?),
            }),+],
        }),+];

        impl Config {
            /// Sets a key of the table; the text says what is wrong with the value.
            pub(crate) fn set(&mut self, section: &str, key: &str, value: toml::Value) -> Result<(), String> {
                match (section, key) {
                    $($((stringify!($section), stringify!($key)) => {
                        self.$section.$key = value.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
                    })+)+
                    _ => return Err("there is no such key".into()),
                }
                Ok(())
            }

            /// The value of a key of the table, as it stands in a file; none if there is no such key.
            pub(crate) fn get(&self, section: &str, key: &str) -> Option<toml::Value> {
                match (section, key) {
                    $($((stringify!($section), stringify!($key)) => toml::Value::try_from(&self.$section.$key).ok(),)+)+
                    _ => None,
                }
            }
        }
    };
    (@bounds) => { None };
    (@bounds $bounds:expr) => { Some($bounds) };
}

sections! {
    /// This node's files. Relative paths start at the folder of this file.
    node: Node {
        /// Folder of the chain: its ledger, compiled contracts, snapshots. Made if it is not there.
        data: PathBuf = "data".into();
        /// The genesis, the same file on every node of the group.
        genesis: PathBuf = "genesis.json".into();
        /// This node's validator key, a PKCS#8 file that nobody else can read (mode 0600).
        key: PathBuf = "validator.pem".into();
        /// File with the key's password. If empty, it is taken from the variable HANSE_KEY_PASSWORD, or asked for on a
        /// terminal; a key that is not encrypted needs none.
        key_password_file: PathBuf = PathBuf::new();
    }
    /// Where and how requests are served. There is no login and no TLS: listen where only those can connect who may,
    /// or put a proxy in front.
    rpc: Rpc {
        /// Address and port. Port 0 takes a free one, which is printed.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT));
        /// Requests that are served at the same time; more are refused as busy.
        requests: usize = rpc::limits::CONCURRENT_REQUESTS, in 1..=1_000_000;
        /// Questions about past states, and proofs, that are worked on at the same time.
        deep_reads: usize = rpc::limits::DEEP_READS, in 1..=1_000;
        /// Simulations and views that run or wait to run.
        queries: usize = rpc::limits::QUERIES, in 1..=100_000;
        /// Longest wait for a block that a request may ask for, in seconds.
        wait_seconds: u64 = rpc::limits::WAIT_MAX.as_secs(), in 1..=3_600;
        /// Requests in one batch.
        batch_requests: usize = rpc::limits::BATCH_REQUESTS, in 1..=10_000;
        /// Transactions in one submission of many.
        bulk_transactions: usize = rpc::limits::BULK_TRANSACTIONS, in 1..=1_000_000;
        /// MiB of one bulk submission.
        bulk_mib: usize = rpc::limits::BULK_BYTES >> 20, in 4..=1_024;
        /// MiB of all that are being read and worked on at the same time; more wait unread.
        bulk_memory_mib: usize = rpc::limits::BULK_MEMORY_BYTES >> 20, in 4..=65_536;
        /// Entries of a page: blocks, contracts, names, keys, waiting transactions.
        page_entries: usize = rpc::limits::PAGE_ENTRIES, in 1..=10_000;
        /// Transactions of a block that one answer shows.
        block_transactions: usize = rpc::limits::BLOCK_TRANSACTIONS, in 1..=100_000;
        /// Keys in one request for many.
        state_keys: usize = rpc::limits::STATE_KEYS, in 1..=100_000;
        /// Events that one query gives.
        events: usize = rpc::limits::EVENTS_MAX, in 1..=100_000;
        /// Blocks that one query for events looks at where no index helps.
        event_blocks: u64 = rpc::limits::EVENT_BLOCKS, in 1..=100_000;
        /// Vertices of a DAG that one answer lists.
        dag_vertices: usize = rpc::limits::DAG_VERTICES, in 1..=1_000_000;
        /// Requests of one client in a second, by its address; 0 is no limit. Behind a proxy all clients have one.
        client_requests: u32 = rpc::limits::CLIENT_REQUESTS, in 0..=100_000_000;
        /// Transactions that one client submits in a second; 0 is no limit.
        client_transactions: u32 = rpc::limits::CLIENT_TRANSACTIONS, in 0..=100_000_000;
        /// Whether these two hold for clients of this machine too.
        client_limits_local: bool = false;
        /// Streams that are open at the same time.
        streams: usize = rpc::limits::STREAMS, in 1..=1_000_000;
        /// Streams of one client, by its address. Behind a proxy all clients have one.
        streams_per_client: usize = rpc::limits::STREAMS_PER_CLIENT, in 1..=1_000_000;
        /// How long a client may take nothing of what is being sent to it, in seconds, before its connection is closed.
        reader_patience_seconds: u64 = rpc::limits::READER_PATIENCE.as_secs(), in 1..=3_600;
    }
    /// Where requests are taken that change the node: snapshots, pruning, log levels, another attempt of what failed. That is
    /// on this machine only, and from its operators only.
    admin: Admin {
        /// socket, off, or an address and port of this machine such as 127.0.0.1:7421. There, whoever asks must send the
        /// token of token_file.
        listen: AdminListen = AdminListen::Socket;
        /// The unix socket: who can open it (mode 0600) is an operator. If empty, admin.sock in the data folder.
        socket: PathBuf = PathBuf::new();
        /// File with the token; made with a new one if it is not there (mode 0600). If empty, admin.token in the data folder.
        token_file: PathBuf = PathBuf::new();
    }
    /// The other nodes of the group, if it has several validators. Connections are encrypted, and each side proves its key
    /// and presents its certificate. Whoever has none by these authorities is not let in; if none are named, members of the
    /// group are let in by their keys, and nobody else. Who is denied (`hanse net deny`) is not let in whatever it has.
    network: Network {
        /// member, or seed: a node that tells others where nodes are, and has no group, no genesis and no ledger. It lets in who
        /// has a certificate by `authorities`, or is in `allow`.
        role: Role = Role::Member;
        /// Address and port where other nodes connect. Port 0 takes a free one.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::UNSPECIFIED, DEFAULT_NETWORK_PORT));
        /// Where they can reach it, if that is another address: such as /dns4/node.example/tcp/7430. It is told to those
        /// that are connected.
        external: External = External::default();
        /// Where the others are, such as "/ip4/10.0.0.7/tcp/7430/p2p/12D3KooW..."; the last part is the id of the node that
        /// must answer there. Between two nodes it is enough if one knows the other's. As a variable: with commas between.
        peers: Vec<PeerAddress> = Vec::new();
        /// Nodes that tell where the others are, as addresses of the same form: then no others need to be known. A seed is
        /// enough, and so is any other node; where `authorities` are named they need certificates as all do.
        seeds: Vec<PeerAddress> = Vec::new();
        /// This node's certificate, as `hanse ca issue` writes it. Read anew when it changes.
        certificate: PathBuf = PathBuf::new();
        /// Certificates of the authorities whose nodes are let in. Read anew when they change.
        authorities: Vec<PathBuf> = Vec::new();
        /// Nodes that are let in by their ids or keys, without a certificate. That makes them members of no group.
        allow: Vec<NodeName> = Vec::new();
        /// Id of the group whose administrators say, by the contract admission, whom this node lets in and keeps out besides
        /// what is said here. If empty, the group of node.genesis.
        system_group: String = String::new();
        /// MiB that may wait for one peer, of each kind of message; what is more is dropped, and asked for again.
        queue_mib: usize = 32, in 1..=4_096;
        /// MiB a second that are taken of one member, for each group; what is more is dropped, and asked for again.
        member_mib_per_second: u64 = 256, in 1..=65_536;
    }
    /// Groups besides the one of the genesis: nodes invite each other to them while they run.
    groups: Groups {
        /// Whose invitations are accepted without asking: ask (nobody's; `hanse group accept` does), or members (those of
        /// members of this node's group).
        accept: Accept = Accept::Ask;
    }
    /// How this node gets what the other members of its groups have, and what it has for those that are new.
    sync: Sync {
        /// full: every block, which the node runs itself. fast: every block with its receipts and access sets, which the node
        /// compares with the header that validators decided, and applies without running the block or verifying its
        /// transactions' signatures; the newest blocks it runs, and those of which nobody has them any more. snapshot: a node that has no block of a group yet begins with the
        /// newest snapshot that members offer, which is checked against a header that validators decided; then every block
        /// after that. It has no blocks before it. Where nobody offers one, every block is fetched.
        mode: SyncMode = SyncMode::default();
        /// Make a snapshot for other members each time the chain's height is a multiple of this; 0 makes none. It takes as
        /// much disk as the state and the blocks of the longest lifetime of a transaction. Members that have the same number
        /// have the same snapshots, so that one can be got from several of them at a time.
        snapshot_every: u64 = OfferRules::default().every, in 0..=i64::MAX;
        /// How many of them are kept; the oldest goes first.
        snapshots_kept: usize = OfferRules::default().keep, in 1..=100;
    }
    /// Threads. Each group that runs has so many.
    execution: Execution {
        /// Threads that execute blocks and verify signatures; 0 is one per core.
        threads: usize = 0, in 0..=1_024;
        /// Bind each of them to a core of its own, the first to the first, so that the system moves none of them between
        /// cores and their caches. Only for a machine that does nothing else: whatever else runs on a core delays the thread
        /// there, and with it the block. Threads of queries, of the network and of the disk stay free. Without effect where
        /// there are more threads than cores, or where the system forbids it.
        bind_cores: bool = false;
        /// Threads that answer queries and simulations.
        query_threads: usize = 1, in 1..=256;
    }
    /// What may wait for a block. More is refused, and may be sent again later.
    pool: Pool {
        /// Most transactions.
        transactions: usize = PoolLimits::default().count, in 1..=100_000_000;
        /// Most MiB of them.
        mib: usize = PoolLimits::default().bytes >> 20, in 8..=1_048_576;
        /// Most transactions of one sender.
        sender_transactions: usize = PoolLimits::default().sender_count, in 1..=100_000_000;
        /// Most MiB of one sender.
        sender_mib: usize = PoolLimits::default().sender_bytes >> 20, in 4..=1_048_576;
        /// Most transactions that wait for their signatures to be verified.
        verifying: usize = 10_000, in 1..=100_000_000;
        /// How long the oldest should wait until it is durable, in milliseconds, while others are turned away. Longer, where
        /// one validates with a disk that takes a third of it or more; and where several do, if the chain's block interval and
        /// what their votes take are longer together. More is more throughput and longer waits when more comes than the node
        /// takes. Where fewer than 256 wait for their block nobody is turned away for that.
        wait_ms: u64 = 180, in 1..=86_400_000;
        /// Transactions that left the pool without being executed: how many are remembered, with what a retry needs.
        dropped: usize = DropLimits::default().count, in 1..=100_000_000;
        /// Most MiB of them.
        dropped_mib: usize = DropLimits::default().bytes >> 20, in 1..=1_048_576;
        /// Most days that one is remembered.
        dropped_days: u64 = DropLimits::default().age_ms / DAY_MS, in 1..=36_500;
    }
    /// The database. These are the most that each part takes; together with the pool they are most of the node's memory.
    ledger: Ledger {
        /// MiB for blocks of tables that were read.
        block_cache_mib: usize = LedgerOptions::default().block_cache_bytes >> 20, in 8..=1_048_576;
        /// MiB for what was written and is in no table yet.
        write_buffer_mib: usize = LedgerOptions::default().write_buffer_bytes >> 20, in 16..=1_048_576;
        /// MiB for recently used values of the state.
        value_cache_mib: usize = LedgerOptions::default().value_cache_bytes >> 20, in 1..=1_048_576;
        /// MiB for recently used pages of the state's tree (commitment merkle); about a tenth of what the state takes.
        page_cache_mib: usize = LedgerOptions::default().page_cache_bytes >> 20, in 1..=1_048_576;
        /// Most files that the database holds open.
        open_files: i32 = LedgerOptions::default().open_files_max, in 64..=1_000_000;
        /// Find events by their first topic too, which costs an index entry per event.
        index_topics: bool = LedgerOptions::default().index_topics;
    }
    /// Access sets and past states of old blocks. Blocks, transactions and receipts are never given up.
    history: History {
        /// Newest blocks that keep theirs; what is older is given up. 0 keeps all.
        keep_blocks: u64 = 0, in 0..=i64::MAX;
    }
    /// Snapshots of the running ledger, into the folder snapshots of the data folder.
    snapshots: Snapshots {
        /// Take one each time so many blocks have passed; 0 takes none.
        every_blocks: u64 = 0, in 0..=i64::MAX;
        /// Of those taken by this rule, how many are kept; the oldest goes first. Snapshots that were asked for stay.
        keep: usize = 3, in 1..=10_000;
    }
    /// Four logs: system.log (the node), brief.log (a line per transaction and block), event.log (a line per contract
    /// event), exception.log (transactions that failed, were dropped or refused). Times are UTC.
    log: Log {
        /// Their folder.
        folder: PathBuf = "log".into();
        /// text or json.
        format: Format = Format::Text;
        /// What is logged: a level (off, error, warn, info, debug, trace), then levels of single targets, such as
        /// "info,hanse_group=debug,hanse::brief=off". Changed while the node runs by `hanse log level`.
        level: Levels = Levels::service();
        /// When a new file is begun: minutely, hourly, daily or never.
        system_period: Period = Period::Hourly;
        /// Files that are kept.
        system_files: usize = 168, in 1..=100_000;
        /// The same for brief.log, which is the largest.
        brief_period: Period = Period::Hourly;
        /// Files that are kept.
        brief_files: usize = 72, in 1..=100_000;
        /// The same for event.log.
        event_period: Period = Period::Hourly;
        /// Files that are kept.
        event_files: usize = 168, in 1..=100_000;
        /// The same for exception.log.
        exception_period: Period = Period::Daily;
        /// Files that are kept.
        exception_files: usize = 90, in 1..=100_000;
    }
    /// Figures for Prometheus.
    metrics: Metrics {
        /// Serve them at GET /metrics, where requests are served.
        enabled: bool = true;
    }
}

/// All sections' keys, in the order of the file.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static Key)> {
    SECTIONS.iter().flat_map(|section| section.keys.iter().map(|key| (section.name, key)))
}

/// A section's and a key's name as one.
pub(crate) fn full_name(section: &str, key: &str) -> String {
    format!("{section}.{key}")
}

/// The variable that overrides a key.
pub(crate) fn variable(section: &str, key: &str) -> String {
    format!("HANSE_{section}__{key}").to_uppercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_key_has_words_a_value_and_a_default_within_its_bounds() {
        let config = Config::default();
        let mut count = 0;
        for (section, key) in all() {
            let name = full_name(section, key.name);
            let value = config.get(section, key.name).unwrap_or_else(|| panic!("{name} has no value"));
            assert_eq!(key.bounds.is_some(), value.is_integer(), "{name}");
            if let (Some(bounds), Some(number)) = (&key.bounds, value.as_integer()) {
                assert!(bounds.contains(&number), "{name} = {number}");
            }
            assert!(key.about.last().unwrap().ends_with('.'), "{name}");
            assert!(Config::default().set(section, key.name, value).is_ok(), "{name}");
            count += 1;
        }
        assert!(count > 30);
    }
}
