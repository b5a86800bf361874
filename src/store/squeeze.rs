//! The stored form of an object: a zstd frame where that pays, else its raw bytes.
//!
//! The form needs no flag: a frame is kept only if it is shorter than the raw bytes, so equal lengths mean raw.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use zstd::bulk::{Compressor, Decompressor};

use crate::core::name::{Kind, Name};
use crate::error::{Error, Result};
use crate::limits;

/// zstd's default: restic's too, and still faster than most disks.
const LEVEL: i32 = 3;
/// Shorter objects are kept raw: a frame's own header eats the gain.
const MIN: usize = 64;
/// Compressors kept for the next object. Each holds about a megabyte, so a burst of threads must not keep them all.
const IDLE: usize = 4;

/// Compresses objects, on as many threads as call it.
#[derive(Default)]
pub(super) struct Squeezer {
    idle: Mutex<Vec<Compressor<'static>>>,
}

impl Squeezer {
    /// The stored form of `raw`: compressed if that saves at least a sixteenth.
    pub(super) fn squeeze<'a>(&self, raw: &'a [u8]) -> Result<Cow<'a, [u8]>> {
        if raw.len() < MIN {
            return Ok(Cow::Borrowed(raw));
        }
        let failed = |error| Error::failed("can't compress an object").because(error);
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut compressor = match idle {
            Some(compressor) => compressor,
            None => Compressor::new(LEVEL).map_err(failed)?,
        };
        let frame = compressor.compress(raw).map_err(failed)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(compressor);
        }
        Ok(if frame.len() < raw.len() - raw.len() / 16 { Cow::Owned(frame) } else { Cow::Borrowed(raw) })
    }
}

/// The raw bytes of an object, whose length is known beforehand, verified by the object's name.
pub(super) fn inflate(kind: Kind, name: &Name, stored: Vec<u8>, raw: usize) -> Result<Vec<u8>> {
    if raw > limits::OBJECT || stored.len() > raw {
        return Err(Error::failed(format!("a {} of {raw} bytes stored in {}", kind.word(), stored.len())));
    }
    let bytes = if stored.len() == raw {
        stored
    } else {
        let inflated = Decompressor::new().and_then(|mut zstd| zstd.decompress(&stored, raw));
        inflated.map_err(|error| Error::failed(format!("a {} that does not inflate", kind.word())).because(error))?
    };
    if bytes.len() != raw || Name::of(kind, &bytes) != *name {
        return Err(Error::failed(format!("a {} whose bytes do not hash to its name {name}", kind.word())));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_compresses_is_stored_shorter_and_what_does_not_is_stored_raw() {
        let squeezer = Squeezer::default();
        let text = b"the same words again and again ".repeat(100);
        let frame = squeezer.squeeze(&text).unwrap().into_owned();
        assert!(frame.len() < text.len() / 10);
        let name = Name::of(Kind::Chunk, &text);
        assert_eq!(inflate(Kind::Chunk, &name, frame, text.len()).unwrap(), text);

        let mut noise = vec![0; 4096];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        assert_eq!(squeezer.squeeze(&noise).unwrap(), noise);
    }

    #[test]
    fn a_frame_never_inflates_beyond_what_it_declares() {
        let zeros = vec![0; 1 << 20];
        let frame = zstd::bulk::compress(&zeros, 3).unwrap();
        let name = Name::of(Kind::Chunk, &zeros);
        assert!(inflate(Kind::Chunk, &name, frame.clone(), 1000).is_err());
        assert!(inflate(Kind::Chunk, &name, frame.clone(), limits::OBJECT + 1).is_err());
        assert!(inflate(Kind::Chunk, &name, frame[..frame.len() - 3].to_vec(), 1 << 20).is_err());
        assert_eq!(inflate(Kind::Chunk, &name, frame, 1 << 20).unwrap(), zeros);
    }
}
