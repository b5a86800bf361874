//! `peapod instance`.

use std::io::Write;

use clap::Subcommand;

use crate::app::instance::{InstanceReset, InstanceStatus};
use crate::cli::args::{Consent, Instance};
use crate::cli::session::Session;
use crate::cli::style::{plain, short};
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what runs there and what peapod captures of it
    Status {
        #[command(flatten)]
        instance: Instance,
    },
    /// Empty the instance
    Reset {
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        instance: Instance,
    },
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    match args.action {
        Action::Status { instance } => status(&instance, session).await,
        Action::Reset { consent, instance } => reset(&instance, &consent, session).await,
    }
}

async fn status(instance: &Instance, session: &Session) -> Result<()> {
    let done = session.run(instance.context().await?, InstanceStatus {}).await?;
    session.text(|page| {
        let paint = page.paint;
        let make = format!("{} {}", plain(&done.emulator), plain(&done.version));
        writeln!(page, "{}  {}, account {}", plain(&done.instance), paint.bold(make.trim()), plain(&done.account))?;
        match done.agent {
            Some(true) => writeln!(page, "  peapod's agent is in use")?,
            Some(false) => {
                writeln!(page, "  without peapod's agent; start it by bootstrap/agents/moto_agent.py for all of it")?
            }
            None => {}
        }
        for base in &done.pods {
            writeln!(page, "  stood for {}@{} when peapod last met it", plain(&base.pod), short(&base.version))?;
        }
        for service in &done.services {
            let limits = service.limits.as_deref().map(plain).unwrap_or_default();
            writeln!(page, "  {:16} {}", plain(&service.service), paint.dim(&limits))?;
        }
        Ok(())
    })
}

async fn reset(instance: &Instance, consent: &Consent, session: &Session) -> Result<()> {
    let cx = instance.context().await?;
    session.ask(consent, &format!("empty {}, for good?", plain(cx.url())))?;
    let done = session.run(cx, InstanceReset {}).await?;
    session.text(|page| writeln!(page, "{} ({}) is empty", plain(&done.instance), plain(&done.emulator)))
}
