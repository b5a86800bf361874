//! `peapod delete`.

use std::io::Write;

use crate::app::Context;
use crate::app::delete::Delete;
use crate::cli::args::PodOrVersion;
use crate::cli::session::Session;
use crate::cli::style::{plain, short};
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pod: PodOrVersion,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let delete = Delete { reference: args.pod.reference()? };
    let done = session.run(Context::without_instance()?, delete).await?;
    session.text(|page| {
        let pod = plain(&done.pod);
        match &done.version {
            Some(version) => writeln!(page, "{pod} is back at {}; it was at {}", short(version), short(&done.deleted)),
            None => writeln!(page, "deleted {pod}; it was at {}", short(&done.deleted)),
        }
    })
}
