//! Bodies that this process has put into the instance: the capture right after an inject need not read them again.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::core::address::Address;
use crate::core::record::Body;
use crate::limits;

/// Remembers, for each object written, the ETag that the instance answered.
#[derive(Default)]
pub(super) struct Written(Mutex<HashMap<[u8; 32], (String, Body)>>);

impl Written {
    /// Remembers that this body has this ETag at this address.
    pub(super) fn add(&self, address: &Address, etag: &str, body: &Body) {
        if let Ok(mut known) = self.0.lock() {
            if known.len() < limits::INSTANCE_WRITTEN {
                known.insert(name(address), (etag.to_owned(), body.clone()));
            } else {
                // An older body of this object must not stand for the new one.
                known.remove(&name(address));
            }
        }
    }

    /// The body written here, if the listing shows that it still stands.
    pub(super) fn find(&self, address: &Address, etag: &str, size: u64) -> Option<Body> {
        let known = self.0.lock().ok()?;
        let (known_etag, body) = known.get(&name(address))?;
        (known_etag == etag && body.size() == size).then(|| body.clone())
    }
}

/// A hash in place of the address, whose key may be long.
fn name(address: &Address) -> [u8; 32] {
    *blake3::hash(&address.key().0).as_bytes()
}
