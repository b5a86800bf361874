//! `peapod completions`.

use std::io::Write;

use clap_complete::Shell;

use crate::cli::session::unwritable;
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args, command: &mut clap::Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "peapod", &mut script);
    std::io::stdout().write_all(&script).map_err(unwritable)
}
