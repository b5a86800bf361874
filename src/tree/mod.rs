//! The prolly tree: the ordered map from addresses to records, whose root hash names a whole state.
//!
//! Its shape is a function of the sorted records alone, whatever edits led there, so equal states have equal roots and
//! a difference costs reads only where the states differ. `node` says what a node is and where it ends, `build` makes
//! and edits trees, `cursor` reads them, `diff` and `merge` compare them; `references` are the edges along which objects
//! of every kind are walked.
//!
//! Trees come from other people. A node is checked when it is read, against itself and against its parents, and
//! anything [`build`] would not have made is an error. Keys chosen so that no node ends where it usually would cost the
//! advantage, not more: nodes stay under [`crate::limits::NODE_MAX`], an edit, diff or merge reads no more nodes than
//! the trees have (a merge at most four times as many), and holds one node of each level.

mod build;
mod cursor;
mod diff;
mod leaf;
mod merge;
mod node;
mod references;

pub use build::{build, edit, empty};
pub use cursor::{Lookup, accounts, get, scan, stats};
pub use diff::diff;
pub use leaf::{Change, Entry, Leaf};
pub use merge::{Conflict, Merged, Settle, merge};
pub use references::references;

use crate::error::Result;

/// Entries or changes in the order of their keys. Ends after the first error.
pub type Stream<'a, T> = Box<dyn Iterator<Item = Result<T>> + Send + 'a>;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
