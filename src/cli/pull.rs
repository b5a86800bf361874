//! `peapod pull`.

use std::io::Write;
use std::time::Duration;

use crate::app::Context;
use crate::app::pull::Pull;
use crate::cli::args::{Consent, How, There, duration};
use crate::cli::session::Session;
use crate::cli::style::{count, plain, short, size};
use crate::cli::{inject, versions};
use crate::error::{Kind, Result};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fetch and merge only; needs no instance
    #[arg(long, conflicts_with_all = There::SELECTORS)]
    no_inject: bool,
    /// Only fetch, and print what would be done to the instance
    #[arg(long, conflicts_with = "no_inject")]
    dry_run: bool,
    /// How long to wait for teammates
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    consent: Consent,
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
        dry_run: args.dry_run,
        paused: args.how.paused,
        strict: args.how.strict,
        timeout: args.timeout,
    };
    let cx = if pull.no_inject { Context::without_instance()? } else { args.how.there.context().await? };
    let url = cx.url().to_owned();
    if session.asks(&args.consent) && !pull.no_inject && !pull.dry_run {
        ask(session, &args.consent, &cx, &pull).await?;
    }
    let dry_run = pull.dry_run;
    let done = session.run(cx, pull).await?;
    session.text(|page| {
        let merged = match done.merged.len() {
            0 => String::new(),
            versions => format!(", merged {}", count(versions as u64, "version")),
        };
        let fetched = format!("fetched {}{merged}", size(done.fetched));
        if dry_run {
            inject::plan(page, &done.inject, usize::MAX)?;
        } else if done.injected {
            inject::summary(page, "pulled", &done.inject, &url)?;
        } else {
            let version = done.inject.version.as_deref().map(short).unwrap_or_default();
            writeln!(page, "pulled {} {}", plain(&done.inject.pod), page.paint.yellow(&version))?;
            versions::settled(page, &done.inject.conflicts)?;
        }
        writeln!(page, "  {fetched}")
    })
}

/// Asks before a pull takes anything out of the instance. What it only adds or changes is what a pull is for.
async fn ask(session: &Session, consent: &Consent, cx: &Context, pull: &Pull) -> Result<()> {
    let planned = match session.run_unseen(cx.clone(), Pull { dry_run: true, ..pull.clone() }).await {
        Ok(planned) => planned.inject,
        // Without an instance it fetches and merges, and says so itself.
        Err(error) if error.kind() == Kind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if planned.applied.removed == 0 {
        return Ok(());
    }
    session.text(|page| inject::plan(page, &planned, inject::STEPS))?;
    let counts = versions::counts(&planned.applied);
    session.ask(consent, &format!("pull into {} ({counts})?", plain(cx.url())))
}
