//! Changing one database: every step on it in one transaction.

use std::collections::HashMap;

use rusqlite::{Connection, ErrorCode, params_from_iter};

use super::super::folder::{Folder, Stands};
use super::super::place::Place;
use super::schema::Schema;
use super::table::{SEQUENCE, Table, list, quoted};
use super::value::{self, Cell};
use super::{address, open};
use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::Record;
use crate::error::{Context, Error, Result};
use crate::instance::Settled;
use crate::limits;

/// A database with an open transaction. Dropped without [`Writer::settle`], it leaves all as it was.
pub(in super::super) struct Writer {
    connection: Connection,
    place: Place,
    folder: Folder,
    /// The name under which a new database is made until it is whole.
    fresh: Option<String>,
    tables: HashMap<String, Option<Table>>,
    /// Tables whose rows have still to move: the name, and what the old one is called meanwhile.
    moved: Vec<(String, String)>,
    /// Rows whose place in an index is taken by a row that may yet change.
    waiting: Vec<Waiting>,
    /// References to nothing that were there before.
    dangling: u64,
    settled: bool,
}

/// A row that waits for the others.
struct Waiting {
    address: Address,
    before: Option<Record>,
    after: Record,
    reason: String,
}

impl Writer {
    /// Opens a database that is there.
    pub(in super::super) fn open(root: &Folder, place: &Place) -> Result<Writer> {
        let (parent, name) = place.split().ok_or_else(|| Error::denied("no name for a database"))?;
        let folder = root.find(&parent)?.ok_or_else(|| Error::denied(format!("no database {:?}", place.as_str())))?;
        let connection = open::write(&folder, name)?;
        connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| open::told(error, place.as_str()))?;
        let mut writer = Writer::new(connection, place, folder, None);
        writer.dangling = writer.count_dangling()?;
        Ok(writer)
    }

    /// Begins a database where there is none. It gets its name when it is settled.
    pub(in super::super) fn create(root: &Folder, place: &Place, record: &Record) -> Result<Writer> {
        let (parent, name) = place.split().ok_or_else(|| Error::denied("no name for a database"))?;
        let schema = Schema::from_record(record)?;
        let folder = root.make(&parent)?;
        is_free(&folder, place, name)?;
        let (temporary, file) = folder.temporary()?;
        drop(file);
        let made = open::write(&folder, &temporary).and_then(|connection| {
            let setting = format!("PRAGMA encoding = '{}'; PRAGMA journal_mode = MEMORY;", schema.encoding());
            connection.execute_batch(&setting).map_err(|error| open::told(error, place.as_str()))?;
            connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| open::told(error, place.as_str()))?;
            Ok(connection)
        });
        match made {
            Ok(connection) => {
                let mut writer = Writer::new(connection, place, folder, Some(temporary));
                writer.put_schema(record)?;
                Ok(writer)
            }
            Err(error) => {
                let _ = folder.remove(&temporary);
                Err(error)
            }
        }
    }

    fn new(connection: Connection, place: &Place, folder: Folder, fresh: Option<String>) -> Writer {
        let (tables, moved, waiting) = (HashMap::new(), vec![], vec![]);
        let place = place.clone();
        Writer { connection, place, folder, fresh, tables, moved, waiting, dangling: 0, settled: false }
    }

    /// Gives the database the form of a record.
    pub(in super::super) fn put_schema(&mut self, record: &Record) -> Result<()> {
        let wanted = Schema::from_record(record)?;
        let what = "can't change the schema";
        self.connection.execute_batch("SAVEPOINT form").context(what)?;
        let done = Schema::read(&self.connection).and_then(|from| match from.has_virtual() || !self.moved.is_empty() {
            true => Err(Error::denied("it has virtual tables, whose rows are not for others to touch")),
            false => wanted.put(&mut self.connection, &from),
        });
        self.tables.clear();
        match done {
            Ok(moved) => {
                self.moved = moved;
                self.connection.execute_batch("RELEASE form").context(what)
            }
            Err(error) => {
                self.connection.execute_batch("ROLLBACK TO form; RELEASE form").context(what)?;
                Err(error.in_front(format!("can't change the form of {:?}", self.place.as_str())))
            }
        }
    }

    /// Puts a row in: over the one that the capture saw, or as a new one.
    pub(in super::super) fn put_row(
        &mut self,
        address: &Address,
        before: Option<&Record>,
        after: &Record,
        contents: &dyn Contents,
    ) -> Result<()> {
        let (table, item) = self.table_of(address)?;
        let cells = self.cells(&table, item, after, contents)?;
        let updated = match before {
            Some(_) if !table.key.is_empty() => self.update(&table, &cells),
            None if table.name == SEQUENCE => self.update(&table, &cells),
            Some(_) => return Err(Error::denied("a row without a key can't change: it is another row then")),
            None => Ok(0),
        };
        let done = match updated {
            Ok(0) => self.insert(&table, &cells),
            updated => updated,
        };
        match done {
            Ok(_) => Ok(()),
            // The value may be one that another row gives up in this run. This row's own old values are free then too.
            Err(error) if is_taken(&error) && self.waiting.len() < limits::SQLITE_WAITING => {
                if before.is_some() {
                    self.delete(&table, item)?;
                }
                let (before, after) = (before.cloned(), after.clone());
                self.waiting.push(Waiting { address: address.clone(), before, after, reason: error.to_string() });
                Ok(())
            }
            Err(error) => Err(self.refusal(error)),
        }
    }

    /// Deletes a row; one that is not there is fine.
    pub(in super::super) fn delete_row(&mut self, address: &Address) -> Result<()> {
        let (name, item) = names(address)?;
        match self.table(name)? {
            Some(table) => self.delete(&table, item),
            None => Ok(()),
        }
    }

    /// Ends the transaction: waiting rows, rows that move to a table's new form, and then all becomes visible at once.
    pub(in super::super) fn settle(mut self, contents: &dyn Contents) -> Result<Settled> {
        let mut settled = Settled::default();
        for Waiting { address, before, after, reason } in std::mem::take(&mut self.waiting) {
            if self.put_late(&address, &after, contents).is_err() {
                if let Some(before) = before {
                    let _ = self.put_late(&address, &before, contents);
                }
                settled.refused.push((address, reason));
            }
        }
        for (name, old) in std::mem::take(&mut self.moved) {
            self.move_rows(&name, &old)?;
        }
        let dangling = self.count_dangling()?;
        if dangling > self.dangling {
            settled.notes.push(format!(
                "{:?} has now {} more rows that refer to a row that is not there; `PRAGMA foreign_key_check` lists them",
                self.place.as_str(),
                dangling - self.dangling
            ));
        }
        let name = self.place.as_str().to_owned();
        self.connection.execute_batch("COMMIT").map_err(|error| open::told(error, &name))?;
        if let Some(temporary) = &self.fresh {
            let (_, name) = self.place.split().ok_or_else(|| Error::failed("no name for a database"))?;
            self.folder.open(temporary)?.sync_all().context("can't sync the database")?;
            is_free(&self.folder, &self.place, name)?;
            self.folder.put_in_place(temporary, name)?;
            self.folder.sync()?;
        }
        self.settled = true;
        Ok(settled)
    }

    fn put_late(&mut self, address: &Address, record: &Record, contents: &dyn Contents) -> Result<()> {
        let (table, item) = self.table_of(address)?;
        let cells = self.cells(&table, item, record, contents)?;
        self.insert(&table, &cells).map_err(|error| self.refusal(error)).map(|_| ())
    }

    /// Moves what was not written anew from a table's old form to its new one.
    fn move_rows(&mut self, name: &str, old: &str) -> Result<()> {
        let what = || format!("the rows of {name:?} do not fit its new form");
        let (Some(from), Some(to)) = (self.table(old)?, self.table(name)?) else { return Ok(()) };
        let both: Vec<String> = to.columns.iter().filter(|column| from.columns.contains(column)).cloned().collect();
        let (old_table, new_table) = (quoted(old), quoted(name));
        let left: i64 = self
            .connection
            .query_row(&format!("SELECT count(*) FROM {old_table}"), [], |row| row.get(0))
            .with_context(what)?;
        if left > 0 && (!from.has_key_of(&to) || both.is_empty()) {
            return Err(Error::failed(what()).hint("its primary key changed; inject with --strategy overwrite"));
        }
        let is_same = |column: &String| format!("new_row.{0} IS {old_table}.{0}", quoted(column));
        let is_there = to.key.iter().map(is_same).collect::<Vec<_>>().join(" AND ");
        let filter = match to.key.is_empty() {
            true => String::new(),
            false => format!(" WHERE NOT EXISTS (SELECT 1 FROM {new_table} AS new_row WHERE {is_there})"),
        };
        if left > 0 {
            let columns = list(&both);
            let sql = format!("INSERT INTO {new_table} ({columns}) SELECT {columns} FROM {old_table}{filter}");
            self.connection.execute(&sql, []).with_context(what)?;
        }
        self.connection.execute_batch(&format!("DROP TABLE {old_table}")).with_context(what)
    }

    fn table(&mut self, name: &str) -> Result<Option<Table>> {
        if let Some(table) = self.tables.get(name) {
            return Ok(table.clone());
        }
        let is_own = starts_with_sqlite(name) && name != SEQUENCE;
        let kind = self.connection.query_row(
            "SELECT type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' FROM sqlite_schema WHERE name = ?1",
            [name],
            |row| row.get::<_, bool>(0),
        );
        let table = match kind {
            Ok(true) if !is_own => Table::load(&self.connection, name)?,
            Ok(_) | Err(rusqlite::Error::QueryReturnedNoRows) => None,
            Err(error) => return Err(open::told(error, self.place.as_str())),
        };
        self.tables.insert(name.to_owned(), table.clone());
        Ok(table)
    }

    fn table_of<'a>(&mut self, address: &'a Address) -> Result<(Table, &'a str)> {
        let (name, item) = names(address)?;
        let table = self.table(name)?.ok_or_else(|| Error::denied(format!("no table {name:?} for it")))?;
        Ok((table, item))
    }

    /// The cells of a record, which must be those of the row that its address names.
    fn cells(
        &self,
        table: &Table,
        item: &str,
        record: &Record,
        contents: &dyn Contents,
    ) -> Result<HashMap<String, Cell>> {
        let cells: HashMap<String, Cell> = value::cells(record, &table.columns, contents)?.into_iter().collect();
        let is_its = match table.key.is_empty() {
            true => {
                let all: Vec<Cell> = table.columns.iter().filter_map(|column| cells.get(column).cloned()).collect();
                item.rsplit_once('.').is_some_and(|(digest, _)| digest == value::digest(&all))
            }
            false => {
                let key: Vec<&Cell> = table.key.iter().filter_map(|column| cells.get(column)).collect();
                key.len() == table.key.len() && value::key(key).as_deref() == Some(item)
            }
        };
        // A table that changed its form holds rows that were told apart by the old one.
        if is_its || (table.key.is_empty() && cells.len() < table.columns.len()) {
            Ok(cells)
        } else {
            Err(Error::denied("a row that is not the one its address names"))
        }
    }

    fn insert(&self, table: &Table, cells: &HashMap<String, Cell>) -> rusqlite::Result<usize> {
        let there: Vec<&String> = table.columns.iter().filter(|column| cells.contains_key(*column)).collect();
        let places = vec!["?"; there.len()].join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES ({places})", quoted(&table.name), list(there.iter().copied()));
        self.connection.prepare(&sql)?.execute(params_from_iter(there.iter().filter_map(|column| cells.get(*column))))
    }

    /// How many rows have this key and were changed.
    fn update(&self, table: &Table, cells: &HashMap<String, Cell>) -> rusqlite::Result<usize> {
        let set: Vec<&String> =
            table.columns.iter().filter(|column| cells.contains_key(*column) && !table.key.contains(column)).collect();
        let values = set.iter().copied().chain(&table.key).filter_map(|column| cells.get(column));
        let assignments = match set.is_empty() {
            // All of it is key: nothing changes, but whether the row is there counts.
            true => table.key.iter().take(1).map(|column| format!("{0} = {0}", quoted(column))).collect(),
            false => set.iter().map(|column| format!("{} = ?", quoted(column))).collect::<Vec<_>>(),
        };
        let sql = format!("UPDATE {} SET {} WHERE {}", quoted(&table.name), assignments.join(", "), is_row(&table.key));
        let twice = values.clone().skip(set.len());
        self.connection.prepare(&sql)?.execute(params_from_iter(values.chain(twice)))
    }

    fn delete(&self, table: &Table, item: &str) -> Result<()> {
        let name = quoted(&table.name);
        let deleted = if table.key.is_empty() {
            self.delete_without_key(table, item)
        } else {
            let key = value::parse_key(item).filter(|key| key.len() == table.key.len());
            let key = key.ok_or_else(|| Error::denied("an address that no row has"))?;
            let sql = format!("DELETE FROM {name} WHERE {}", is_row(&table.key));
            self.connection
                .prepare(&sql)
                .and_then(|mut delete| delete.execute(params_from_iter(key.iter().chain(&key))))
        };
        deleted.map(|_| ()).map_err(|error| self.refusal(error))
    }

    /// One row that holds exactly this. Only a look at each tells which.
    fn delete_without_key(&self, table: &Table, item: &str) -> rusqlite::Result<usize> {
        let (Some(id), Some((digest, _))) = (table.row_id(), item.rsplit_once('.')) else { return Ok(0) };
        let name = quoted(&table.name);
        let found = {
            let mut look = self.connection.prepare(&format!("SELECT {id}, {} FROM {name}", list(&table.columns)))?;
            let mut rows = look.query([])?;
            let mut found = None;
            while let Some(row) = rows.next()? {
                let cells = (0..table.columns.len()).map(|at| row.get_ref(at + 1).map(Cell::from));
                if value::digest(&cells.collect::<rusqlite::Result<Vec<_>>>()?) == digest {
                    found = Some(row.get::<_, i64>(0)?);
                    break;
                }
            }
            found
        };
        match found {
            Some(row) => self.connection.execute(&format!("DELETE FROM {name} WHERE {id} = ?1"), [row]),
            None => Ok(0),
        }
    }

    fn count_dangling(&self) -> Result<u64> {
        if !Schema::read(&self.connection)?.has_references() {
            return Ok(0);
        }
        // What refers to a table that is not there, or needs a tool's own collation, can't be checked; the tool lives with it.
        let Ok(mut check) = self.connection.prepare("PRAGMA foreign_key_check") else { return Ok(0) };
        let Ok(mut rows) = check.query([]) else { return Ok(0) };
        let mut count = 0;
        while let Ok(Some(_)) = rows.next() {
            count += 1;
        }
        Ok(count)
    }

    fn refusal(&self, error: rusqlite::Error) -> Error {
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig | ErrorCode::Unknown) => {
                Error::denied(error.to_string())
            }
            _ => open::told(error, self.place.as_str()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let (Some(temporary), false) = (&self.fresh, self.settled) {
            let _ = self.folder.remove(temporary);
        }
    }
}

