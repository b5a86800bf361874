//! Who someone is: an ed25519 key, the same one for signatures, for the network and for the roster.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A member's or node's public key, printed as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Author(pub [u8; 32]);

/// An ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature(pub [u8; 64]);

/// A node's secret key.
pub struct Secret(SigningKey);

/// What a signature is for. Each purpose signs other bytes, so that a signature for one is none for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A version by its author.
    Version,
    /// An author's statement of a pod's head.
    Head,
    /// An admin's entry in the roster.
    Roster,
    /// A joiner's or inviter's half of the join handshake.
    Join,
}

impl Purpose {
    fn bytes(self, message: &[u8]) -> Vec<u8> {
        let label: &[u8] = match self {
            Purpose::Version => b"peapod signed version v1\0",
            Purpose::Head => b"peapod signed head v1\0",
            Purpose::Roster => b"peapod signed roster entry v1\0",
            Purpose::Join => b"peapod signed join v1\0",
        };
        [label, message].concat()
    }
}

impl Secret {
    /// The key with this seed.
    pub fn from_seed(seed: &[u8; 32]) -> Secret {
        Secret(SigningKey::from_bytes(seed))
    }

    /// The seed, for the key file and for the network identity.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public half.
    pub fn author(&self) -> Author {
        Author(self.0.verifying_key().to_bytes())
    }

    /// Signs `message` for `purpose`.
    pub fn sign(&self, purpose: Purpose, message: &[u8]) -> Signature {
        Signature(self.0.sign(&purpose.bytes(message)).to_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret of {:?}", self.author())
    }
}

impl Author {
    /// Whether this key signed `message` for `purpose`. Strict: weak keys and malleable signatures are refused.
    pub fn verify(&self, purpose: Purpose, message: &[u8], signature: &Signature) -> Result<()> {
        VerifyingKey::from_bytes(&self.0)
            .and_then(|key| {
                let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
                key.verify_strict(&purpose.bytes(message), &signature)
            })
            .map_err(|_| Error::denied(format!("the signature is not {}'s", self.short())))
    }

    /// The first ten hex digits: enough for a person.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..5])
    }
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl FromStr for Author {
    type Err = Error;

    fn from_str(text: &str) -> Result<Author> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| Error::usage(format!("\"{text}\" is not a key of 64 hex digits")))?;
        Ok(Author(bytes))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0[..5]))
    }
}

impl Serialize for Signature {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (left, right) = self.0.split_at(32);
        (<[u8; 32]>::try_from(left).unwrap_or_default(), <[u8; 32]>::try_from(right).unwrap_or_default())
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Signature, D::Error> {
        let (left, right) = <([u8; 32], [u8; 32])>::deserialize(deserializer)?;
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&left);
        bytes[32..].copy_from_slice(&right);
        Ok(Signature(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_one_key_one_purpose_and_one_message() {
        let (alice, bob) = (Secret::from_seed(&[1; 32]), Secret::from_seed(&[2; 32]));
        let signature = alice.sign(Purpose::Head, b"m");
        assert!(alice.author().verify(Purpose::Head, b"m", &signature).is_ok());
        assert!(alice.author().verify(Purpose::Version, b"m", &signature).is_err());
        assert!(alice.author().verify(Purpose::Head, b"n", &signature).is_err());
        assert!(bob.author().verify(Purpose::Head, b"m", &signature).is_err());
        assert!(Author([0; 32]).verify(Purpose::Head, b"m", &signature).is_err());
    }
}
