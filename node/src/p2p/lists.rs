//! What an operator allows and denies while the node runs: a small file in its data folder, so that it holds after a restart.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use libp2p::PeerId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::address::NodeName;
use crate::pki::file::{from_pem, to_pem};
use crate::pki::{Authority, Certificate};

/// Most entries of each list: the file is written whole at each change.
const ENTRIES: usize = 10_000;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lists {
    /// Nodes that need no certificate.
    pub(crate) allowed: BTreeSet<PeerId>,
    /// Keys of nodes and of authorities.
    pub(crate) denied: BTreeSet<PeerId>,
    /// Authorities that are trusted besides those of the configuration.
    pub(crate) authorities: Vec<Authority>,
}

/// The lists can't be kept.
#[derive(Debug, Error)]
pub(crate) enum ListsError {
    /// The file can't be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It has something else.
    #[error("{} is no list of nodes that are allowed and denied: {reason}; mend it, or remove it to begin anew", path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There are too many.
    #[error("a list has {ENTRIES} entries at most; remove some with `hanse net forget`")]
    Full,
}

/// The file's text.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    allowed: Vec<NodeName>,
    denied: Vec<NodeName>,
    authorities: Vec<String>,
}

impl Lists {
    /// Those in a file; empty ones if it is not there.
    pub(crate) fn read(path: &Path) -> Result<Lists, ListsError> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lists::default()),
            text => text.map_err(|error| ListsError::File { path: path.into(), error })?,
        };
        let form = |reason: String| ListsError::Form { path: path.into(), reason };
        let written: Written = serde_json::from_str(&text).map_err(|error| form(error.to_string()))?;
        let peers = |names: Vec<NodeName>| names.into_iter().map(|name| name.0).collect();
        let authority = |pem: &String| from_pem(pem).and_then(|certificate| Ok(Authority::new(certificate)?));
        let authorities: Result<_, _> = written.authorities.iter().map(authority).collect();
        let authorities = authorities.map_err(|error| form(error.to_string()))?;
        Ok(Lists { allowed: peers(written.allowed), denied: peers(written.denied), authorities })
    }

    /// Writes them into a file, which has the old ones or the new ones at any time, and these when this returns.
    pub(crate) fn write(&self, path: &Path) -> Result<(), ListsError> {
        if self.allowed.len().max(self.denied.len()).max(self.authorities.len()) > ENTRIES {
            return Err(ListsError::Full);
        }
        let names = |peers: &BTreeSet<PeerId>| peers.iter().map(|peer| NodeName(*peer)).collect();
        let authorities = self.authorities.iter().map(|authority| to_pem(authority.certificate())).collect();
        let written = Written { allowed: names(&self.allowed), denied: names(&self.denied), authorities };
        let failed = |error| ListsError::File { path: path.into(), error };
        let text = serde_json::to_vec_pretty(&written).map_err(|error| failed(error.into()))?;
        replace(path, &text).map_err(failed)
    }

    /// Lets a node in without a certificate. It is denied no more.
    pub(crate) fn allow(&mut self, peer: PeerId) {
        self.denied.remove(&peer);
        self.allowed.insert(peer);
    }

    /// Trusts an authority, instead of what was known of the same key.
    pub(crate) fn trust(&mut self, authority: Authority) {
        let key = authority.certificate().key();
        self.forget_authority(key);
        self.authorities.push(authority);
    }

    /// Keeps a node, or all nodes of an authority, out.
    pub(crate) fn deny(&mut self, peer: PeerId) {
        self.allowed.remove(&peer);
        self.denied.insert(peer);
    }

    /// Knows nothing of this key any more.
    pub(crate) fn forget(&mut self, peer: PeerId) {
        self.allowed.remove(&peer);
        self.denied.remove(&peer);
        if let Some(key) = super::identity::public_key(&peer) {
            self.forget_authority(key);
        }
    }

    fn forget_authority(&mut self, key: hanse_types::crypto::PublicKey) {
        self.authorities.retain(|known: &Authority| {
            let known: &Certificate = known.certificate();
            known.key() != key
        });
    }
}

/// Writes a file whole: it has the old bytes or the new ones at any time, and these when this returns.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    draft.write_all(bytes)?;
    draft.as_file().sync_all()?;
    draft.persist(path)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hanse_types::crypto::SecretKey;

    use super::*;
    use crate::p2p::identity;
    use crate::pki::issue::{self, Span};

    #[test]
    fn what_was_written_is_read_and_what_is_no_list_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admission.json");
        assert_eq!(Lists::read(&path).unwrap(), Lists::default());
        let key = SecretKey::ed25519([5; 32]);
        let authority = issue::authority("Bank", &key, Span { from: 1, until: 2_000_000_000 }).unwrap();
        let (one, two) = (PeerId::random(), PeerId::random());
        let mut lists = Lists::default();
        lists.allow(one);
        lists.deny(two);
        lists.trust(authority.clone());
        lists.trust(authority.clone());
        lists.write(&path).unwrap();
        assert_eq!(Lists::read(&path).unwrap(), lists);
        assert_eq!((lists.allowed.len(), lists.denied.len(), lists.authorities.len()), (1, 1, 1));
        lists.deny(one);
        lists.allow(two);
        lists.forget(identity::peer_id(&authority.certificate().key()).unwrap());
        assert_eq!(lists, Lists { allowed: [two].into(), denied: [one].into(), authorities: Vec::new() });
        fs::write(&path, "{\"allowed\": [\"nobody\"]}").unwrap();
        assert!(matches!(Lists::read(&path), Err(ListsError::Form { .. })));
    }
}
