//! `peapod pull`.

use std::io::Write;
use std::time::Duration;

use crate::app::Context;
use crate::app::pull::Pull;
use crate::cli::args::{How, PodOrVersion, There, duration};
use crate::cli::session::Session;
use crate::cli::style::{count, plain, short, size};
use crate::cli::{inject, versions};
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pod: PodOrVersion,
    #[command(flatten)]
    how: How,
    /// Fetch and merge only; needs no instance
    #[arg(long)]
    no_inject: bool,
    /// How long to wait for teammates
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    there: There,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let pull = Pull {
        reference: args.pod.reference()?,
        selection: args.there.selection()?,
        strategy: args.how.strategy,
        on_conflict: args.how.on_conflict,
        no_inject: args.no_inject,
        paused: args.how.paused,
        strict: args.how.strict,
        timeout: args.timeout,
    };
    let cx = if pull.no_inject { Context::without_instance()? } else { args.there.context().await? };
    let url = cx.url().to_owned();
    let done = session.run(cx, pull).await?;
    session.text(|page| {
        let merged = match done.merged.len() {
            0 => String::new(),
            versions => format!(", merged {}", count(versions as u64, "version")),
        };
        let fetched = format!("fetched {}{merged}", size(done.fetched));
        if done.injected {
            inject::summary(page, "pulled", &done.inject, &url)?;
        } else {
            let version = done.inject.version.as_deref().map(short).unwrap_or_default();
            writeln!(page, "pulled {} {}", plain(&done.inject.pod), page.paint.yellow(&version))?;
            versions::settled(page, &done.inject.conflicts)?;
        }
        writeln!(page, "  {fetched}")
    })
}
