//! `peapod pull`.

use std::io::Write;
use std::time::Duration;

use crate::app::Context;
use crate::app::pull::Pull;
use crate::cli::args::{How, There, duration};
use crate::cli::session::Session;
use crate::cli::style::{count, plain, short, size};
use crate::cli::{inject, versions};
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fetch and merge only; needs no instance
    #[arg(long, conflicts_with_all = There::SELECTORS)]
    no_inject: bool,
    /// How long to wait for teammates
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    how: How,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let pull = Pull {
        reference: args.how.pod.reference()?,
        selection: args.how.there.selection()?,
        strategy: args.how.strategy,
        on_conflict: args.how.on_conflict,
        no_inject: args.no_inject,
        paused: args.how.paused,
        strict: args.how.strict,
        timeout: args.timeout,
    };
    let cx = if pull.no_inject { Context::without_instance()? } else { args.how.there.context().await? };
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
