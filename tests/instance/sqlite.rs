//! Databases in a directory: row by row, from one snapshot, and nothing but what a row may be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use peapod::core::address::Address;
use peapod::core::record::Record;
use peapod::core::value::Value;
use peapod::error::Kind;
use peapod::instance::files::Directory;
use peapod::instance::{Instance, Settled, Step};
use proptest::prelude::*;
use rusqlite::Connection;

use crate::common::captured::Captured;

struct Ground(tempfile::TempDir);

impl Ground {
    fn new() -> Ground {
        Ground(tempfile::tempdir().unwrap())
    }

    fn with(sql: &str) -> Ground {
        let ground = Ground::new();
        ground.run(sql);
        ground
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self) -> Connection {
        Connection::open(self.path("x.db")).unwrap()
    }

    fn run(&self, sql: &str) {
        self.open().execute_batch(sql).unwrap();
    }

    /// The first column of all rows, as text.
    fn ask(&self, sql: &str) -> Vec<String> {
        let connection = self.open();
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, Option<String>>(0)).unwrap();
        rows.map(|row| row.unwrap().unwrap_or_else(|| "null".into())).collect()
    }

    fn instance(&self) -> Directory {
        Directory::open(self.0.path()).unwrap()
    }

    async fn capture(&self, like: &Captured) -> Captured {
        like.again(&self.instance()).await
    }

    /// The names in the directory.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn database() -> Address {
    Address::resource("self", "local", "sqlite", "database", "x.db")
}

fn records(captured: &Captured) -> BTreeMap<Address, Record> {
    captured.records.lock().unwrap().clone()
}

/// Takes an instance from one state to another as a plan does. What is refused at once comes with the rest.
async fn go(instance: &Directory, from: &Captured, to: &Captured) -> Settled {
    let (before, after) = (records(from), records(to));
    let mut steps: Vec<Step> = vec![];
    for address in before.keys().chain(after.keys().filter(|address| !before.contains_key(*address))) {
        let (before, after) = (before.get(address).cloned(), after.get(address).cloned());
        let goes_with_owner = after.is_none()
            && address
                .owner()
                .is_some_and(|owner| records(from).contains_key(&owner) && !records(to).contains_key(&owner));
        if before != after && !goes_with_owner {
            steps.push(Step { address: address.clone(), before, after, paused: false });
        }
    }
    steps.sort_by_key(|step| {
        let stage = instance.stage(&step.address) as i64;
        if step.after.is_none() { (0, -stage) } else { (1, stage) }
    });
    let mut refused = vec![];
    for step in steps {
        match instance.apply(&step, &to.contents).await {
            Err(error) if error.kind() == Kind::Denied => refused.push((step.address, error.chain())),
            done => done.unwrap(),
        }
    }
    let mut settled = instance.settle(&to.contents).await.unwrap();
    settled.refused.extend(refused);
    settled
}

/// Everything of `here`, put into an empty directory, comes to the same records.
async fn comes_back(here: &Ground) -> (Ground, Captured) {
    let there = Ground::new();
    let captured = here.capture(&Captured::default()).await;
    let settled = go(&there.instance(), &Captured::default(), &captured).await;
    assert!(settled.refused.is_empty(), "{settled:?}");
    let again = there.capture(&captured).await;
    for service in ["sqlite", "files"] {
        assert_eq!(captured.differences(&again, service), Vec::<String>::new());
    }
    assert!(!there.names().iter().any(|name| name.starts_with(".peapod")), "{:?}", there.names());
    (there, captured)
}

