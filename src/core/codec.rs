//! The one encoding of everything stored or sent: a format number, then postcard.
//!
//! postcard alone accepts bytes it would never write (longer varints, keys twice, bytes left over). [`decode`] refuses
//! them: what was decoded must encode to the same bytes, so that one value has one name.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// A type that is stored or sent by itself.
pub trait Format: Serialize + DeserializeOwned {
    /// Stands first in the encoding. A change of the encoding takes a new number.
    const NUMBER: u8;
    /// The longest encoding that is decoded.
    const LIMIT: usize;
    /// What an error calls it: "a tree node".
    const WORD: &'static str;
}

/// The encoding of `value`.
pub fn encode<T: Format>(value: &T) -> Result<Vec<u8>> {
    let bytes = postcard::to_extend(value, vec![T::NUMBER])
        .map_err(|error| Error::failed(format!("can't encode {}", T::WORD)).because(error))?;
    if bytes.len() > T::LIMIT {
        return Err(Error::failed(format!("{} of {} bytes is over the limit of {}", T::WORD, bytes.len(), T::LIMIT)));
    }
    Ok(bytes)
}

/// The value that [`encode`] made into exactly these bytes.
///
/// Allocates no more than a small multiple of `bytes.len()`. Fails on anything [`encode`] would not have written.
pub fn decode<T: Format>(bytes: &[u8]) -> Result<T> {
    if bytes.len() > T::LIMIT {
        return Err(Error::failed(format!("{} of {} bytes is over the limit of {}", T::WORD, bytes.len(), T::LIMIT)));
    }
    let Some((number, rest)) = bytes.split_first() else {
        return Err(Error::failed(format!("{} of no bytes", T::WORD)));
    };
    if *number > T::NUMBER {
        let message = format!("{} in format {number}, this peapod knows up to {}", T::WORD, T::NUMBER);
        return Err(Error::failed(message).hint("a newer peapod made it: upgrade this one"));
    }
    if *number != T::NUMBER {
        return Err(Error::failed(format!("{} in unknown format {number}", T::WORD)));
    }
    let (value, left) = postcard::take_from_bytes::<T>(rest)
        .map_err(|error| Error::failed(format!("{} that does not decode", T::WORD)).because(error))?;
    if !left.is_empty() {
        return Err(Error::failed(format!("{} with {} bytes too many", T::WORD, left.len())));
    }
    if encode(&value)? != bytes {
        return Err(Error::failed(format!("{} in an encoding that is not the canonical one", T::WORD)));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample(u64, Vec<String>);

    impl Format for Sample {
        const NUMBER: u8 = 3;
        const LIMIT: usize = 64;
        const WORD: &'static str = "a sample";
    }

    #[test]
    fn only_the_canonical_encoding_is_taken() {
        let sample = Sample(5, vec!["a".into()]);
        let bytes = encode(&sample).unwrap();
        assert_eq!(decode::<Sample>(&bytes).unwrap(), sample);
        assert!(decode::<Sample>(&[3, 0x85, 0x00, 1, 1, b'a']).unwrap_err().message().contains("canonical"));
        assert!(decode::<Sample>(&[&bytes[..], &[0]].concat()).unwrap_err().message().contains("too many"));
        assert!(decode::<Sample>(&[4, 5, 0]).unwrap_err().hint_text().unwrap().contains("upgrade"));
        assert!(decode::<Sample>(&[2, 5, 0]).is_err());
        assert!(decode::<Sample>(&[]).is_err());
    }

    #[test]
    fn a_lying_length_and_an_oversized_value_are_refused() {
        assert!(decode::<Sample>(&[3, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
        assert!(decode::<Sample>(&[3; 65]).is_err());
        assert!(encode(&Sample(0, vec!["x".repeat(64)])).is_err());
    }
}
