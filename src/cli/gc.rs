//! `peapod gc`.

use std::io::Write;

use crate::app::Context;
use crate::app::maintenance::Gc;
use crate::cli::session::Session;
use crate::cli::style::{count, size};
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_args: Args, session: &Session) -> Result<()> {
    let done = session.run(Context::without_instance()?, Gc {}).await?;
    session.text(|page| {
        let freed = size(done.before.saturating_sub(done.after));
        writeln!(page, "dropped {}, freed {freed}; the store has {}", count(done.objects, "object"), size(done.after))
    })
}
