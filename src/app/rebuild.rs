//! The last resort of `fsck --repair`: the store's index is gone or can't be trusted any more.
//!
//! The packs tell which objects there are; the copybook, who is in the team and what heads they signed; both together,
//! which version of each pod was this node's own. Where teammates were last met, open invites, what is remembered of
//! instances and the undo log are in neither.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::app::copybook::Copybook;
use crate::app::events::Events;
use crate::app::home::Home;
use crate::app::ledger::TeamState;
use crate::app::versions;
use crate::core::identity::Author;
use crate::core::name::Name;
use crate::core::version::Version;
use crate::error::{Context as _, Result};
use crate::limits;
use crate::store::{Rebuilt, Store};
use crate::sync::report::Link;

/// Makes a new index from the packs, and gives each pod the newest version that this node made as its own head.
pub async fn rebuild(directory: &Path, events: &Events) -> Result<()> {
    let home = Home::open(directory)?;
    let author = home.secret()?.author();
    let making = tokio::task::spawn_blocking(move || -> Result<(Rebuilt, usize, Option<String>)> {
        let (store, rebuilt) = Store::rebuild(&home.store(), limits::HOME_WAIT)?;
        let store = Arc::new(store);
        let team = TeamState::load(store.clone(), Copybook::of(home.directory()))?;
        let heads = own_heads(&store, &author, &signed_heads(&team, &author))?;
        let writes: Vec<_> = heads.iter().map(|(pod, head)| versions::set_local_head(pod, head)).collect();
        store.update(&writes)?;
        Ok((rebuilt, heads.len(), team.roster().map(|roster| roster.name.clone())))
    });
    let (rebuilt, pods, team) = making.await.context("making the index again broke off")??;
    if let Some(index) = rebuilt.index {
        events.warn(format!("the damaged index is kept as {}", index.display())).await;
    }
    events.warn(format!("made a new index from {} packs; {pods} pods have their heads again", rebuilt.packs)).await;
    if let Some(team) = team {
        events.warn(format!("the team {team} is known again from its links")).await;
    }
    events.warn("open invites, what is remembered of instances and the undo log are lost").await;
    Ok(())
}

/// The last head that this node signed of each pod.
fn signed_heads(team: &TeamState, author: &Author) -> Vec<(String, Name)> {
    let own = |link| match link {
        Link::Head(head) if head.author == *author => Some((head.pod.clone(), (head.seq, head.version))),
        _ => None,
    };
    let last = team.look(|ledger| {
        let mut last = BTreeMap::new();
        for (pod, head) in ledger.links().filter_map(own) {
            let kept = last.entry(pod).or_insert(head);
            *kept = (*kept).max(head);
        }
        last
    });
    last.into_iter().flatten().map(|(pod, (_, version))| (pod, version)).collect()
}

/// For each pod the newest version that was `author`'s own: made by it, signed as its head, or a merge of that with
/// others. Such a merge has no author; whoever made it, it holds all that its parents do.
fn own_heads(store: &Store, author: &Author, signed: &[(String, Name)]) -> Result<BTreeMap<String, Name>> {
    let (mut made, mut merges) = (Vec::new(), BTreeMap::new());
    let mut followed = BTreeSet::new();
    for name in store.versions()? {
        // What does not read is for fsck to name.
        let Ok(version) = Version::read(store, &name) else { continue };
        match version.authorship {
            Some(by) if by.author == *author => {
                followed.extend(version.parents);
                made.push((by.created, version.pod, name));
            }
            Some(_) => {}
            None => merges.extend(version.parents.into_iter().map(|parent| (parent, name))),
        }
    }
    made.sort();
    let mut heads = BTreeMap::new();
    for (_, pod, name) in made {
        if !followed.contains(&name) {
            heads.insert(pod, name);
        }
    }
    for (pod, head) in signed {
        // One whose versions were not all fetched, or a head that what was made here since contains.
        let is_newer = match heads.get(pod) {
            Some(own) => store.has(head)? && !versions::contains(store, own, head)?,
            None => store.has(head)?,
        };
        if is_newer {
            heads.insert(pod.clone(), *head);
        }
    }
    for head in heads.values_mut() {
        while let Some(merge) = merges.get(head) {
            *head = *merge;
        }
    }
    Ok(heads)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::app::context::Context;
    use crate::app::daemon;
    use crate::app::maintenance::Fsck;
    use crate::app::state::App;
    use crate::core::version::{Authorship, Stats};

    #[tokio::test(flavor = "multi_thread")]
    async fn repair_finds_own_heads_again_when_the_index_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("home");
        let app = App::open(&directory, Duration::ZERO).await.unwrap();
        let mut head = Vec::new();
        for created in [7, 5] {
            let version = Version {
                pod: "p".into(),
                parents: head.clone(),
                root: crate::tree::empty(&*app.store).unwrap(),
                authorship: Some(Authorship { author: app.secret.author(), created }),
                message: String::new(),
                source: None,
                stats: Stats::default(),
                skipped: Vec::new(),
            };
            head = vec![version.write(&*app.store, &app.secret).unwrap()];
        }
        // The head is a merge, which has no author.
        let own = head[0];
        let merge = |parents: Vec<Name>, message: &str| {
            let authorship = (!message.is_empty()).then(|| Authorship { author: app.secret.author(), created: 1 });
            let (root, message) = (crate::tree::empty(&*app.store).unwrap(), message.to_owned());
            let (pod, stats) = ("p".to_owned(), Stats::default());
            let merge = Version { pod, parents, root, authorship, message, source: None, stats, skipped: Vec::new() };
            merge.write(&*app.store, &app.secret).unwrap()
        };
        let other = merge(Vec::new(), "an older line");
        let mut parents = vec![own, other];
        parents.sort();
        head = vec![merge(parents, "")];
        app.store.update(&[versions::set_local_head("p", &head[0])]).unwrap();
        let index = app.home.store().join("index.redb");
        drop(app);
        std::fs::write(&index, vec![7; 100_000]).unwrap();

        let error = App::open(&directory, Duration::ZERO).await.err().unwrap();
        assert!(error.hint_text().unwrap().contains("fsck --repair"), "{error:?}");
        let cx = || Context::without_instance().unwrap();
        let look = daemon::execute(&directory, cx(), Fsck { repair: false }.into(), &Events::nowhere()).await;
        assert!(look.is_err(), "only a repair changes anything");
        daemon::execute(&directory, cx(), Fsck { repair: true }.into(), &Events::nowhere()).await.unwrap();
        let app = App::open(&directory, Duration::ZERO).await.unwrap();
        assert_eq!(versions::local_head(&app.store, "p").unwrap(), Some(head[0]));
    }
}