/// The table and the row that an address names.
fn names(address: &Address) -> Result<(&str, &str)> {
    address.collection_and_item().ok_or_else(|| Error::denied(format!("{address} is no row")))
}

fn starts_with_sqlite(name: &str) -> bool {
    name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"))
}

/// The condition for one row: by the key's index, and then exactly, since an index may take `a` and `A` for one.
fn is_row(key: &[String]) -> String {
    let first = key.iter().map(|column| format!("{} = ?", quoted(column)));
    let exactly = key.iter().map(|column| format!("{} COLLATE BINARY = ?", quoted(column)));
    first.chain(exactly).collect::<Vec<_>>().join(" AND ")
}

fn is_taken(error: &rusqlite::Error) -> bool {
    let codes = [
        rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE,
        rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY,
        rusqlite::ffi::SQLITE_CONSTRAINT_ROWID,
    ];
    error.sqlite_error().is_some_and(|error| codes.contains(&error.extended_code))
}

/// Fails unless a new database can stand there: nothing does, and nothing that SQLite would take for its log.
fn is_free(folder: &Folder, place: &Place, name: &str) -> Result<()> {
    if folder.stands(name)? == Stands::Nothing && !open::has_side_files(folder, name)? {
        return Ok(());
    }
    Err(Error::denied(format!("at {:?}, or beside it, stands what the capture did not see", place.as_str())))
}

/// The path of the database that an address of the service belongs to. Refused: what no capture makes.
pub(in super::super) fn place_of(of: &Address) -> Result<Place> {
    let place = Place::parse(of.name())?;
    let database = of.owner().unwrap_or_else(|| of.clone());
    if database == address(&place) {
        Ok(place)
    } else {
        Err(Error::denied(format!("{of} is nothing that a database holds")))
    }
}
