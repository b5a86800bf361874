//! Files and folders: what the store does with the disk, with errors that say what to do when it is full.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where everything lies under a store's folder.
pub(super) struct Layout {
    /// The lock file.
    pub lock: PathBuf,
    /// The redb index and the small tables.
    pub index: PathBuf,
    /// Packs, each under its hash; never changed once they are here.
    pub packs: PathBuf,
    /// Packs being written and sorter runs; emptied when the store is opened.
    pub temporary: PathBuf,
    /// What was found damaged, kept for a person to look at.
    pub quarantine: PathBuf,
}

impl Layout {
    /// The places under `dir`, made where they are missing, for this user alone.
    pub(super) fn make(dir: &Path) -> Result<Layout> {
        let layout = Layout {
            lock: dir.join("lock"),
            index: dir.join("index.redb"),
            packs: dir.join("packs"),
            temporary: dir.join("tmp"),
            quarantine: dir.join("quarantine"),
        };
        for folder in [&layout.packs, &layout.temporary] {
            make_private(folder)?;
        }
        Ok(layout)
    }

    /// Where the pack of that hash lies.
    pub(super) fn pack(&self, hash: &[u8; 32]) -> PathBuf {
        self.packs.join(format!("{}.pack", hex::encode(hash)))
    }

    /// The packs on the disk by their hashes, whether the index knows them or not.
    pub(super) fn packs_on_disk(&self) -> Result<Vec<[u8; 32]>> {
        let mut hashes = Vec::new();
        for file in list(&self.packs)? {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let mut hash = [0; 32];
            if name.strip_suffix(".pack").is_some_and(|name| hex::decode_to_slice(name, &mut hash).is_ok()) {
                hashes.push(hash);
            }
        }
        Ok(hashes)
    }

    /// Moves a damaged file out of the way.
    pub(super) fn set_aside(&self, file: &Path) -> Result<PathBuf> {
        make_private(&self.quarantine)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut to = self.quarantine.join(&name);
        for number in 1.. {
            if !to.exists() {
                break;
            }
            to = self.quarantine.join(format!("{name}.{number}"));
        }
        fs::rename(file, &to).map_err(failed(format!("can't move {} to quarantine", file.display())))?;
        Ok(to)
    }
}

/// Makes a folder that only this user can enter, and the folders above it.
pub(super) fn make_private(dir: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(failed(format!("can't make {}", dir.display())))
}

/// The files in a folder.
pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let failed = failed(format!("can't list {}", dir.display()));
    fs::read_dir(dir).map_err(&failed)?.map(|entry| Ok(entry.map_err(&failed)?.path())).collect()
}

/// Makes renames and removals in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> Result<()> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(failed(format!("can't sync {}", dir.display())))
}

/// Removes a file that may be gone already.
pub(super) fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed(format!("can't remove {}", file.display()))(error))
        }
        _ => Ok(()),
    }
}

/// Turns an I/O error into one that says what failed, and what to do where that is known.
pub(super) fn failed(what: String) -> impl Fn(io::Error) -> Error {
    move |error| {
        let hint = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Some("free some space and try again; nothing that was saved is lost")
            }
            io::ErrorKind::PermissionDenied => Some("check who owns peapod's home and its files"),
            _ => None,
        };
        let error = Error::failed(what.clone()).because(error);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}
