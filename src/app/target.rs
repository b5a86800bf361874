//! Strategies: the state an instance shall have after a version was put into it.

use crate::app::strategy::{OnConflict, Strategy};
use crate::core::address::Address;
use crate::core::name::Name;
use crate::core::select::Selector;
use crate::error::Result;
use crate::store::Store;
use crate::tree::{self, Change, Conflict};

/// What a strategy decides from.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// The state of the instance, in full.
    pub live: &'a Name,
    /// The state of the version.
    pub pod: &'a Name,
    /// The state both come from; none if they are unrelated.
    pub base: Option<&'a Name>,
    /// Whether the instance's history contains the version already.
    pub contained: bool,
}

/// A target state and the conflicts met on the way to it.
#[derive(Debug)]
pub struct Target {
    /// The tree.
    pub root: Name,
    /// Conflicts: unsettled ones with [`OnConflict::Fail`], else how many were settled.
    pub conflicts: Vec<Conflict>,
}

/// The state that `strategy` makes of both sides, within what is selected.
pub fn target(
    store: &Store,
    strategy: Strategy,
    on_conflict: OnConflict,
    sides: Sides<'_>,
    selector: &Selector,
) -> Result<Target> {
    let Sides { live, pod, base, contained } = sides;
    let (wanted, conflicts) = match strategy {
        // The history holds nothing new, but what is missing from the instance comes back.
        Strategy::Deep if contained => {
            return chosen(store, live, pod, |change| Ok(selector.matches(&change.address) && change.before.is_none()));
        }
        Strategy::Deep => {
            let merged = tree::merge(store, base, live, pod, on_conflict.settle())?;
            (merged.root, merged.conflicts)
        }
        _ => (*pod, vec![]),
    };
    let mut groups = Groups::default();
    let mut owners = Owners::default();
    let target = chosen(store, live, &wanted, |change| {
        Ok(selector.matches(&change.address)
            && match strategy {
                Strategy::Overwrite | Strategy::Deep => true,
                Strategy::AccountRegion => groups.has(store, pod, &change.address)?,
                Strategy::Basic => change.before.is_none() && !owners.has(store, live, &change.address)?,
            })
    })?;
    let conflicts = conflicts.into_iter().filter(|conflict| selector.matches(&conflict.address)).collect();
    Ok(Target { conflicts, root: with_containers(store, live, &target.root)? })
}

