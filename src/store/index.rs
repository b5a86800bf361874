//! The index: which object lies where, which packs there are, and the tables of small state, in one redb file.
//!
//! | redb table | key | value |
//! |---|---|---|
//! | `objects` | name, 32 bytes | pack 4, offset 4, stored length 4, raw length 4, kind 1 (little-endian) |
//! | `packs` | number | BLAKE3 32, length 8, objects 4, state 1 |
//! | `published` | name of a version whose whole history is in served packs | nothing |
//! | `format` | `store` | [`FORMAT`] |
//! | one per [`Table`] | its owner's | its owner's |

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use super::rows::{PackRow, Place, State, damaged};
use super::{Table, Write};
use crate::core::name::Name;
use crate::error::{Error, Result};
use crate::limits;

/// The number of the store's on-disk format: this index and the packs.
const FORMAT: u32 = 1;

type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;

const OBJECTS: TableDefinition<&[u8; 32], &[u8; 17]> = TableDefinition::new("objects");
const PACKS: TableDefinition<u32, &[u8; 45]> = TableDefinition::new("packs");
const PUBLISHED: TableDefinition<&[u8; 32], ()> = TableDefinition::new("published");
const FORMATS: TableDefinition<&str, u32> = TableDefinition::new("format");

/// The open index.
pub(super) struct Index {
    path: PathBuf,
    /// None after an error, until it is opened again.
    database: RwLock<Option<Database>>,
    /// The `packs` table, held in memory: a few hundred rows, needed at every read.
    packs: RwLock<BTreeMap<u32, PackRow>>,
    /// Numbers are never used twice in one process, so that an open file is known by its pack's.
    next_pack: AtomicU32,
}

impl Index {
    /// Opens the index, making an empty one if there is none.
    pub(super) fn open(path: &Path) -> Result<Index> {
        let index = Index {
            path: path.to_owned(),
            database: RwLock::new(Some(open(path)?)),
            packs: RwLock::default(),
            next_pack: AtomicU32::new(1),
        };
        index.check_format()?;
        let mut packs = BTreeMap::new();
        index.read(|txn| {
            for row in txn.open_table(PACKS).map_err(broken)?.iter().map_err(broken)? {
                let (number, row) = row.map_err(broken)?;
                packs.insert(number.value(), PackRow::from_bytes(row.value())?);
            }
            Ok(())
        })?;
        let next = packs.last_key_value().map_or(1, |(number, _)| number.saturating_add(1));
        Ok(Index { packs: RwLock::new(packs), next_pack: AtomicU32::new(next), ..index })
    }

