//! The command line: one file per command.
//!
//! A command turns its arguments into a journey's request, has it carried out by the [`session`], and prints the
//! outcome for people; the session prints it as JSON. Nothing here knows how a journey works.

mod args;
mod blame;
mod commit;
mod completions;
mod conflicts;
mod delete;
mod diff;
mod document;
mod down;
mod fetch;
mod fsck;
mod gc;
mod inject;
mod inspect;
mod instance;
mod list;
mod log;
mod logging;
mod merge;
mod peers;
mod progress;
mod pull;
mod push;
mod session;
mod show;
mod status;
mod style;
mod team;
mod undo;
mod up;
mod versions;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::session::{Mode, Session, report};
use crate::error::{Context as _, Error, Kind, Result};

/// Shares snapshots of a local cloud emulator's state straight between teammates.
///
/// A pod is a named history of snapshots. `peapod commit p1` takes one of the running emulator, `peapod push p1` shares
/// it with the team, and a teammate's `peapod pull p1` merges it into theirs.
#[derive(Debug, Parser)]
#[command(name = "peapod", version)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Print one JSON document at the end
    #[arg(long, global = true)]
    json: bool,
    /// Print events, one JSON object a line, then the document
    #[arg(long, global = true, conflicts_with = "json")]
    json_lines: bool,
    /// The home: key, store and log of this node [default: the platform's data directory]
    #[arg(long, global = true, value_name = "DIR", env = "PEAPOD_HOME", hide_env_values = true)]
    home: Option<PathBuf>,
    /// Say nothing but answers and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more, on standard error; -vv and -vvv even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Snapshot the instance as a new version of a pod
    Commit(commit::Args),
    /// Put a version into the instance
    Inject(inject::Args),
    /// Commit, and share the pod with the team
    Push(push::Args),
    /// Fetch the team's versions, merge them into your own, and inject the result
    Pull(pull::Args),
    /// Fetch a pod or a version, and nothing else
    Fetch(fetch::Args),
    /// Show the records of a version
    Inspect(inspect::Args),
    /// List the pods
    List(list::Args),
    /// Show a pod's history
    Log(log::Args),
    /// Show one version
    Show(show::Args),
    /// Show who last changed a record
    Blame(blame::Args),
    /// Compare two versions, or a version with the instance
    Diff(diff::Args),
    /// Merge two versions into a new one
    Merge(merge::Args),
    /// Take back the last inject
    Undo(undo::Args),
    /// Remove a pod, or a version and what follows it
    Delete(delete::Args),
    /// Reclaim what nothing needs any more
    Gc(gc::Args),
    /// Verify everything in the store
    Fsck(fsck::Args),
    /// Create, join and look after the team
    Team(team::Args),
    /// Start the node
    Up(up::Args),
    /// Stop the node
    Down(down::Args),
    /// Show the node's state
    Status(status::Args),
    /// List the peers that the node knows
    Peers(peers::Args),
    /// Look at the instance, or empty it
    Instance(instance::Args),
    /// Print a shell's completions
    Completions(completions::Args),
}

/// Runs the program with this process's arguments.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.len() <= 1 {
        // clap's own way is off as soon as PEAPOD_HOME is set.
        let _ = write!(std::io::stderr(), "{}", Cli::command().render_help());
        return ExitCode::from(Kind::Usage.exit_code());
    }
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(usage(&error, &arguments)),
    };
    let mode = match &cli.global {
        Global { json: true, .. } => Mode::Json,
        Global { json_lines: true, .. } => Mode::JsonLines,
        _ => Mode::Text,
    };
    match start(cli, mode) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(report(&error, mode)),
    }
}

/// The stack of each thread that runs journeys, in bytes; untouched pages cost nothing.
const STACK: usize = 16 * 1024 * 1024;

fn start(cli: Cli, mode: Mode) -> Result<()> {
    logging::start(cli.global.verbose, matches!(cli.command, Command::Up(_)))?;
    let session = Session::new(cli.global.home, mode, cli.global.quiet)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // Journeys read the store as they go; with one worker a single one would stop all others.
        .worker_threads(std::thread::available_parallelism().map_or(4, |cores| cores.get().max(4)))
        // The state of a journey that is under way is deep, and unoptimised builds keep all of it on the stack.
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .context("can't start")?;
    let end = runtime.block_on(run(cli.command, &session));
    runtime.shutdown_timeout(Duration::from_secs(10));
    end
}

async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::Commit(args) => commit::run(args, session).await,
        Command::Inject(args) => inject::run(args, session).await,
        Command::Push(args) => push::run(args, session).await,
        Command::Pull(args) => pull::run(args, session).await,
        Command::Fetch(args) => fetch::run(args, session).await,
        Command::Inspect(args) => inspect::run(args, session).await,
        Command::List(args) => list::run(args, session).await,
        Command::Log(args) => log::run(args, session).await,
        Command::Show(args) => show::run(args, session).await,
        Command::Blame(args) => blame::run(args, session).await,
        Command::Diff(args) => diff::run(args, session).await,
        Command::Merge(args) => merge::run(args, session).await,
        Command::Undo(args) => undo::run(args, session).await,
        Command::Delete(args) => delete::run(args, session).await,
        Command::Gc(args) => gc::run(args, session).await,
        Command::Fsck(args) => fsck::run(args, session).await,
        Command::Team(args) => team::run(args, session).await,
        Command::Up(args) => up::run(args, session).await,
        Command::Down(args) => down::run(args, session).await,
        Command::Status(args) => status::run(args, session).await,
        Command::Peers(args) => peers::run(args, session).await,
        Command::Instance(args) => instance::run(args, session).await,
        Command::Completions(args) => completions::run(&args, &mut Cli::command()),
    }
}

/// What clap has to say: help and the version as they are, a usage error as text or as a document.
fn usage(error: &clap::Error, arguments: &[OsString]) -> u8 {
    let json = arguments.iter().any(|argument| argument == "--json" || argument == "--json-lines");
    if !error.use_stderr() || !json {
        let _ = error.print();
        return u8::try_from(error.exit_code()).unwrap_or(2);
    }
    let text = error.render().to_string();
    let what = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let what: Vec<&str> = what.split_whitespace().collect();
    let error =
        Error::usage(what.join(" ")).hint("`peapod --help` lists the commands, `peapod COMMAND --help` its options");
    let _ = writeln!(std::io::stdout(), "{}", error.to_json());
    error.kind().exit_code()
}
