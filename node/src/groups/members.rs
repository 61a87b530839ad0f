//! What the network is told of a group, by the state of its newest block: who its members are, and, of the system group, who
//! is let in and kept out.

use std::sync::Arc;

use hanse_group::Group;
use hanse_state::StateView;
use hanse_types::Hash;
use hanse_vm::system::admission::{self, AdmissionRules};
use hanse_vm::system::members;

use crate::p2p::admission::ByChain;
use crate::p2p::{Net, identity, of_members};
use crate::pki::Authority;

/// Tells it now and after each block, until the chain ends.
pub(super) async fn tell(group: Group, net: Arc<Net>) {
    let mut tip = group.tip();
    let mut admission = net.is_system_group(&group.genesis().group_id).then(Followed::default);
    loop {
        tip.mark_unchanged();
        let told = {
            let state = group.ledger().state();
            // First: members are heard only when it is known who is denied.
            let admission = admission.as_mut().map_or(Ok(()), |admission| admission.tell(&*state, &net));
            admission.and(tell_members(&*state, group.genesis_hash(), &net))
        };
        if let Err(error) = told {
            tracing::error!(%error, "who is in the group can't be read; the network keeps to what was before")
        }
        if tip.changed().await.is_err() {
            return;
        }
    }
}

fn tell_members(state: &dyn StateView, group: Hash, net: &Net) -> Result<(), hanse_state::StateError> {
    net.members_are(group, of_members(&members::load(state)?));
    Ok(())
}

/// The rules of the contract `admission`, as the network was told them last.
#[derive(Default)]
struct Followed(Option<AdmissionRules>);

impl Followed {
    fn tell(&mut self, state: &dyn StateView, net: &Net) -> Result<(), hanse_state::StateError> {
        let rules = admission::load(state)?;
        if self.0.as_ref() != Some(&rules) {
            net.chain_says(by_chain(&rules));
            self.0 = Some(rules);
        }
        Ok(())
    }
}

/// The rules as the network has them. An authority whose certificate is none is passed over.
fn by_chain(rules: &AdmissionRules) -> ByChain {
    let mut authorities = Vec::new();
    for trusted in &rules.authorities {
        match Authority::from_der(&trusted.certificate) {
            Ok(authority) if authority.certificate().key() == trusted.key => authorities.push(authority),
            Ok(authority) => {
                let found = authority.certificate();
                tracing::warn!(key = %trusted.key, %found, "the chain trusts an authority by another's certificate");
            }
            Err(error) => {
                tracing::warn!(key = %trusted.key, %error, "the chain trusts an authority without certificate")
            }
        }
    }
    ByChain { authorities, denied: rules.denied.iter().filter_map(identity::peer_id).collect() }
}
