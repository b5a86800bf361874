//! `push`: commit, sign the head, tell the team.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::app::commit::{self, Commit};
use crate::app::context::Context;
use crate::app::events::{Events, Unit};
use crate::app::node::Node;
use crate::app::reach;
use crate::app::resolve::resolve;
use crate::app::state::App;
use crate::app::team;
use crate::app::versions;
use crate::app::views::{Counts, VersionView, Withheld, counted};
use crate::core::name::{Kind, Name};
use crate::core::reference::Reference;
use crate::core::select::Selection;
use crate::core::version::{Version, check_name};
use crate::error::{Error, Result};

/// How long replicas are waited for when nothing else is said.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a push waits to meet a teammate before it signs.
const REACH: Duration = Duration::from_secs(2);
/// How often teammates are asked whether they hold a version.
const ASK_AGAIN: Duration = Duration::from_millis(300);

/// Asks to share a pod with the team.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Push {
    /// The pod.
    pub pod: String,
    /// The message of the commit.
    pub message: Option<String>,
    /// What of the instance is committed.
    pub selection: Selection,
    /// Pushes the head as it is; needs no instance.
    pub no_commit: bool,
    /// Like `commit`'s.
    pub strict: bool,
    /// Like `commit`'s.
    pub replace: bool,
    /// Like `commit`'s.
    #[serde(default)]
    pub redact: Vec<String>,
    /// Waits until so many teammates hold all of it.
    pub replicas: usize,
    /// How long to wait for them.
    pub timeout: Option<Duration>,
}

/// The pushed version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PushOutcome {
    /// The version.
    #[serde(flatten)]
    pub version: VersionView,
    /// Whether a commit made it just now.
    pub made: bool,
    /// What the commit changed.
    pub changes: Counts,
    /// Like `commit`'s.
    #[serde(default)]
    pub withheld: Vec<Withheld>,
    /// The number of the signed head.
    pub seq: u64,
    /// Teammates told at once.
    pub peers: usize,
    /// Teammates that said they hold all of it.
    pub replicas: usize,
}

/// Pushes. Takes [`App::turn`] while it commits and signs, not while it waits for replicas.
pub async fn run(app: &App, cx: &Context, request: Push, events: &Events) -> Result<PushOutcome> {
    team::require_writer(app)?;
    let pod = request.pod.as_str();
    check_name("a pod's name", pod)?;
    let patience = request.timeout.unwrap_or(PATIENCE);
    let node = reach::node(app).await?;
    let turn = events.unless_stopped(async { Ok(app.turn().await) }).await?;
    let said = request.message.is_some();
    let (made, changes, withheld) = if request.no_commit {
        (false, Counts::default(), vec![])
    } else {
        let commit = Commit {
            pod: pod.to_owned(),
            message: request.message,
            selection: request.selection,
            strict: request.strict,
            replace: request.replace,
            redact: request.redact,
        };
        let done = events.unless_stopped(commit::run(app, cx, commit, events)).await?;
        if said && !done.made {
            events.warn("there was nothing to commit, so the message is not used").await;
        }
        (done.made, done.changes, done.withheld)
    };
    let name = resolve(app, &Reference::head(pod)?)?;
    versions::require_complete(&app.store, pod, &name)?;
    // Before anything is signed: own heads that a restored backup has forgotten come back.
    reach::teammates(app, node, REACH, events).await?;
    let seq = tokio::task::block_in_place(|| {
        app.store.publish(&[(Kind::Version, name)])?;
        team::sign_head(app, pod, &name)
    })?;
    drop(turn);
    warn_of_news(app, pod, &name, events).await?;
    let replicas = if request.replicas == 0 {
        0
    } else {
        wait_for_replicas(node, &name, request.replicas, patience, events).await?
    };
    if replicas < request.replicas {
        let message = format!(
            "{pod}@{} is pushed, but only {replicas} of {} hold it after {}",
            name.short(),
            counted(request.replicas, "teammate"),
            humantime::format_duration(patience)
        );
        return Err(Error::unavailable(message).hint("it stays pushed: they fetch it at their next `peapod pull`"));
    }
    let version = VersionView::new(app, &name, &Version::read(&*app.store, &name)?)?;
    let peers = node.net().members().len();
    if peers == 0 {
        events.message("no teammate is connected now; they get it as soon as one meets this node").await;
    }
    Ok(PushOutcome { version, made, changes, withheld, seq, peers, replicas })
}

/// Says whose known heads have versions that the pushed one lacks.
async fn warn_of_news(app: &App, pod: &str, pushed: &Name, events: &Events) -> Result<()> {
    for (author, head) in team::member_heads(app, pod)? {
        if author == app.secret.author() {
            continue;
        }
        let who = team::member_name(app, &author)?.unwrap_or_else(|| author.short());
        // A head that was never fetched is of a history that is not here.
        let ahead = if app.store.has(&head)? {
            match tokio::task::block_in_place(|| versions::lacking(&app.store, pushed, &head))? {
                0 => continue,
                count => counted(count, "version"),
            }
        } else {
            "versions".to_owned()
        };
        events
            .warn(format!("{pod}: {who} is ahead by {ahead} that yours lacks; `peapod pull {pod}` merges them"))
            .await;
    }
    Ok(())
}

/// Asks the teammates until so many hold all of a version, or time is up. Returns how many do.
async fn wait_for_replicas(
    node: &Node,
    version: &Name,
    wanted: usize,
    patience: Duration,
    events: &Events,
) -> Result<usize> {
    let until = Instant::now() + patience;
    loop {
        let holders = node.holders(version).await?.len();
        events.progress("replicating", holders as u64, Some(wanted as u64), Unit::Items);
        if holders >= wanted || Instant::now() >= until {
            return Ok(holders);
        }
        events.check()?;
        tokio::time::sleep(ASK_AGAIN).await;
    }
}
