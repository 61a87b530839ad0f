//! Figures of a running node, for Prometheus: `GET /metrics` in the OpenMetrics text format.
//!
//! What happens per block is told by the group ([`GroupMetrics`] is its observer) and costs a few counters; what merely *is*
//! (the pool, the disk, the process) is looked at when somebody asks ([`scrape`]). Nothing here is on the path of a
//! transaction, but of one in so many, of which the time is taken. Names and units follow the conventions of Prometheus; every figure of a chain has the label `group`. What
//! each one says is its help text, and `docs/operating.md` says which ones to watch.
//!
//! It knows nothing of how figures are stored or shown. Start reading at [`Metrics`].

mod chain;
mod consensus;
mod family;
mod net;
mod process;
mod requests;
mod scrape;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use hanse_group::Group;
use hanse_types::Hash;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::log::Log;
use crate::p2p::Net;

pub(crate) use chain::GroupMetrics;

use chain::ChainMetrics;
use net::NetScrape;
use requests::RequestMetrics;
use scrape::{AllWatched, Scrape, Watched};

/// What OpenMetrics is called in HTTP.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All figures of this process.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: RwLock<Registry>,
    chain: ChainMetrics,
    watched: Watching,
    /// Requests that were answered.
    pub(crate) requests: RequestMetrics,
}

/// The groups that are looked at when somebody asks.
#[derive(Default)]
struct Watching(AllWatched);

impl fmt::Debug for Watching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watching")
    }
}

impl Metrics {
    /// Figures of a process that serves nothing yet.
    pub(crate) fn new() -> Arc<Metrics> {
        let mut registry = Registry::default();
        let build = Info::new([("version", env!("CARGO_PKG_VERSION")), ("target", std::env::consts::ARCH)]);
        registry.register("hanse_build", "The program that runs", build);
        let chain = ChainMetrics::register(&mut registry);
        let requests = RequestMetrics::register(&mut registry);
        Arc::new(Metrics { registry: RwLock::new(registry), chain, watched: Watching::default(), requests })
    }

    /// Who keeps a group's figures.
    pub(crate) fn observer(&self, group: &str) -> Arc<GroupMetrics> {
        Arc::new(self.chain.of_group(group))
    }

    /// From now on, looks at this process, its log and the disk of this folder whenever it is asked, and at the groups that
    /// are watched.
    pub(crate) fn watch_process(&self, folder: PathBuf, log: Arc<Log>) {
        let scrape = Scrape { groups: self.watched.0.clone(), folder, log };
        self.registry.write().unwrap_or_else(PoisonError::into_inner).register_collector(Box::new(scrape));
    }

    /// From now on, looks at this group too.
    pub(crate) fn watch(&self, group: Group, pool_capacity: usize) {
        self.watched.0.write().unwrap_or_else(PoisonError::into_inner).push(Watched { group, pool_capacity });
    }

    /// Looks at the group with this genesis no more.
    pub(crate) fn unwatch(&self, genesis: &Hash) {
        let mut watched = self.watched.0.write().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|watched| watched.group.genesis_hash() != *genesis);
    }

    /// From now on, looks at the network whenever it is asked.
    pub(crate) fn watch_net(&self, net: Arc<Net>) {
        self.registry.write().unwrap_or_else(PoisonError::into_inner).register_collector(Box::new(NetScrape(net)));
    }

    /// All of them, as text.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry.read().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}
