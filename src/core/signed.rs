//! Statements: what someone says under their signature, as links of one chain.
//!
//! A [`Signed`] statement is a claim that came from somewhere; only [`Signed::verify`] turns it into a [`Verified`] one,
//! and only those are kept, counted or passed on. A statement's name hashes what is said and not the signature, so that
//! one statement signed twice is still one statement.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::core::codec::{self, Format};
use crate::core::identity::{Author, Purpose, Secret, Signature};
use crate::core::name::Name;
use crate::error::{Error, Result};

/// Something said under a signature, the next link of its signer's chain.
pub trait Statement: Format + Clone + std::fmt::Debug {
    /// What the signature is for.
    const PURPOSE: Purpose;
    /// The key derivation context of its names: a head never passes for a roster entry or a stored object.
    const CONTEXT: &'static str;

    /// Who says it.
    fn signer(&self) -> Author;
    /// Its number in the chain; the first is 1.
    fn seq(&self) -> u64;
    /// The name of the link before it; none for the first.
    fn previous(&self) -> Option<Name>;
    /// The bounds that hold for every one, beyond its place in a chain.
    fn check(&self) -> Result<()>;
}

/// A statement with a signature that nobody has verified yet: what is read from a peer or a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed<T> {
    claim: T,
    signature: Signature,
}

/// A statement whose signature and bounds hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    signed: Signed<T>,
    name: Name,
}

impl<T: Statement> Format for Signed<T> {
    const NUMBER: u8 = T::NUMBER;
    const LIMIT: usize = T::LIMIT + 64;
    const WORD: &'static str = T::WORD;
}

impl<T: Statement> Signed<T> {
    /// The name it has if it holds. Cheap beside [`Signed::verify`], so that a known statement is not verified again.
    pub fn name(&self) -> Result<Name> {
        Ok(name::<T>(&codec::encode(&self.claim)?))
    }

    /// What it claims to say. For finding its place; nothing in it is true before [`Signed::verify`].
    pub fn claim(&self) -> &T {
        &self.claim
    }

    /// Verifies its bounds and its signature. [`crate::error::Kind::Denied`] when it was not signed by who it names.
    pub fn verify(self) -> Result<Verified<T>> {
        check(&self.claim)?;
        let bytes = codec::encode(&self.claim)?;
        self.claim.signer().verify(T::PURPOSE, &bytes, &self.signature)?;
        Ok(Verified { name: name::<T>(&bytes), signed: self })
    }

    /// The verified statement in bytes that [`Verified::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Verified<T>> {
        codec::decode::<Signed<T>>(bytes)?.verify()
    }

    /// The statement in bytes from one's own store, where only what was verified is kept: its signature is taken on
    /// trust, since a start would else verify all that a team ever said.
    pub fn from_own_store(bytes: &[u8]) -> Result<Verified<T>> {
        let signed = codec::decode::<Signed<T>>(bytes)?;
        check(&signed.claim)?;
        Ok(Verified { name: signed.name()?, signed })
    }
}

impl<T: Statement> Verified<T> {
    /// Says `statement` with its signer's key.
    pub fn sign(statement: T, secret: &Secret) -> Result<Verified<T>> {
        if statement.signer() != secret.author() {
            return Err(Error::denied(format!("{} is signed by its author alone", T::WORD)));
        }
        check(&statement)?;
        let bytes = codec::encode(&statement)?;
        let signature = secret.sign(T::PURPOSE, &bytes);
        Ok(Verified { name: name::<T>(&bytes), signed: Signed { claim: statement, signature } })
    }

    /// Its name, by which the next link refers to it.
    pub fn name(&self) -> Name {
        self.name
    }

    /// What is sent to others and kept.
    pub fn signed(&self) -> &Signed<T> {
        &self.signed
    }

    /// The encoding that [`Signed::from_bytes`] reads.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        codec::encode(&self.signed)
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.signed.claim
    }
}

fn name<T: Statement>(bytes: &[u8]) -> Name {
    Name(blake3::derive_key(T::CONTEXT, bytes))
}

fn check<T: Statement>(statement: &T) -> Result<()> {
    if statement.seq() == 0 || statement.seq() == u64::MAX || (statement.seq() == 1) != statement.previous().is_none() {
        return Err(Error::denied(format!("{} whose number and predecessor do not fit together", T::WORD)));
    }
    statement.check()
}
