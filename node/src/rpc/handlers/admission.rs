//! Who is let into the network: shown, and changed by operators.

use hanse_client::methods::{AllowParams, KeyParams, NoParams};
use hanse_client::views::{CertificateView, NamedKey, NodeAdmission, TrustedAuthority};
use hanse_client::{RpcError, codes};
use hanse_types::Timestamp;
use libp2p::PeerId;

use super::super::{Server, errors};
use crate::p2p::Net;
use crate::p2p::address::NodeName;
use crate::p2p::admission::Source;
use crate::p2p::identity;
use crate::p2p::lists::{Lists, ListsError};
use crate::pki::file::from_pem;
use crate::pki::{self, Authority, Certificate};

/// [`hanse_client::methods::GetAdmission`].
pub(super) fn show(server: &Server, NoParams {}: &NoParams) -> Result<NodeAdmission, RpcError> {
    Ok(server.net.as_deref().map(view).unwrap_or_default())
}

/// [`hanse_client::methods::AllowNode`].
pub(super) fn allow(server: &Server, params: &AllowParams) -> Result<NodeAdmission, RpcError> {
    let invalid = |reason: String| RpcError::new(codes::INVALID_PARAMS, format!("node_allow: {reason}"));
    match params {
        AllowParams { node: Some(name), authority: None } => {
            let peer = named("node_allow", name)?;
            change(server, |lists| lists.allow(peer))
        }
        AllowParams { node: None, authority: Some(pem) } => {
            let authority = from_pem(pem).and_then(|certificate| Ok(Authority::new(certificate)?));
            let authority = authority.map_err(|error| invalid(format!("authority: {error}")))?;
            change(server, |lists| lists.trust(authority))
        }
        _ => Err(invalid("name a node or an authority, and not both".into())),
    }
}

/// [`hanse_client::methods::DenyNode`].
pub(super) fn deny(server: &Server, params: &KeyParams) -> Result<NodeAdmission, RpcError> {
    let peer = named("node_deny", &params.key)?;
    if server.net.as_ref().is_some_and(|net| net.peer() == peer) {
        return Err(RpcError::new(codes::INVALID_PARAMS, "node_deny: key: that is this node itself"));
    }
    change(server, |lists| lists.deny(peer))
}

/// [`hanse_client::methods::ForgetNode`].
pub(super) fn forget(server: &Server, params: &KeyParams) -> Result<NodeAdmission, RpcError> {
    let peer = named("node_forget", &params.key)?;
    change(server, |lists| lists.forget(peer))
}

fn named(method: &str, text: &str) -> Result<PeerId, RpcError> {
    let name = text.parse::<NodeName>();
    name.map(|name| name.0).map_err(|error| RpcError::new(codes::INVALID_PARAMS, format!("{method}: {error}")))
}

fn change(server: &Server, change: impl FnOnce(&mut Lists)) -> Result<NodeAdmission, RpcError> {
    let net = server.net.as_deref();
    let net =
        net.ok_or_else(|| RpcError::new(codes::NOT_FOUND, "this node makes its chain alone; it is in no network"))?;
    match net.change_lists(change) {
        Ok(()) => Ok(view(net)),
        Err(error @ ListsError::Full) => Err(RpcError::new(codes::INVALID_PARAMS, error.to_string())),
        Err(error) => Err(errors::internal(&error)),
    }
}

fn view(net: &Net) -> NodeAdmission {
    let key = |(peer, by): (PeerId, Source)| NamedKey {
        by: by.name().into(),
        id: peer.to_string(),
        key: identity::public_key(&peer).map(|key| key.to_string()),
    };
    let authority = |(authority, by): (&Authority, Source)| TrustedAuthority {
        by: by.name().into(),
        certificate: certificate(authority.certificate()),
    };
    net.rules(|rules| NodeAdmission {
        by_certificate: rules.wants_certificates(),
        certificate: rules.configuration.certificate.as_deref().map(certificate),
        authorities: rules.authorities().map(authority).collect(),
        allowed: rules.allowed().map(key).collect(),
        denied: rules.denied().map(key).collect(),
    })
}

/// A certificate as it is shown.
pub(super) fn certificate(certificate: &Certificate) -> CertificateView {
    CertificateView {
        name: certificate.name(),
        organisation: certificate.organisation(),
        issuer: certificate.issuer(),
        key: certificate.key().to_string(),
        serial: certificate.serial(),
        from: Timestamp(certificate.from() * 1_000),
        until: Timestamp(certificate.until() * 1_000),
        error: certificate.check_time(pki::now()).err().map(|error| error.to_string()),
    }
}
