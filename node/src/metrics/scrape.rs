//! What is looked at when somebody asks: the pool, the disk, lost log lines, the process.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use hanse_group::snapshots::FetchProgress;
use hanse_group::sync::{Progress, SyncStatus};
use hanse_group::{Agreement, Group};
use hanse_ledger::{CacheUse, Statistics};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::family::GROUP;
use super::process::Process;
use crate::log::Log;

/// A group that is looked at.
pub(super) struct Watched {
    pub(super) group: Group,
    /// Most transactions in its pool.
    pub(super) pool_capacity: usize,
}

/// Those that are.
pub(super) type AllWatched = Arc<RwLock<Vec<Watched>>>;

/// Where to look.
pub(super) struct Scrape {
    pub(super) groups: AllWatched,
    /// A folder on the disk of the data.
    pub(super) folder: PathBuf,
    pub(super) log: Arc<Log>,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrape").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut figures = Figures(encoder);
        {
            let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
            pools(&groups, &mut figures)?;
            agreements(&groups, &mut figures)?;
            syncs(&groups, &mut figures)?;
            ledgers(&groups, &mut figures)?;
        }
        self.disk(&mut figures)?;
        self.lost_lines(&mut figures)?;
        match Process::read() {
            Some(process) => of_process(&process, &mut figures),
            None => Ok(()),
        }
    }
}

impl Scrape {
    fn disk(&self, figures: &mut Figures<'_>) -> fmt::Result {
        let Ok(disk) = rustix::fs::statvfs(&self.folder) else { return Ok(()) };
        let [free, size] = [disk.f_bavail, disk.f_blocks].map(|blocks| blocks.saturating_mul(disk.f_frsize));
        figures.gauge("hanse_disk_free", "Bytes left for the node on the disk of its data", BYTES, &[([], free)])?;
        figures.gauge("hanse_disk_size", "Bytes of the disk of the node's data", BYTES, &[([], size)])
    }

    fn lost_lines(&self, figures: &mut Figures<'_>) -> fmt::Result {
        let lost: Vec<_> = self.log.lost().map(|(name, count)| ([("log", name)], count)).collect();
        let help = "Lines of a log that were lost, to a full queue or to a disk that refused";
        figures.counter("hanse_log_dropped", help, None, &lost)
    }
}

fn label(group: &Group) -> (&'static str, &str) {
    (GROUP, &group.genesis().group_id)
}

fn pools(groups: &[Watched], figures: &mut Figures<'_>) -> fmt::Result {
    let each = |value: fn(&Watched) -> u64| -> Vec<_> {
        groups.iter().map(|watched| ([label(&watched.group)], value(watched))).collect()
    };
    let help = "1 while the group takes transactions, 0 once it has stopped";
    let running = each(|watched| u64::from(watched.group.is_running()));
    figures.gauge("hanse_group_running", help, None, &running)?;
    let help = "Transactions that wait, and those in blocks under way";
    let states = groups.iter().flat_map(|Watched { group, .. }| {
        let status = group.pool_status();
        let states = [("waiting", status.waiting), ("sealed", status.sealed)];
        states.map(|(state, count)| ([label(group), ("state", state)], count as u64))
    });
    figures.gauge("hanse_pool_transactions", help, None, &states.collect::<Vec<_>>())?;
    let help = "Canonical bytes of the transactions in the pool";
    figures.gauge("hanse_pool", help, BYTES, &each(|watched| watched.group.pool_status().bytes as u64))?;
    let help = "Most transactions that the pool takes";
    figures.gauge("hanse_pool_capacity_transactions", help, None, &each(|watched| watched.pool_capacity as u64))
}

