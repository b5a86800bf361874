//! `pull` and `fetch`: the team's newest versions come here, and into the instance.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::conflicts::{Between, Party};
use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::journal;
use crate::app::merging;
use crate::app::put;
use crate::app::reach;
use crate::app::resolve::resolve;
use crate::app::state::App;
use crate::app::strategy::{OnConflict, Strategy};
use crate::app::team;
use crate::app::versions::{self, local_head, set_local_head};
use crate::app::views::InjectOutcome;
use crate::core::name::Name;
use crate::core::reference::Reference;
use crate::core::select::{Selection, Selector};
use crate::error::{self, Error, Result};

/// How long a teammate, or one that has what is asked for, is waited for when nothing else is said.
const PATIENCE: Duration = Duration::from_secs(15);

/// Asks to fetch, merge and inject.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pull {
    /// The pod, or one version of it.
    pub reference: Reference,
    /// What of it is injected.
    pub selection: Selection,
    /// Like `inject`'s.
    pub strategy: Strategy,
    /// Like `inject`'s; settles conflicts between heads too, `instance` in favour of one's own.
    pub on_conflict: OnConflict,
    /// Fetches and merges only.
    pub no_inject: bool,
    /// Only says what would be done to the instance; what was fetched stays, but the own head does not move.
    #[serde(default)]
    pub dry_run: bool,
    /// Like `inject`'s.
    pub paused: bool,
    /// Like `inject`'s.
    pub strict: bool,
    /// How long to wait for peers.
    pub timeout: Option<Duration>,
}

/// What came, and what was done to the instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PullOutcome {
    /// The instance's side; its `version` is the own head after the merge.
    #[serde(flatten)]
    pub inject: InjectOutcome,
    /// Bytes that came over the network.
    pub fetched: u64,
    /// The versions that were merged into one; none where one of them contains the others.
    pub merged: Vec<String>,
    /// Whether anything was injected.
    pub injected: bool,
}

/// Asks to fetch only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fetch {
    /// The pod, or one version of it.
    pub reference: Reference,
    /// Leaves the large contents where they are.
    pub shallow: bool,
    /// How long to wait for peers.
    pub timeout: Option<Duration>,
}

/// What came.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FetchOutcome {
    /// The pod.
    pub pod: String,
    /// The versions that are here now.
    pub versions: Vec<String>,
    /// Bytes that came over the network.
    pub fetched: u64,
}

/// What a fetch of a pod's heads brought.
struct Fetched {
    heads: Vec<Name>,
    bytes: u64,
}

/// Fetches the newest head of every member, or the one version that is asked for.
///
/// A head is a claim until what it names is held: one that nobody has is warned about and left, unless there is no other.
async fn fetch_heads(
    app: &App,
    reference: &Reference,
    shallow: bool,
    patience: Option<Duration>,
    events: &Events,
) -> Result<Fetched> {
    team::require_member(app)?;
    let patience = patience.unwrap_or(PATIENCE);
    let node = reach::node(app).await?;
    let reached = reach::teammates(app, node, patience, events).await?;
    let mut wanted = if reference.is_version() {
        vec![resolve(app, reference)?]
    } else {
        team::member_heads(app, reference.pod())?.into_iter().map(|(_, head)| head).collect()
    };
    wanted.sort_unstable();
    wanted.dedup();
    let mut fetched = Fetched { heads: vec![], bytes: 0 };
    let mut failure = None;
    for head in wanted {
        if app.store.is_complete(&head)? {
            fetched.heads.push(head);
            continue;
        }
        match node.fetch(&head, shallow, patience, events).await {
            Ok(report) => {
                fetched.heads.push(head);
                fetched.bytes += report.bytes;
            }
            Err(error) => {
                events.warn(format!("{}@{}: {}", reference.pod(), head.short(), error.chain())).await;
                failure = Some(error);
            }
        }
    }
    match failure {
        Some(error) if fetched.heads.is_empty() => return Err(error),
        _ => {}
    }
    if reached == 0 && reach::has_teammates(app) {
        let message = format!("no teammate could be reached within {}", humantime::format_duration(patience));
        return Err(Error::unavailable(message).hint(format!(
            "`peapod peers` shows who is known; `peapod inject {}` puts in what is here already",
            reference.pod()
        )));
    }
    Ok(fetched)
}

