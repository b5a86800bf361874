//! Instances over files, with a real tool whose state is a SQLite database: buku, a bookmark manager.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::emulators::tools;
use crate::program::{Developer, addresses, until};

/// A developer, and the directory in which their tools keep their state.
struct Side {
    dev: Developer,
    state: tempfile::TempDir,
}

impl Side {
    fn new() -> Side {
        Side { dev: Developer::new(), state: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.state.path().join(name)
    }

    fn url(&self) -> String {
        format!("dir:{}", self.state.path().display())
    }

    fn ok(&self, arguments: &[&str]) -> Value {
        self.dev.ok(&self.url(), arguments)
    }

    fn fails(&self, code: i32, arguments: &[&str]) -> Value {
        self.dev.fails(code, &self.url(), arguments)
    }

    /// Runs buku on this state; what it prints.
    fn buku(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(tools().join("buku/bin/buku"));
        command.args(["--nostdin", "--np", "--nc"]).args(arguments).stdin(Stdio::null());
        let output = command.env("XDG_DATA_HOME", self.state.path()).env("HOME", self.state.path()).output().unwrap();
        assert!(output.status.success(), "buku {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Title and tags of each bookmark.
    fn bookmarks(&self) -> Vec<(String, String)> {
        let list: Value = serde_json::from_str(&self.buku(&["-p", "-j"])).unwrap();
        let word = |bookmark: &Value, name: &str| bookmark[name].as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(|bookmark| (word(bookmark, "title"), word(bookmark, "tags"))).collect()
    }
}

fn has_buku() -> bool {
    let is_there = tools().join("buku/bin/buku").exists();
    if !is_there {
        println!("skipped: no buku in {}; `bootstrap/test` installs it", tools().display());
    }
    is_there
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(title, tags)| ((*title).to_owned(), (*tags).to_owned())).collect()
}

#[test]
fn two_who_change_different_rows_of_one_database_both_see_both() {
    if !has_buku() {
        return;
    }
    let (alice, bob) = (Side::new(), Side::new());
    let up = ["up", "--detach", "--no-mdns", "--listen", "127.0.0.1:0"];
    alice.ok(&["team", "create", "acme", "--as", "alice"]);
    alice.ok(&up);
    let ticket = alice.ok(&["team", "invite"])["ticket"].as_str().unwrap().to_owned();
    bob.ok(&["team", "join", &ticket, "--as", "bob"]);
    bob.ok(&up);
    until("a connection", || bob.ok(&["peers"])["peers"].to_string().contains("\"connected\":true"));

    alice.buku(&["--offline", "-a", "https://one.example", "first", "--title", "One"]);
    alice.buku(&["--offline", "-a", "https://two.example", "second", "--title", "Two"]);
    alice.ok(&["push", "links"]);
    bob.ok(&["pull", "links"]);
    assert_eq!(bob.bookmarks(), pairs(&[("One", "first"), ("Two", "second")]));

    alice.buku(&["--offline", "-u", "1", "--title", "Uno"]);
    alice.ok(&["push", "links"]);
    bob.buku(&["--offline", "-u", "2", "--tag", "deux"]);
    bob.buku(&["--offline", "-a", "https://three.example", "third", "--title", "Three"]);
    bob.ok(&["push", "links"]);
    let both = pairs(&[("Uno", "first"), ("Two", "deux"), ("Three", "third")]);
    bob.ok(&["pull", "links"]);
    assert_eq!(bob.bookmarks(), both);
    bob.ok(&["push", "links"]);
    let pulled = alice.ok(&["pull", "links"]);
    assert_eq!(alice.bookmarks(), both);
    assert_eq!(pulled["applied"], json!({"added": 1, "changed": 1, "removed": 0}), "row by row");
    let [_, changed, _] = alice.dev.diff("links@1", "links");
    let row = |id: u32| format!("self/local/sqlite/database/buku%2Fbookmarks.db/bookmarks/{id}");
    assert_eq!(changed, [row(1), row(2)]);

    // The same row, changed by both.
    for (side, title) in [(&alice, "A"), (&bob, "B")] {
        side.buku(&["--offline", "-u", "3", "--title", title]);
    }
    alice.ok(&["push", "links"]);
    let conflict = bob.fails(3, &["pull", "links"]);
    assert_eq!(addresses(&conflict["conflicts"]), [row(3)]);
    assert_eq!(bob.bookmarks()[2].0, "B");
    bob.ok(&["pull", "links", "--on-conflict", "pod"]);
    assert_eq!(bob.bookmarks()[2].0, "A");
    bob.ok(&["undo"]);
    assert_eq!(bob.bookmarks()[2].0, "B");
}

#[test]
fn a_directory_comes_back_in_another_home_to_the_same_root() {
    let (here, there) = (Side::new(), Side::new());
    fs::create_dir_all(here.path("deep/empty")).unwrap();
    fs::write(here.path("deep/file"), "x".repeat(100_000)).unwrap();
    let database = rusqlite::Connection::open(here.path("deep/x.db")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO t (v) VALUES (1), (2.0), ('3');
             CREATE TABLE log (line); INSERT INTO log VALUES ('same'), ('same')",
        )
        .unwrap();
    let first = here.ok(&["commit", "p"]);
    assert_eq!(first["skipped"], json!([]));
    let put = here.dev.ok(&there.url(), &["inject", "p", "--strategy", "overwrite"]);
    assert_eq!(put["lost"], json!([]));
    assert_eq!(there.ok(&["commit", "p"])["root"], first["root"]);
    assert_eq!(here.ok(&["commit", "p"])["made"], false);

    // What was deleted there goes here too, and the directory with it.
    fs::remove_dir_all(there.path("deep")).unwrap();
    fs::write(there.path("left"), "left").unwrap();
    here.dev.ok(&there.url(), &["commit", "p"]);
    let put = here.ok(&["inject", "p"]);
    assert_eq!(put["applied"]["added"], 1);
    drop(database);
    let left: Vec<_> = fs::read_dir(here.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["left"]);
}

#[test]
fn a_program_that_has_the_database_open_sees_what_was_put_in() {
    let (here, there) = (Side::new(), Side::new());
    let make =
        "PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'old');";
    rusqlite::Connection::open(here.path("x.db")).unwrap().execute_batch(make).unwrap();
    here.ok(&["commit", "p"]);
    here.dev.ok(&there.url(), &["inject", "p"]);
    let script = "import sqlite3, sys\n\
                  db = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                  db.execute('PRAGMA journal_mode = WAL')\n\
                  for line in sys.stdin:\n    print(db.execute(line).fetchall(), flush=True)\n";
    let mut python = Command::new("python3")
        .args(["-c", script])
        .arg(there.path("x.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (python.stdin.take().unwrap(), BufReader::new(python.stdout.take().unwrap()));
    let mut ask = |sql: &str| {
        writeln!(input, "{sql}").unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    };
    assert_eq!(ask("SELECT v FROM t"), "[('old',)]");
    rusqlite::Connection::open(here.path("x.db")).unwrap().execute_batch("UPDATE t SET v = 'new'").unwrap();
    here.ok(&["commit", "p"]);
    here.dev.ok(&there.url(), &["inject", "p"]);
    assert_eq!(ask("SELECT v FROM t"), "[('new',)]");

    // While it writes, an inject waits, says so, and changes nothing; the files neither.
    assert_eq!(ask("BEGIN IMMEDIATE"), "[]");
    fs::write(here.path("file"), "file").unwrap();
    rusqlite::Connection::open(here.path("x.db")).unwrap().execute_batch("INSERT INTO t VALUES (2, 'b')").unwrap();
    here.ok(&["commit", "p"]);
    let error = here.dev.fails(6, &there.url(), &["inject", "p"]);
    assert!(error["error"]["message"].as_str().unwrap().contains("rolled back"), "{error}");
    assert!(!there.path("file").exists());
    assert_eq!(ask("COMMIT"), "[]");
    here.dev.ok(&there.url(), &["inject", "p"]);
    assert_eq!(ask("SELECT v FROM t ORDER BY id"), "[('new',), ('b',)]");
    drop(input);
    python.wait().unwrap();
}

#[test]
fn a_directory_is_named_asked_about_and_emptied_as_any_instance() {
    let side = Side::new();
    fs::write(side.path("a"), "a").unwrap();
    let status = side.ok(&["instance", "status"]);
    assert_eq!((&status["emulator"], &status["account"]), (&json!("directory"), &json!("self")));
    assert_eq!(status["services"][0]["service"], "files");
    side.ok(&["commit", "p", "--service", "files"]);
    side.ok(&["instance", "reset"]);
    assert_eq!(fs::read_dir(side.path("")).unwrap().count(), 0);
    fs::write(side.path("b"), "b").unwrap();
    let error = side.fails(3, &["commit", "p"]);
    assert!(error["error"]["hint"].as_str().unwrap().contains("--replace"), "a reset is no deletion: {error}");
    side.fails(4, &["undo"]);

    // Relative to where the command was given, whoever carries it out.
    let mut relative = side.dev.command("dir:.", &["commit", "q"]);
    relative.current_dir(side.state.path());
    assert_eq!(crate::program::Ran::of(relative).json()["records"], 1);
    side.dev.fails(4, "dir:/nonexistent/place", &["instance", "status"]);
    side.dev.fails(2, "dir:", &["instance", "status"]);
    let home = format!("dir:{}", side.dev.home().display());
    side.dev.fails(5, &home, &["commit", "p"]);
}

#[test]
fn an_inject_that_is_killed_ends_at_one_end_or_the_other() {
    let (here, there) = (Side::new(), Side::new());
    let rows = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t SELECT i, 'new' || i FROM n";
    let make = "CREATE TABLE t (id INTEGER PRIMARY KEY, v);";
    for (side, rows) in [(&here, rows), (&there, "INSERT INTO t VALUES (1, 'old'), (5000, 'old')")] {
        for name in ["x.db", "y.db"] {
            let database = rusqlite::Connection::open(side.path(name)).unwrap();
            database.execute_batch(&format!("{make} BEGIN; {rows}; COMMIT")).unwrap();
        }
    }
    for number in 0..100 {
        fs::write(here.path(&format!("file{number}")), format!("new {number}")).unwrap();
    }
    fs::write(there.path("file1"), "old").unwrap();
    rusqlite::Connection::open(here.path("fresh.db")).unwrap().execute_batch(make).unwrap();
    let wanted = here.ok(&["commit", "p"])["root"].clone();
    let before = here.dev.ok(&there.url(), &["commit", "q"])["root"].clone();

    let mut was_cut_off = false;
    for delay in [200, 400, 600, 900, 1200, 1600, 2400] {
        let running = here.dev.start(&there.url(), &["inject", "p", "--strategy", "overwrite"]);
        std::thread::sleep(std::time::Duration::from_millis(delay));
        running.kill();
        // The next command puts back what was changed, or finds it done.
        let again = here.dev.run(&there.url(), &["commit", "q", "--replace"]);
        assert_eq!(again.code(), 0, "{again:?}");
        was_cut_off |= again.err().contains("putting back what it changed");
        let root = again.json()["root"].clone();
        assert!(root == before || root == wanted, "after {delay} ms: {again:?}");
        for name in ["x.db", "y.db"] {
            let database = rusqlite::Connection::open(there.path(name)).unwrap();
            let whole: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(whole, "ok");
        }
    }
    assert!(was_cut_off, "no kill came in time");
    here.dev.ok(&there.url(), &["inject", "p", "--strategy", "overwrite"]);
    assert_eq!(there.ok(&["commit", "p"])["root"], wanted);
    let names = fs::read_dir(there.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with(".peapod")).collect();
    assert_eq!(left.len(), 0, "{left:?}");
}
