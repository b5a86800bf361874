//! `peapod log`.

use serde_json::Value;

use crate::app::Context;
use crate::app::history::{Log, LogEntry};
use crate::cli::args::PodOrVersion;
use crate::cli::session::{Page, Session, unwritable};
use crate::cli::versions;
use crate::error::{Context as _, Result};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pod: PodOrVersion,
    /// Show so many versions at the most
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<u64>,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let log = Log { reference: args.pod.reference()?, limit: args.limit };
    session.run_with_rows(Context::without_instance()?, log, &mut entry).await?;
    Ok(())
}

fn entry(page: &mut Page, _list: &str, row: Value) -> Result<()> {
    let entry: LogEntry = serde_json::from_value(row).context("a version that can't be shown")?;
    let note = if entry.signed { "" } else { "  (signature does not hold)" };
    versions::whole(page, &entry.version, entry.number, note).map_err(unwritable)
}
