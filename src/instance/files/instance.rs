//! [`Directory`]: a directory as one [`Instance`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::entry::Entry;
use super::folder::{Folder, Stands};
use super::place::{FILES, Place, REGION, TEMPORARY, is_withheld, place_of};
use super::sqlite::{self, SQLITE, Writer};
use super::{link, walk};
use crate::core::address::{Address, SELF_ACCOUNT};
use crate::core::content::Contents;
use crate::core::record::{Body, Record};
use crate::core::select::Selector;
use crate::core::version::Skip;
use crate::error::{Error, Result};
use crate::instance::{Identity, Instance, Settled, Sink, Stage, Step};

/// How a directory is named where an emulator's URL would stand: `dir:PATH`.
pub const SCHEME: &str = "dir:";
/// The services that a directory has.
pub const SERVICES: [&str; 2] = [FILES, SQLITE];
/// What is not as a person may expect of databases.
const WHOLE: &str = "a database with virtual tables (full-text search, R*Tree) is kept as one file, not row by row";

/// A directory whose files are an instance's state.
pub struct Directory {
    url: String,
    root: Folder,
    /// Directories in which the last capture saw what an inject that was cut off has left.
    leftovers: Mutex<BTreeSet<Place>>,
    /// Databases that steps have begun to change.
    begun: Mutex<BTreeMap<Place, Writer>>,
}

impl Directory {
    /// Opens the directory at `path`, which is absolute.
    ///
    /// [`crate::error::Kind::NotFound`] when there is none; [`crate::error::Kind::Denied`] for a home of peapod and for the root of all files.
    pub fn open(path: &Path) -> Result<Directory> {
        let missing = |error: std::io::Error| {
            Error::not_found(format!("no directory {}", path.display()))
                .because(error)
                .hint("make it first: an empty one takes a pod as well as any")
        };
        let path: PathBuf = path.canonicalize().map_err(missing)?;
        let text = path.to_str().ok_or_else(|| Error::usage(format!("{} is not UTF-8", path.display())))?;
        if !path.is_dir() {
            return Err(Error::usage(format!("{text} is no directory")));
        }
        let root = Folder::root(&path)?;
        if path.parent().is_none() || walk::is_home(&root)? {
            return Err(Error::denied(format!("{text} can't be an instance"))
                .hint("name a directory that holds the state of a tool, and nothing else"));
        }
        Ok(Directory { url: format!("{SCHEME}{text}"), root, leftovers: Mutex::default(), begun: Mutex::default() })
    }

    fn begun(&self) -> MutexGuard<'_, BTreeMap<Place, Writer>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes what an inject that was cut off has left, once nothing else of that kind is under way.
    fn sweep(&self) -> Result<()> {
        for place in std::mem::take(&mut *self.leftovers.lock().unwrap_or_else(PoisonError::into_inner)) {
            let Some(folder) = self.root.find(&place)? else { continue };
            for (name, is_text) in folder.names()? {
                if is_text && name.starts_with(TEMPORARY) {
                    folder.remove(&name)?;
                }
            }
        }
        Ok(())
    }

    fn apply_row(&self, step: &Step, contents: &dyn Contents) -> Result<()> {
        let place = sqlite::place_of(&step.address)?;
        let is_row = step.address.owner().is_some();
        let mut begun = self.begun();
        if !is_row && step.after.is_none() {
            begun.remove(&place);
            return Entry { root: &self.root, place: &place, was_there: true }.delete_database();
        }
        if !begun.contains_key(&place) {
            let writer = match (&step.before, &step.after) {
                (None, Some(record)) if !is_row => {
                    begun.insert(place.clone(), Writer::create(&self.root, &place, record)?);
                    return Ok(());
                }
                (_, None) if !self.root.holds(&place)? => return Ok(()),
                _ => Writer::open(&self.root, &place)?,
            };
            begun.insert(place.clone(), writer);
        }
        let Some(writer) = begun.get_mut(&place) else { return Ok(()) };
        match &step.after {
            Some(record) if is_row => writer.put_row(&step.address, step.before.as_ref(), record, contents),
            Some(record) => writer.put_schema(record),
            None => writer.delete_row(&step.address),
        }
    }

    fn apply_file(&self, step: &Step, contents: &dyn Contents) -> Result<()> {
        let (sort, place) = place_of(&step.address)?;
        let entry = Entry { root: &self.root, place: &place, was_there: step.before.is_some() };
        match &step.after {
            Some(record) => entry.put(sort, record, contents),
            None => entry.delete(sort),
        }
    }
}

#[async_trait]
impl Instance for Directory {
    fn url(&self) -> &str {
        &self.url
    }

