//! What a rule withholds stands nowhere, and is neither a change nor a deletion.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::desk::{Desk, How};
use super::words::slot;
use crate::app::strategy::{OnConflict, Strategy as Way};
use crate::core::record::{Body, Record};
use crate::core::value::Value;
use crate::core::version::Version;
use crate::tree;

const RICH: usize = 0;
const OTHER: usize = 1;
const BUCKET: usize = 0;
const OBJECT: usize = 1;
const PARAMETER: usize = 5;
const ROLE: usize = 7;

/// Withholds a parameter's value, and an object's bytes.
const RULES: [&str; 2] = ["*/ssm/parameter/*#Value", "*/object/*#body"];

fn parameter(value: &str, note: &str) -> Record {
    Record::new([("Value", value), ("Note", note)].map(|(name, text)| (name.to_owned(), Value::text(text))).into())
}

impl Desk {
    fn sets(&mut self, stack: usize, number: usize, record: &Record) {
        assert!(self.stacks[stack].model.put(&slot(number), record));
    }

    fn has_record(&self, stack: usize, number: usize) -> Option<Record> {
        self.stacks[stack].model.records().get(&slot(number)).cloned()
    }

    fn of_head(&self, number: usize) -> Record {
        self.records(self.head())[&slot(number)].clone()
    }

