//! Who may be connected to this node, and why somebody else may not: the one place where that is decided.
//!
//! | who | is let in |
//! |---|---|
//! | denied, by the operator or by the chain, as a node or by its authority | never |
//! | allowed, by the configuration or the operator | by its key alone |
//! | has a certificate that holds now, by a trusted authority | yes |
//! | member of a group here | by its key alone, where the configuration names no authorities |
//!
//! It is asked when the other side has proven its key and presented what it has, before anything else is said
//! ([`certified`](super::certified)), and again for each connection whenever something changed, and each second as time
//! passes. Being let in gives nobody a say in a group: frames are checked on their own ([`switch`](super::switch)).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId};
use parking_lot::{Mutex, RwLock};
use thiserror::Error;
use tokio::sync::watch;

use super::figures::{Figures, Refused};
use super::identity;
use super::lists::Lists;
use crate::pki::{self, Authority, Certificate, CertificateError};

/// Between two lines of the log about the same node.
const LINES: Duration = Duration::from_secs(60);
/// Nodes that have a line of their own in that time: keys cost nothing, so there may be any number.
const NAMED: usize = 100;

/// Why a node is not let in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    /// Its key is denied.
    #[error("it is denied")]
    Denied,
    /// Its authority's key is denied.
    #[error("the authority {0} is denied")]
    AuthorityDenied(String),
    /// It did what no node does, a moment ago.
    #[error("it is kept out for a while, because it sent what no node sends")]
    Banned,
    /// Nobody here knows it.
    #[error("it is no member of a group here, and is not allowed by its key")]
    Unknown,
    /// It has to present a certificate.
    #[error("it presented no certificate, and is not allowed by its key alone")]
    NoCertificate,
    /// What it presented does not count.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl Refusal {
    fn counted(&self) -> Refused {
        match self {
            Refusal::Denied => Refused::Denied,
            Refusal::AuthorityDenied(_) => Refused::AuthorityDenied,
            Refusal::Banned => Refused::Banned,
            Refusal::Unknown => Refused::Connection,
            Refusal::NoCertificate => Refused::NoCertificate,
            Refusal::Certificate(CertificateError::Expired { .. } | CertificateError::NotYet { .. }) => {
                Refused::CertificateTime
            }
            Refusal::Certificate(CertificateError::UnknownAuthority { .. } | CertificateError::Signature(..)) => {
                Refused::CertificateAuthority
            }
            Refusal::Certificate(CertificateError::OtherKey { .. }) => Refused::CertificateKey,
            Refusal::Certificate(_) => Refused::CertificateForm,
        }
    }
}

/// What a chain says of admission, by the transactions of its administrators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ByChain {
    /// Authorities that are trusted besides those of the configuration.
    pub(crate) authorities: Vec<Authority>,
    /// Keys of nodes and authorities that are denied.
    pub(crate) denied: BTreeSet<PeerId>,
}

/// What the configuration and the files that it names say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ByConfiguration {
    /// This node's certificate.
    pub(crate) certificate: Option<Arc<Certificate>>,
    /// Trusted authorities. If there are any, members need a certificate.
    pub(crate) authorities: Vec<Authority>,
    /// Nodes that need none.
    pub(crate) allowed: BTreeSet<PeerId>,
}

/// Who made something a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// The node's configuration.
    Configuration,
    /// Its operator, while it ran.
    Operator,
    /// Transactions of the group that the nodes have in common.
    Chain,
}

impl Source {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Source::Configuration => "configuration",
            Source::Operator => "operator",
            Source::Chain => "chain",
        }
    }
}

/// Everything that decides, each part from its source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// Of the configuration.
    pub(crate) configuration: ByConfiguration,
    /// Of the operator.
    pub(crate) operator: Lists,
    /// Of the chain.
    pub(crate) chain: ByChain,
    members: BTreeSet<PeerId>,
    banned: BTreeSet<PeerId>,
}

