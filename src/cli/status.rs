//! `peapod status`.

use std::io::{self, Write};

use crate::app::Context;
use crate::app::status::{Status, StatusOutcome};
use crate::cli::session::{Page, Session};
use crate::cli::style::{count, plain, short};
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_args: Args, session: &Session) -> Result<()> {
    let status = session.run(Context::without_instance()?, Status {}).await?;
    session.text(|page| print(page, &status))
}

/// The state of a node.
pub(crate) fn print(page: &mut Page, status: &StatusOutcome) -> io::Result<()> {
    let paint = page.paint;
    let state = match status.pid {
        Some(pid) => paint.green(&format!("up (process {pid})")),
        None => paint.dim("down; `peapod up --detach` starts it"),
    };
    writeln!(page, "node    {}  {state}", short(&status.node))?;
    writeln!(page, "home    {}", plain(&status.home))?;
    match &status.team {
        Some(team) => writeln!(page, "team    {}", plain(team))?,
        None => writeln!(page, "team    none; `peapod team create NAME` starts one, `peapod team join TICKET` joins")?,
    }
    if status.removed {
        let by = status.removed_by.as_deref().map(|admin| format!(" by {}", plain(admin))).unwrap_or_default();
        writeln!(page, "        {}", paint.red(&format!("this node was removed from it{by}")))?;
    } else if status.refused {
        writeln!(page, "        {}", paint.red("its nodes refuse this one; it may have been removed"))?;
    }
    for address in &status.listen {
        writeln!(page, "listens {}", plain(address))?;
    }
    if status.running {
        writeln!(page, "peers   {} connected", status.peers)?;
    }
    writeln!(page, "holds   {}", count(status.pods as u64, "pod"))
}
