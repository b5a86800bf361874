//! What opening a store puts right: the leftovers of a process that was killed.

use std::collections::BTreeSet;

use super::disk::{self, Layout};
use super::index::Index;
use super::pack::{self, Sealed};
use super::rows::State;
use super::shelf;
use crate::error::Result;

/// Removes what was half written or already given up, and adopts packs that were sealed but not yet indexed.
///
/// Whatever it finds, nothing that the index names is touched.
pub(super) fn recover(layout: &Layout, index: &Index) -> Result<()> {
    for file in disk::list(&layout.temporary)? {
        disk::remove(&file)?;
    }
    bury(layout, index)?;
    let known: BTreeSet<[u8; 32]> = index.packs().values().map(|row| row.hash).collect();
    for hash in layout.packs_on_disk()? {
        if !known.contains(&hash) {
            adopt(layout, index, hash)?;
        }
    }
    Ok(())
}

/// Removes the files of dead packs, then their rows.
pub(super) fn bury(layout: &Layout, index: &Index) -> Result<()> {
    let dead: Vec<_> = index.packs().into_iter().filter(|(_, row)| row.state == State::Dead).collect();
    if dead.is_empty() {
        return Ok(());
    }
    for (_, row) in &dead {
        disk::remove(&layout.pack(&row.hash))?;
    }
    disk::sync_dir(&layout.packs)?;
    index.write(|change| dead.iter().try_for_each(|(number, _)| change.remove_pack(*number)))
}

/// Takes a pack that the index does not know into it, as far as it holds anything new. One whose table does not read is
/// set aside.
pub(super) fn adopt(layout: &Layout, index: &Index, hash: [u8; 32]) -> Result<bool> {
    let path = layout.pack(&hash);
    let Ok(entries) = pack::read_table(&path) else {
        let aside = layout.set_aside(&path)?;
        tracing::warn!(file = %aside.display(), "a pack that nothing refers to does not read; set aside");
        return Ok(false);
    };
    let failed = disk::failed(format!("can't look at {}", path.display()));
    let length = std::fs::metadata(&path).map_err(failed)?.len();
    let sealed = Sealed { hash, length, entries };
    let mut new = false;
    index.write(|change| {
        new = false;
        for entry in &sealed.entries {
            new = new || change.place(&entry.name)?.is_none();
        }
        if new {
            let mut unknown = |change: &super::index::Change<'_>, name: &_| Ok(change.place(name)?.is_none());
            shelf::add_pack(change, &sealed, State::Private, &mut unknown)?;
        }
        Ok(())
    })?;
    if !new {
        disk::remove(&path)?;
    }
    Ok(new)
}
