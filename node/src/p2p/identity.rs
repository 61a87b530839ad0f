//! A node's key as libp2p knows it, and back.
//!
//! The id of a peer with an ed25519 key *is* the key (libp2p's `identity` multihash), so nothing has to be looked up.

use hanse_types::crypto::{PublicKey, SecretKey};
use libp2p::PeerId;
use libp2p::identity::{self, Keypair, ed25519};
use thiserror::Error;
use zeroize::Zeroizing;

/// Multihash code of a digest that is the hashed thing itself.
const IDENTITY: u64 = 0;

/// The node's key can't be its name in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the node's key must be of ed25519 to be its name in the network; `hanse init` makes such a key")]
pub(crate) struct KeyKindError;

/// The key that proves who this node is.
pub(super) fn keypair(key: &SecretKey) -> Result<Keypair, KeyKindError> {
    let SecretKey::Ed25519(key) = key else { return Err(KeyKindError) };
    let mut seed = Zeroizing::new(*key.as_bytes());
    let secret = ed25519::SecretKey::try_from_bytes(&mut *seed).map_err(|_| KeyKindError)?;
    Ok(ed25519::Keypair::from(secret).into())
}

/// What a node with this key is called; none for keys that nodes don't have.
pub(crate) fn peer_id(key: &PublicKey) -> Option<PeerId> {
    let PublicKey::Ed25519(bytes) = key else { return None };
    let key = ed25519::PublicKey::try_from_bytes(bytes).ok()?;
    Some(identity::PublicKey::from(key).to_peer_id())
}

/// The key of the node that is called so; none if the name tells no key of ed25519.
pub(crate) fn public_key(peer: &PeerId) -> Option<PublicKey> {
    let hash = peer.as_ref();
    let key = (hash.code() == IDENTITY).then(|| identity::PublicKey::try_decode_protobuf(hash.digest()).ok())??;
    Some(PublicKey::Ed25519(key.try_into_ed25519().ok()?.to_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hanse_types::crypto::Signer;

    use super::*;

    #[test]
    fn a_key_and_its_peer_id_tell_each_other() {
        let secret = SecretKey::ed25519([7; 32]);
        let key = secret.public_key();
        let peer = keypair(&secret).unwrap().public().to_peer_id();
        assert_eq!(peer_id(&key), Some(peer));
        assert_eq!(public_key(&peer), Some(key));
        assert!(peer.to_string().starts_with("12D3KooW"), "{peer}");
    }

    #[test]
    fn other_kinds_of_keys_name_no_node() {
        let secret = SecretKey::secp256k1([7; 32]).unwrap();
        assert!(keypair(&secret).is_err());
        assert_eq!(peer_id(&secret.public_key()), None);
        // A hash of a longer key, as those of RSA have.
        let other: PeerId = "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC".parse().unwrap();
        assert_eq!(public_key(&other), None);
    }
}
