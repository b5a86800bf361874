//! `peapod down`.

use std::io::Write;
use std::time::Duration;

use crate::app::{Home, control};
use crate::cli::session::Session;
use crate::error::{Error, Result};

/// How long a node may take to bring its commands to their end.
const STOP: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_args: Args, session: &Session) -> Result<()> {
    let node = control::connect(&Home::open(&session.directory)?).await?;
    let ran = node.is_some();
    if let Some(node) = node {
        tokio::time::timeout(STOP, node.stop()).await.map_err(|_| {
            Error::unavailable("the node did not stop in time").hint("`peapod status` shows its process id")
        })??;
    }
    session.document(&serde_json::json!({ "running": false, "stopped": ran }))?;
    session.text(|page| match ran {
        true => writeln!(page, "the node is down"),
        false => writeln!(page, "no node is running"),
    })
}
