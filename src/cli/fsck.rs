//! `peapod fsck`.

use std::io::Write;

use crate::app::Context;
use crate::app::maintenance::Fsck;
use crate::cli::session::Session;
use crate::cli::style::{count, size};
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fetch what is damaged from teammates
    #[arg(long)]
    repair: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let done = session.run(Context::without_instance()?, Fsck { repair: args.repair }).await?;
    session.text(|page| {
        let verified = format!("{}, {}", count(done.objects, "object"), size(done.bytes));
        match done.repaired {
            0 => writeln!(page, "all is well: {verified}"),
            repaired => writeln!(page, "repaired {}; now all is well: {verified}", count(repaired, "object")),
        }
    })
}
