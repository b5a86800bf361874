//! The form of a database: what its `CREATE` statements say, as one record, and how one form becomes another.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use super::table::quoted;
use crate::core::record::Record;
use crate::core::value::{Number, Value};
use crate::error::{Context, Error, Result};
use crate::limits;

/// Kinds of things in a schema: SQLite's word, the attribute that holds them by name, and how their statements begin.
const KINDS: [(&str, &str, &[&str]); 4] = [
    ("table", "Tables", &["CREATE TABLE "]),
    ("index", "Indexes", &["CREATE INDEX ", "CREATE UNIQUE INDEX "]),
    ("view", "Views", &["CREATE VIEW "]),
    ("trigger", "Triggers", &["CREATE TRIGGER "]),
];
/// What a table whose form changes is called until its rows have moved.
const OLD: &str = "peapod_old_";
/// Functions that reach beyond the database, should a tool's SQLite have them.
const BEYOND: [&str; 6] = ["load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "sqlite_dbpage"];

/// One thing in a schema.
#[derive(Debug, Clone)]
struct Object {
    kind: &'static str,
    name: String,
    /// The table that an index or a trigger belongs to; for others its own name.
    table: String,
    sql: String,
}

/// The form of a database.
#[derive(Debug, Clone)]
pub(super) struct Schema {
    objects: Vec<Object>,
    user_version: i64,
    application_id: i64,
    encoding: String,
    has_virtual: bool,
}

impl Schema {
    /// Reads it. The first read of a transaction: from here on it sees one state.
    pub(super) fn read(connection: &Connection) -> Result<Schema> {
        let what = "can't read the schema";
        let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name";
        let mut statement = connection.prepare(sql).context(what)?;
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get::<_, String>(3)?))
        });
        let mut objects = vec![];
        let mut length = 0;
        for row in rows.context(what)? {
            let (kind, name, table, sql) = row.context(what)?;
            length += sql.len();
            if length > limits::SQLITE_SCHEMA {
                return Err(Error::failed(format!("a schema of more than {} bytes", limits::SQLITE_SCHEMA)));
            }
            let Some((kind, ..)) = KINDS.into_iter().find(|(word, ..)| *word == kind) else { continue };
            if !name.starts_with("sqlite_") && !name.starts_with(OLD) {
                objects.push(Object { kind, name, table, sql });
            }
        }
        let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get(0));
        Ok(Schema {
            has_virtual: objects.iter().any(|object| object.sql.starts_with("CREATE VIRTUAL")),
            objects,
            user_version: pragma("user_version").context(what)?,
            application_id: pragma("application_id").context(what)?,
            encoding: connection.pragma_query_value(None, "encoding", |row| row.get(0)).context(what)?,
        })
    }

    /// Whether it has virtual tables, whose rows stand in tables that only their module understands.
    pub(super) fn has_virtual(&self) -> bool {
        self.has_virtual
    }

    /// How text is stored.
    pub(super) fn encoding(&self) -> &str {
        &self.encoding
    }

    /// The names of its tables.
    pub(super) fn tables(&self) -> impl Iterator<Item = &str> {
        self.of("table").map(|object| object.name.as_str())
    }

    /// Whether a table refers to another.
    pub(super) fn has_references(&self) -> bool {
        self.of("table").any(|object| object.sql.to_ascii_lowercase().contains("references"))
    }

    fn of(&self, kind: &'static str) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(move |object| object.kind == kind)
    }

    fn sql(&self, kind: &'static str, name: &str) -> Option<&str> {
        self.of(kind).find(|object| object.name == name).map(|object| object.sql.as_str())
    }

    /// As a record.
    pub(super) fn record(&self) -> Record {
        let number = |number: i64| Number::parse(&number.to_string()).map_or(Value::Null, Value::Number);
        let mut attributes: BTreeMap<String, Value> = [
            ("UserVersion".to_owned(), number(self.user_version)),
            ("ApplicationId".to_owned(), number(self.application_id)),
            ("Encoding".to_owned(), Value::text(&self.encoding)),
        ]
        .into();
        for (kind, attribute, _) in KINDS {
            let objects = self.of(kind).map(|object| (object.name.clone(), Value::text(&object.sql))).collect();
            attributes.insert(attribute.to_owned(), Value::Map(objects));
        }
        Record::new(attributes)
    }

    /// From a record. Refused ([`crate::error::Kind::Denied`]): statements that do not begin as those of their kind do.
    pub(super) fn from_record(record: &Record) -> Result<Schema> {
        let number = |name: &str| match record.attributes.get(name) {
            Some(Value::Number(number)) => number.as_str().parse::<i32>().map(i64::from).ok(),
            _ => None,
        };
        let odd = || Error::denied("a database whose form is none that peapod captures");
        let mut objects = vec![];
        let mut length = 0;
        for (kind, attribute, beginnings) in KINDS {
            let fields = record.attributes.get(attribute).and_then(Value::as_map).ok_or_else(odd)?;
            for (name, sql) in fields {
                let sql = sql.as_text().ok_or_else(odd)?;
                let reserved = ["sqlite_", OLD].iter().any(|prefix| starts_with(name, prefix));
                if reserved || sql.contains('\0') || !beginnings.iter().any(|beginning| sql.starts_with(beginning)) {
                    return Err(Error::denied(format!("{name:?} is no {kind} that a pod may make")));
                }
                length += sql.len();
                objects.push(Object { kind, name: name.clone(), table: name.clone(), sql: sql.to_owned() });
            }
        }
        let encoding = record.text("Encoding").ok_or_else(odd)?.to_owned();
        if length > limits::SQLITE_SCHEMA || !["UTF-8", "UTF-16le", "UTF-16be"].contains(&encoding.as_str()) {
            return Err(odd());
        }
        let (user_version, application_id) = (number("UserVersion"), number("ApplicationId"));
        let (user_version, application_id) = (user_version.ok_or_else(odd)?, application_id.ok_or_else(odd)?);
        Ok(Schema { objects, user_version, application_id, encoding, has_virtual: false })
    }

    /// Makes a database that has the form `from` have this one. Tables whose statement is another are made anew; the old
    /// ones stay, under the names that are returned, until their rows have moved.
    ///
    /// In a transaction or savepoint, which is to be rolled back on an error.
    pub(super) fn put(&self, connection: &mut Connection, from: &Schema) -> Result<Vec<(String, String)>> {
        if self.encoding != from.encoding {
            return Err(Error::denied(format!("it stores text as {}, not as {}", from.encoding, self.encoding)));
        }
        let stays = |object: &Object| self.sql(object.kind, &object.name) == Some(object.sql.as_str());
        let leaves: Vec<&Object> = from.of("table").filter(|table| !stays(table)).collect();
        let run =
            |connection: &Connection, sql: String| connection.execute_batch(&sql).context("can't change the schema");
        for object in from.objects.iter().filter(|object| object.kind != "table") {
            if !stays(object) || leaves.iter().any(|table| table.name.eq_ignore_ascii_case(&object.table)) {
                run(connection, format!("DROP {} {}", object.kind, quoted(&object.name)))?;
            }
        }
        let mut moved = vec![];
        for (at, table) in leaves.iter().enumerate() {
            if self.sql("table", &table.name).is_some() {
                let old = format!("{OLD}{at}");
                run(connection, format!("ALTER TABLE {} RENAME TO {}", quoted(&table.name), quoted(&old)))?;
                moved.push((table.name.clone(), old));
            } else {
                run(connection, format!("DROP TABLE {}", quoted(&table.name)))?;
            }
        }
        let there = Schema::read(connection)?;
        connection.authorizer(Some(guard)).context("can't guard the schema")?;
        let made = self.objects.iter().filter(|object| there.sql(object.kind, &object.name).is_none()).try_for_each(
            |object| {
                let made = connection.execute(&object.sql, []).map(|_| ());
                made.map_err(|error| {
                    Error::denied(format!("can't make the {} {:?}", object.kind, object.name)).because(error)
                })
            },
        );
        let unguard: Option<fn(AuthContext<'_>) -> Authorization> = None;
        connection.authorizer(unguard).context("can't end guarding the schema")?;
        made?;
        for (name, value) in [("user_version", self.user_version), ("application_id", self.application_id)] {
            connection.pragma_update(None, name, value).context("can't change the schema")?;
        }
        // Whatever the statements did, they must have come to exactly what they said.
        if Schema::read(connection)?.record() != self.record() {
            return Err(Error::denied("its statements make something else than they say"));
        }
        Ok(moved)
    }
}

fn starts_with(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// What a statement out of a pod may do while it is carried out: add to the schema, and nothing else.
fn guard(context: AuthContext<'_>) -> Authorization {
    let is_schema = |table: &str| matches!(table, "sqlite_master" | "sqlite_schema");
    let allowed = match context.action {
        AuthAction::CreateTable { .. }
        | AuthAction::CreateIndex { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::Reindex { .. }
        | AuthAction::Read { .. } => true,
        AuthAction::Insert { table_name } | AuthAction::Delete { table_name } => is_schema(table_name),
        AuthAction::Update { table_name, .. } => is_schema(table_name),
        AuthAction::Function { function_name } => !BEYOND.iter().any(|name| function_name.eq_ignore_ascii_case(name)),
        _ => false,
    };
    if allowed { Authorization::Allow } else { Authorization::Deny }
}