    async fn identify(&self) -> Result<Identity> {
        Ok(Identity {
            emulator: "directory".to_owned(),
            version: String::new(),
            account: SELF_ACCOUNT.to_owned(),
            services: vec![(FILES.to_owned(), None), (SQLITE.to_owned(), Some(WHOLE.to_owned()))],
        })
    }

    fn regions(&self) -> Vec<String> {
        vec![REGION.to_owned()]
    }

    async fn capture(&self, selector: &Selector, sink: &dyn Sink) -> Result<()> {
        let selected = Selected { selector, sink };
        self.begun().clear();
        let leftovers = tokio::task::block_in_place(|| walk::capture(&self.root, selector, &selected))?;
        *self.leftovers.lock().unwrap_or_else(PoisonError::into_inner) = leftovers;
        Ok(())
    }

    fn stage(&self, address: &Address) -> Stage {
        if address.owner().is_some() { Stage::Item } else { Stage::Resource }
    }

    async fn apply(&self, step: &Step, contents: &dyn Contents) -> Result<()> {
        let address = &step.address;
        if address.account() != SELF_ACCOUNT || address.region() != REGION || !SERVICES.contains(&address.service()) {
            return Err(Error::failed(format!("a directory takes nothing like {address}"))
                .hint(format!("leave other services out: --service {}", SERVICES.join(","))));
        }
        tokio::task::block_in_place(|| match address.service() {
            SQLITE => self.apply_row(step, contents),
            _ => self.apply_file(step, contents),
        })
    }

    async fn settle(&self, contents: &dyn Contents) -> Result<Settled> {
        let begun = std::mem::take(&mut *self.begun());
        tokio::task::block_in_place(|| {
            let mut all = Settled::default();
            for writer in begun.into_values() {
                let settled = writer.settle(contents)?;
                all.refused.extend(settled.refused);
                all.notes.extend(settled.notes);
            }
            self.sweep()?;
            Ok(all)
        })
    }

    fn reset_shows(&self) -> bool {
        false
    }

    async fn reset(&self) -> Result<()> {
        tokio::task::block_in_place(|| empty(&self.root).map(|_| ()))
    }
}

/// Removes what a capture would find; what it leaves alone stays. Whether the directory is empty then.
fn empty(folder: &Folder) -> Result<bool> {
    let mut is_empty = true;
    for (name, is_text) in folder.names()? {
        let place = folder.place().child(&name).filter(|_| is_text && !is_withheld(&name));
        let gone = match (folder.stands(&name)?, place) {
            (Stands::File, Some(_)) if sqlite::is_side_file(folder, &name)? => true,
            (Stands::File, Some(_)) if sqlite::is_database(folder, &name)? => {
                sqlite::remove(folder, &name).map(|()| true)?
            }
            (Stands::File, Some(_)) => folder.remove(&name).map(|()| true)?,
            (Stands::Link, Some(place)) => {
                let target = folder.read_link(&name)?;
                let ours = std::str::from_utf8(&target).is_ok_and(|target| link::stays_inside(&place, target));
                if ours {
                    folder.remove(&name)?;
                }
                ours
            }
            (Stands::Directory, Some(_)) => {
                let inner = folder.enter(&name)?;
                !walk::is_home(&inner)? && empty(&inner)? && folder.remove_if_empty(&name)?
            }
            (Stands::Nothing, _) => true,
            _ => false,
        };
        is_empty &= gone;
    }
    folder.sync()?;
    Ok(is_empty)
}

/// Passes on what was selected.
struct Selected<'a> {
    selector: &'a Selector,
    sink: &'a dyn Sink,
}

impl Sink for Selected<'_> {
    fn wants(&self, address: &Address) -> bool {
        self.selector.matches(address) && self.sink.wants(address)
    }

    fn record(&self, address: Address, record: Record) -> Result<()> {
        if self.selector.matches(&address) { self.sink.record(address, record) } else { Ok(()) }
    }

    fn skip(&self, skip: Skip) {
        self.sink.skip(skip);
    }

    fn mark(&self, address: &Address, mark: &str) {
        self.sink.mark(address, mark);
    }

    fn withholds_body(&self, address: &Address) -> bool {
        self.sink.withholds_body(address)
    }

    fn contents(&self) -> &dyn Contents {
        self.sink.contents()
    }

    fn known_body(&self, address: &Address, fingerprint: &str) -> Option<Body> {
        self.sink.known_body(address, fingerprint)
    }

    fn remember_body(&self, address: &Address, fingerprint: &str, body: &Body) {
        self.sink.remember_body(address, fingerprint, body);
    }
}
