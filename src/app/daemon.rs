//! The node's process: opens the home, starts the network, serves commands until it is told to stop.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::context::Context;
use crate::app::control::{self, Remote, Server};
use crate::app::events::Events;
use crate::app::home::Home;
use crate::app::node::{Node, Options};
use crate::app::reach;
use crate::app::rebuild;
use crate::app::request::{self, Reply, Request};
use crate::app::state::App;
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::store::Store;

/// How long one attempt at a busy store lasts before the control socket is looked at again.
const ATTEMPT: Duration = Duration::from_millis(500);
/// How long a command waits in silence.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs a node on the home in `directory` until `stop`; calls `ready` once commands and peers are answered.
pub async fn run(
    directory: &Path,
    options: Options,
    stop: CancellationToken,
    events: &Events,
    ready: impl FnOnce(&App),
) -> Result<()> {
    let Opened::Here(app) = open(directory, events).await? else {
        return Err(Error::failed("a node is running on this home already")
            .hint("`peapod status` shows it, `peapod down` stops it"));
    };
    let app = Arc::new(app);
    reach::remember(&app, &options)?;
    let node = Node::start(&app.home, app.store.clone(), app.secret.clone(), app.team.clone(), options).await?;
    let _ = app.node.set(node.clone());
    let server = Server::bind(&app)?;
    ready(&app);
    server.serve(app, stop).await;
    node.stop().await;
    Ok(())
}

/// Carries out a command on the home in `directory`: in its node, if one runs, else in this process.
///
/// Commands without a node wait for one another. A repair of a store whose index is lost begins with a new index.
pub async fn execute(directory: &Path, cx: Context, request: Request, events: &Events) -> Result<Reply> {
    let repairs = matches!(&request, Request::Fsck(fsck) if fsck.repair);
    // On the heap: the state of every command's journey together is too much for a small stack, and twice here.
    match Box::pin(carry_out(directory, cx.clone(), request.clone(), events)).await {
        Err(error) if repairs && Store::needs_rebuild(&error) => {
            rebuild::rebuild(directory, events).await?;
            Box::pin(carry_out(directory, cx, request, events)).await
        }
        done => done,
    }
}

async fn carry_out(directory: &Path, cx: Context, request: Request, events: &Events) -> Result<Reply> {
    match open(directory, events).await? {
        Opened::ByNode(node) => node.run(cx, request, events).await,
        Opened::Here(app) => {
            let done = Box::pin(request::run(&app, &cx, request, events)).await;
            if let Some(node) = app.node.get() {
                node.stop().await;
            }
            done
        }
    }
}

enum Opened {
    ByNode(Remote),
    Here(App),
}

/// Finds the home's node or opens the home, waiting for a command that has it open now.
async fn open(directory: &Path, events: &Events) -> Result<Opened> {
    let home = Home::open(directory)?;
    let mut waited = Duration::ZERO;
    loop {
        if let Some(node) = control::connect(&home).await? {
            return Ok(Opened::ByNode(node));
        }
        match events.unless_stopped(App::open(directory, ATTEMPT)).await {
            Ok(app) => return Ok(Opened::Here(app)),
            Err(busy) if busy.kind() == Kind::Unavailable && waited < limits::HOME_WAIT => {
                waited += ATTEMPT;
                if waited == PATIENCE {
                    events.message("waiting for another peapod command on this home").await;
                }
            }
            Err(error) => return Err(error),
        }
    }
}
