//! `peapod inject`.

use std::io::{self, Write};
use std::time::Duration;

use crate::app::inject::Inject;
use crate::app::strategy::Strategy;
use crate::app::views::InjectOutcome;
use crate::cli::args::{Consent, How, duration};
use crate::cli::session::{Page, Session};
use crate::cli::style::{plain, short};
use crate::cli::versions;
use crate::error::Result;

/// Steps of a plan that are shown before the question.
pub(crate) const STEPS: usize = 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only print what would be done
    #[arg(long)]
    dry_run: bool,
    /// Wait so long for an instance that is not up yet
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    how: How,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let inject = Inject {
        reference: args.how.pod.reference()?,
        selection: args.how.there.selection()?,
        strategy: args.how.strategy,
        on_conflict: args.how.on_conflict,
        dry_run: args.dry_run,
        paused: args.how.paused,
        wait: args.wait,
        strict: args.how.strict,
    };
    let cx = args.how.there.context().await?;
    if session.asks(&args.consent) && !args.dry_run {
        let planned = session.run_unseen(cx.clone(), Inject { dry_run: true, ..inject.clone() }).await?;
        if !planned.applied.is_zero() {
            session.text(|page| plan(page, &planned, STEPS))?;
            let counts = versions::counts(&planned.applied);
            session.ask(&args.consent, &format!("inject into {} ({counts})?", plain(cx.url())))?;
        }
    }
    let (url, dry_run) = (cx.url().to_owned(), inject.dry_run);
    let done = session.run(cx, inject).await?;
    session.text(|page| if dry_run { plan(page, &done, usize::MAX) } else { summary(page, "injected", &done, &url) })
}

/// The steps of a plan, and how many there are of each kind.
pub(crate) fn plan(page: &mut Page, planned: &InjectOutcome, steps: usize) -> io::Result<()> {
    let all = planned.plan.as_deref().unwrap_or_default();
    for step in all.iter().take(steps) {
        let sign = match step.op.as_str() {
            "create" => '+',
            "delete" => '-',
            _ => '~',
        };
        versions::change(page, sign, &step.address)?;
    }
    if all.len() > steps {
        writeln!(page, "... and {} more; --dry-run lists them all", all.len() - steps)?;
    }
    versions::settled(page, &planned.conflicts)?;
    versions::not_brought(page, &planned.withheld)?;
    writeln!(page, "would change: {}", versions::counts(&planned.applied))
}

/// What was done to an instance: the lines that `inject`, `pull` and `undo` end with.
pub(crate) fn summary(page: &mut Page, verb: &str, done: &InjectOutcome, url: &str) -> io::Result<()> {
    let paint = page.paint;
    let version = done.version.as_deref().map(|version| paint.yellow(&short(version))).unwrap_or_default();
    writeln!(page, "{verb} {} {version} ({})", plain(&done.pod), strategy(done.strategy))?;
    writeln!(page, "  {}: {}", plain(url), versions::counts(&done.applied))?;
    versions::settled(page, &done.conflicts)?;
    versions::not_brought(page, &done.withheld)?;
    versions::lost(page, &done.lost)
}

fn strategy(strategy: Strategy) -> &'static str {
    Strategy::NAMES.iter().find(|(_, named)| *named == strategy).map_or("", |(name, _)| name)
}