/// `to` with those containers of `from` put back that still hold something in it: since a container takes all it holds
/// with it, one stays as long as something in it was not selected, or was not there when the deletion was decided.
pub(super) fn with_containers(store: &Store, from: &Name, to: &Name) -> Result<Name> {
    let mut needed = tree::diff(store, to, from)?.filter_map(|change| match change {
        // An item holds nothing.
        Ok(change) if change.before.is_some() || change.address.owner().is_some() => None,
        Ok(change) => match tree::scan(store, to, change.address.parts()).map(|mut held| held.next().is_some()) {
            Ok(true) => Some(Ok(change)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        },
        Err(error) => Some(Err(error)),
    });
    tree::edit(store, to, &mut needed)
}

/// `from` with those of the changes to `to` that `take` takes.
fn chosen(store: &Store, from: &Name, to: &Name, mut take: impl FnMut(&Change) -> Result<bool>) -> Result<Target> {
    let mut changes = tree::diff(store, from, to)?.filter_map(|change| match change {
        Ok(change) => match take(&change) {
            Ok(true) => Some(Ok(change)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        },
        Err(error) => Some(Err(error)),
    });
    Ok(Target { root: tree::edit(store, from, &mut changes)?, conflicts: vec![] })
}

/// Remembers the answer for one (account, region, service): changes come in order.
#[derive(Default)]
struct Groups {
    last: Option<(Vec<String>, bool)>,
}

impl Groups {
    fn has(&mut self, store: &Store, root: &Name, address: &Address) -> Result<bool> {
        let group = &address.parts()[..3];
        match &self.last {
            Some((last, answer)) if last == group => Ok(*answer),
            _ => {
                let answer = tree::scan(store, root, group)?.next().transpose()?.is_some();
                self.last = Some((group.to_vec(), answer));
                Ok(answer)
            }
        }
    }
}

/// Whether a state has a resource, or that of an item; remembers the answer for the last one.
#[derive(Default)]
pub(super) struct Owners {
    last: Option<(Address, bool)>,
}

impl Owners {
    pub(super) fn has(&mut self, store: &Store, root: &Name, address: &Address) -> Result<bool> {
        let owner = address.owner().unwrap_or_else(|| address.clone());
        match &self.last {
            Some((last, answer)) if *last == owner => Ok(*answer),
            _ => {
                let answer = tree::get(store, root, &owner)?.is_some();
                self.last = Some((owner, answer));
                Ok(answer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::core::record::Record;
    use crate::core::value::Value;
    use crate::tree::{Entry, Leaf};

    /// A state of records, each written `service/name[/item] = value`, in account self and region r.
    fn state(store: &Store, records: &[(&str, &str)]) -> Name {
        let mut entries: Vec<Entry> = records
            .iter()
            .map(|(path, value)| {
                let parts: Vec<&str> = path.split('/').collect();
                let resource = Address::resource("self", "r", parts[0], "kind", parts[1]);
                let address = parts.get(2).map_or(resource.clone(), |item| resource.item("items", item));
                let record = Record::new([("v".to_owned(), Value::text(*value))].into());
                Entry { leaf: Leaf::new(store, &address, &record).unwrap(), address }
            })
            .collect();
        entries.sort_by_key(|entry| entry.address.key());
        tree::build(store, &mut entries.into_iter().map(Ok)).unwrap()
    }

    fn reached(store: &Store, strategy: Strategy, on_conflict: OnConflict, sides: Sides<'_>) -> Target {
        target(store, strategy, on_conflict, sides, &Selector::all()).unwrap()
    }

    #[test]
    fn each_strategy_makes_of_both_sides_what_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Duration::ZERO).unwrap();
        let store = &store;
        let base = state(store, &[("s3/b", "0"), ("s3/b/o1", "0"), ("sqs/q", "0")]);
        let live = state(store, &[("s3/b", "0"), ("s3/b/o1", "0"), ("s3/b/mine", "1"), ("sqs/q", "1"), ("ssm/p", "1")]);
        let pod =
            state(store, &[("s3/b", "2"), ("s3/b/o1", "0"), ("s3/b/theirs", "2"), ("s3/new", "2"), ("s3/new/o", "2")]);
        let sides = Sides { live: &live, pod: &pod, base: None, contained: false };
        let run = |strategy| reached(store, strategy, OnConflict::Fail, sides);

        assert_eq!(run(Strategy::Overwrite).root, pod);
        assert_eq!(
            run(Strategy::AccountRegion).root,
            state(
                store,
                &[
                    ("s3/b", "2"),
                    ("s3/b/o1", "0"),
                    ("s3/b/theirs", "2"),
                    ("s3/new", "2"),
                    ("s3/new/o", "2"),
                    ("sqs/q", "1"),
                    ("ssm/p", "1")
                ]
            )
        );
        assert_eq!(
            run(Strategy::Basic).root,
            state(
                store,
                &[
                    ("s3/b", "0"),
                    ("s3/b/o1", "0"),
                    ("s3/b/mine", "1"),
                    ("s3/new", "2"),
                    ("s3/new/o", "2"),
                    ("sqs/q", "1"),
                    ("ssm/p", "1")
                ]
            )
        );
        // Without a base the bucket differs on both sides.
        assert_eq!(run(Strategy::Deep).conflicts.len(), 1);

        let related = Sides { base: Some(&base), ..sides };
        let deep = reached(store, Strategy::Deep, OnConflict::Fail, related);
        // The pod deleted q, which the instance changed.
        assert_eq!(deep.conflicts.len(), 1);
        let deep = reached(store, Strategy::Deep, OnConflict::Pod, related);
        assert_eq!(
            deep.root,
            state(
                store,
                &[
                    ("s3/b", "2"),
                    ("s3/b/o1", "0"),
                    ("s3/b/mine", "1"),
                    ("s3/b/theirs", "2"),
                    ("s3/new", "2"),
                    ("s3/new/o", "2"),
                    ("ssm/p", "1")
                ]
            )
        );
    }

    #[test]
    fn a_contained_version_only_brings_back_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Duration::ZERO).unwrap();
        let store = &store;
        let pod = state(store, &[("s3/b", "0"), ("s3/b/o1", "0")]);
        let live = state(store, &[("s3/b", "1")]);
        let sides = Sides { live: &live, pod: &pod, base: Some(&pod), contained: true };
        let deep = reached(store, Strategy::Deep, OnConflict::Fail, sides);
        assert_eq!(deep.root, state(store, &[("s3/b", "1"), ("s3/b/o1", "0")]));
    }

    #[test]
    fn nothing_outside_the_selection_moves() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Duration::ZERO).unwrap();
        let store = &store;
        let pod = state(store, &[("s3/b", "2"), ("sqs/q", "2")]);
        let live = state(store, &[("s3/b", "1"), ("ssm/p", "1")]);
        let selection = crate::core::select::Selection { services: vec!["sqs".into()], ..Default::default() };
        let sides = Sides { live: &live, pod: &pod, base: None, contained: false };
        let selector = Selector::new(selection).unwrap();
        let done = target(store, Strategy::Overwrite, OnConflict::Fail, sides, &selector).unwrap();
        assert_eq!(done.root, state(store, &[("s3/b", "1"), ("sqs/q", "2"), ("ssm/p", "1")]));
    }
}
