//! Capture: everything in the directory, name by name, without changing anything.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::folder::{Folder, Stands};
use super::place::{Place, REGION, Sort, TEMPORARY, is_withheld, tree};
use super::sqlite::{self, Kept, SQLITE};
use super::{link, record};
use crate::core::address::{Address, SELF_ACCOUNT};
use crate::core::record::Body;
use crate::core::select::Selector;
use crate::core::version::Skip;
use crate::error::Result;
use crate::instance::Sink;
use crate::limits;

/// Reads everything below `root` into `sink`. Gives the directories in which temporary files of an inject lie that was
/// cut off.
pub(super) fn capture(root: &Folder, selector: &Selector, sink: &dyn Sink) -> Result<BTreeSet<Place>> {
    let walk =
        Walk { leftovers: RefCell::default(), wants_rows: selector.may_match(SELF_ACCOUNT, REGION, SQLITE), sink };
    if walk.folder(root, root.names()?)? {
        // Only while something is in it: an emptied directory is no proof that all of it was deleted on purpose.
        sink.mark(&tree(), &root.mark()?);
    }
    Ok(walk.leftovers.into_inner())
}

/// Whether this is a home of peapod: it holds a key, which is nobody else's.
pub(super) fn is_home(folder: &Folder) -> Result<bool> {
    Ok(folder.stands("key")? == Stands::File
        && folder.stands("store")? == Stands::Directory
        && folder.enter("store")?.stands("index.redb")? == Stands::File)
}

struct Walk<'a> {
    leftovers: RefCell<BTreeSet<Place>>,
    /// Whether anything of databases is asked for.
    wants_rows: bool,
    sink: &'a dyn Sink,
}

impl Walk<'_> {
    /// Whether anything is in the directory.
    fn folder(&self, folder: &Folder, names: Vec<(String, bool)>) -> Result<bool> {
        let mut holds = false;
        for (name, is_text) in names {
            if name.starts_with(TEMPORARY) {
                self.leftovers.borrow_mut().insert(folder.place().clone());
                continue;
            }
            holds = true;
            let place = folder.place().child(&name).filter(|_| is_text);
            let done = match &place {
                Some(place) => self.entry(folder, &name, place),
                None => {
                    self.odd(folder, &name, is_text);
                    Ok(())
                }
            };
            match (done, place) {
                (Err(error), Some(place)) => self.skip(&place, &error.chain()),
                (done, _) => done?,
            }
        }
        Ok(holds)
    }

    fn entry(&self, folder: &Folder, name: &str, place: &Place) -> Result<()> {
        match folder.stands(name)? {
            Stands::Nothing => Ok(()),
            Stands::File if sqlite::is_side_file(folder, name)? => Ok(()),
            Stands::File if sqlite::is_database(folder, name)? => self.database(folder, name, place),
            Stands::File => self.file(folder, name, place),
            Stands::Link => self.link(folder, name, place),
            Stands::Directory => self.directory(folder, name, place),
            Stands::Other => {
                self.skip_at(place.address(Sort::File), "a socket, a pipe or a device");
                Ok(())
            }
        }
    }

    fn directory(&self, folder: &Folder, name: &str, place: &Place) -> Result<()> {
        let entered = folder.enter(name).and_then(|inner| {
            let (is_home, names) = (is_home(&inner)?, inner.names()?);
            Ok((inner, is_home, names))
        });
        let (inner, is_home, names) = match entered {
            Ok(entered) => entered,
            Err(error) => {
                self.blind(place, &error.chain());
                return Ok(());
            }
        };
        if is_home {
            self.skip_at(place.address(Sort::Directory), "a home of peapod, with its key");
            return Ok(());
        }
        if !self.folder(&inner, names)? {
            self.sink.record(place.address(Sort::Directory), record::directory())?;
        }
        Ok(())
    }

    fn link(&self, folder: &Folder, name: &str, place: &Place) -> Result<()> {
        let target = folder.read_link(name)?;
        match std::str::from_utf8(&target) {
            Ok(target) if link::stays_inside(place, target) => {
                self.sink.record(place.address(Sort::Link), record::link(target))
            }
            _ => {
                self.skip(place, "a symbolic link that may lead out of the directory");
                Ok(())
            }
        }
    }

    fn database(&self, folder: &Folder, name: &str, place: &Place) -> Result<()> {
        let address = place.address(Sort::File);
        if !self.wants_rows && !self.sink.wants(&address) {
            return Ok(());
        }
        match sqlite::capture(folder, name, place, self.sink) {
            Ok(Kept::Rows) => Ok(()),
            Ok(Kept::Whole(body)) => {
                let look = record::Look::of(&folder.open(name)?)?;
                self.sink.record(address, record::file(look.executable, body))
            }
            Ok(Kept::Foreign) => self.file(folder, name, place),
            Err(error) => {
                self.skip_at(sqlite::address(place), &error.chain());
                Err(error)
            }
        }
    }

    fn file(&self, folder: &Folder, name: &str, place: &Place) -> Result<()> {
        let address = place.address(Sort::File);
        if !self.sink.wants(&address) {
            return Ok(());
        }
        for _ in 0..limits::RECAPTURES {
            let file = folder.open(name)?;
            let look = record::Look::of(&file)?;
            if self.sink.withholds_body(&address) {
                return self.sink.record(address, record::file(look.executable, Body::Withheld));
            }
            let known = self.sink.known_body(&address, &look.fingerprint);
            let body = match &known {
                Some(body) => body.clone(),
                None => record::read(&file, self.sink.contents())?,
            };
            if record::Look::of(&file)?.fingerprint != look.fingerprint {
                continue;
            }
            if known.is_none() && look.is_settled() {
                self.sink.remember_body(&address, &look.fingerprint, &body);
            }
            return self.sink.record(address, record::file(look.executable, body));
        }
        self.skip(place, "it was written all the time while it was read");
        Ok(())
    }

    /// Names that no record can have.
    fn odd(&self, folder: &Folder, name: &str, is_text: bool) {
        let reason = match (is_text, is_withheld(name)) {
            (false, _) => "a name that is not UTF-8",
            (true, true) => "a git repository; git itself shares it better",
            (true, false) => "too deep or too long a path",
        };
        let shown = format!("{}/{name}", folder.place().as_str());
        self.skip_at(tree().item(Sort::Directory.collection(), shown.trim_start_matches('/')), reason);
    }

    /// What stands at `place` is unknown; whatever sort it may be of.
    fn skip(&self, place: &Place, reason: &str) {
        for sort in [Sort::File, Sort::Link] {
            self.skip_at(place.address(sort), reason);
        }
    }

    fn skip_at(&self, address: Address, reason: &str) {
        self.sink.skip(Skip { prefix: address.parts().to_vec(), reason: reason.to_owned() });
    }

    /// What lies below `place` is unknown. Paths are one part of an address each, so nothing less than the whole tree
    /// covers it: no absence proves anything then.
    fn blind(&self, place: &Place, reason: &str) {
        let reason = format!("{:?} and what may lie below it: {reason}", place.as_str());
        self.sink.skip(Skip { prefix: tree().parts().to_vec(), reason });
    }
}