fn agreements(groups: &[Watched], figures: &mut Figures<'_>) -> fmt::Result {
    let agreements: Vec<(&Group, Agreement)> =
        groups.iter().filter_map(|Watched { group, .. }| Some((group, group.agreement()?))).collect();
    if agreements.is_empty() {
        return Ok(());
    }
    let each = |value: fn(&Agreement) -> u64| -> Vec<_> {
        agreements.iter().map(|(group, agreement)| ([label(group)], value(agreement))).collect()
    };
    let help = "Round of the height under way; above 0, a proposer was silent, slow or faulty";
    figures.gauge("hanse_consensus_round", help, None, &each(|agreement| u64::from(agreement.round.0)))?;
    let help = "1 while this node votes, 0 while it only follows";
    figures.gauge("hanse_consensus_votes", help, None, &each(|agreement| u64::from(agreement.votes)))?;
    let help = "Other members of the group that are connected";
    figures.gauge("hanse_group_peers", help, None, &each(|agreement| agreement.peers as u64))
}

fn syncs(groups: &[Watched], figures: &mut Figures<'_>) -> fmt::Result {
    let statuses: Vec<(&Group, SyncStatus)> =
        groups.iter().filter_map(|Watched { group, .. }| Some((group, group.sync()?))).collect();
    if statuses.is_empty() {
        return Ok(());
    }
    let fetches = |value: fn(&FetchProgress) -> u64| -> Vec<_> {
        let value = |status: &SyncStatus| status.snapshot.as_ref().map_or(0, value);
        statuses.iter().map(|(group, status)| ([label(group)], value(status))).collect()
    };
    let help = "Chunks of the snapshot that this node begins with; 0 where it fetches none";
    figures.gauge("hanse_sync_snapshot_chunks", help, None, &fetches(|fetch| u64::from(fetch.chunks)))?;
    let help = "Those of them that are here";
    figures.gauge("hanse_sync_snapshot_kept_chunks", help, None, &fetches(|fetch| u64::from(fetch.kept)))?;
    let newest = |status: &SyncStatus| status.offers.first().map_or(0, |height| height.0);
    let offers: Vec<_> = statuses.iter().map(|(group, status)| ([label(group)], newest(status))).collect();
    let help = "Height of the newest snapshot that this node has for other members; 0 without one";
    figures.gauge("hanse_sync_offered_height", help, None, &offers)?;
    let with_lies = |status: &SyncStatus| {
        let lies = status.snapshot.map_or(0, |fetch| fetch.lies);
        Progress { lies: status.progress.lies + lies, ..status.progress }
    };
    let syncs: Vec<(&Group, Progress)> = statuses.iter().map(|(group, status)| (*group, with_lies(status))).collect();
    let each = |value: fn(&Progress) -> u64| -> Vec<_> {
        syncs.iter().map(|(group, progress)| ([label(group)], value(progress))).collect()
    };
    let help = "1 while this node is behind and fetches blocks of several members at a time";
    figures.gauge("hanse_sync_active", help, None, &each(|progress| u64::from(progress.active)))?;
    let behind = syncs.iter().map(|(group, progress)| {
        let target = progress.target.map_or(0, |target| target.0);
        ([label(group)], target.saturating_sub(group.ledger().height().0))
    });
    let behind: Vec<_> = behind.collect();
    figures.gauge(
        "hanse_sync_behind_blocks",
        "Blocks that a member claims to have and this node has not",
        None,
        &behind,
    )?;
    let help = "Blocks that were fetched and verified, and wait to be run or written";
    figures.gauge("hanse_sync_ready_blocks", help, None, &each(|progress| progress.ready as u64))?;
    let help = "Members that are asked for nothing at present, as they sent blocks that are not the chain's";
    figures.gauge("hanse_sync_dropped_peers", help, None, &each(|progress| progress.dropped as u64))?;
    let help = "Blocks that were fetched of members and verified";
    figures.counter("hanse_sync_blocks", help, None, &each(|progress| progress.blocks))?;
    let help = "Bytes of blocks that were fetched of members and verified";
    figures.counter("hanse_sync_fetched", help, BYTES, &each(|progress| progress.bytes))?;
    let help = "Requests for blocks that were not answered in time";
    figures.counter("hanse_sync_timeouts", help, None, &each(|progress| progress.timeouts))?;
    let help = "Answers of members that were not the chain's";
    figures.counter("hanse_sync_lies", help, None, &each(|progress| progress.lies))
}

