//! `peapod inspect`.

use std::io::Write;

use serde_json::Value;

use crate::app::Context;
use crate::app::inspect::{Inspect, RecordView};
use crate::cli::args::{PodOrVersion, Select};
use crate::cli::session::{Page, Session, unwritable};
use crate::cli::style::{ATTRIBUTE, one_line, plain, size};
use crate::error::{Context as _, Result};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pod: PodOrVersion,
    /// Print the addresses alone
    #[arg(long)]
    addresses: bool,
    #[command(flatten)]
    select: Select,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let inspect = Inspect { reference: args.pod.reference()?, selection: args.select.selection()? };
    let addresses = args.addresses;
    let mut print = |page: &mut Page, _list: &str, row: Value| record(page, row, addresses);
    session.run_with_rows(Context::without_instance()?, inspect, &mut print).await?;
    Ok(())
}

fn record(page: &mut Page, row: Value, addresses: bool) -> Result<()> {
    let record: RecordView = serde_json::from_value(row).context("a record that can't be shown")?;
    let (paint, address) = (page.paint, plain(&record.address));
    if addresses {
        return writeln!(page, "{address}").map_err(unwritable);
    }
    let size = if record.size > 0 { format!("  {}", paint.dim(&size(record.size))) } else { String::new() };
    writeln!(page, "{}{size}", paint.bold(&address)).map_err(unwritable)?;
    for (name, value) in &record.attributes {
        writeln!(page, "    {} {}", paint.dim(&plain(name)), one_line(value, ATTRIBUTE)).map_err(unwritable)?;
    }
    Ok(())
}
