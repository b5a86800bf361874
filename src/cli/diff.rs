//! `peapod diff`.

use std::io::{self, Write};

use serde_json::Value;

use crate::app::Context;
use crate::app::diff::{Detail, Diff, Side};
use crate::app::services;
use crate::cli::args::{Reach, Select, beside};
use crate::cli::session::{Page, Session, unwritable};
use crate::cli::style::{ATTRIBUTE, one_line, plain};
use crate::cli::versions;
use crate::error::{Context as _, Error, Result};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A pod or version; alone, it is compared with the version before it
    #[arg(value_name = "A")]
    first: Option<String>,
    /// The version it is compared with; @REF means one of the same pod
    #[arg(value_name = "B")]
    second: Option<String>,
    /// The first pod or version, said the long way
    #[arg(long = "name", value_name = "NAME[@REF]")]
    name: Option<String>,
    /// Compare with the live instance, at URL or where $PEAPOD_INSTANCE, then $AWS_ENDPOINT_URL say
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    instance: Option<String>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    select: Select,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let mut sides: Vec<String> = args.name.into_iter().chain(args.first).chain(args.second).collect();
    let mut instance = args.instance;
    // `diff --instance p1`: the word after the option is no URL, so it is a side.
    if let Some(word) = instance.as_mut().filter(|word| !word.is_empty() && !word.contains("://")) {
        sides.insert(0, std::mem::take(word));
    }
    let (first, second) = match sides.as_slice() {
        [first] => (first, None),
        [first, second] => (first, Some(second)),
        _ => return Err(Error::usage("say one pod or version, or two").hint("peapod diff A [B]")),
    };
    let from: crate::core::reference::Reference = first.parse()?;
    let to = match (second, &instance) {
        (Some(second), None) => Side::Version(beside(from.pod(), second)?),
        (None, Some(_)) => Side::Instance,
        (None, None) => Side::Parent,
        (Some(_), Some(_)) => {
            return Err(Error::usage("a version is compared with another or with the instance, not with both")
                .hint("leave out the second version or --instance"));
        }
    };
    let selection = args.select.selection()?;
    if instance.is_some() {
        services::require_captured(&selection)?;
    }
    let cx = match instance {
        Some(url) => args.reach.context(Some(url).filter(|url| !url.is_empty())).await?,
        None => Context::without_instance()?,
    };
    let diff = Diff { from, to, selection };
    let done = session.run_with_rows(cx, diff, &mut row).await?;
    session.text(|page| match done.counts.is_zero() {
        true => writeln!(page, "no difference"),
        false => writeln!(page, "{}", versions::counts(&done.counts)),
    })
}

fn row(page: &mut Page, list: &str, row: Value) -> Result<()> {
    let address = row.as_str().unwrap_or_default();
    let printed = match list {
        "added" => versions::change(page, '+', address),
        "removed" => versions::change(page, '-', address),
        "changed" => versions::change(page, '~', address),
        _ => details(page, &serde_json::from_value(row).context("a difference that can't be shown")?),
    };
    printed.map_err(unwritable)
}

fn details(page: &mut Page, detail: &Detail) -> io::Result<()> {
    let paint = page.paint;
    for change in &detail.attributes {
        writeln!(page, "    {}", plain(&change.attribute))?;
        if let Some(before) = &change.before {
            writeln!(page, "      {}", paint.red(&format!("- {}", one_line(before, ATTRIBUTE))))?;
        }
        if let Some(after) = &change.after {
            writeln!(page, "      {}", paint.green(&format!("+ {}", one_line(after, ATTRIBUTE))))?;
        }
    }
    Ok(())
}
