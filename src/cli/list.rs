//! `peapod list`.

use std::io::Write;

use crate::app::Context;
use crate::app::history::{List, PodView};
use crate::cli::session::Session;
use crate::cli::style::{count, headline, plain, short, size, time};
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_args: Args, session: &Session) -> Result<()> {
    let done = session.run(Context::without_instance()?, List {}).await?;
    session.text(|page| {
        if done.pods.is_empty() {
            writeln!(page, "no pods yet; `peapod commit NAME` makes one")?;
        }
        let width = done.pods.iter().map(|pod| pod.pod.len()).max().unwrap_or(0);
        for pod in &done.pods {
            let paint = page.paint;
            let name = paint.bold(&format!("{:width$}", plain(&pod.pod)));
            match &pod.version {
                Some(version) => {
                    let made = pod.created.as_deref().map(time).unwrap_or_default();
                    let extent = format!("{}, {}", count(pod.records, "record"), size(pod.bytes));
                    let message = headline(&pod.message, 50);
                    writeln!(page, "{name}  {}  {made}  {extent}  {message}", paint.yellow(&short(version)))?;
                }
                None => writeln!(page, "{name}  not here yet; `peapod pull {}` fetches it", plain(&pod.pod))?,
            }
            heads(page, pod)?;
        }
        Ok(())
    })
}

/// Teammates whose head is another version than one's own.
fn heads(page: &mut crate::cli::session::Page, pod: &PodView) -> std::io::Result<()> {
    for head in pod.heads.iter().filter(|head| Some(&head.version) != pod.version.as_ref()) {
        let who = head.member.as_deref().map_or_else(|| short(&head.author), plain);
        let held = if head.complete { "" } else { ", not fetched yet" };
        let line = format!("  {who} is at {}{held}", short(&head.version));
        writeln!(page, "{}", page.paint.dim(&line))?;
    }
    Ok(())
}