/// Pulls. Takes [`App::turn`] while it merges and injects, not while it fetches; minds [`Events::stopped`] itself.
pub async fn run(app: &App, cx: &Context, request: Pull, events: &Events) -> Result<PullOutcome> {
    let store = &*app.store;
    let pod = request.reference.pod().to_owned();
    let selector = Selector::new(request.selection)?;
    let fetching = fetch_heads(app, &request.reference, false, request.timeout, events);
    let fetched = events.unless_stopped(fetching).await?;
    let _turn = events.unless_stopped(async { Ok(app.turn().await) }).await?;
    let _session = store.session();
    let own = local_head(store, &pod)?;
    let mut heads = fetched.heads;
    heads.extend(own);
    if heads.is_empty() {
        return Err(Error::not_found(format!("nobody in the team has pushed a pod \"{pod}\""))
            .hint("`peapod list` shows the pods there are, `peapod peers` who is connected"));
    }
    let between = Between {
        ours: Party { name: if own.is_some() { "yours" } else { "one" }, version: own },
        theirs: Party { name: if own.is_some() { "theirs" } else { "another" }, version: None },
        hint: "nothing was changed; decide with --on-conflict pod (theirs) or --on-conflict instance (yours)",
    };
    let (version, merged) = tokio::task::block_in_place(|| {
        let mut merged = versions::maximal(store, &heads)?;
        if merged.len() == 1 {
            merged.clear();
        }
        let settle = request.on_conflict.settle();
        let version = merging::merge_versions(app, &pod, &heads, between, settle, "")?.version;
        Ok::<_, Error>((version, merged))
    })?;
    let outcome = |inject: InjectOutcome, injected: bool| PullOutcome {
        inject,
        fetched: fetched.bytes,
        merged: merged.iter().map(Name::to_string).collect(),
        injected,
    };
    if request.no_inject {
        store.update(&[set_local_head(&pod, &version)])?;
        return Ok(outcome(InjectOutcome::nothing(&pod, &version, request.strategy), false));
    }
    let instance = match cx.connect(None, events).await {
        Ok(instance) => instance,
        Err(error) if error.kind() == error::Kind::NotFound && !request.dry_run => {
            store.update(&[set_local_head(&pod, &version)])?;
            return Err(error
                .in_front(format!("{pod}@{} is fetched and merged, but not injected", version.short()))
                .details(serde_json::json!({ "pod": pod, "version": version.to_string() })));
        }
        Err(error) => return Err(error),
    };
    let options = put::Options {
        strategy: request.strategy,
        on_conflict: request.on_conflict,
        selector,
        paused: request.paused,
        strict: request.strict,
        only_news: true,
    };
    if request.dry_run {
        journal::require_none(app, instance.url())?;
        let prepared = put::prepare(app, &*instance, &version, options, events).await?;
        return Ok(outcome(prepared.dry_run(app, &*instance)?, false));
    }
    let prepared = put::prepare(app, &*instance, &version, options, events).await?;
    let done = prepared.carry_out(app, &*instance, events).await?;
    store.update(&[set_local_head(&pod, &version)])?;
    Ok(outcome(done, true))
}

/// Fetches.
pub async fn fetch(app: &App, _cx: &Context, request: Fetch, events: &Events) -> Result<FetchOutcome> {
    let fetched = fetch_heads(app, &request.reference, request.shallow, request.timeout, events).await?;
    if fetched.heads.is_empty() {
        return Err(Error::not_found(format!("nobody in the team has pushed a pod \"{}\"", request.reference.pod()))
            .hint("`peapod list` shows the pods there are, `peapod peers` who is connected"));
    }
    Ok(FetchOutcome {
        pod: request.reference.pod().to_owned(),
        versions: fetched.heads.iter().map(Name::to_string).collect(),
        fetched: fetched.bytes,
    })
}
