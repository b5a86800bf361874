//! The iroh-blobs store of a node: packs by reference, with the outboards that prove their ranges.
//!
//! It is a cache. A pack enters when it is first asked for. When the store does not open, or was made for a home at
//! another place, it is wiped and fills again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use iroh_blobs::BlobFormat;
use iroh_blobs::Hash;
use iroh_blobs::api::Store;
use iroh_blobs::api::blobs::{AddPathOptions, ImportMode};
use iroh_blobs::store::fs::FsStore;
use tokio::sync::Mutex;

use crate::error::{Context, Result};

/// How long the store may take to open before it counts as unreadable, and to close.
const PATIENCE: Duration = Duration::from_secs(10);

/// See the module.
pub(super) struct Cache {
    store: FsStore,
    /// Held while a pack is added, so that two requests for a new pack read it once.
    adding: Mutex<()>,
}

impl Cache {
    /// Opens the cache in `dir`, or makes it anew.
    pub(super) async fn open(dir: &Path) -> Result<Cache> {
        // References are absolute paths: a home that was moved has none that hold.
        let place = dir.join("place");
        let here = dir.as_os_str().as_encoded_bytes();
        if std::fs::read(&place).ok().as_deref() != Some(here) {
            make_anew(dir, &place, here)?;
        }
        let store = match tokio::time::timeout(PATIENCE, FsStore::load(dir.join("store"))).await {
            Ok(Ok(store)) => store,
            unreadable => {
                if let Ok(Err(error)) = unreadable {
                    tracing::warn!(%error, "the transfer cache does not open and is made anew");
                }
                make_anew(dir, &place, here)?;
                FsStore::load(dir.join("store")).await.context("can't make the transfer cache")?
            }
        };
        Ok(Cache { store, adding: Mutex::new(()) })
    }

    /// The store, to serve from.
    pub(super) fn store(&self) -> Store {
        (*self.store).clone()
    }

    /// Makes sure that the pack at `path` can be served as `hash`; false when its bytes are others.
    pub(super) async fn hold(&self, hash: Hash, path: &Path) -> bool {
        if self.store.has(hash).await.unwrap_or(false) {
            return true;
        }
        let _one = self.adding.lock().await;
        if self.store.has(hash).await.unwrap_or(false) {
            return true;
        }
        let options =
            AddPathOptions { path: PathBuf::from(path), format: BlobFormat::Raw, mode: ImportMode::TryReference };
        match self.store.add_path_with_opts(options).temp_tag().await {
            Ok(tag) => tag.hash() == hash,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "can't serve a pack");
                false
            }
        }
    }

    /// Closes the store, so that the next one opens at once.
    pub(super) async fn close(&self) {
        if tokio::time::timeout(PATIENCE, self.store.shutdown()).await.is_err() {
            tracing::debug!("the transfer cache did not close in time");
        }
    }
}

fn make_anew(dir: &Path, place: &Path, here: &[u8]) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context("can't clear the transfer cache");
        }
        _ => {}
    }
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(place, here))
        .with_context(|| format!("can't make the transfer cache in {}", dir.display()))
}