    fn value_in_head(&self) -> Value {
        self.of_head(PARAMETER).attributes["Value"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withheld_value_is_in_no_version_made_under_the_rule_and_comes_with_the_next_one_without() {
    let mut desk = Desk::new().await;
    desk.sets(RICH, PARAMETER, &parameter("secret", "n"));
    let done = desk.commit_without(RICH, &RULES).await;
    assert_eq!((done.withheld[0].values, done.withheld[1].values), (1, 0));
    assert_eq!(desk.value_in_head(), Value::Withheld);
    // A change that nobody may see is none.
    desk.sets(RICH, PARAMETER, &parameter("other", "n"));
    assert!(!desk.commit_without(RICH, &RULES).await.made);
    desk.sets(RICH, PARAMETER, &parameter("other", "m"));
    assert!(desk.commit_without(RICH, &RULES).await.made);
    assert_eq!(desk.of_head(PARAMETER).attributes["Note"], "m".into());
    assert!(desk.commit_without(RICH, &[]).await.made);
    assert_eq!(desk.value_in_head(), "other".into());
    // On top of a version that has it: the new one does not.
    assert!(desk.commit_without(RICH, &RULES).await.made);
    assert_eq!(desk.value_in_head(), Value::Withheld);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inject_leaves_what_the_pod_does_not_say_and_leaves_out_what_nobody_has() {
    for strategy in [Way::Deep, Way::Overwrite, Way::AccountRegion, Way::Basic] {
        let mut desk = Desk::new().await;
        desk.sets(RICH, PARAMETER, &parameter("secret", "n"));
        desk.sets(RICH, BUCKET, &Record::default());
        let object = Record { body: Some(Body::Inline(b"bytes".to_vec())), ..Record::default() };
        desk.sets(RICH, OBJECT, &object);
        desk.commit_without(RICH, &RULES).await;
        let how = How { strategy, ..How::default() };
        // In the instance itself there is nothing to do.
        let done = desk.inject(RICH, 0, how).await.unwrap().unwrap();
        assert!(done.applied.is_zero() && done.withheld.is_empty() && done.lost.is_empty(), "{done:?}");
        assert!(!desk.commit_without(RICH, &RULES).await.made);
        // Another gets its bucket; what can't be without its value is left out, and that is said.
        let done = desk.inject(OTHER, 0, how).await.unwrap().unwrap();
        let lacking: Vec<&str> = done.withheld.iter().map(|lost| lost.reason.as_str()).collect();
        // The first of them: the list of a unit test ends there.
        assert_eq!(lacking, ["left out: body is withheld"], "{done:?}");
        assert!(done.lost.is_empty(), "{done:?}");
        assert!(desk.has_record(OTHER, BUCKET).is_some() && desk.has_record(OTHER, PARAMETER).is_none());
        // That it lacks them is no deletion.
        assert!(!desk.commit_without(OTHER, &RULES).await.made);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_with_a_value_of_its_own_keeps_it_and_takes_the_rest() {
    let mut desk = Desk::new().await;
    desk.sets(RICH, PARAMETER, &parameter("pod's", "pod's"));
    desk.commit_without(RICH, &RULES).await;
    desk.sets(OTHER, PARAMETER, &parameter("own", "own"));
    let how = How { strategy: Way::Overwrite, ..How::default() };
    let done = desk.inject(OTHER, 0, how).await.unwrap().unwrap();
    assert!(done.withheld.is_empty() && done.lost.is_empty(), "{done:?}");
    assert_eq!(desk.has_record(OTHER, PARAMETER), Some(parameter("own", "pod's")));
    // And gets all of its own back.
    assert!(desk.undo(OTHER).await.unwrap());
    assert_eq!(desk.has_record(OTHER, PARAMETER), Some(parameter("own", "own")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_takes_the_value_that_a_side_says() {
    let mut desk = Desk::new().await;
    desk.put(RICH, PARAMETER, 0);
    desk.put(RICH, ROLE, 0);
    desk.commit_without(RICH, &[]).await;
    // A teammate sets another value; here it is withheld, and something else changes.
    desk.mate_commits(false, &[(PARAMETER, Some(1))]);
    desk.put(RICH, ROLE, 1);
    desk.commit_without(RICH, &RULES[..1]).await;
    // Nobody knows whether the instance's value is newer than the teammate's.
    assert!(!desk.pull(RICH, How::default()).await.unwrap());
    assert!(desk.pull(RICH, How { on_conflict: OnConflict::Pod, ..How::default() }).await.unwrap());
    assert_eq!(desk.value_in_head(), "1".into());
    assert_eq!(desk.has_record(RICH, PARAMETER).unwrap().attributes["Value"], "1".into());
    assert_eq!(desk.of_head(ROLE).attributes["Value"], "1".into());
}

/// Whether these bytes stand in any file below the folder.
fn stands_in_files(folder: &Path, bytes: &[u8]) -> bool {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.into_iter().any(|path| {
        if path.is_dir() {
            return stands_in_files(&path, bytes);
        }
        let whole = fs::read(&path).unwrap_or_default();
        whole.windows(bytes.len()).any(|window| window == bytes)
    })
}

async fn withheld_bytes_stand_nowhere(secret: &str, wraps: usize, large: bool) {
    let mut desk = Desk::new().await;
    let mut value = Value::text(secret);
    for wrap in 0..wraps {
        value = match wrap % 2 {
            0 => Value::List(vec!["plain".into(), value]),
            _ => Value::Map([("a".to_owned(), value)].into()),
        };
    }
    let open = if large { "open ".repeat(2000) } else { "open".to_owned() };
    let attributes = [("Value".to_owned(), value), ("Note".to_owned(), Value::text(open))];
    desk.sets(RICH, PARAMETER, &Record::new(attributes.into()));
    desk.sets(RICH, BUCKET, &Record::default());
    desk.sets(RICH, OBJECT, &Record { body: Some(Body::Inline(secret.into())), ..Record::default() });
    let done = desk.commit_without(RICH, &RULES).await;
    assert_eq!(done.withheld.iter().map(|withheld| withheld.values).sum::<u64>(), 2);
    desk.put(RICH, ROLE, 1);
    desk.commit_without(RICH, &RULES).await;
    let store = desk.app.store.clone();
    store.flush().unwrap();
    let bytes = secret.as_bytes();
    // Stored objects may be compressed, so each is looked at as it was too.
    let objects = store.every_object().unwrap();
    assert!(objects.iter().any(|object| object.windows(4).any(|window| window == b"open")));
    assert!(!objects.iter().any(|object| object.windows(bytes.len()).any(|window| window == bytes)));
    assert!(!stands_in_files(desk.home(), bytes));
    // What is looked for is found where nothing is withheld.
    desk.commit_without(RICH, &[]).await;
    let objects = store.every_object().unwrap();
    assert!(objects.iter().any(|object| object.windows(bytes.len()).any(|window| window == bytes)));
    let root = Version::read(&*store, &desk.head().unwrap()).unwrap().root;
    assert!(tree::get(&*store, &root, &slot(OBJECT)).unwrap().unwrap().body.is_some());
}

#[test]
fn no_withheld_byte_stands_anywhere_in_the_store() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) };
    proptest!(config, |(secret in "[A-Z0-9]{12,40}", wraps in 0usize..6, large in any::<bool>())| {
        runtime.block_on(withheld_bytes_stand_nowhere(&secret, wraps, large));
    });
}
