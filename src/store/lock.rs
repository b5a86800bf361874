//! One process owns a store: a lock on a file in its folder, given up by the system when the process ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::disk;
use crate::error::{Error, Result};

/// How often a waiting process looks again.
const POLL: Duration = Duration::from_millis(20);

/// The lock; dropping it lets the next process in.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock at `path`, waiting up to `wait` for its holder.
    pub(super) fn take(path: &Path, wait: Duration) -> Result<Lock> {
        let failed = disk::failed(format!("can't lock {}", path.display()));
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = opened.map_err(&failed)?;
        let until = Instant::now() + wait;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(POLL),
                Err(TryLockError::WouldBlock) => return Err(busy(file)),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        // The number only helps a person who waits for the lock; failing to write it changes nothing.
        let _ = file.set_len(0).and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
        Ok(Lock { _file: file })
    }
}

fn busy(file: File) -> Error {
    let mut holder = String::new();
    let _ = file.take(20).read_to_string(&mut holder);
    let who = if holder.is_empty() { String::new() } else { format!(" (process {holder})") };
    Error::unavailable(format!("another peapod is using this home{who}"))
        .hint("wait until it is done, or stop it; or give this command a home of its own with --home")
}
