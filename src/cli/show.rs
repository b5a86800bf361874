//! `peapod show`.

use crate::app::Context;
use crate::app::history::Show;
use crate::cli::args::PodOrVersion;
use crate::cli::session::Session;
use crate::cli::versions;
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pod: PodOrVersion,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let show = Show { reference: args.pod.reference()? };
    let version = session.run(Context::without_instance()?, show).await?;
    session.text(|page| {
        versions::whole(page, &version, None, "")?;
        versions::skipped(page, &version.skipped)
    })
}
