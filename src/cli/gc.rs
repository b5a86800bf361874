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
        let (dropped, kept) = (count(done.objects, "object"), count(done.kept, "object"));
        writeln!(page, "dropped {dropped}, freed {}; kept {kept}", size(done.freed))
    })
}
