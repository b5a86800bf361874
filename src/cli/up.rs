//! `peapod up`.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::app::node::Options;
use crate::app::status::{Status, StatusOutcome};
use crate::app::{App, Context, Events, Home, control, daemon};
use crate::cli::session::{Mode, Session};
use crate::cli::status;
use crate::error::{Context as _, Error, Kind, Result};

/// The log is put aside when a node starts and finds it larger than this.
const LOG: u64 = 8 * 1024 * 1024;
/// How long a detached node may take to answer.
const START: Duration = Duration::from_secs(60);
/// How much of a log that tells of a failed start is shown.
const TAIL: usize = 2000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave the node running in the background; it logs to node.log in the home
    #[arg(long)]
    detach: bool,
    /// Listen here (IP:PORT, or a multiaddr); may be given more than once [default: every interface, the ports of the
    /// last time]. Commands that reach teammates while no node is up do so as `up` was last told to
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<String>,
    /// Connect to the node at this address too; may be given more than once
    #[arg(long, value_name = "ADDRESS")]
    peer: Vec<String>,
    /// Neither look for teammates on the LAN nor be found there
    #[arg(long)]
    no_mdns: bool,
    /// In the background process itself: leave the terminal's session
    #[arg(long, hide = true, conflicts_with = "detach")]
    in_background: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    if args.detach {
        return detach(&args, session).await;
    }
    if args.in_background {
        rustix::process::setsid().context("can't leave the terminal's session")?;
    }
    let options = Options { listen: args.listen, peers: args.peer, mdns: !args.no_mdns };
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone())?;
    let (events, mut said) = Events::channel(stop.clone());
    let quiet = session.quiet || args.in_background;
    tokio::spawn(async move {
        while let Some(event) = said.recv().await {
            if let (crate::app::events::Event::Message { text }, false) = (event, quiet) {
                let _ = writeln!(std::io::stderr(), "{text}");
            }
        }
    });
    let ready = |app: &App| {
        let listen = app.node.get().map(|node| node.listening()).unwrap_or_default();
        tracing::info!(node = %app.secret.author(), ?listen, "the node is up");
        if args.in_background {
            return;
        }
        let up = session.text(|page| {
            writeln!(page, "node {} is up; Ctrl-C stops it", app.secret.author().short())?;
            listen.iter().try_for_each(|address| writeln!(page, "  listens on {address}"))
        });
        if let Err(error) = up {
            tracing::warn!("{}", error.chain());
        }
    };
    daemon::run(&session.directory, options, stop, &events, ready).await?;
    tracing::info!("the node is down");
    session.document(&serde_json::json!({ "running": false }))
}

/// Ends the node cleanly when it is interrupted or terminated, or its terminal is closed.
fn stop_on_signals(stop: CancellationToken) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut signals = signal(kind).context("can't listen to signals")?;
        let stop = stop.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                stop.cancel();
            }
        });
    }
    Ok(())
}

/// Starts a process of its own and waits until it answers.
async fn detach(args: &Args, session: &Session) -> Result<()> {
    let home = Home::open(&session.directory)?;
    if control::connect(&home).await?.is_some() {
        let running = state(session).await?;
        // None: it was just going down, and is to be started after all.
        if let Some(options) = &running.options {
            let ignored = ignored(args, options);
            if ignored.is_empty() {
                return show(session, &running, "is up already");
            }
            return Err(Error::failed(format!("the node is up already, without {}", ignored.join(" ")))
                .hint("`peapod down`, then `peapod up --detach` with them"));
        }
    }
    let log = home.log();
    let size = std::fs::metadata(&log).map_or(0, |metadata| metadata.len());
    if size > LOG {
        std::fs::rename(&log, log.with_extension("log.1")).context("can't put the old log aside")?;
    }
    let file = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(&log);
    let file = file.with_context(|| format!("can't open {}", log.display()))?;
    let mut command = Command::new(std::env::current_exe().context("can't find this program's file")?);
    command.arg("up").arg("--in-background").arg("--home").arg(home.directory());
    command.args(args.listen.iter().map(|address| format!("--listen={address}")));
    command.args(args.peer.iter().map(|address| format!("--peer={address}")));
    if args.no_mdns {
        command.arg("--no-mdns");
    }
    // A background process must not keep the caller's directory busy.
    command.current_dir("/").stdin(Stdio::null());
    command.stdout(file.try_clone().context("can't open the log twice")?).stderr(file);
    let mut child = command.spawn().context("can't start the node's process")?;
    let start = Instant::now();
    while start.elapsed() < START {
        if control::connect(&home).await?.is_some() {
            let running = state(session).await?;
            return show(session, &running, "is up");
        }
        if let Some(status) = child.try_wait().context("can't watch the node's process")? {
            return Err(failed(status, &std::fs::read(&log).unwrap_or_default()));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let _ = child.kill();
    Err(Error::unavailable("the node did not answer in time").hint(format!("its log is {}", log.display())))
}

/// What is asked for that a running node was not told.
fn ignored(args: &Args, running: &Options) -> Vec<String> {
    let lacking = |option: &str, wanted: &[String], told: &[String]| -> Vec<String> {
        wanted.iter().filter(|address| !told.contains(address)).map(|address| format!("{option} {address}")).collect()
    };
    let mut ignored = lacking("--listen", &args.listen, &running.listen);
    ignored.extend(lacking("--peer", &args.peer, &running.peers));
    ignored.extend((args.no_mdns && running.mdns).then(|| "--no-mdns".to_owned()));
    ignored
}

async fn state(session: &Session) -> Result<StatusOutcome> {
    session.run_unseen(Context::without_instance()?, Status {}).await
}

fn show(session: &Session, running: &StatusOutcome, word: &str) -> Result<()> {
    session.document(running)?;
    if session.mode == Mode::Text {
        session.text(|page| {
            writeln!(page, "the node {word}")?;
            status::print(page, running)
        })?;
    }
    Ok(())
}

/// Why a node did not start: its exit code says the kind, the end of its log the reason.
fn failed(status: ExitStatus, log: &[u8]) -> Error {
    let log = String::from_utf8_lossy(log);
    let reason = log.rsplit("error: ").next().unwrap_or_default().trim();
    let mut lines = reason.lines();
    let first: String = lines.next().unwrap_or_default().chars().take(TAIL).collect();
    let kinds = [Kind::Usage, Kind::Conflict, Kind::NotFound, Kind::Denied, Kind::Unavailable];
    let code = status.code();
    let kind = kinds.into_iter().find(|kind| code == Some(i32::from(kind.exit_code()))).unwrap_or(Kind::Failed);
    let error = Error::new(kind, format!("the node did not start: {first}"));
    match lines.find_map(|line| line.strip_prefix("hint: ")) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
