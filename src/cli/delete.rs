//! `peapod delete`.

use std::io::Write;

use crate::app::Context;
use crate::app::delete::Delete;
use crate::cli::args::{Consent, PodOrVersion};
use crate::cli::session::Session;
use crate::cli::style::{plain, short};
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pod: PodOrVersion,
    #[command(flatten)]
    consent: Consent,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let delete = Delete { reference: args.pod.reference()? };
    let question = match delete.reference.is_version() {
        true => format!("delete {} and what follows it?", delete.reference),
        false => format!("delete the pod {} here, with all its versions?", delete.reference),
    };
    session.ask(&args.consent, &plain(&question))?;
    let done = session.run(Context::without_instance()?, delete).await?;
    session.text(|page| {
        let pod = plain(&done.pod);
        let was = done.was.as_deref().map_or_else(|| "nothing".to_owned(), short);
        match &done.version {
            Some(version) if done.version == done.was => {
                writeln!(page, "deleted {pod}@{}; {pod} stays at {}", short(&done.deleted), short(version))
            }
            Some(version) => writeln!(page, "{pod} is back at {}; it was at {was}", short(version)),
            None => writeln!(page, "deleted {pod}; it was at {was}"),
        }
    })
}
