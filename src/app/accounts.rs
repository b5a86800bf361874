//! Which accounts of an instance are looked at: no emulator tells which of them have something in it.

use crate::app::memory::Memory;
use crate::core::name::Name;
use crate::error::Result;
use crate::instance::Instance;
use crate::limits;
use crate::store::Store;
use crate::tree;

/// Has captures of the instance ask the accounts in these trees, and those in which peapod has seen something there.
pub fn visit(store: &Store, instance: &dyn Instance, roots: &[Name]) -> Result<()> {
    for root in Memory::echoes(store, instance.url())?.iter().chain(roots) {
        instance.visit(&tree::accounts(store, root, limits::ACCOUNTS)?);
    }
    Ok(())
}
