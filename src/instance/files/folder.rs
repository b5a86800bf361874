//! Handles of directories inside the instance. The only file that names a path to the system.
//!
//! A walk starts at the instance's own handle and takes one name at a time, never through a symbolic link: whatever is
//! swapped in on the way, it stays inside.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::place::{Place, TEMPORARY};
use crate::error::{Context, Error, Result};

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    Nothing,
    File,
    Directory,
    Link,
    /// A socket, a device, a pipe.
    Other,
}

/// An open directory inside the instance.
pub(super) struct Folder {
    handle: OwnedFd,
    place: Place,
    /// For SQLite, which takes nothing else; see [`Folder::check_path`].
    path: PathBuf,
}

const SEARCH: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens the instance's directory. `path` leads through no symbolic link.
    pub(super) fn root(path: &Path) -> Result<Folder> {
        let handle = rustix::fs::open(path, SEARCH, Mode::empty());
        let handle = handle.with_context(|| format!("can't open the directory {}", path.display()))?;
        Ok(Folder { handle, place: Place::root(), path: path.to_owned() })
    }

    /// The directory at `place`, from the instance's own; none where a name on the way is missing or is no directory.
    pub(super) fn find(&self, place: &Place) -> Result<Option<Folder>> {
        let mut folder = self.again()?;
        for name in place.names() {
            match folder.stands(name)? {
                Stands::Directory => folder = folder.enter(name)?,
                _ => return Ok(None),
            }
        }
        Ok(Some(folder))
    }

    /// The directory at `place`, from the instance's own, making what is missing on the way.
    pub(super) fn make(&self, place: &Place) -> Result<Folder> {
        let mut folder = self.again()?;
        for name in place.names() {
            match rustix::fs::mkdirat(&folder.handle, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(not_made(error, folder.what("make the directory", name))),
            }
            folder = folder.enter(name)?;
        }
        Ok(folder)
    }

    /// The directory of that name in this one. Refused ([`crate::error::Kind::Denied`]) where something else stands.
    pub(super) fn enter(&self, name: &str) -> Result<Folder> {
        let handle = match rustix::fs::openat(&self.handle, name, SEARCH, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => {
                return Err(Error::denied(format!("{} is no directory", self.shown(name))));
            }
            Err(error) => return Err(error).with_context(|| self.what("open the directory", name)),
        };
        let place =
            self.place.child(name).ok_or_else(|| Error::denied(format!("{} is out of bounds", self.shown(name))))?;
        Ok(Folder { handle, place, path: self.path.join(name) })
    }

    /// The same directory once more.
    pub(super) fn again(&self) -> Result<Folder> {
        Ok(Folder { handle: self.reopen()?, place: self.place.clone(), path: self.path.clone() })
    }

    /// The path of a name in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Fails unless its path leads to this very directory still, and through no symbolic link.
    pub(super) fn check_path(&self) -> Result<()> {
        let what = || self.what("look at", "");
        let ours = File::from(self.reopen()?).metadata().with_context(what)?;
        let theirs = self.path.canonicalize().and_then(std::fs::metadata).with_context(what)?;
        let is_same = (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino());
        if is_same && self.path.canonicalize().with_context(what)? == self.path {
            return Ok(());
        }
        Err(Error::denied(format!("{:?} was moved away meanwhile", self.place.as_str())))
    }

    fn reopen(&self) -> Result<OwnedFd> {
        self.handle.try_clone().context("no more handles")
    }

    /// Where it lies.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The names in it, in order; those that are not UTF-8 as the lossy text and `false`.
    pub(super) fn names(&self) -> Result<Vec<(String, bool)>> {
        let what = || format!("can't list the directory {:?}", self.place.as_str());
        let mut names = vec![];
        for entry in rustix::fs::Dir::read_from(&self.handle).with_context(what)? {
            let entry = entry.with_context(what)?;
            match entry.file_name().to_str() {
                Ok("." | "..") => {}
                Ok(name) => names.push((name.to_owned(), true)),
                Err(_) => names.push((entry.file_name().to_string_lossy().into_owned(), false)),
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// What stands under a name.
    pub(super) fn stands(&self, name: &str) -> Result<Stands> {
        let stat = match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(Stands::Nothing),
            Err(error) => return Err(error).with_context(|| self.what("look at", name)),
        };
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Stands::File,
            FileType::Directory => Stands::Directory,
            FileType::Symlink => Stands::Link,
            _ => Stands::Other,
        })
    }

    /// Whether anything stands at `place`, from the instance's own directory.
    pub(super) fn holds(&self, place: &Place) -> Result<bool> {
        let Some((parent, name)) = place.split() else { return Ok(true) };
        self.find(&parent)?.map_or(Ok(false), |folder| Ok(folder.stands(name)? != Stands::Nothing))
    }

    /// Opens a regular file to read it; never waits for a pipe, never follows a link.
    pub(super) fn open(&self, name: &str) -> Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(&self.handle, name, flags, Mode::empty());
        let file = File::from(handle.with_context(|| self.what("open", name))?);
        if !file.metadata().with_context(|| self.what("look at", name))?.is_file() {
            return Err(Error::denied(format!("{} is no regular file", self.shown(name))));
        }
        Ok(file)
    }

    /// Where a symbolic link leads, as it is written.
    pub(super) fn read_link(&self, name: &str) -> Result<Vec<u8>> {
        let target = rustix::fs::readlinkat(&self.handle, name, Vec::new());
        Ok(target.with_context(|| self.what("read the link", name))?.into_bytes())
    }

    /// A new file under a name of peapod's own, to be put in place by [`Folder::put_in_place`].
    pub(super) fn temporary(&self) -> Result<(String, File)> {
        let name = temporary_name()?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(&self.handle, &*name, flags, Mode::from_raw_mode(0o666));
        let file = File::from(handle.map_err(|error| not_made(error, self.what("make a file in", "")))?);
        Ok((name, file))
    }

    /// A new symbolic link under a name of peapod's own.
    pub(super) fn temporary_link(&self, target: &str) -> Result<String> {
        let name = temporary_name()?;
        rustix::fs::symlinkat(target, &self.handle, &*name)
            .map_err(|error| not_made(error, self.what("make a link in", "")))?;
        Ok(name)
    }

    /// Gives what stands under `temporary` its name, in place of what has it now.
    pub(super) fn put_in_place(&self, temporary: &str, name: &str) -> Result<()> {
        let placed = rustix::fs::renameat(&self.handle, temporary, &self.handle, name);
        placed.map_err(|error| not_made(error, self.what("put in place", name)))
    }

    /// Makes a directory; one that is there is fine.
    pub(super) fn make_directory(&self, name: &str) -> Result<()> {
        match rustix::fs::mkdirat(&self.handle, name, Mode::from_raw_mode(0o777)) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) if self.stands(name)? == Stands::Directory => Ok(()),
            Err(Errno::EXIST) => Err(Error::denied(format!("{} is no directory", self.shown(name)))),
            Err(error) => Err(not_made(error, self.what("make the directory", name))),
        }
    }

    /// Removes a file or a link; one that is not there is fine.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error).with_context(|| self.what("remove", name)),
        }
    }

    /// Removes a directory if nothing is in it; whether it is gone.
    pub(super) fn remove_if_empty(&self, name: &str) -> Result<bool> {
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR | Errno::BUSY) => Ok(false),
            Err(error) => Err(error).with_context(|| self.what("remove the directory", name)),
        }
    }

    /// Makes the names in it durable.
    pub(super) fn sync(&self) -> Result<()> {
        rustix::fs::fsync(&self.handle).with_context(|| self.what("sync", ""))
    }

    /// What tells it from another directory that came to stand in its place: its number, and where the file system keeps
    /// it, when it was made.
    pub(super) fn mark(&self) -> Result<String> {
        let metadata = File::from(self.reopen()?).metadata().context("can't look at the directory")?;
        let made = metadata.created().ok().and_then(|made| made.duration_since(std::time::UNIX_EPOCH).ok());
        Ok(format!("{}:{}", metadata.ino(), made.map_or(0, |made| made.as_nanos())))
    }

    fn shown(&self, name: &str) -> String {
        if self.place.as_str().is_empty() { name.to_owned() } else { format!("{}/{name}", self.place.as_str()) }
    }

    fn what(&self, doing: &str, name: &str) -> String {
        format!("can't {doing} {}", self.shown(name))
    }
}

/// The error of a call that makes something new: what the file system forbids costs that one record.
fn not_made(error: Errno, what: String) -> Error {
    match error {
        Errno::ACCESS | Errno::PERM | Errno::NAMETOOLONG | Errno::INVAL | Errno::ILSEQ => Error::denied(what),
        _ => Error::failed(what),
    }
    .because(error)
}

fn temporary_name() -> Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| Error::failed(format!("no random bytes for a name: {error}")))?;
    Ok(format!("{TEMPORARY}{}.tmp", hex::encode(bytes)))
}
