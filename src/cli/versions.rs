//! How versions, counts and what was skipped look as text, wherever a command shows them.

use std::io::{self, Write};

use crate::app::views::{ConflictView, Counts, Lost, Skipped, VersionView, Withheld};
use crate::cli::session::Page;
use crate::cli::style::{LINES, count, headline, plain, short, size, time};

/// One line: pod, version, message.
pub(crate) fn title(page: &mut Page, verb: &str, version: &VersionView) -> io::Result<()> {
    let paint = page.paint;
    let name = format!("{} {}", plain(&version.pod), paint.yellow(&short(&version.version)));
    writeln!(page, "{verb} {name} {}", headline(&version.message, 72))
}

/// One line: how large the state is.
pub(crate) fn extent(version: &VersionView) -> String {
    format!("{}, {}", count(version.records, "record"), size(version.bytes))
}

/// `12 added, 3 changed, 0 removed`.
pub(crate) fn counts(counts: &Counts) -> String {
    format!("{} added, {} changed, {} removed", counts.added, counts.changed, counts.removed)
}

/// What a capture left out.
pub(crate) fn skipped(page: &mut Page, skipped: &[Skipped]) -> io::Result<()> {
    let grouped = Skipped::by_service(skipped);
    list(page, "skipped", grouped.iter().map(|skipped| (&skipped.address, &skipped.reason)))
}

/// What rules kept out of a version, a line for each that met something.
pub(crate) fn withheld(page: &mut Page, withheld: &[Withheld]) -> io::Result<()> {
    for Withheld { rule, values } in withheld.iter().filter(|withheld| withheld.values > 0) {
        writeln!(page, "  {} {} by {}", page.paint.yellow("withheld"), count(*values, "value"), plain(rule))?;
    }
    Ok(())
}

/// What a pod does not have for an instance.
pub(crate) fn not_brought(page: &mut Page, lacking: &[Lost]) -> io::Result<()> {
    list(page, "not in the pod", lacking.iter().map(|lost| (&lost.address, &lost.reason)))
}

/// What an instance did not keep.
pub(crate) fn lost(page: &mut Page, lost: &[Lost]) -> io::Result<()> {
    list(page, "lost", lost.iter().map(|lost| (&lost.address, &lost.reason)))
}

/// Conflicts that were settled.
pub(crate) fn settled(page: &mut Page, conflicts: &[ConflictView]) -> io::Result<()> {
    list(page, "settled", conflicts.iter().map(|conflict| (&conflict.address, &conflict.reason)))
}

fn list<'a>(
    page: &mut Page,
    word: &str,
    items: impl ExactSizeIterator<Item = (&'a String, &'a String)>,
) -> io::Result<()> {
    let (paint, total) = (page.paint, items.len());
    for (address, reason) in items.take(LINES) {
        writeln!(page, "  {} {}  {}", paint.yellow(word), plain(address), paint.dim(&plain(reason)))?;
    }
    if total > LINES {
        writeln!(page, "  ... and {} more; --json lists them all", total - LINES)?;
    }
    Ok(())
}

/// A version at length, as `show` and `log` print it.
pub(crate) fn whole(page: &mut Page, version: &VersionView, number: Option<u64>, note: &str) -> io::Result<()> {
    let paint = page.paint;
    let number = number.map(|number| format!(" (@{number})")).unwrap_or_default();
    writeln!(page, "{}{number}", paint.yellow(&format!("version {}", plain(&version.version))))?;
    match (&version.member, &version.author) {
        (Some(member), Some(author)) => writeln!(page, "author  {} {}{note}", plain(member), short(author))?,
        (_, Some(author)) => writeln!(page, "author  {}{note}", short(author))?,
        (_, None) => {
            let parents: Vec<String> = version.parents.iter().map(|parent| short(parent)).collect();
            writeln!(page, "merge   {}", parents.join(" "))?;
        }
    }
    if let Some(created) = &version.created {
        writeln!(page, "date    {}", time(created))?;
    }
    writeln!(page, "holds   {}", extent(version))?;
    if !version.message.is_empty() {
        writeln!(page)?;
        for line in plain(&version.message).lines() {
            writeln!(page, "    {line}")?;
        }
    }
    writeln!(page)
}

/// A sign and an address, as diffs and plans print them.
pub(crate) fn change(page: &mut Page, sign: char, address: &str) -> io::Result<()> {
    let line = format!("{sign} {}", plain(address));
    let line = match sign {
        '+' => page.paint.green(&line),
        '-' => page.paint.red(&line),
        _ => page.paint.yellow(&line),
    };
    writeln!(page, "{line}")
}