impl Rules {
    /// Whether members need certificates.
    pub(crate) fn wants_certificates(&self) -> bool {
        !self.configuration.authorities.is_empty()
    }

    /// Trusted authorities that are not denied, and who trusts each.
    pub(crate) fn authorities(&self) -> impl Iterator<Item = (&Authority, Source)> {
        let of = |source| move |authority| (authority, source);
        let configured = self.configuration.authorities.iter().map(of(Source::Configuration));
        let operator = self.operator.authorities.iter().map(of(Source::Operator));
        configured.chain(operator).chain(self.chain.authorities.iter().map(of(Source::Chain)))
    }

    /// Nodes that are let in by their keys alone, members aside, and who allows each.
    pub(crate) fn allowed(&self) -> impl Iterator<Item = (PeerId, Source)> {
        let configured = self.configuration.allowed.iter().map(|peer| (*peer, Source::Configuration));
        configured.chain(self.operator.allowed.iter().map(|peer| (*peer, Source::Operator)))
    }

    /// Keys of nodes and authorities that are denied, and who denies each.
    pub(crate) fn denied(&self) -> impl Iterator<Item = (PeerId, Source)> {
        let operator = self.operator.denied.iter().map(|peer| (*peer, Source::Operator));
        operator.chain(self.chain.denied.iter().map(|peer| (*peer, Source::Chain)))
    }

    fn is_denied(&self, peer: &PeerId) -> bool {
        self.operator.denied.contains(peer) || self.chain.denied.contains(peer)
    }

    /// Whether this node is let in with what it has presented, at this time.
    pub(crate) fn judge(&self, peer: &PeerId, presented: Option<&Certificate>, now: u64) -> Result<(), Refusal> {
        if self.is_denied(peer) {
            return Err(Refusal::Denied);
        }
        if self.banned.contains(peer) {
            return Err(Refusal::Banned);
        }
        // An authority that is denied takes its nodes with it, whatever else they have.
        let certified = presented.map(|certificate| self.certified(peer, certificate, now));
        if let Some(Err(denied @ Refusal::AuthorityDenied(_))) = certified {
            return Err(denied);
        }
        let by_key = self.allowed().any(|(allowed, _)| allowed == *peer)
            || !self.wants_certificates() && self.members.contains(peer);
        match certified {
            _ if by_key => Ok(()),
            Some(certified) => certified,
            None if self.wants_certificates() => Err(Refusal::NoCertificate),
            None => Err(Refusal::Unknown),
        }
    }

    fn certified(&self, peer: &PeerId, certificate: &Certificate, now: u64) -> Result<(), Refusal> {
        let key = identity::public_key(peer).ok_or(Refusal::NoCertificate)?;
        certificate.check_key(key)?;
        let authority = certificate.authority(self.authorities().map(|(authority, _)| authority))?.certificate();
        if identity::peer_id(&authority.key()).is_some_and(|authority| self.is_denied(&authority)) {
            return Err(Refusal::AuthorityDenied(authority.to_string()));
        }
        certificate.check_time(now)?;
        Ok(authority.check_time(now)?)
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Admission {
    rules: RwLock<Rules>,
    /// What each node presented that was let in last.
    presented: Mutex<BTreeMap<PeerId, Arc<Certificate>>>,
    /// When nodes were named in the log, and how many refusals there were since without a line.
    named: Mutex<(BTreeMap<PeerId, Instant>, u64)>,
    figures: Arc<Figures>,
    changes: watch::Sender<()>,
}

impl Admission {
    /// By these rules; they can change.
    pub(super) fn new(configuration: ByConfiguration, operator: Lists, figures: Arc<Figures>) -> Arc<Admission> {
        let rules = Rules { configuration, operator, ..Rules::default() };
        Arc::new(Admission {
            rules: RwLock::new(rules),
            presented: Mutex::default(),
            named: Mutex::default(),
            figures,
            changes: watch::Sender::new(()),
        })
    }

    /// Tells of each change.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Looks at the rules.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&Rules) -> T) -> T {
        look(&self.rules.read())
    }

    /// Changes the rules, and tells of it.
    pub(super) fn change(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.rules.write());
        self.changes.send_replace(());
    }

