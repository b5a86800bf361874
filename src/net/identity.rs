//! One ed25519 key, two spellings: peapod's [`Author`] and libp2p's peer id.

use libp2p::PeerId;
use libp2p::identity::{self, Keypair};

use crate::core::identity::{Author, Secret};
use crate::error::{Context, Error, Result};

/// The network identity of a secret key.
pub(super) fn keypair(secret: &Secret) -> Result<Keypair> {
    Keypair::ed25519_from_bytes(secret.seed()).context("can't make a network identity of the node's key")
}

/// The peer id of a key. Fails on 32 bytes that are no point of the curve.
pub fn peer_of(author: &Author) -> Result<PeerId> {
    let key = identity::ed25519::PublicKey::try_from_bytes(&author.0)
        .map_err(|error| Error::denied(format!("{author} is not a public key")).because(error))?;
    Ok(identity::PublicKey::from(key).to_peer_id())
}

/// The key in a peer id; none for peers whose key is not ed25519.
pub fn author_of(peer: &PeerId) -> Option<Author> {
    let key = identity::PublicKey::try_decode_protobuf(peer.as_ref().digest()).ok()?;
    Some(Author(key.try_into_ed25519().ok()?.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_its_peer_id_name_each_other() {
        let secret = Secret::from_seed(&[7; 32]);
        let peer = keypair(&secret).unwrap().public().to_peer_id();
        assert_eq!(peer_of(&secret.author()).unwrap(), peer);
        assert_eq!(author_of(&peer), Some(secret.author()));
    }
}
