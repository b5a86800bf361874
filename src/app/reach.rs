//! Reaching teammates: the running node, or one that a command starts for itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::app::events::Events;
use crate::app::node::{Node, Options};
use crate::app::state::App;
use crate::error::Result;
use crate::store::{Table, Write};

/// How often a command looks whether a teammate is there.
const LOOK: Duration = Duration::from_millis(50);
/// The setting that says whether this home's node shows itself on the LAN.
const MDNS: &[u8] = b"mdns";

/// The node that runs on this home, or one that ends with the command.
pub async fn node(app: &App) -> Result<&Arc<Node>> {
    if app.node.get().is_none() {
        let mdns = app.store.read(Table::Settings, MDNS)?.is_none_or(|value| value == [1]);
        let options = Options { listen: vec![], peers: vec![], mdns };
        let node = Node::start(&app.home, app.store.clone(), app.secret.clone(), app.team.clone(), options).await?;
        let _ = app.node.set(node);
    }
    app.node()
}

/// Remembers, for commands without a running node, whether it may show itself on the LAN.
pub fn remember(app: &App, options: &Options) -> Result<()> {
    app.store.update(&[Write::Put(Table::Settings, MDNS.to_vec(), vec![u8::from(options.mdns)])])
}

/// Whether anybody else is in the team now.
pub fn has_teammates(app: &App) -> bool {
    app.team.roster().is_some_and(|roster| roster.members.values().filter(|member| !member.removed).count() > 1)
}

/// Waits until a teammate is connected, and compares heads with all that are. Returns how many; none where nobody came
/// `within` that time, or there is no teammate.
pub async fn teammates(app: &App, node: &Node, within: Duration, events: &Events) -> Result<usize> {
    let others = has_teammates(app);
    let until = Instant::now() + within;
    while others && node.net().members().is_empty() && Instant::now() < until {
        events.check()?;
        tokio::time::sleep(LOOK).await;
    }
    node.catch_up(within).await;
    Ok(node.net().members().len())
}
