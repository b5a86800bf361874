//! `peapod blame`.

use std::io::Write;

use crate::app::Context;
use crate::app::history::Blame;
use crate::cli::session::Session;
use crate::cli::style::{headline, plain, short, time};
use crate::core::address::Address;
use crate::error::{Error, Result};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The record's address, as `inspect` prints it
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// In the history of this pod or version; without it, of every pod that has the address
    #[arg(value_name = "NAME[@REF]")]
    pod: Option<String>,
    /// The same, said the long way
    #[arg(long = "name", value_name = "NAME[@REF]", conflicts_with = "pod")]
    name: Option<String>,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let first = Address::parse(&args.address);
    if first.is_err() && args.pod.as_deref().is_some_and(|pod| Address::parse(pod).is_ok()) {
        return Err(Error::usage("the address comes first").hint("peapod blame ADDRESS NAME"));
    }
    first?;
    let reference = args.pod.or(args.name).map(|text| text.parse()).transpose()?;
    let done = session.run(Context::without_instance()?, Blame { address: args.address, reference }).await?;
    session.text(|page| {
        for entry in &done.blame {
            let version = &entry.version;
            let who = match (&version.member, &version.author) {
                (Some(member), _) => plain(member),
                (None, Some(author)) => short(author),
                (None, None) => "a merge".to_owned(),
            };
            let when = version.created.as_deref().map(time).unwrap_or_default();
            let name = format!("{}@{}", plain(&version.pod), short(&version.version));
            let message = headline(&version.message, 60);
            writeln!(page, "{}  {} by {who}  {when}  {message}", page.paint.yellow(&name), plain(&entry.did))?;
        }
        Ok(())
    })
}