    /// From now on these are the members of groups here. Whoever says so looks at the connections on its own.
    pub(super) fn members_are(&self, members: BTreeSet<PeerId>) {
        self.rules.write().members = members;
    }

    /// Keeps a node out, or no longer. Whoever says so looks at the connections on its own.
    pub(super) fn ban(&self, peer: PeerId, is_banned: bool) {
        let banned = &mut self.rules.write().banned;
        let _ = if is_banned { banned.insert(peer) } else { banned.remove(&peer) };
    }

    /// This node's own certificate, to present.
    pub(super) fn own(&self) -> Option<Arc<Certificate>> {
        self.rules.read().configuration.certificate.clone()
    }

    /// Lets in a node that has proven its key and presented this, or says why not, and logs it.
    pub(super) fn present(&self, peer: &PeerId, presented: Option<&[u8]>, at: &Multiaddr) -> Result<(), Refusal> {
        let read = presented.map(Certificate::from_der).transpose();
        let verdict = read.map_err(Refusal::from).and_then(|certificate| {
            self.rules.read().judge(peer, certificate.as_ref(), pki::now())?;
            Ok(certificate)
        });
        match verdict {
            Ok(Some(certificate)) => drop(self.presented.lock().insert(*peer, Arc::new(certificate))),
            Ok(None) => drop(self.presented.lock().remove(peer)),
            Err(refusal) => {
                self.refused(peer, &refusal, at);
                return Err(refusal);
            }
        }
        Ok(())
    }

    /// What a node has presented when it was let in last.
    pub(super) fn presented(&self, peer: &PeerId) -> Option<Arc<Certificate>> {
        self.presented.lock().get(peer).cloned()
    }

    /// Forgets what has expired.
    pub(super) fn tidy(&self, now: u64) {
        self.presented.lock().retain(|_, certificate| certificate.until() >= now);
    }

