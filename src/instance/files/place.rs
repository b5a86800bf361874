//! Paths inside the directory, and the addresses that stand for them.

use crate::core::address::{Address, SELF_ACCOUNT};
use crate::error::{Error, Result};
use crate::limits;

/// The region of what lies in a directory. Not that of AWS's global services: an emulator that shows none of these
/// records proves nothing about them, nor a directory about an emulator's.
pub(super) const REGION: &str = "local";
/// The service of files, directories and links.
pub(super) const FILES: &str = "files";
/// How peapod's own temporary files begin; nothing of that name is captured or put in.
pub(super) const TEMPORARY: &str = ".peapod-";
/// Names that are neither captured nor put in: a repository's configuration names commands that git runs.
const WITHHELD: &str = ".git";

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    File,
    Directory,
    Link,
}

impl Sort {
    /// Its collection in addresses.
    pub(super) fn collection(self) -> &'static str {
        match self {
            Sort::File => "file",
            Sort::Directory => "directory",
            Sort::Link => "link",
        }
    }

    fn of(collection: &str) -> Option<Sort> {
        [Sort::File, Sort::Directory, Sort::Link].into_iter().find(|sort| sort.collection() == collection)
    }
}

/// A path inside the directory: plain names joined by `/`. The directory itself is the one without names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place(String);

impl Place {
    /// The directory itself.
    pub(super) fn root() -> Place {
        Place(String::new())
    }

    /// The path that `text` writes.
    ///
    /// Refused ([`crate::error::Kind::Denied`]): no names, absolute paths, `.` and `..`, NUL, what is too long or too
    /// deep, and names that are peapod's own or withheld.
    pub(super) fn parse(text: &str) -> Result<Place> {
        let mut place = Place::root();
        for name in text.split('/') {
            place = place.child(name).ok_or_else(|| {
                let shown: String = text.chars().take(limits::NAME).collect();
                Error::denied(format!("{shown:?} is no path that a pod may write to"))
            })?;
        }
        Ok(place)
    }

    /// The path of a name in this directory; none for a name that [`Place::parse`] refuses.
    pub(super) fn child(&self, name: &str) -> Option<Place> {
        let starts = |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        let plain = !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']);
        let length = self.0.len() + 1 + name.len();
        let fits = name.len() <= limits::FILE_NAME && length <= limits::FILE_PATH && self.depth() < limits::FILE_DEPTH;
        if !plain || !fits || starts(TEMPORARY) || is_withheld(name) {
            return None;
        }
        Some(Place(if self.0.is_empty() { name.to_owned() } else { format!("{}/{name}", self.0) }))
    }

    /// The names, from the outermost.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// How many names it has.
    pub(super) fn depth(&self) -> usize {
        self.names().count()
    }

    /// The directory it lies in and its name there; none for the directory itself.
    pub(super) fn split(&self) -> Option<(Place, &str)> {
        match self.0.rsplit_once('/') {
            Some((parent, name)) => Some((Place(parent.to_owned()), name)),
            None => (!self.0.is_empty()).then(|| (Place::root(), self.0.as_str())),
        }
    }

    /// As it stands in addresses and messages.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The address of what stands here.
    pub(super) fn address(&self, sort: Sort) -> Address {
        tree().item(sort.collection(), &self.0)
    }
}

/// Whether something of that name is left alone wherever it lies.
pub(super) fn is_withheld(name: &str) -> bool {
    name.eq_ignore_ascii_case(WITHHELD)
}

/// The resource whose items the files, directories and links are.
pub(super) fn tree() -> Address {
    Address::resource(SELF_ACCOUNT, REGION, FILES, "tree", "root")
}

/// What an address of the service [`FILES`] stands for. Refused: what no capture makes.
pub(super) fn place_of(address: &Address) -> Result<(Sort, Place)> {
    let unknown = || Error::denied(format!("{address} is nothing that stands in a directory"));
    let (collection, path) = address.collection_and_item().ok_or_else(unknown)?;
    let sort = Sort::of(collection).filter(|_| address.owner() == Some(tree())).ok_or_else(unknown)?;
    Ok((sort, Place::parse(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn only_plain_paths_inside_are_taken() {
        for good in ["a", "a/b.txt", "..a/b..", "é/ /x", "-", "a\\b", "C:"] {
            assert_eq!(Place::parse(good).unwrap().as_str(), good);
        }
        let (long, deep) = ("n".repeat(256), vec!["d"; limits::FILE_DEPTH + 1].join("/"));
        let far = vec!["n".repeat(250); 20].join("/");
        let bad =
            ["", "/", "/etc/passwd", "..", "../a", "a/../../b", "a/./b", "a//b", "a/", "a\0b", &long, &deep, &far];
        for bad in bad.into_iter().chain([".git/config", "a/.GIT/hooks/x", ".peapod-1.tmp", ".Peapod-1.tmp"]) {
            assert_eq!(Place::parse(bad).unwrap_err().kind(), Kind::Denied, "{bad:?}");
        }
    }

    #[test]
    fn a_path_splits_into_directory_and_name() {
        let place = Place::parse("a/b/c").unwrap();
        let (parent, name) = place.split().unwrap();
        assert_eq!((parent.as_str(), name), ("a/b", "c"));
        assert_eq!(Place::parse("a").unwrap().split().unwrap().0, Place::root());
        assert_eq!(Place::root().split(), None);
    }

    #[test]
    fn an_address_stands_for_one_path() {
        let place = Place::parse("a/b.txt").unwrap();
        let address = place.address(Sort::File);
        assert_eq!(address.to_string(), "self/local/files/tree/root/file/a/b.txt");
        assert_eq!(place_of(&address).unwrap(), (Sort::File, place));
        let elsewhere = Address::resource(SELF_ACCOUNT, REGION, FILES, "tree", "other").item("file", "a");
        for bad in [tree(), tree().item("socket", "a"), elsewhere, tree().item("file", "../a")] {
            assert_eq!(place_of(&bad).unwrap_err().kind(), Kind::Denied);
        }
    }
}
