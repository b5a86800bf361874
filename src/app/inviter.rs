//! Asking an inviter: the one peer that a node talks to before it is in a team.

use std::sync::Arc;
use std::time::Duration;

use crate::app::backend::Asker;
use crate::app::node::lenient;
use crate::app::state::App;
use crate::core::identity::Secret;
use crate::core::ticket::Ticket;
use crate::error::Result;
use crate::net::{Config, Net};

/// Connects to an inviter, whom this node's team does not know yet, and asks.
pub async fn ask(app: &App, ticket: &Ticket, question: &[u8], within: Duration) -> Result<Vec<u8>> {
    let addresses = lenient(&ticket.addresses);
    if let Some(node) = app.node.get() {
        node.net().connect(&ticket.inviter, &addresses, within).await?;
        return node.net().ask(&ticket.inviter, question).await;
    }
    let config = |mdns| Config {
        secret: Secret::from_seed(&app.secret.seed()),
        listen: vec![],
        mdns,
        fixed: vec![],
        known: vec![],
        cache: app.home.directory().join("transfer"),
        team: None,
    };
    let asker = Arc::new(Asker { peer: ticket.inviter });
    // Without multicast there are still the addresses in the ticket.
    let net = match Net::start(config(true), asker.clone()).await {
        Ok(net) => net,
        Err(_) => Net::start(config(false), asker).await?,
    };
    let answer = async {
        net.connect(&ticket.inviter, &addresses, within).await?;
        net.ask(&ticket.inviter, question).await
    };
    let answer = answer.await;
    net.stop().await;
    answer
}
