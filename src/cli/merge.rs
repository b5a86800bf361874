//! `peapod merge`.

use std::io::Write;

use crate::app::Context;
use crate::app::merge::{Merge, Prefer};
use crate::cli::args::beside;
use crate::cli::session::Session;
use crate::cli::versions;
use crate::core::version::check_name;
use crate::error::{Error, Result};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The pod that gets the new version, then the two versions; @REF means one of that pod
    #[arg(value_name = "NAME A B", num_args = 2..=3, required = true)]
    words: Vec<String>,
    /// The pod, said the long way
    #[arg(long = "name", value_name = "NAME")]
    name: Option<String>,
    /// Where both changed the same record: let the first (a) or the second (b) win
    #[arg(long, value_name = "SIDE", value_parser = ["a", "b"])]
    prefer: Option<String>,
    /// What the new version is about
    #[arg(short, long, value_name = "MSG")]
    message: Option<String>,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let words: Vec<String> = args.name.into_iter().chain(args.words).collect();
    let [pod, first, second] = words.as_slice() else {
        return Err(Error::usage("say the pod and two versions").hint("peapod merge NAME A B"));
    };
    check_name("a pod's name", pod)?;
    let merge = Merge {
        pod: pod.clone(),
        first: beside(pod, first)?,
        second: beside(pod, second)?,
        prefer: match args.prefer.as_deref() {
            Some("a") => Prefer::First,
            Some(_) => Prefer::Second,
            None => Prefer::Neither,
        },
        message: args.message,
    };
    let done = session.run(Context::without_instance()?, merge).await?;
    session.text(|page| {
        versions::title(page, if done.made { "merged" } else { "nothing to merge:" }, &done.version)?;
        writeln!(page, "  {}", versions::extent(&done.version))?;
        versions::settled(page, &done.conflicts)
    })
}
