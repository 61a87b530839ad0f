//! The other validators of a development chain that has several: whole nodes but for their listeners, in this process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hanse_group::network::Peer;
use hanse_group::{Group, GroupConfig, Hub, Network, OpenError};
use hanse_types::Genesis;

use crate::keys::dev;

/// Their folder in the chain's.
const FOLDER: &str = "validators";

/// See the module.
pub(super) struct Companions {
    hub: Arc<Hub>,
    groups: Vec<Group>,
}

impl Companions {
    /// Starts all validators of the genesis but the first.
    pub(super) async fn start(genesis: &Genesis, folder: &Path, threads: usize) -> Result<Companions, OpenError> {
        let mut companions = Companions { hub: Hub::new(), groups: Vec::new() };
        for index in 1..genesis.validators.len() {
            let config = GroupConfig { threads, ..GroupConfig::new(genesis.clone(), place(folder, index)) };
            let network = companions.join(index);
            companions.groups.push(Group::join(config, Arc::new(dev::validator(index)), network).await?);
        }
        Ok(companions)
    }

    /// The first validator's connection to them; none if there are none.
    pub(super) fn network(&self) -> Option<Network> {
        (!self.groups.is_empty()).then(|| self.join(0))
    }

    fn join(&self, index: usize) -> Network {
        // There are at most `limits::VALIDATORS`.
        self.hub.join(Peer(index as u32))
    }

    /// Stops them.
    pub(super) async fn stop(self) {
        for group in self.groups {
            group.stop().await;
        }
    }
}

fn place(folder: &Path, index: usize) -> PathBuf {
    folder.join(FOLDER).join((index + 1).to_string())
}
