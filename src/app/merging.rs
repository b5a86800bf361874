//! Merging versions of a pod into one.

use crate::app::clock::now;
use crate::app::conflicts::{self, Between};
use crate::app::held::mark_held;
use crate::app::state::App;
use crate::app::versions;
use crate::app::views::{ConflictView, counted};
use crate::core::name::{Kind, Name};
use crate::core::version::{Authorship, Version};
use crate::error::{Error, Result};
use crate::tree::{self, Settle};

/// Two or more versions merged into one.
#[derive(Debug)]
pub struct MergedVersion {
    /// The version that holds them all; one of them, where it contains the others.
    pub version: Name,
    /// Conflicts that [`Settle::Ours`] or [`Settle::Theirs`] settled.
    pub settled: Vec<ConflictView>,
}

/// Merges versions of one pod, in the order of their names. Nothing but objects is written.
///
/// The first of `between` is the side that [`Settle::Ours`] means, if it is among them. A merge without conflicts has no
/// author and no time, so that everyone who merges the same versions makes the same one. Unsettled conflicts are an
/// error of kind conflict that lists them.
pub fn merge_versions(
    app: &App,
    pod: &str,
    all: &[Name],
    between: Between<'_>,
    settle: Settle,
    message: &str,
) -> Result<MergedVersion> {
    let store = &*app.store;
    let heads = versions::maximal(store, all)?;
    let mut heads = heads.into_iter();
    for version in all {
        versions::require_complete(store, pod, version)?;
    }
    let first = heads.next().ok_or_else(|| Error::not_found(format!("pod \"{pod}\" has no version")))?;
    let mut merged = MergedVersion { version: first, settled: vec![] };
    for next in heads {
        // Settling needs to know which side is ours; without ours among the two, the one merged so far stands for it.
        let swap = between.ours.version == Some(next);
        let (left, right) = if swap { (next, merged.version) } else { (merged.version, next) };
        let (left_version, right_version) = (Version::read(store, &left)?, Version::read(store, &right)?);
        let base = versions::base(store, &left, &right)?;
        let between = between.of(left, right);
        let outcome = tree::merge(store, base.as_ref(), &left_version.root, &right_version.root, settle)?;
        if settle == Settle::List && !outcome.conflicts.is_empty() {
            return Err(conflicts::error(app, between, pod, &outcome.conflicts));
        }
        let mut parents = vec![left, right];
        parents.sort_unstable();
        let authorship =
            (!outcome.conflicts.is_empty()).then(|| Authorship { author: app.secret.author(), created: now() });
        let message = match (&authorship, message) {
            (None, _) => String::new(),
            (Some(_), "") => format!("merge, {} settled", counted(outcome.conflicts.len(), "conflict")),
            (Some(_), said) => said.to_owned(),
        };
        let version = Version {
            pod: pod.to_owned(),
            parents,
            root: outcome.root,
            authorship,
            message,
            source: None,
            stats: tree::stats(store, &outcome.root)?,
            skipped: vec![],
        };
        merged.version = version.write(store, &app.secret)?;
        mark_held(store, &[(Kind::Version, merged.version)])?;
        merged.settled.extend(conflicts::views(app, between, &outcome.conflicts)?);
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::app::conflicts::Party;
    use crate::app::ledger::Change;
    use crate::core::address::Address;
    use crate::core::identity::Secret;
    use crate::core::record::Record;
    use crate::core::roster::Role;
    use crate::core::value::Value;
    use crate::error::Kind as ErrorKind;
    use crate::sync::decide;
    use crate::sync::report::Link;
    use crate::tree::{Entry, Leaf};

    /// A version with these parameters, by `author`.
    fn version(app: &App, author: &Secret, parents: &[Name], parameters: &[(&str, &str)]) -> Name {
        let store = &*app.store;
        let entry = |(name, value): &(&str, &str)| {
            let address = Address::resource("self", "r", "ssm", "parameter", name);
            let attributes = [("Type", "String"), ("Value", value)];
            let attributes = attributes.map(|(name, value)| (name.to_owned(), Value::text(value)));
            let leaf = Leaf::new(store, &address, &Record::new(attributes.into())).unwrap();
            Ok(Entry { address, leaf })
        };
        let version = Version {
            pod: "p".into(),
            parents: parents.to_vec(),
            root: tree::build(store, &mut parameters.iter().map(entry)).unwrap(),
            authorship: Some(Authorship { author: author.author(), created: 0 }),
            message: String::new(),
            source: None,
            stats: Default::default(),
            skipped: vec![],
        };
        let name = version.write(store, author).unwrap();
        assert!(mark_held(store, &[(Kind::Version, name)]).unwrap());
        name
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_conflict_names_the_sides_what_differs_and_whose_change_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let app = App::open(&directory.path().join("h"), Duration::ZERO).await.unwrap();
        let ben = Secret::from_seed(&[2; 32]);
        app.team.enter(decide::found("friends", "anna", &app.secret, 0).unwrap().0, vec![]).unwrap();
        let add = |ledger: &mut crate::sync::heads::Ledger| {
            let entry = ledger.add(ben.author(), Role::Writer, "ben", &app.secret, 0)?;
            Ok(Change { value: (), links: vec![Link::Entry(entry)], writes: vec![] })
        };
        app.team.decide(add).unwrap();

        let base = version(&app, &app.secret, &[], &[("color", "red"), ("size", "s")]);
        let mine = version(&app, &app.secret, &[base], &[("color", "green"), ("size", "l")]);
        let changed = version(&app, &ben, &[base], &[("color", "blue"), ("size", "s")]);
        let theirs = version(&app, &ben, &[changed], &[("color", "blue")]);
        let between = Between {
            ours: Party { name: "yours", version: None },
            theirs: Party { name: "theirs", version: None },
            hint: "decide",
        };
        for (ours, all) in [(Some(mine), [mine, theirs]), (Some(mine), [theirs, mine])] {
            let between = Between { ours: Party { version: ours, ..between.ours }, ..between };
            let error = merge_versions(&app, "p", &all, between, Settle::List, "").unwrap_err();
            assert_eq!((error.kind(), error.hint_text()), (ErrorKind::Conflict, Some("decide")));
            assert!(error.message().starts_with("2 conflicts in pod \"p\": "), "{}", error.message());
            let document = error.to_json();
            let color = &document["conflicts"][0];
            assert_eq!(color["address"], "self/r/ssm/parameter/color");
            assert_eq!(color["reason"], "changed in yours by anna, changed in theirs by ben");
            assert_eq!(
                color["attributes"],
                serde_json::json!([{"attribute": "Value", "base": "red", "ours": "green", "theirs": "blue"}])
            );
            assert_eq!(color["theirs"]["author"], ben.author().to_string());
            let size = &document["conflicts"][1];
            assert_eq!(size["reason"], "changed in yours by anna, deleted in theirs by ben");
            assert_eq!(size["attributes"], serde_json::json!([]));
        }
        let settled = merge_versions(&app, "p", &[mine, theirs], between.of(mine, theirs), Settle::Theirs, "").unwrap();
        assert_eq!(settled.settled.len(), 2);
        assert_eq!(Version::read(&*app.store, &settled.version).unwrap().message, "merge, 2 conflicts settled");
    }
}
