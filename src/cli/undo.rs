//! `peapod undo`.

use std::io::Write;

use crate::app::undo::Undo;
use crate::cli::args::{Consent, Instance};
use crate::cli::session::Session;
use crate::cli::style::plain;
use crate::cli::versions;
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    instance: Instance,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let cx = args.instance.context().await?;
    let url = cx.url().to_owned();
    session.ask(&args.consent, &format!("take back the last inject into {}?", plain(&url)))?;
    let done = session.run(cx, Undo {}).await?;
    session.text(|page| {
        writeln!(page, "took back the last inject of {}", plain(&done.pod))?;
        writeln!(page, "  {}: {}", plain(&url), versions::counts(&done.applied))?;
        versions::lost(page, &done.lost)
    })
}
