//! One step on a file, a directory or a link. Everything new is made beside its place and renamed into it.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use super::folder::{Folder, Stands};
use super::place::{Place, Sort};
use super::{link, record, sqlite};
use crate::core::content::Contents;
use crate::core::record::Record;
use crate::error::{Context, Error, Result};

/// What a step changes.
pub(super) struct Entry<'a> {
    /// The instance's own directory.
    pub(super) root: &'a Folder,
    /// Where.
    pub(super) place: &'a Place,
    /// Whether the capture saw a record of this sort there.
    pub(super) was_there: bool,
}

impl Entry<'_> {
    /// Puts a record there. Refused ([`crate::error::Kind::Denied`]) where something stands that the capture did not see
    /// as a record of this sort: a directory, a link, a file that came since.
    pub(super) fn put(&self, sort: Sort, record: &Record, contents: &dyn Contents) -> Result<()> {
        let (parent, name) = self.place.split().ok_or_else(|| self.refused("the directory itself"))?;
        let folder = self.root.make(&parent)?;
        match sort {
            Sort::Directory => folder.make_directory(name),
            Sort::File => {
                self.expect(&folder, name, Stands::File)?;
                self.put_file(&folder, name, record, contents)
            }
            Sort::Link => {
                let target = record::target(record).filter(|target| link::stays_inside(self.place, target));
                let target = target.ok_or_else(|| self.refused("a link that may lead out of the directory"))?;
                self.expect(&folder, name, Stands::Link)?;
                let temporary = folder.temporary_link(target)?;
                self.put_in_place(&folder, &temporary, name)
            }
        }
    }

    fn put_file(&self, folder: &Folder, name: &str, record: &Record, contents: &dyn Contents) -> Result<()> {
        let (temporary, mut file) = folder.temporary()?;
        let made = (|| {
            record::write(record, contents, &mut file)?;
            let old = if self.was_there { folder.open(name)?.metadata() } else { file.metadata() };
            let old = old.context("can't look at the file")?.permissions().mode() & 0o777;
            let mode = if record::is_executable(record) { old | 0o100 | (old & 0o044) >> 2 } else { old & !0o111 };
            file.set_permissions(std::fs::Permissions::from_mode(mode)).context("can't set the file's mode")?;
            file.flush().and_then(|()| file.sync_all()).context("can't sync the file")
        })();
        match made.and_then(|()| self.make_way(folder, &temporary, name)) {
            Ok(true) => {}
            Ok(false) => return self.put_in_place(folder, &temporary, name),
            Err(error) => {
                let _ = folder.remove(&temporary);
                return Err(error.in_front(format!("can't write {:?}", self.place.as_str())));
            }
        }
        folder.remove(&temporary)
    }

    /// Sees to it that a database that stands there, or that comes, is whole. Whether it has become the new one already.
    fn make_way(&self, folder: &Folder, temporary: &str, name: &str) -> Result<bool> {
        let (is, becomes) = (sqlite::is_database(folder, name)?, sqlite::is_database(folder, temporary)?);
        if sqlite::is_side_file(folder, name)? || (becomes && !is && sqlite::has_side_files(folder, name)?) {
            return Err(self.refused("what SQLite would take for the log of a database"));
        }
        match (is, becomes) {
            (true, true) => sqlite::replace(folder, temporary, name).map(|()| true),
            (true, false) => sqlite::remove(folder, name).map(|()| false),
            _ => Ok(false),
        }
    }

    fn put_in_place(&self, folder: &Folder, temporary: &str, name: &str) -> Result<()> {
        let placed = folder.put_in_place(temporary, name);
        if placed.is_err() {
            let _ = folder.remove(temporary);
        }
        placed?;
        folder.sync()
    }

    /// Removes what the capture saw there, and the directories that are empty then.
    pub(super) fn delete(&self, sort: Sort) -> Result<()> {
        let Some((parent, name)) = self.place.split() else { return Err(self.refused("the directory itself")) };
        // A missing directory on the way has nothing in it to delete.
        let Some(folder) = self.root.find(&parent)? else { return Ok(()) };
        match (sort, folder.stands(name)?) {
            (_, Stands::Nothing) => {}
            (Sort::Directory, Stands::Directory) => {
                folder.remove_if_empty(name)?;
            }
            (Sort::File, Stands::File) if sqlite::is_database(&folder, name)? => sqlite::remove(&folder, name)?,
            (Sort::File, Stands::File) | (Sort::Link, Stands::Link) => folder.remove(name)?,
            _ => return Err(self.refused("what the capture did not see")),
        }
        folder.sync()?;
        self.prune(parent)
    }

    /// Removes the database that stands there, with all that belongs to it.
    pub(super) fn delete_database(&self) -> Result<()> {
        let Some((parent, name)) = self.place.split() else { return Err(self.refused("the directory itself")) };
        let Some(folder) = self.root.find(&parent)? else { return Ok(()) };
        match folder.stands(name)? {
            Stands::Nothing => Ok(()),
            Stands::File if sqlite::is_database(&folder, name)? => self.delete(Sort::File),
            _ => Err(self.refused("no database")),
        }
    }

    /// A directory is there because of what it holds; one that is to stay empty has a record, which is put back after.
    fn prune(&self, mut place: Place) -> Result<()> {
        while let Some((parent, name)) = place.split() {
            match self.root.find(&parent)? {
                Some(folder) if folder.remove_if_empty(name)? => place = parent,
                _ => break,
            }
        }
        Ok(())
    }

    fn expect(&self, folder: &Folder, name: &str, sort: Stands) -> Result<()> {
        let stands = folder.stands(name)?;
        match stands {
            Stands::Nothing => Ok(()),
            _ if stands == sort && self.was_there => Ok(()),
            Stands::Directory => Err(self.refused("a directory")),
            Stands::Link if sort != Stands::Link => Err(self.refused("a symbolic link")),
            _ => Err(self.refused("what the capture did not see")),
        }
    }

    fn refused(&self, what: &str) -> Error {
        Error::denied(format!("at {:?} stands {what}", self.place.as_str()))
            .hint("move it away, or leave the record out with --except")
    }
}
