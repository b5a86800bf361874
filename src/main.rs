//! peapod's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    peapod::cli::main()
}
