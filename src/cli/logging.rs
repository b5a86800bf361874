//! What the program says about its own workings, on standard error. Secrets are not among it: their types print none.

use tracing_subscriber::EnvFilter;

use crate::error::{Error, Result};

/// Sets the log up: `PEAPOD_LOG` (directives as `tracing` reads them: `peapod=debug,libp2p=warn`), else by the number
/// of `-v`. A node says a little more of its own accord.
pub(crate) fn start(verbose: u8, node: bool) -> Result<()> {
    let filter = match std::env::var("PEAPOD_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::try_new(&directives)
            .map_err(|error| Error::usage(format!("PEAPOD_LOG={directives:?} makes no sense")).because(error))?,
        _ => EnvFilter::new(match verbose + u8::from(node) {
            0 => "peapod=error",
            1 => "peapod=info",
            2 => "peapod=debug",
            _ => "peapod=trace,info",
        }),
    };
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi).try_init();
    Ok(())
}
