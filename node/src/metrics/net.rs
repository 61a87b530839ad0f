//! What the network between nodes is doing, looked at when somebody asks.

use std::fmt;
use std::sync::Arc;

use hanse_group::network::Module;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::scrape::{BYTES, Figures, SECONDS};
use crate::p2p::Net;
use crate::p2p::figures::{Refused, Traffic};

/// See the module.
#[derive(Debug)]
pub(super) struct NetScrape(pub(super) Arc<Net>);

impl Collector for NetScrape {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let (net, mut figures) = (&self.0, Figures(encoder));
        let peers = net.states().map(|(state, count)| ([("state", state.name())], count as u64));
        figures.gauge("hanse_net_peers", "Nodes that are admitted, by how far the connection is", None, &peers)?;
        let of = |direction, bytes: fn(&Traffic) -> u64| {
            Module::ALL
                .map(|module| ([("direction", direction), ("module", module.name())], bytes(net.figures().of(module))))
        };
        let bytes = [of("received", Traffic::received), of("sent", Traffic::sent)].concat();
        figures.counter("hanse_net", "Bytes of frames", BYTES, &bytes)?;
        let saved = Module::ALL.map(|module| ([("module", module.name())], net.figures().of(module).saved()));
        figures.counter("hanse_net_saved", "Bytes that packing saved of the frames that were sent", BYTES, &saved)?;
        let waiting = Module::ALL.map(|module| ([("module", module.name())], net.waiting(module) as u64));
        figures.gauge("hanse_net_queue_messages", "Frames that wait to be sent", None, &waiting)?;
        let refused = Refused::ALL.map(|why| ([("reason", why.name())], net.figures().refused(why)));
        let help = "Connections and frames that were not taken, and frames that were not sent, by the reason";
        figures.counter("hanse_net_refused", help, None, &refused)?;
        let ends = ends_of_certificates(net);
        let labelled = ends.iter().map(|(kind, name, end)| ([("kind", *kind), ("name", name.as_str())], *end));
        let ends: Vec<_> = labelled.collect();
        let help = "When the certificate of this node, or of an authority that it trusts, ends, in seconds since 1970";
        figures.gauge("hanse_net_certificate_end_timestamp", help, SECONDS, &ends)
    }
}

/// Of this node's certificate and those of the authorities that it trusts: what it is, its name, and when it ends.
fn ends_of_certificates(net: &Net) -> Vec<(&'static str, String, u64)> {
    net.rules(|rules| {
        let own = rules.configuration.certificate.iter().map(|own| ("node", own.name(), own.until()));
        let authorities = rules.authorities().map(|(authority, _)| authority.certificate());
        own.chain(authorities.map(|authority| ("authority", authority.name(), authority.until()))).collect()
    })
}