    /// Counts a refusal, and writes it to the log: once a minute for each node.
    fn refused(&self, peer: &PeerId, why: &Refusal, at: &Multiaddr) {
        self.figures.refuse(why.counted());
        let (named, unnamed) = &mut *self.named.lock();
        named.retain(|_, at| at.elapsed() < LINES);
        if named.contains_key(peer) || named.len() >= NAMED {
            *unnamed += 1;
            return;
        }
        named.insert(*peer, Instant::now());
        let reason = why.counted().name();
        tracing::warn!(%peer, %at, reason, %why, unnamed = *unnamed, "a node was refused");
        *unnamed = 0;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hanse_types::crypto::{SecretKey, Signer};

    use super::*;
    use crate::pki::DAY;
    use crate::pki::issue::{self, Span};

    const NOW: u64 = 1_800_000_000;

    fn key(byte: u8) -> SecretKey {
        SecretKey::ed25519([byte; 32])
    }

    fn peer(byte: u8) -> PeerId {
        identity::peer_id(&key(byte).public_key()).unwrap()
    }

    fn authority(byte: u8) -> Authority {
        issue::authority(&format!("Bank {byte}"), &key(byte), Span { from: NOW, until: NOW + 100 * DAY }).unwrap()
    }

    fn certificate(by: u8, byte: u8) -> Certificate {
        let span = Span { from: NOW, until: NOW + 10 * DAY };
        issue::node(&authority(by), &key(by), "node", key(byte).public_key(), span).unwrap()
    }

    fn rules() -> Rules {
        let configuration = ByConfiguration {
            authorities: vec![authority(101), authority(102)],
            allowed: [peer(9)].into(),
            ..ByConfiguration::default()
        };
        Rules { configuration, members: [peer(1)].into(), ..Rules::default() }
    }

    #[test]
    fn certificates_of_trusted_authorities_let_in_and_nothing_else_does() {
        let rules = rules();
        let good = certificate(101, 1);
        assert_eq!(rules.judge(&peer(1), Some(&good), NOW), Ok(()));
        assert_eq!(rules.judge(&peer(2), Some(&certificate(102, 2)), NOW), Ok(()));
        assert_eq!(rules.judge(&peer(1), None, NOW), Err(Refusal::NoCertificate));
        assert_eq!(rules.judge(&peer(9), None, NOW), Ok(()));
        let counted = |peer: PeerId, certificate: &Certificate, now| {
            rules.judge(&peer, Some(certificate), now).unwrap_err().counted()
        };
        assert_eq!(counted(peer(2), &good, NOW), Refused::CertificateKey);
        assert_eq!(counted(peer(1), &good, NOW + 11 * DAY), Refused::CertificateTime);
        assert_eq!(counted(peer(1), &good, NOW - 1), Refused::CertificateTime);
        assert_eq!(counted(peer(1), &certificate(103, 1), NOW), Refused::CertificateAuthority);
        assert_eq!(counted(peer(101), authority(101).certificate(), NOW), Refused::CertificateForm);
        // The authority's own time counts too.
        let long = Span { from: NOW, until: NOW + 300 * DAY };
        let old = issue::authority("Bank 101", &key(101), long).unwrap();
        let certificate = issue::node(&old, &key(101), "node", key(1).public_key(), long).unwrap();
        assert_eq!(counted(peer(1), &certificate, NOW + 200 * DAY), Refused::CertificateTime);
    }

    #[test]
    fn denying_beats_everything() {
        let mut rules = rules();
        rules.operator.allowed.extend([peer(1), peer(9)]);
        rules.operator.denied.insert(peer(9));
        rules.chain.denied.insert(peer(101));
        assert_eq!(rules.judge(&peer(9), None, NOW), Err(Refusal::Denied));
        let by_denied = rules.judge(&peer(1), Some(&certificate(101, 1)), NOW);
        assert!(matches!(by_denied, Err(Refusal::AuthorityDenied(_))));
        assert_eq!(rules.judge(&peer(2), Some(&certificate(102, 2)), NOW), Ok(()));
        rules.chain.denied.clear();
        assert_eq!(rules.judge(&peer(1), Some(&certificate(101, 1)), NOW), Ok(()));
        rules.banned.insert(peer(1));
        assert_eq!(rules.judge(&peer(1), Some(&certificate(101, 1)), NOW), Err(Refusal::Banned));
    }

    #[test]
    fn without_authorities_keys_decide_and_certificates_add() {
        let mut rules = Rules { members: [peer(1)].into(), ..Rules::default() };
        assert_eq!(rules.judge(&peer(1), None, NOW), Ok(()));
        // What nobody here can check does no harm.
        assert_eq!(rules.judge(&peer(1), Some(&certificate(101, 1)), NOW), Ok(()));
        assert_eq!(rules.judge(&peer(2), None, NOW), Err(Refusal::Unknown));
        assert!(rules.judge(&peer(2), Some(&certificate(101, 2)), NOW).is_err());
        rules.chain.authorities.push(authority(101));
        assert_eq!(rules.judge(&peer(2), Some(&certificate(101, 2)), NOW), Ok(()));
        assert_eq!(rules.judge(&peer(1), None, NOW), Ok(()));
    }

    #[test]
    fn a_flood_of_refusals_is_counted_and_names_few() {
        let figures = Arc::<Figures>::default();
        let admission = Admission::new(ByConfiguration::default(), Lists::default(), figures.clone());
        for _ in 0..1_000 {
            assert!(admission.present(&PeerId::random(), None, &Multiaddr::empty()).is_err());
        }
        assert_eq!(figures.refused(Refused::Connection), 1_000);
        let named = admission.named.lock();
        assert_eq!((named.0.len(), named.1), (NAMED, 1_000 - NAMED as u64));
    }
}
