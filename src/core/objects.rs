//! What a name stands for: the one way by which the pure parts reach stored objects.

use bytes::Bytes;

use crate::core::name::{Kind, Name};
use crate::error::Result;

/// Objects by name.
pub trait Objects: Send + Sync {
    /// The bytes whose name as `kind` is `name`; verified. [`crate::error::Kind::NotFound`] when they are not held.
    fn get(&self, kind: Kind, name: &Name) -> Result<Bytes>;
    /// Keeps `bytes` and names them. Not durable until the store says so.
    fn put(&self, kind: Kind, bytes: &[u8]) -> Result<Name>;
}

#[cfg(test)]
pub(crate) mod memory {
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::Error;

    /// Objects in memory that count their reads.
    #[derive(Default)]
    pub(crate) struct Memory {
        pub(crate) objects: Mutex<BTreeMap<Name, Vec<u8>>>,
        pub(crate) reads: AtomicUsize,
    }

    impl Objects for Memory {
        fn get(&self, kind: Kind, name: &Name) -> Result<Bytes> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let objects = self.objects.lock().unwrap();
            let bytes = objects.get(name).ok_or_else(|| Error::not_found(format!("no {} {name}", kind.word())))?;
            assert_eq!(Name::of(kind, bytes), *name);
            Ok(Bytes::copy_from_slice(bytes))
        }

        fn put(&self, kind: Kind, bytes: &[u8]) -> Result<Name> {
            let name = Name::of(kind, bytes);
            self.objects.lock().unwrap().insert(name, bytes.to_vec());
            Ok(name)
        }
    }
}
