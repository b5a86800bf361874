//! Tables as peapod sees them: the columns that hold something, and what tells rows apart.

use rusqlite::Connection;

use crate::error::{Context, Result};

/// The counters of AUTOINCREMENT columns. SQLite's own, but part of the state: a number must not be given out again.
pub(super) const SEQUENCE: &str = "sqlite_sequence";

/// One ordinary table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    /// Those that are written; generated ones come by themselves.
    pub(super) columns: Vec<String>,
    /// The columns of the primary key, in its order; empty for a table without one, whose rows are told apart by all they
    /// hold: a row id does not outlive `VACUUM`.
    pub(super) key: Vec<String>,
}

impl Table {
    /// The table of that name; none if there is none.
    pub(super) fn load(connection: &Connection, name: &str) -> Result<Option<Table>> {
        let what = "can't read the columns of a table";
        let sql = "SELECT name, pk FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid";
        let mut statement = connection.prepare(sql).context(what)?;
        let rows = statement.query_map([name], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)));
        let columns: Vec<(String, i64)> = rows.and_then(Iterator::collect).context(what)?;
        let mut key: Vec<(i64, String)> =
            columns.iter().filter(|(_, at)| *at > 0).map(|(name, at)| (*at, name.clone())).collect();
        key.sort();
        let key = match name {
            SEQUENCE => vec!["name".to_owned()],
            _ => key.into_iter().map(|(_, name)| name).collect(),
        };
        let columns: Vec<String> = columns.into_iter().map(|(name, _)| name).collect();
        Ok((!columns.is_empty()).then(|| Table { name: name.to_owned(), columns, key }))
    }

    /// The name of its row ids: the first that is no column's.
    pub(super) fn row_id(&self) -> Option<&'static str> {
        let is_column = |name: &str| self.columns.iter().any(|column| column.eq_ignore_ascii_case(name));
        ["rowid", "_rowid_", "oid"].into_iter().find(|name| !is_column(name))
    }

    /// Whether two tables tell rows apart in the same way.
    pub(super) fn has_key_of(&self, other: &Table) -> bool {
        self.key == other.key
    }
}

/// A name as SQL takes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names as a list in SQL.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}
