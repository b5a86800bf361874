//! Every command as a value that can travel to the node, and the one place that runs them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::state::App;
use crate::app::{
    commit, delete, diff, history, inject, inspect, instance, maintenance, merge, pull, push, status, team, undo,
};
use crate::error::{Context as _, Error, Result};

/// What a command ends with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The outcome of the journey, as `--json` prints it; its rows have gone before it.
    pub document: serde_json::Value,
}

/// A request that knows what its outcome is.
pub trait Journey: Into<Request> {
    /// What it ends with.
    type Outcome: Serialize + DeserializeOwned;
    /// The arrays of its document that come as rows.
    const ROWS: &'static [&'static str] = &[];

    /// The outcome in a reply to this request.
    fn outcome(reply: &Reply) -> Result<Self::Outcome> {
        Self::Outcome::deserialize(&reply.document).context("an answer that is not this command's")
    }
}

/// How a journey may run beside others, and end when the user breaks off.
enum Manner {
    /// Only reads; dropped when the user breaks off.
    Reads,
    /// One at a time; dropped when the user breaks off.
    Alone,
    /// One at a time, and minds the user's breaking off itself.
    AloneToTheEnd,
    /// Sees to its turns and its end itself.
    Itself,
}

/// One line per command: its request, how it runs, what runs it, and its outcome.
macro_rules! journeys {
    ($($(#[$doc:meta])* $name:ident($request:ty) $manner:ident $run:path => $outcome:ty $(, rows $rows:expr)?;)*) => {
        /// What a command asks for.
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(tag = "command", rename_all = "kebab-case")]
        pub enum Request {
            $(#[doc = concat!("See [`", stringify!($request), "`].")] $name($request),)*
        }

        $(
            impl From<$request> for Request {
                fn from(request: $request) -> Request {
                    Request::$name(request)
                }
            }

            impl Journey for $request {
                type Outcome = $outcome;
                $(const ROWS: &'static [&'static str] = &$rows;)?
            }
        )*

        /// Runs a command on an open home.
        pub async fn run(app: &App, cx: &Context, request: Request, events: &Events) -> Result<Reply> {
            match request {
                $(Request::$name(request) => {
                    let outcome = Manner::$manner.run(app, Box::pin($run(app, cx, request, events)), events).await?;
                    reply(&outcome)
                })*
            }
        }
    };
}

journeys! {
    Commit(commit::Commit) Alone commit::run => commit::CommitOutcome;
    Inject(inject::Inject) AloneToTheEnd inject::run => crate::app::views::InjectOutcome;
    Undo(undo::Undo) AloneToTheEnd undo::run => crate::app::views::InjectOutcome;
    Push(push::Push) Itself push::run => push::PushOutcome;
    Pull(pull::Pull) Itself pull::run => pull::PullOutcome;
    Fetch(pull::Fetch) Reads pull::fetch => pull::FetchOutcome;
    List(history::List) Reads history::list => history::ListOutcome;
    Log(history::Log) Reads history::log => history::LogOutcome, rows ["versions"];
    Show(history::Show) Reads history::show => crate::app::views::VersionView;
    Blame(history::Blame) Reads history::blame => history::BlameOutcome;
    Inspect(inspect::Inspect) Reads inspect::run => inspect::InspectOutcome, rows ["records"];
    Diff(diff::Diff) Reads diff::run => diff::DiffOutcome, rows ["added", "changed", "removed", "details"];
    Merge(merge::Merge) Alone merge::run => merge::MergeOutcome;
    Delete(delete::Delete) Alone delete::run => delete::DeleteOutcome;
    Gc(maintenance::Gc) Alone maintenance::gc => maintenance::GcOutcome;
    Fsck(maintenance::Fsck) Alone maintenance::fsck => maintenance::FsckOutcome;
    InstanceStatus(instance::InstanceStatus) Reads instance::status => instance::InstanceStatusOutcome;
    InstanceReset(instance::InstanceReset) Alone instance::reset => instance::InstanceResetOutcome;
    TeamCreate(team::TeamCreate) Alone team::create => team::TeamOutcome;
    TeamInvite(team::TeamInvite) Reads team::invite => team::InviteOutcome;
    TeamJoin(team::TeamJoin) Alone team::join => team::TeamOutcome;
    TeamMembers(team::TeamMembers) Reads team::members => team::TeamOutcome;
    TeamRole(team::TeamRole) Alone team::role => team::TeamOutcome;
    TeamRemove(team::TeamRemove) Alone team::remove => team::TeamOutcome;
    TeamRedact(team::TeamRedact) Alone team::redact => team::TeamRedactOutcome;
    TeamSettle(team::TeamSettle) Alone team::settle => team::TeamOutcome;
    Status(status::Status) Reads status::status => status::StatusOutcome;
    Peers(status::Peers) Reads status::peers => status::PeersOutcome;
}

impl Manner {
    async fn run<T>(self, app: &App, journey: impl Future<Output = Result<T>>, events: &Events) -> Result<T> {
        match self {
            Manner::Reads => events.unless_stopped(journey).await,
            Manner::Alone => {
                let alone = async {
                    let _turn = app.turn().await;
                    journey.await
                };
                events.unless_stopped(alone).await
            }
            Manner::AloneToTheEnd => {
                let _turn = events.unless_stopped(async { Ok::<_, Error>(app.turn().await) }).await?;
                journey.await
            }
            Manner::Itself => journey.await,
        }
    }
}

fn reply(outcome: &impl Serialize) -> Result<Reply> {
    let document = serde_json::to_value(outcome).context("can't write the outcome")?;
    Ok(Reply { document })
}
