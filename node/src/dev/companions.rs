//! The other validators of a development chain that has several: whole nodes but for their listeners, in this process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hanse_group::network::Peer;
use hanse_group::{Group, GroupConfig, Hub, Network, OpenError};
use hanse_types::Genesis;
use thiserror::Error;

use super::faults::{FaultsError, FaultsOption, Misbehaving, Rules};
use crate::keys::dev;

/// Their folder in the chain's.
const FOLDER: &str = "validators";

/// Why they did not start.
#[derive(Debug, Error)]
pub(crate) enum CompanionError {
    /// One did not.
    #[error("another validator did not start: {0}")]
    Open(#[from] OpenError),
    /// The rules by which one is to misbehave are none.
    #[error(transparent)]
    Faults(#[from] FaultsError),
}

/// See the module.
pub(super) struct Companions {
    hub: Arc<Hub>,
    groups: Vec<Group>,
}

impl Companions {
    /// Starts all validators of the genesis but the first. Some of them misbehave.
    pub(super) async fn start(
        genesis: &Genesis,
        folder: &Path,
        threads: usize,
        faults: &[FaultsOption],
    ) -> Result<Companions, CompanionError> {
        let count = genesis.validators.len();
        let read = |option: &FaultsOption| Ok((option.validator - 1, Rules::read(option, &genesis.chain_id, count)?));
        let faults: Vec<(usize, Rules)> = faults.iter().map(read).collect::<Result<_, FaultsError>>()?;
        let mut companions = Companions { hub: Hub::new(), groups: Vec::new() };
        for index in 1..count {
            let config = GroupConfig { threads, ..GroupConfig::new(genesis.clone(), place(folder, index)) };
            let mut network = companions.join(index);
            if let Some((_, rules)) = faults.iter().find(|(at, _)| *at == index) {
                let peers = (0..count).filter(|other| *other != index).map(peer).collect();
                let (chain, key) = (genesis.identity(), dev::validator(index));
                network.transport = Arc::new(Misbehaving::new(network.transport, peers, rules.clone(), chain, key));
            }
            companions.groups.push(Group::join(config, Arc::new(dev::validator(index)), network).await?);
        }
        Ok(companions)
    }

    /// The first validator's connection to them; none if there are none.
    pub(super) fn network(&self) -> Option<Network> {
        (!self.groups.is_empty()).then(|| self.join(0))
    }

    fn join(&self, index: usize) -> Network {
        self.hub.join(peer(index))
    }

    /// Stops them.
    pub(super) async fn stop(self) {
        for group in self.groups {
            group.stop().await;
        }
    }
}

fn peer(index: usize) -> Peer {
    // There are at most `limits::VALIDATORS`.
    Peer(index as u32)
}

fn place(folder: &Path, index: usize) -> PathBuf {
    folder.join(FOLDER).join((index + 1).to_string())
}
