//! An instance over files: a directory, for emulators and tools whose state is files.
//!
//! | record | address |
//! |---|---|
//! | a regular file: whether it may be executed, and its bytes | `self/local/files/tree/root/file/PATH` |
//! | a directory with nothing in it | `self/local/files/tree/root/directory/PATH` |
//! | a symbolic link that leads to a place inside | `self/local/files/tree/root/link/PATH` |
//! | a SQLite database, and each of its rows | `self/local/sqlite/database/PATH`, `.../TABLE/KEY` |
//!
//! Nothing outside the directory is ever read or written: every path is walked name by name from the directory's own
//! handle, and a symbolic link on the way ends the walk. Links that lead out, sockets, devices and names that are not
//! UTF-8 are left out and said; so are git repositories (their configuration runs commands) and homes of peapod (they
//! hold a key).

mod entry;
mod folder;
mod instance;
mod link;
mod place;
mod record;
mod sqlite;
mod walk;

pub use self::instance::{Directory, SCHEME, SERVICES};
