//! `peapod fetch`.

use std::io::Write;
use std::time::Duration;

use crate::app::Context;
use crate::app::pull::Fetch;
use crate::cli::args::{PodOrVersion, duration};
use crate::cli::session::Session;
use crate::cli::style::{plain, short, size};
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pod: PodOrVersion,
    /// Leave the large contents where they are; enough to look inside
    #[arg(long)]
    shallow: bool,
    /// How long to wait for teammates
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let fetch = Fetch { reference: args.pod.reference()?, shallow: args.shallow, timeout: args.timeout };
    let done = session.run(Context::without_instance()?, fetch).await?;
    session.text(|page| {
        let versions: Vec<String> = done.versions.iter().map(|version| short(version)).collect();
        writeln!(page, "fetched {} {} ({})", plain(&done.pod), versions.join(" "), size(done.fetched))
    })
}