fn items(captured: &Captured) -> Vec<String> {
    let records = records(captured);
    records.keys().filter_map(|address| address.collection_and_item().map(|(t, key)| format!("{t} {key}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_comes_back_with_all_that_makes_it() {
    let here = Ground::with(
        "PRAGMA user_version = 7; PRAGMA application_id = -99;
         CREATE TABLE person (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL CHECK (length(name) > 0), size,
                              shout TEXT GENERATED ALWAYS AS (upper(name)) STORED);
         CREATE TABLE pair (a TEXT, b INT, note BLOB, PRIMARY KEY (b, a)) WITHOUT ROWID;
         CREATE TABLE log (line TEXT, at REAL);
         CREATE UNIQUE INDEX by_name ON person (name);
         CREATE INDEX by_half ON pair (note) WHERE b > 2;
         CREATE VIEW people AS SELECT name FROM person;
         CREATE TRIGGER greets AFTER INSERT ON person BEGIN INSERT INTO log VALUES ('hello ' || new.name, 1.5); END;
         INSERT INTO person (name, size) VALUES ('ann', 1), ('ben', 1.0), ('cy', '1'), ('dee', x'31'), ('eve', NULL);
         DELETE FROM person WHERE name = 'eve';
         INSERT INTO pair VALUES ('it''s', 1, x'00ff'), ('a,b', 1, ''), ('', 9223372036854775807, -0.5);
         INSERT INTO log VALUES ('twice', 2), ('twice', 2), (NULL, 9e999);",
    );
    let (there, captured) = comes_back(&here).await;
    for sql in [
        "SELECT name || typeof(size) || shout FROM person ORDER BY id",
        "SELECT sql FROM sqlite_schema ORDER BY name",
        "SELECT quote(a) || b || typeof(note) || quote(note) FROM pair ORDER BY a",
        "SELECT quote(line) || at FROM log ORDER BY 1",
        "SELECT name || seq FROM sqlite_sequence",
        "SELECT user_version || application_id FROM pragma_user_version, pragma_application_id",
        "PRAGMA integrity_check",
    ] {
        assert_eq!(here.ask(sql), there.ask(sql), "{sql}");
    }
    assert_eq!(there.ask("SELECT count(*) || '' FROM log"), ["8"], "no trigger fired while rows were put in");
    let items = items(&captured);
    for item in ["person 1", "pair 1,'it''s'", "pair 9223372036854775807,''", "sqlite_sequence 'person'"] {
        assert!(items.contains(&item.to_owned()), "{item} in {items:?}");
    }
    there.run("INSERT INTO person (name) VALUES ('fay')");
    assert_eq!(there.ask("SELECT max(id) || '' FROM person"), ["6"], "a number is not given out again");
    here.run("DROP TABLE pair");
    let captured = here.capture(&captured).await;
    assert_eq!(captured.skips.lock().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_values_come_back() {
    let here = Ground::with(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a BLOB, b TEXT, c TEXT);
         INSERT INTO t VALUES (1, randomblob(3000000), hex(randomblob(90000)), 'short'), (2, zeroblob(40000000), 'x', 'y');",
    );
    let there = Ground::new();
    let captured = here.capture(&Captured::default()).await;
    assert!(captured.skipped("sqlite").join("").contains("x.db/t/2: a row of 4000000"));
    go(&there.instance(), &Captured::default(), &captured).await;
    let sql = "SELECT id || c || hex(substr(a, 2000000, 100)) || substr(b, 100000, 100) FROM t WHERE id = 1";
    assert_eq!(here.ask(sql), there.ask(sql));
    assert_eq!(captured.differences(&there.capture(&captured).await, "sqlite"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_changes_nothing_and_sees_what_is_committed() {
    for mode in ["WAL", "DELETE"] {
        let ground = Ground::with(&format!("PRAGMA journal_mode = {mode}; CREATE TABLE t (id PRIMARY KEY)"));
        let mut open = ground.open();
        open.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        let transaction = open.transaction().unwrap();
        transaction.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        let before = (ground.names(), fs::read(ground.path("x.db")).unwrap());
        let captured = ground.capture(&Captured::default()).await;
        assert_eq!(items(&captured), ["t 1"], "{mode}");
        assert!(before == (ground.names(), fs::read(ground.path("x.db")).unwrap()), "{mode}");
        transaction.commit().unwrap();
        drop(open);
        let before = (ground.names(), fs::read(ground.path("x.db")).unwrap());
        let captured = ground.capture(&Captured::default()).await;
        assert_eq!(items(&captured), ["t 1", "t 2"], "{mode}");
        assert!(before == (ground.names(), fs::read(ground.path("x.db")).unwrap()), "closed, {mode}");
        assert_eq!(captured.service("files").len(), 0, "what belongs to a database is no file of its own");
    }
}

/// A copy of a database in the middle of its life, as a crash leaves it.
fn crashed(mode: &str) -> Ground {
    let (ground, left) = (Ground::new(), Ground::new());
    let connection = ground.open();
    let begin = "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'kept'); BEGIN;";
    let small = format!("PRAGMA page_size = 512; PRAGMA cache_size = 2; PRAGMA journal_mode = {mode};");
    connection.execute_batch(&format!("{small} {begin}")).unwrap();
    for id in 2..400 {
        connection.execute("INSERT INTO t VALUES (?1, randomblob(400))", [id]).unwrap();
    }
    for name in ground.names().into_iter().filter(|name| !name.ends_with("-shm")) {
        fs::copy(ground.path(&name), left.path(&name)).unwrap();
    }
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_is_read_as_sqlite_would_repair_it_and_left_as_it_is() {
    for (mode, side) in [("DELETE", "x.db-journal"), ("WAL", "x.db-wal")] {
        let ground = crashed(mode);
        assert!(fs::metadata(ground.path(side)).unwrap().len() > 0);
        let bytes = || ["x.db", side].map(|name| fs::read(ground.path(name)).unwrap());
        let before = (ground.names(), bytes());
        let captured = ground.capture(&Captured::default()).await;
        assert_eq!((items(&captured), captured.skips.lock().unwrap().len()), (vec!["t 1".to_owned()], 0), "{mode}");
        assert!(before == (ground.names(), bytes()), "{mode}: reading changed something");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_is_said_and_the_rest_is_captured() {
    let ground = Ground::with("CREATE TABLE t (id PRIMARY KEY); INSERT INTO t VALUES (1)");
    fs::write(ground.path("other"), "other").unwrap();
    let captured = ground.capture(&Captured::default()).await;
    let locked = ground.open();
    locked.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let during = ground.capture(&Captured::default()).await;
    assert_eq!(items(&during), ["file other"]);
    assert!(during.skipped("sqlite").join("").contains("locked"), "{:?}", during.skipped("sqlite"));
    let row = Step { before: None, after: Some(Record::default()), address: database().item("t", "2"), paused: false };
    let error = ground.instance().apply(&row, &captured.contents).await.unwrap_err();
    assert!(error.kind() == Kind::Unavailable && error.hint_text().is_some(), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_breaks_off_leaves_the_database_as_it_was() {
    let here = Ground::with("CREATE TABLE t (id PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
    let there = Ground::with("CREATE TABLE t (id PRIMARY KEY); INSERT INTO t VALUES (1)");
    let (wanted, was) = (here.capture(&Captured::default()).await, there.capture(&Captured::default()).await);
    let (address, after) = records(&wanted).into_iter().next_back().unwrap();
    let step = Step { address, before: None, after: Some(after), paused: false };
    let instance = there.instance();
    instance.apply(&step, &wanted.contents).await.unwrap();
    let now = Captured::of(&instance).await;
    assert_eq!(was.differences(&now, "sqlite"), Vec::<String>::new(), "a capture drops what was not settled");
    instance.apply(&step, &wanted.contents).await.unwrap();
    instance.settle(&wanted.contents).await.unwrap();
    assert_eq!(items(&Captured::of(&instance).await).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_may_swap_what_must_be_unique_and_a_doubled_one_is_refused() {
    let make = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE);";
    let here = Ground::with(&format!("{make} INSERT INTO t VALUES (1, 'b'), (2, 'a'), (3, 'c')"));
    let there = Ground::with(&format!("{make} INSERT INTO t VALUES (1, 'a'), (2, 'b'), (9, 'mine')"));
    let wanted = here.capture(&Captured::default()).await;
    let was = there.capture(&wanted).await;
    assert!(go(&there.instance(), &was, &wanted).await.refused.is_empty());
    assert_eq!(wanted.differences(&there.capture(&wanted).await, "sqlite"), Vec::<String>::new());

    let more = Ground::with(&format!("{make} INSERT INTO t VALUES (1, 'b'), (2, 'a'), (3, 'c'), (4, 'new')"));
    there.run("INSERT INTO t VALUES (5, 'new')");
    let settled = go(&there.instance(), &wanted, &more.capture(&wanted).await).await;
    let [(address, reason)] = settled.refused.as_slice() else { panic!("{settled:?}") };
    assert!(address.to_string().ends_with("/t/4") && reason.contains("UNIQUE"), "{settled:?}");
    assert_eq!(there.ask("SELECT id || name FROM t ORDER BY id"), ["1b", "2a", "3c", "5new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_an_index_takes_for_one_do_not_overwrite_each_other() {
    let make = "CREATE TABLE t (k TEXT PRIMARY KEY COLLATE NOCASE, v);";
    let here = Ground::with(&format!("{make} INSERT INTO t VALUES ('A', 'theirs')"));
    let there = Ground::with(&format!("{make} INSERT INTO t VALUES ('a', 'mine')"));
    let wanted = here.capture(&Captured::default()).await;
    let schema = Captured { contents: wanted.contents.clone(), ..Captured::default() };
    schema.records.lock().unwrap().insert(database(), records(&wanted)[&database()].clone());
    let settled = go(&there.instance(), &schema, &wanted).await;
    assert_eq!(settled.refused.len(), 1, "{settled:?}");
    assert_eq!(there.ask("SELECT k || v FROM t"), ["amine"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_to_nothing_is_put_in_and_said() {
    let make = "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE);";
    let here = Ground::with(&format!("{make} PRAGMA foreign_keys = OFF; INSERT INTO c VALUES (1, 7)"));
    let there = Ground::with(&format!("{make} INSERT INTO p VALUES (3); INSERT INTO c VALUES (3, 3)"));
    let wanted = here.capture(&Captured::default()).await;
    let theirs = records(&there.capture(&wanted).await);
    wanted.records.lock().unwrap().extend(theirs);
    wanted.records.lock().unwrap().remove(&database().item("p", "3"));
    let settled = go(&there.instance(), &there.capture(&wanted).await, &wanted).await;
    assert!(settled.notes.len() == 1 && settled.notes[0].contains("2 more rows"), "{settled:?}");
    assert_eq!(there.ask("SELECT id || '' FROM c"), ["1", "3"], "nothing cascades");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_form_takes_the_rows_along() {
    let old = "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE TABLE gone (x); CREATE INDEX i ON t (a);
               CREATE TABLE log (line); CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log VALUES ('x'); END;
               INSERT INTO gone VALUES (1); INSERT INTO log VALUES ('old');";
    let new = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b NOT NULL DEFAULT 'd'); CREATE UNIQUE INDEX i ON t (a);
               CREATE TABLE log (line UNIQUE); CREATE TABLE fresh (k PRIMARY KEY) WITHOUT ROWID;
               CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log VALUES ('y'); END;
               INSERT INTO fresh VALUES ('f'); INSERT INTO log VALUES ('old');";
    let here = Ground::with(&format!(
        "{new} DROP TRIGGER g; INSERT INTO t VALUES (1, 'one', 'b'), (3, 'three', 'c');
                                      CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log VALUES ('y'); END;"
    ));
    let there =
        Ground::with(&format!("{old} INSERT INTO t VALUES (1, 'one'), (2, 'two'); DELETE FROM log WHERE line = 'x'"));
    let (wanted, was) = (here.capture(&Captured::default()).await, there.capture(&Captured::default()).await);
    // Row 2 is the instance's own, which stays.
    let row = database().item("t", "2");
    wanted.records.lock().unwrap().insert(row.clone(), records(&was)[&row].clone());
    assert!(go(&there.instance(), &was, &wanted).await.refused.is_empty());
    assert_eq!(there.ask("SELECT id || a || b FROM t ORDER BY id"), ["1oneb", "2twod", "3threec"]);
    let names = "SELECT type || name FROM sqlite_schema ORDER BY 1";
    assert_eq!(here.ask(names), there.ask(names));
    assert_eq!(there.ask("SELECT line FROM log"), ["old"]);
    assert_eq!(there.ask("PRAGMA integrity_check"), ["ok"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_virtual_tables_is_one_file_and_comes_back() {
    let here = Ground::with(
        "CREATE VIRTUAL TABLE words USING fts5 (word); INSERT INTO words VALUES ('peapod');
         CREATE TABLE t (id PRIMARY KEY); INSERT INTO t VALUES (1)",
    );
    let (there, captured) = comes_back(&here).await;
    assert_eq!(items(&captured), ["file x.db"]);
    assert_eq!(there.ask("SELECT word FROM words('peapod')"), ["peapod"]);
    // In place, under the eyes of a program that has it open.
    let open = there.open();
    assert_eq!(open.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    here.run("INSERT INTO words VALUES ('more'); INSERT INTO t VALUES (2)");
    let changed = here.capture(&captured).await;
    assert!(go(&there.instance(), &captured, &changed).await.refused.is_empty());
    assert_eq!(open.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap(), 2);
    assert_eq!(changed.differences(&there.capture(&changed).await, "files"), Vec::<String>::new());
    assert_eq!(there.ask("SELECT word FROM words('more')"), ["more"]);
}

/// The records of a database with one table, whose form a hostile pod has bent.
async fn bent(bend: impl FnOnce(&mut BTreeMap<String, Value>)) -> Captured {
    let here = Ground::with("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)");
    let captured = here.capture(&Captured::default()).await;
    bend(&mut captured.records.lock().unwrap().get_mut(&database()).unwrap().attributes);
    captured
}

#[tokio::test(flavor = "multi_thread")]
async fn only_statements_that_make_what_they_say_are_taken() {
    let outside = tempfile::tempdir().unwrap();
    let attach = format!("ATTACH '{}' AS a", outside.path().join("evil.db").display());
    let beside = format!("CREATE TABLE t (id); {attach}");
    for (kind, name, sql) in [
        ("Tables", "t", attach.as_str()),
        ("Tables", "t", beside.as_str()),
        ("Tables", "t", "CREATE VIRTUAL TABLE t USING fts5(x)"),
        ("Tables", "t", "CREATE TABLE t AS SELECT 1"),
        ("Tables", "t", "CREATE TABLE other (id)"),
        ("Tables", "t", "CREATE TABLE temp.t (id)"),
        ("Tables", "t", "CREATE TABLE t (id); DROP TABLE t"),
        ("Tables", "t", "CREATE TABLE t (id) /* \0 */"),
        ("Tables", "t", "DROP TABLE t"),
        ("Tables", "t", "PRAGMA writable_schema = ON"),
        ("Tables", "t", "CREATE TABLE t (id, x AS (load_extension('evil')))"),
        ("Tables", "sqlite_x", "CREATE TABLE sqlite_x (id)"),
        ("Tables", "peapod_old_0", "CREATE TABLE peapod_old_0 (id)"),
        ("Indexes", "i", "CREATE TABLE i (id)"),
        ("Triggers", "g", "CREATE TRIGGER other AFTER INSERT ON t BEGIN SELECT 1; END"),
        ("Views", "v", "CREATE VIEW temp.v AS SELECT 1"),
    ] {
        let there = Ground::new();
        let objects = Value::Map([(name.to_owned(), Value::text(sql))].into());
        let evil = bent(|attributes| drop(attributes.insert(kind.into(), objects.clone()))).await;
        let settled = go(&there.instance(), &Captured::default(), &evil).await;
        assert!(settled.refused.iter().any(|(address, _)| *address == database()), "{sql}: {settled:?}");
        assert_eq!(there.names(), Vec::<String>::new(), "{sql}");

        // The same as a change of a database that is there.
        let there = Ground::with("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)");
        let was = there.capture(&evil).await;
        let settled = go(&there.instance(), &was, &evil).await;
        assert!(settled.refused.iter().any(|(address, _)| *address == database()), "{sql}: {settled:?}");
        assert_eq!(there.ask("SELECT sql FROM sqlite_schema"), ["CREATE TABLE t (id INTEGER PRIMARY KEY)"], "{sql}");
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_only_what_its_address_names() {
    let there = Ground::with(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE TABLE log (line); INSERT INTO t VALUES (1, 'mine')",
    );
    let instance = there.instance();
    let row = |id: i64| -> Record {
        let id = peapod::core::value::Number::parse(&id.to_string()).unwrap();
        Record::new([("id".to_owned(), Value::Number(id)), ("a".to_owned(), Value::text("evil"))].into())
    };
    let with = |name: &str, value: Value| {
        let mut record = row(2);
        record.attributes.insert(name.to_owned(), value);
        record
    };
    for (address, record) in [
        (database().item("t", "2"), row(1)),
        (database().item("t", "1 OR 1"), row(1)),
        (database().item("t", "2"), with("a = 1, id", Value::Null)),
        (database().item("t", "2"), with("a", Value::Map([("Blob".into(), row(9).attributes["id"].clone())].into()))),
        (database().item("t", "2"), with("a", Value::List(vec![]))),
        (database().item("sqlite_master", "1"), row(1)),
        (database().item("sqlite_schema", "1"), row(1)),
        (database().item("none", "1"), row(1)),
        (database().item("log", "00.0"), Record::new([("line".to_owned(), Value::text("x"))].into())),
        (Address::resource("self", "local", "sqlite", "database", "../x.db").item("t", "1"), row(1)),
        (Address::resource("self", "local", "sqlite", "other", "x.db").item("t", "1"), row(1)),
    ] {
        let step = Step { address, before: None, after: Some(record), paused: false };
        let error = instance.apply(&step, &Captured::default().contents).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Denied, "{step:?}: {error:?}");
    }
    instance.settle(&Captured::default().contents).await.unwrap();
    assert_eq!(there.ask("SELECT id || a FROM t"), ["1mine"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_is_slipped_to_a_database_and_no_link_taken_for_one() {
    let there = Ground::with("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let instance = there.instance();
    let file = Address::resource("self", "local", "files", "tree", "root").item("file", "x.db-wal");
    let body = Some(peapod::core::record::Body::Inline(b"log".to_vec()));
    let step = Step { address: file, before: None, after: Some(Record { body, ..Record::default() }), paused: false };
    assert_eq!(instance.apply(&step, &Captured::default().contents).await.unwrap_err().kind(), Kind::Denied);

    let outside = Ground::with("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    fs::remove_file(there.path("x.db")).unwrap();
    std::os::unix::fs::symlink(outside.path("x.db"), there.path("x.db")).unwrap();
    let id = peapod::core::value::Number::parse("1").unwrap();
    let row = Record::new([("id".to_owned(), Value::Number(id))].into());
    let step = Step { address: database().item("t", "1"), before: None, after: Some(row), paused: false };
    assert_eq!(instance.apply(&step, &Captured::default().contents).await.unwrap_err().kind(), Kind::Denied);
    assert_eq!(outside.ask("SELECT count(*) || '' FROM t"), ["0"]);
    assert!(Path::new(&there.path("x.db")).is_symlink());
}

const FORMS: &str = "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, u UNIQUE, v);
    CREATE TABLE b (k, l TEXT COLLATE NOCASE, v REAL, PRIMARY KEY (l, k)) WITHOUT ROWID;
    CREATE TABLE c (x, y INT);";

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("NULL".to_owned()),
        (-3i64..4).prop_map(|n| n.to_string()),
        (-3i64..4).prop_map(|n| format!("{n}.5")),
        (-3i64..4).prop_map(|n| format!("{n}.0")),
        "[aAb',]{0,3}".prop_map(|text| format!("'{}'", text.replace('\'', "''"))),
        "([0-9a-f]{2}){0,3}".prop_map(|hex| format!("x'{hex}'")),
        Just("9e999".to_owned()),
        Just("hex(zeroblob(70000))".to_owned()),
    ]
}

fn edit() -> impl Strategy<Value = String> {
    let key = 1i64..6;
    prop_oneof![
        (key.clone(), value(), value())
            .prop_map(|(id, u, v)| format!("INSERT OR REPLACE INTO a VALUES ({id}, {u}, {v})")),
        (value(), value()).prop_map(|(u, v)| format!("INSERT OR IGNORE INTO a (u, v) VALUES ({u}, {v})")),
        key.clone().prop_map(|id| format!("DELETE FROM a WHERE id = {id}")),
        (key, value()).prop_map(|(id, v)| format!("UPDATE OR IGNORE a SET u = {v} WHERE id = {id}")),
        (value(), value(), value()).prop_map(|(k, l, v)| format!("INSERT OR REPLACE INTO b VALUES ({k}, {l}, {v})")),
        value().prop_map(|v| format!("DELETE FROM b WHERE k IS {v}")),
        (value(), value()).prop_map(|(x, y)| format!("INSERT INTO c VALUES ({x}, {y})")),
        value().prop_map(|x| format!("DELETE FROM c WHERE x IS {x}")),
        Just("DELETE FROM c WHERE rowid = (SELECT min(rowid) FROM c)".to_owned()),
        Just("VACUUM".to_owned()),
        Just("PRAGMA journal_mode = WAL".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_database_comes_back_and_any_change_of_it_follows(
        first in proptest::collection::vec(edit(), 0..25),
        second in proptest::collection::vec(edit(), 0..25),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(runtime.spawn(async move {
            let here = Ground::with(FORMS);
            let run = |edits: &[String]| {
                let connection = here.open();
                // A row that may not be, a null in a key, is an error of SQLite's own.
                edits.iter().for_each(|sql| drop(connection.execute_batch(sql)));
            };
            run(&first);
            let (there, captured) = comes_back(&here).await;
            run(&second);
            let changed = here.capture(&captured).await;
            let settled = go(&there.instance(), &captured, &changed).await;
            assert!(settled.refused.is_empty(), "{settled:?}");
            assert_eq!(changed.differences(&there.capture(&changed).await, "sqlite"), Vec::<String>::new());
            assert_eq!(there.ask("PRAGMA integrity_check"), ["ok"]);
        }))
        .unwrap();
    }
}
