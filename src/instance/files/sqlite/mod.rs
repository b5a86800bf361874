//! SQLite databases among the files of a directory, captured and merged row by row.
//!
//! | record | address |
//! |---|---|
//! | a database: its `CREATE` statements, `user_version`, `application_id`, encoding | `self/local/sqlite/database/PATH` |
//! | a row, by its primary key: each column's typed value | `self/local/sqlite/database/PATH/TABLE/KEY` |
//!
//! A row of a table without a primary key is told by all it holds: row ids do not outlive `VACUUM`. A database with
//! virtual tables (full-text search, R*Tree) is carried whole, as a file: the rows behind them mean something to their
//! module alone.
//!
//! Reading takes one snapshot, and writes nothing: a database that only a repair would make readable is copied, and the
//! copy repaired. Writing is one transaction, in which no trigger fires.

mod open;
mod read;
mod schema;
mod table;
mod value;
mod whole;
mod write;

pub(super) use self::open::{has_side_files, is_database, is_side_file, remove};
pub(super) use self::read::{Kept, capture};
pub(super) use self::whole::replace;
pub(super) use self::write::{Writer, place_of};

use crate::core::address::{Address, SELF_ACCOUNT};

use super::place::{Place, REGION};

/// The service of databases.
pub(super) const SQLITE: &str = "sqlite";

/// The address of a database.
pub(super) fn address(place: &Place) -> Address {
    Address::resource(SELF_ACCOUNT, REGION, SQLITE, "database", place.as_str())
}
