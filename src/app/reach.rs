//! Reaching teammates: the running node, or one that a command starts for itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::app::events::Events;
use crate::app::node::{Node, Options};
use crate::app::state::App;
use crate::error::{Context, Error, Result};
use crate::store::{Table, Write};

/// What a node can tell when teammates close its connections without a word.
pub const REFUSED: &str = "the team's nodes refuse this node; it may have been removed from the team";
/// How often a command looks whether a teammate is there.
const LOOK: Duration = Duration::from_millis(50);
/// How long other teammates may still come when one refuses this node.
const LINGER: Duration = Duration::from_secs(2);
/// [`Table::Settings`]: how `up` last took part in the network.
const OPTIONS: &[u8] = b"options";

/// The node that runs on this home, or one that ends with the command: it takes part in the network as `up` was last
/// told to, so that a command never shows this machine where its node would not.
pub async fn node(app: &App) -> Result<&Arc<Node>> {
    if app.node.get().is_none() {
        let options = remembered(app)?.unwrap_or(Options { mdns: true, ..Options::default() });
        let told = !options.listen.is_empty();
        let node = Node::start(&app.home, app.store.clone(), app.secret.clone(), app.team.clone(), options).await;
        let node = node.map_err(|error| match told {
            true => {
                error.hint("`peapod up` was last told to listen there: run it anew, with another --listen or without")
            }
            false => error,
        })?;
        let _ = app.node.set(node);
    }
    app.node()
}

/// Remembers, for commands without a running node, how `up` takes part in the network.
pub fn remember(app: &App, options: &Options) -> Result<()> {
    let bytes = postcard::to_stdvec(options).context("can't encode the node's options")?;
    app.store.update(&[Write::Put(Table::Settings, OPTIONS.to_vec(), bytes)])
}

/// How `up` last took part in the network; none where it never ran.
fn remembered(app: &App) -> Result<Option<Options>> {
    Ok(app.store.read(Table::Settings, OPTIONS)?.and_then(|bytes| postcard::from_bytes(&bytes).ok()))
}

/// Whether anybody else is in the team now.
pub fn has_teammates(app: &App) -> bool {
    app.team.roster().is_some_and(|roster| roster.members.values().filter(|member| !member.removed).count() > 1)
}

/// Waits until a teammate is connected, and compares heads with all that are. Returns how many; none where nobody came
/// `within` that time, or there is no teammate. [`crate::error::Kind::Denied`] when they refuse this node.
pub async fn teammates(app: &App, node: &Node, within: Duration, events: &Events) -> Result<usize> {
    let others = has_teammates(app);
    let until = Instant::now() + within;
    let mut refused = None;
    while others && node.net().members().is_empty() && Instant::now() < until {
        events.check()?;
        if node.net().is_refused() && refused.get_or_insert_with(Instant::now).elapsed() > LINGER {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    node.catch_up(within).await;
    let reached = node.net().members().len();
    if reached == 0 && node.net().is_refused() {
        return Err(
            Error::denied(REFUSED).hint("ask an admin: `peapod team members` says there who was removed, and by whom")
        );
    }
    Ok(reached)
}
