//! Tokens by which a service tells one call from another.

use crate::error::{Error, Result};

/// 32 hexadecimal digits that no other call gives. Where AWS's own clients send an idempotency token, some emulators
/// insist on one.
pub fn unique() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::failed(format!("the system gives no random bytes: {error}")))?;
    Ok(hex::encode(bytes))
}
