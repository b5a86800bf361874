//! `peapod commit`.

use std::io::Write;

use crate::app::commit::Commit;
use crate::cli::args::{Pod, There};
use crate::cli::session::Session;
use crate::cli::versions;
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pod: Pod,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    there: There,
}

/// What `commit` and `push` share.
#[derive(Debug, clap::Args)]
pub(crate) struct What {
    /// What this version is about
    #[arg(short, long, value_name = "MSG")]
    pub(crate) message: Option<String>,
    /// Fail if anything has to be skipped
    #[arg(long)]
    pub(crate) strict: bool,
    /// Let what a restarted instance does not have be deleted from the pod
    #[arg(long)]
    pub(crate) replace: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let commit = Commit {
        pod: args.pod.name()?,
        message: args.what.message,
        selection: args.there.selection()?,
        strict: args.what.strict,
        replace: args.what.replace,
    };
    let done = session.run(args.there.context().await?, commit).await?;
    session.text(|page| {
        versions::title(page, if done.made { "committed" } else { "unchanged" }, &done.version)?;
        let extent = versions::extent(&done.version);
        match done.made {
            true => writeln!(page, "  {extent}; {}", versions::counts(&done.changes))?,
            false => writeln!(page, "  {extent}")?,
        }
        versions::skipped(page, &done.version.skipped)
    })
}
