//! `peapod undo`.

use crate::app::undo::Undo;
use crate::cli::args::Instance;
use crate::cli::inject::summary;
use crate::cli::session::Session;
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    instance: Instance,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let cx = args.instance.context().await?;
    let url = cx.url().to_owned();
    let done = session.run(cx, Undo {}).await?;
    session.text(|page| summary(page, "took back", &done, &url))
}
