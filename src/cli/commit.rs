//! `peapod commit`.

use std::io::Write;

use crate::app::commit::Commit;
use crate::cli::args::{Pod, There};
use crate::cli::session::Session;
use crate::cli::versions;
use crate::core::redact::Rules;
use crate::error::Result;

/// What is committed: all of `commit`, and a part of `push`.
#[derive(Debug, clap::Args)]
// `push` has a group of its own.
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) pod: Pod,
    /// What this version is about
    #[arg(short, long, value_name = "MSG")]
    pub(crate) message: Option<String>,
    /// Fail if anything has to be skipped
    #[arg(long)]
    pub(crate) strict: bool,
    /// Let the instance's state replace the pod's, also what a restarted one does not have, or an older version put in
    #[arg(long)]
    pub(crate) replace: bool,
    /// Keep values out: secrets, securestrings, env:NAME, dynamodb:TABLE:PATH or ADDRESS#PATH; may be given more than once
    #[arg(long, value_name = "RULE")]
    pub(crate) redact: Vec<String>,
    #[command(flatten)]
    pub(crate) there: There,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    Rules::parse(&args.redact)?;
    let commit = Commit {
        pod: args.pod.name()?,
        message: args.message,
        selection: args.there.selection()?,
        strict: args.strict,
        replace: args.replace,
        redact: args.redact,
    };
    let done = session.run(args.there.context().await?, commit).await?;
    session.text(|page| {
        versions::title(page, if done.made { "committed" } else { "unchanged" }, &done.version)?;
        let extent = versions::extent(&done.version);
        match done.made {
            true => writeln!(page, "  {extent}; {}", versions::counts(&done.changes))?,
            false => writeln!(page, "  {extent}")?,
        }
        versions::withheld(page, &done.withheld)?;
        versions::skipped(page, &done.version.skipped)
    })
}