    fn check_format(&self) -> Result<()> {
        let read = self.read(|txn| match txn.open_table(FORMATS) {
            Ok(table) => Ok(table.get("store").map_err(broken)?.map(|format| format.value())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(broken(error)),
        })?;
        match read {
            Some(FORMAT) => Ok(()),
            Some(format) => {
                let message = format!("the store is in format {format}, this peapod knows {FORMAT}");
                Err(Error::failed(message).hint("a newer peapod made it: upgrade this one"))
            }
            // A new file: all tables are made at once, so that reading never meets a missing one.
            None => self.write(|change| {
                change.txn.open_table(FORMATS).map_err(broken)?.insert("store", FORMAT).map_err(broken)?;
                for table in Table::ALL {
                    change.txn.open_table(definition(table)).map_err(broken)?;
                }
                change.txn.open_table(PUBLISHED).map_err(broken).map(drop)
            }),
        }
    }

    /// Where an object lies.
    pub(super) fn place(&self, name: &Name) -> Result<Option<Place>> {
        self.read(|txn| {
            let objects = txn.open_table(OBJECTS).map_err(broken)?;
            let place = objects.get(&name.0).map_err(broken)?;
            place.map(|place| Place::from_bytes(place.value())).transpose()
        })
    }

    /// Shows every object, in the order of names. `visit` must not come back to the index.
    pub(super) fn each_object(&self, visit: &mut dyn FnMut(Name, Place) -> Result<()>) -> Result<()> {
        self.read(|txn| {
            for row in txn.open_table(OBJECTS).map_err(broken)?.iter().map_err(broken)? {
                let (name, place) = row.map_err(broken)?;
                visit(Name(*name.value()), Place::from_bytes(place.value())?)?;
            }
            Ok(())
        })
    }

    /// Whether a version's whole history is in served packs.
    pub(super) fn is_published(&self, version: &Name) -> Result<bool> {
        self.read(|txn| Ok(txn.open_table(PUBLISHED).map_err(broken)?.get(&version.0).map_err(broken)?.is_some()))
    }

    /// The pack of that number.
    pub(super) fn pack(&self, number: u32) -> Option<PackRow> {
        self.packs.read().unwrap_or_else(PoisonError::into_inner).get(&number).copied()
    }

    /// Every pack.
    pub(super) fn packs(&self) -> BTreeMap<u32, PackRow> {
        self.packs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The served packs that `wanted` says yes to.
    pub(super) fn served(&self, wanted: &dyn Fn(&PackRow) -> bool) -> Vec<PackRow> {
        let packs = self.packs.read().unwrap_or_else(PoisonError::into_inner);
        packs.values().filter(|row| row.state == State::Served && wanted(row)).copied().collect()
    }

    /// See [`super::Store::read`].
    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read(|txn| {
            let table = txn.open_table(definition(table)).map_err(broken)?;
            Ok(table.get(key).map_err(broken)?.map(|value| value.value().to_vec()))
        })
    }

    /// See [`super::Store::list`].
    pub(super) fn list(&self, table: Table, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.read(|txn| {
            let table = txn.open_table(definition(table)).map_err(broken)?;
            let mut found = Vec::new();
            for row in table.range(prefix..).map_err(broken)? {
                let (key, value) = row.map_err(broken)?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                found.push((key.value().to_vec(), value.value().to_vec()));
            }
            Ok(found)
        })
    }

    /// Verifies the checksums of the whole file.
    pub(super) fn check(&self) -> Result<()> {
        self.with(|_| Ok(()))?;
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_mut() else { return Err(damaged()) };
        if !unpanicked(|| database.check_integrity().map_err(broken))? {
            tracing::warn!("the store's index was damaged and has been repaired");
        }
        Ok(())
    }

    fn read<T>(&self, read: impl FnOnce(&ReadTransaction) -> Result<T>) -> Result<T> {
        self.with(|database| read(&database.begin_read().map_err(broken)?))
    }

    /// Makes a change in one durable transaction: all of it, or nothing and an error.
    pub(super) fn write<T>(&self, make: impl FnOnce(&mut Change<'_>) -> Result<T>) -> Result<T> {
        let result = self.with(|database| self.write_to(database, make));
        if result.is_err() {
            // After an I/O error (a full disk) redb refuses every change until it is opened again.
            *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        result
    }

    /// Uses the database, opening it again first if it was closed after an error.
    fn with<T>(&self, run: impl FnOnce(&Database) -> Result<T>) -> Result<T> {
        loop {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(database) = database.as_ref() {
                return unpanicked(|| run(database));
            }
            drop(database);
            let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
            if database.is_none() {
                *database = Some(open(&self.path)?);
            }
        }
    }

    fn write_to<T>(&self, database: &Database, make: impl FnOnce(&mut Change<'_>) -> Result<T>) -> Result<T> {
        let txn = database.begin_write().map_err(broken)?;
        let (value, packs) = {
            let objects = txn.open_table(OBJECTS).map_err(broken)?;
            let rows = txn.open_table(PACKS).map_err(broken)?;
            let mut change = Change { txn: &txn, objects, rows, packs: Vec::new(), next_pack: &self.next_pack };
            let value = make(&mut change)?;
            (value, change.packs)
        };
        // New packs are known before the objects in them are seen, so that a reader finds the pack of every place.
        let added: Vec<u32> = {
            let mut known = self.packs.write().unwrap_or_else(PoisonError::into_inner);
            let new = packs.iter().filter_map(|(number, row)| Some((*number, (*row)?)));
            let new: Vec<_> = new.filter(|(number, _)| !known.contains_key(number)).collect();
            known.extend(new.iter().copied());
            new.into_iter().map(|(number, _)| number).collect()
        };
        let committed = txn.commit().map_err(broken);
        let mut known = self.packs.write().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = committed {
            known.retain(|number, _| !added.contains(number));
            return Err(error);
        }
        for (number, row) in packs {
            match row {
                Some(row) => known.insert(number, row),
                None => known.remove(&number),
            };
        }
        Ok(value)
    }
}

/// A change of the index, part of one transaction.
pub(super) struct Change<'t> {
    txn: &'t WriteTransaction,
    objects: redb::Table<'t, &'static [u8; 32], &'static [u8; 17]>,
    rows: redb::Table<'t, u32, &'static [u8; 45]>,
    packs: Vec<(u32, Option<PackRow>)>,
    next_pack: &'t AtomicU32,
}

impl Change<'_> {
    /// Adds a pack and numbers it.
    pub(super) fn add_pack(&mut self, row: PackRow) -> Result<u32> {
        let number = self.next_pack.fetch_add(1, Ordering::Relaxed);
        self.set_pack(number, row)?;
        Ok(number)
    }

    /// Changes a pack's row.
    pub(super) fn set_pack(&mut self, number: u32, row: PackRow) -> Result<()> {
        self.rows.insert(number, &row.to_bytes()).map_err(broken)?;
        self.packs.push((number, Some(row)));
        Ok(())
    }

    /// Forgets a pack.
    pub(super) fn remove_pack(&mut self, number: u32) -> Result<()> {
        self.rows.remove(number).map_err(broken)?;
        self.packs.push((number, None));
        Ok(())
    }

    /// Where an object lies.
    pub(super) fn place(&self, name: &Name) -> Result<Option<Place>> {
        let place = self.objects.get(&name.0).map_err(broken)?;
        place.map(|place| Place::from_bytes(place.value())).transpose()
    }

    /// Says where an object lies.
    pub(super) fn set_place(&mut self, name: &Name, place: Place) -> Result<()> {
        self.objects.insert(&name.0, &place.to_bytes()).map_err(broken).map(drop)
    }

    /// Keeps the objects that `keep` wants and returns how many were forgotten. Their `complete` and `published` marks
    /// go with them.
    pub(super) fn retain_objects(&mut self, mut keep: impl FnMut(&Name, &Place) -> bool) -> Result<u64> {
        let mut complete = self.txn.open_table(definition(Table::Complete)).map_err(broken)?;
        let mut published = self.txn.open_table(PUBLISHED).map_err(broken)?;
        let (mut forgotten, mut failure) = (0, None);
        let retained = self.objects.retain(|name, place| {
            let keep = match Place::from_bytes(place) {
                Ok(place) => keep(&Name(*name), &place),
                Err(error) => {
                    failure.get_or_insert(error);
                    true
                }
            };
            if !keep {
                forgotten += 1;
                let unmarked = complete.remove(&name[..]).map(drop).and(published.remove(name).map(drop));
                if let Err(error) = unmarked {
                    failure.get_or_insert(broken(error));
                }
            }
            keep
        });
        retained.map_err(broken)?;
        failure.map_or(Ok(forgotten), Err)
    }

    /// Marks versions whose whole history is in served packs.
    pub(super) fn mark_published(&mut self, versions: &[Name]) -> Result<()> {
        let mut published = self.txn.open_table(PUBLISHED).map_err(broken)?;
        versions.iter().try_for_each(|version| published.insert(&version.0, ()).map(drop)).map_err(broken)
    }

    /// Drops every `complete` and `published` mark.
    pub(super) fn clear_marks(&mut self) -> Result<()> {
        self.txn.open_table(definition(Table::Complete)).map_err(broken)?.retain(|_, _| false).map_err(broken)?;
        self.txn.open_table(PUBLISHED).map_err(broken)?.retain(|_, ()| false).map_err(broken)
    }

    /// Makes a change of a table.
    pub(super) fn apply(&mut self, write: &Write) -> Result<()> {
        match write {
            Write::Put(table, key, value) => {
                let mut table = self.txn.open_table(definition(*table)).map_err(broken)?;
                table.insert(&key[..], &value[..]).map_err(broken).map(drop)
            }
            Write::Remove(table, key) => {
                let mut table = self.txn.open_table(definition(*table)).map_err(broken)?;
                table.remove(&key[..]).map_err(broken).map(drop)
            }
        }
    }
}

fn definition(table: Table) -> Bytes {
    TableDefinition::new(match table {
        Table::Settings => "settings",
        Table::Refs => "refs",
        Table::Heads => "heads",
        Table::Roster => "roster",
        Table::Memory => "memory",
        Table::Oplog => "oplog",
        Table::Journal => "journal",
        Table::Bodies => "bodies",
        Table::Complete => "complete",
        Table::Pins => "pins",
    })
}

/// A new file is made beside its place and renamed: redb can't open one whose making was cut off.
fn open(path: &Path) -> Result<Database> {
    let opened = |path: &Path| {
        let open = || Database::builder().set_cache_size(limits::INDEX_CACHE).create(path);
        unpanicked(|| open().map_err(open_failed(path)))
    };
    if !path.exists() {
        let new = path.with_extension("new");
        super::disk::remove(&new)?;
        drop(opened(&new)?);
        std::fs::rename(&new, path).map_err(super::disk::failed(format!("can't make {}", path.display())))?;
        path.parent().map_or(Ok(()), super::disk::sync_dir)?;
    }
    opened(path)
}

fn open_failed(path: &Path) -> impl Fn(redb::DatabaseError) -> Error {
    move |error| match error {
        redb::DatabaseError::Storage(redb::StorageError::Io(error))
            if error.kind() != std::io::ErrorKind::InvalidData =>
        {
            super::disk::failed(format!("can't open {}", path.display()))(error)
        }
        error => broken(error),
    }
}

/// redb trusts a file that was closed in order, and panics where it was changed from outside since.
fn unpanicked<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(damaged()))
}

fn broken(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::Io(error) if error.kind() != std::io::ErrorKind::InvalidData => {
            super::disk::failed("can't use the store's index".into())(error)
        }
        error => damaged().because(error),
    }
}
