//! The last resort of `fsck --repair`: the store's index can't be trusted any more.
//!
//! The packs tell which objects there are, and the versions among them which this node made last. The rest of the
//! small state (team, peers, what is remembered of instances, the undo log) is in no pack.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::app::events::Events;
use crate::app::home::Home;
use crate::app::versions;
use crate::core::identity::Author;
use crate::core::name::Name;
use crate::core::version::Version;
use crate::error::{Context as _, Result};
use crate::limits;
use crate::store::{Rebuilt, Store};

/// Makes a new index from the packs, and gives each pod the newest version that this node made as its own head.
pub async fn rebuild(directory: &Path, events: &Events) -> Result<()> {
    let home = Home::open(directory)?;
    let (author, dir) = (home.secret()?.author(), home.store());
    let making = tokio::task::spawn_blocking(move || -> Result<(Rebuilt, usize)> {
        let (store, rebuilt) = Store::rebuild(&dir, limits::HOME_WAIT)?;
        let heads = own_heads(&store, &author)?;
        let writes: Vec<_> = heads.iter().map(|(pod, head)| versions::set_local_head(pod, head)).collect();
        store.update(&writes)?;
        Ok((rebuilt, heads.len()))
    });
    let (rebuilt, pods) = making.await.context("making the index again broke off")??;
    if let Some(index) = rebuilt.index {
        events.warn(format!("the damaged index is kept as {}", index.display())).await;
    }
    events.warn(format!("made a new index from {} packs; {pods} pods have their heads again", rebuilt.packs)).await;
    events.warn("the team, what is remembered of instances and the undo log are lost: join the team again").await;
    Ok(())
}

/// For each pod the last version that `author` made.
fn own_heads(store: &Store, author: &Author) -> Result<BTreeMap<String, Name>> {
    let (mut made, mut followed) = (Vec::new(), BTreeSet::new());
    for name in store.versions()? {
        // What does not read is for fsck to name.
        let Ok(version) = Version::read(store, &name) else { continue };
        if let Some(by) = version.authorship.filter(|by| by.author == *author) {
            followed.extend(version.parents);
            made.push((by.created, name, version.pod));
        }
    }
    made.sort();
    let last = made.into_iter().filter(|(_, name, _)| !followed.contains(name));
    Ok(last.map(|(_, name, pod)| (pod, name)).collect())
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
