//! `peapod instance`.

use std::io::Write;

use clap::Subcommand;

use crate::app::instance::{InstanceReset, InstanceStatus};
use crate::cli::args::Instance;
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
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        instance: Instance,
    },
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    match args.action {
        Action::Status { instance } => status(&instance, session).await,
        Action::Reset { yes, instance } => reset(&instance, yes, session).await,
    }
}

async fn status(instance: &Instance, session: &Session) -> Result<()> {
    let done = session.run(instance.context().await?, InstanceStatus {}).await?;
    session.text(|page| {
        let paint = page.paint;
        let make = format!("{} {}", plain(&done.emulator), plain(&done.version));
        writeln!(page, "{}  {}, account {}", plain(&done.instance), paint.bold(make.trim()), plain(&done.account))?;
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

async fn reset(instance: &Instance, yes: bool, session: &Session) -> Result<()> {
    let cx = instance.context().await?;
    if session.can_ask() && !yes {
        session.ask(&format!("empty {}, for good?", plain(cx.url())))?;
    }
    let done = session.run(cx, InstanceReset {}).await?;
    session.text(|page| writeln!(page, "{} ({}) is empty", plain(&done.instance), plain(&done.emulator)))
}
