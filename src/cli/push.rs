//! `peapod push`.

use std::io::Write;
use std::time::Duration;

use crate::app::Context;
use crate::app::push::Push;
use crate::cli::args::{There, duration};
use crate::cli::commit;
use crate::cli::session::Session;
use crate::cli::style::count;
use crate::cli::versions;
use crate::core::redact::Rules;
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Push the head as it is; needs no instance
    #[arg(long, conflicts_with_all = ["message", "strict", "replace", "redact"], conflicts_with_all = There::SELECTORS)]
    no_commit: bool,
    /// Return only when so many teammates hold all of it
    #[arg(long, value_name = "N", default_value_t = 0)]
    replicas: usize,
    /// How long to wait for them
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    commit: commit::Args,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    Rules::parse(&args.commit.redact)?;
    let push = Push {
        pod: args.commit.pod.name()?,
        message: args.commit.message,
        selection: args.commit.there.selection()?,
        no_commit: args.no_commit,
        strict: args.commit.strict,
        replace: args.commit.replace,
        redact: args.commit.redact,
        replicas: args.replicas,
        timeout: args.timeout,
    };
    let cx = if push.no_commit { Context::without_instance()? } else { args.commit.there.context().await? };
    let done = session.run(cx, push).await?;
    session.text(|page| {
        versions::title(page, "pushed", &done.version)?;
        let made = if done.made { format!("; {}", versions::counts(&done.changes)) } else { String::new() };
        writeln!(page, "  {}{made}", versions::extent(&done.version))?;
        let held = match done.replicas {
            0 => String::new(),
            held => format!(", {held} of them hold it all"),
        };
        writeln!(page, "  told {}{held}", count(done.peers as u64, "teammate"))?;
        versions::withheld(page, &done.withheld)?;
        versions::skipped(page, &done.version.skipped)
    })
}