fn ledgers(groups: &[Watched], figures: &mut Figures<'_>) -> fmt::Result {
    let ledgers: Vec<(&Group, Statistics)> =
        groups.iter().filter_map(|Watched { group, .. }| Some((group, group.ledger().statistics().ok()?))).collect();
    if ledgers.is_empty() {
        return Ok(());
    }
    let each = |value: fn(&Statistics) -> u64| -> Vec<_> {
        ledgers.iter().map(|(group, statistics)| ([label(group)], value(statistics))).collect()
    };
    let help = "Bytes of the ledger's tables on disk";
    figures.gauge("hanse_storage", help, BYTES, &each(|statistics| statistics.disk_bytes))?;
    let help = "Oldest height whose past state can be read";
    figures.gauge("hanse_history_oldest_height", help, None, &each(|statistics| statistics.history_from.0))?;
    let caches = |count: fn(CacheUse) -> u64| -> Vec<_> {
        let of_each = ledgers.iter().flat_map(|(group, statistics)| {
            let caches = [("values", statistics.value_cache), ("pages", statistics.page_cache)];
            caches.map(|(cache, uses)| ([label(group), ("cache", cache)], count(uses)))
        });
        of_each.collect()
    };
    let help = "Reads of the newest state that its cache answered: values, or pages of the tree (commitment merkle)";
    figures.counter("hanse_state_cache_hits", help, None, &caches(|uses| uses.hits))?;
    let help = "Reads of the state that went on to the database, those of older blocks included";
    figures.counter("hanse_state_cache_misses", help, None, &caches(|uses| uses.misses))
}

/// The names are Prometheus' own, the same for every program.
fn of_process(process: &Process, figures: &mut Figures<'_>) -> fmt::Result {
    let start = process.start_seconds;
    figures.counter("process_cpu", "Time on processors, user and system", SECONDS, &[([], process.cpu_seconds)])?;
    figures.gauge("process_start_time", "When the process started, since 1970", SECONDS, &[([], start)])?;
    let (resident, reserved) = (process.resident_bytes, process.virtual_bytes);
    figures.gauge("process_resident_memory", "Memory that the process has", BYTES, &[([], resident)])?;
    figures.gauge("process_virtual_memory", "Addresses that the process has", BYTES, &[([], reserved)])?;
    figures.gauge("process_open_fds", "Files and sockets that are open", None, &[([], process.open_files)])?;
    figures.gauge("process_max_fds", "Files and sockets that may be open", None, &[([], process.files_max)])?;
    figures.gauge("process_threads", "Threads", None, &[([], process.threads)])
}

pub(super) const BYTES: Option<&Unit> = Some(&Unit::Bytes);
pub(super) const SECONDS: Option<&Unit> = Some(&Unit::Seconds);

/// Writes figures whose values are known at once, each with its labels.
pub(super) struct Figures<'a>(pub(super) DescriptorEncoder<'a>);

pub(super) type Values<'a, const N: usize, V> = [([(&'a str, &'a str); N], V)];

impl Figures<'_> {
    pub(super) fn gauge<const N: usize, V: EncodeGaugeValue + Copy>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        values: &Values<'_, N, V>,
    ) -> fmt::Result {
        self.write(name, help, unit, MetricType::Gauge, values, |value| ConstGauge::new(value))
    }

    pub(super) fn counter<const N: usize, V: EncodeCounterValue + Copy>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        values: &Values<'_, N, V>,
    ) -> fmt::Result {
        self.write(name, help, unit, MetricType::Counter, values, |value| ConstCounter::new(value))
    }

    fn write<const N: usize, V: Copy, M: EncodeMetric>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        kind: MetricType,
        values: &Values<'_, N, V>,
        metric: impl Fn(V) -> M,
    ) -> fmt::Result {
        // As the registry does with what is registered: a help is a sentence.
        let mut encoder = self.0.encode_descriptor(name, &format!("{help}."), unit, kind)?;
        for (labels, value) in values {
            match N {
                // Empty braces are allowed, and not every scraper knows that.
                0 => return metric(*value).encode(encoder),
                _ => metric(*value).encode(encoder.encode_family(labels)?)?,
            }
        }
        Ok(())
    }
}
