//! [`Directory`]: a directory as one [`Instance`].

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::entry::Entry;
use super::folder::{Folder, Stands};
use super::place::{FILES, REGION, is_withheld, place_of};
use super::{link, walk};
use crate::core::address::{Address, SELF_ACCOUNT};
use crate::core::content::Contents;
use crate::core::record::{Body, Record};
use crate::core::select::Selector;
use crate::core::version::Skip;
use crate::error::{Error, Result};
use crate::instance::{Identity, Instance, Sink, Stage, Step};

/// How a directory is named where an emulator's URL would stand: `dir:PATH`.
pub const SCHEME: &str = "dir:";
/// The services that a directory has.
pub const SERVICES: [&str; 1] = [FILES];

/// A directory whose files are an instance's state.
pub struct Directory {
    url: String,
    root: Folder,
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
        Ok(Directory { url: format!("{SCHEME}{text}"), root })
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
            services: vec![(FILES.to_owned(), None)],
        })
    }

    fn regions(&self) -> Vec<String> {
        vec![REGION.to_owned()]
    }

    async fn capture(&self, selector: &Selector, sink: &dyn Sink) -> Result<()> {
        let selected = Selected { selector, sink };
        tokio::task::block_in_place(|| walk::capture(&self.root, &selected))
    }

    fn stage(&self, _address: &Address) -> Stage {
        Stage::Item
    }

    async fn apply(&self, step: &Step, contents: &dyn Contents) -> Result<()> {
        let address = &step.address;
        if address.account() != SELF_ACCOUNT || address.region() != REGION || !SERVICES.contains(&address.service()) {
            return Err(Error::failed(format!("a directory takes nothing like {address}"))
                .hint(format!("leave other services out: --service {}", SERVICES.join(","))));
        }
        tokio::task::block_in_place(|| self.apply_file(step, contents))
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
