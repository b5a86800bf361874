//! Capture of one database: its form and its rows, from one snapshot.

use rusqlite::Connection;

use super::super::folder::Folder;
use super::super::place::Place;
use super::schema::Schema;
use super::table::{SEQUENCE, Table, quoted};
use super::value::{self, Cell};
use super::{address, open, whole};
use crate::core::address::Address;
use crate::core::record::Body;
use crate::core::version::Skip;
use crate::error::{Context, Result};
use crate::instance::Sink;
use crate::limits;

/// How a database was captured.
pub(in super::super) enum Kept {
    /// Row by row; all is in the sink.
    Rows,
    /// As the bytes of one file, in one state.
    Whole(Body),
    /// Not at all: it only begins as a database does (an encrypted one, say).
    Foreign,
}

/// Captures the database of that name.
pub(in super::super) fn capture(folder: &Folder, name: &str, place: &Place, sink: &dyn Sink) -> Result<Kept> {
    let Some(reading) = open::read(folder, name)? else { return Ok(Kept::Foreign) };
    let connection = &reading.connection;
    let schema = Schema::read(connection)?;
    if schema.has_virtual() {
        return whole::snapshot(connection, sink.contents()).map(Kept::Whole);
    }
    let database = address(place);
    sink.record(database.clone(), schema.record())?;
    let has_sequence = connection.table_exists(None, SEQUENCE).context("can't read the schema")?;
    for name in schema.tables().chain(has_sequence.then_some(SEQUENCE)) {
        let Some(table) = Table::load(connection, name)? else { continue };
        rows(connection, &table, &database, sink)?;
    }
    Ok(Kept::Rows)
}

fn rows(connection: &Connection, table: &Table, database: &Address, sink: &dyn Sink) -> Result<()> {
    let what = || format!("can't read the table {:?}", table.name);
    let skip = |item: &str, reason: &str| {
        sink.skip(Skip { prefix: database.item(&table.name, item).parts().to_vec(), reason: reason.to_owned() });
    };
    // Length and type of a value show without reading it.
    let size = |column: &String| format!("coalesce(octet_length({}), 0)", quoted(column));
    let total = table.columns.iter().map(size).collect::<Vec<_>>().join(" + ");
    let is_key = |column: &String| table.key.contains(column);
    let value = |column: &String| match is_key(column) {
        true => quoted(column),
        false => format!("CASE WHEN {total} > {} THEN NULL ELSE {} END", limits::SQLITE_ROW, quoted(column)),
    };
    let values = table.columns.iter().map(value).collect::<Vec<_>>().join(", ");
    let mut sql = format!("SELECT {total}, {values} FROM {}", quoted(&table.name));
    if table.key.is_empty() {
        // Equal rows one after the other.
        let order = |column: &String| format!("{0} COLLATE BINARY, typeof({0})", quoted(column));
        sql.push_str(&format!(" ORDER BY {}", table.columns.iter().map(order).collect::<Vec<_>>().join(", ")));
    }
    let mut statement = connection.prepare(&sql).with_context(what)?;
    let mut rows = statement.query([]).with_context(what)?;
    let mut same = (String::new(), 0u64);
    while let Some(row) = rows.next().with_context(what)? {
        let size: i64 = row.get(0).with_context(what)?;
        let cells = (0..table.columns.len()).map(|at| row.get_ref(at + 1).map(Cell::from));
        let cells: Vec<Cell> = cells.collect::<Result<_, _>>().with_context(what)?;
        let is_too_large = u64::try_from(size).unwrap_or(0) > limits::SQLITE_ROW;
        let item = if table.key.is_empty() {
            let digest = value::digest(&cells);
            same = if same.0 == digest { (digest, same.1 + 1) } else { (digest, 0) };
            format!("{}.{}", same.0, same.1)
        } else {
            let cell =
                |column: &String| table.columns.iter().position(|name| name == column).and_then(|at| cells.get(at));
            match value::key(table.key.iter().filter_map(cell)) {
                Some(key) => key,
                None => {
                    skip("null", "a row whose primary key holds a null");
                    continue;
                }
            }
        };
        if item.len() > limits::ADDRESS_PART {
            let start: String = item.chars().take(limits::NAME).collect();
            skip(&start, "a row with too long a primary key");
        } else if is_too_large {
            skip(&item, &format!("a row of {size} bytes; the limit is {}", limits::SQLITE_ROW));
        } else {
            let record = value::record(&table.columns, &cells, sink.contents())?;
            sink.record(database.item(&table.name, &item), record)?;
        }
    }
    Ok(())
}
