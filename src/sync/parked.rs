//! Links whose predecessor is not held yet, kept aside for a while: a bounded number, the oldest goes first.

use std::collections::VecDeque;

use crate::core::identity::Author;
use crate::core::name::Name;
use crate::core::signed::{Statement, Verified};
use crate::limits;

/// The links kept aside, oldest first.
#[derive(Debug)]
pub(super) struct Parked<T> {
    links: VecDeque<Verified<T>>,
}

impl<T> Default for Parked<T> {
    fn default() -> Self {
        Parked { links: VecDeque::new() }
    }
}

impl<T: Statement> Parked<T> {
    /// Keeps a link aside. Whether the link before it is aside too, so that it need not be asked for.
    pub(super) fn put(&mut self, link: Verified<T>) -> bool {
        let follows = self.links.iter().any(|other| Some(other.name()) == link.previous());
        if self.links.iter().any(|other| other.name() == link.name()) {
            return follows;
        }
        let of_author = |author: Author| move |other: &Verified<T>| other.signer() == author;
        if self.links.iter().filter(|other| of_author(link.signer())(other)).count() >= limits::PARKED_PER_AUTHOR {
            let oldest = self.links.iter().position(of_author(link.signer()));
            oldest.and_then(|at| self.links.remove(at));
        } else if self.links.len() >= limits::PARKED {
            self.links.pop_front();
        }
        self.links.push_back(link);
        follows
    }

    /// Takes out a link that follows the one of that name.
    pub(super) fn take_after(&mut self, name: &Name) -> Option<Verified<T>> {
        let at = self.links.iter().position(|link| link.previous().as_ref() == Some(name))?;
        self.links.remove(at)
    }
}
