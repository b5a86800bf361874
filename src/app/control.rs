//! The control socket: a command finds the running node and is carried out there.
//!
//! One connection is one command. The caller sends a [`Hello`]; the node answers with any number of events and one end,
//! each a JSON text behind its length. A caller that hangs up, or sends anything more, breaks its command off.
//! Only the home's owner gets this far: the socket stands in a private directory and both ends check who is there.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::context::Context;
use crate::app::events::{Event, Events};
use crate::app::home::Home;
use crate::app::request::{Reply, Request, run};
use crate::app::state::App;
use crate::error::{Context as _, Error, Result};
use crate::limits;

/// The version of this protocol: requests, contexts, events and ends. `stop` is understood across versions.
const PROTOCOL: u32 = 1;
/// How long commands have to come to their safe end when the node stops.
const GRACE: Duration = Duration::from_secs(30);

/// What a caller says first.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    protocol: u32,
    /// The caller's release, for messages.
    release: String,
    /// Asks the node to stop; the connection closes when its process has let go of everything.
    #[serde(default)]
    stop: bool,
    /// A [`Call`], read only when the protocols agree.
    #[serde(default)]
    call: Option<serde_json::Value>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Call {
    context: Context,
    request: Request,
}

/// What the node answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Event(Event),
    Done(serde_json::Value),
    /// As [`Error::to_json`] writes it; every version understands this one.
    Failed(serde_json::Value),
}

type Channel = Framed<UnixStream, LengthDelimitedCodec>;

fn channel(stream: UnixStream) -> Result<Channel> {
    let peer = stream.peer_cred().context("can't see who is at the control socket")?;
    if peer.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::denied("another user is at the control socket"));
    }
    let codec = LengthDelimitedCodec::builder().max_frame_length(limits::CONTROL_FRAME).new_codec();
    Ok(Framed::new(stream, codec))
}

async fn send(channel: &mut Channel, message: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec(message).context("can't write to the control socket")?;
    channel.send(Bytes::from(text)).await.context("can't write to the control socket")
}

/// The connection to the node of a home; none when no node runs. A socket left behind by a killed node is none.
pub async fn connect(home: &Home) -> Result<Option<Remote>> {
    match UnixStream::connect(home.socket()?).await {
        Ok(stream) => Ok(Some(Remote { channel: channel(stream)? })),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error).context("can't reach the node's control socket"),
    }
}

/// A running node, seen from a command.
pub struct Remote {
    channel: Channel,
}

impl Remote {
    /// Has the node carry out a command, passing on what it says.
    pub async fn run(mut self, context: Context, request: Request, events: &Events) -> Result<Reply> {
        let call = serde_json::to_value(Call { context, request }).context("can't write the request")?;
        self.hello(false, Some(call)).await?;
        let mut stopping = false;
        loop {
            let frame = tokio::select! {
                frame = self.channel.next() => frame,
                () = events.stopping(), if !stopping => {
                    // The node brings the command to its safe end and then says how it ended.
                    stopping = true;
                    send(&mut self.channel, &"stop").await?;
                    continue;
                }
            };
            let gone = || Error::failed("the node broke off").hint("`peapod status` says whether it still runs");
            let frame = frame.ok_or_else(gone)?.map_err(|error| gone().because(error))?;
            match serde_json::from_slice(&frame).context("can't read the node's answer")? {
                Answer::Event(event) => events.pass(event).await?,
                Answer::Done(document) => return Ok(Reply { document }),
                Answer::Failed(error) => return Err(Error::from_json(&error)),
            }
        }
    }

    /// Asks the node to stop and waits until its process has let go of the home.
    pub async fn stop(mut self) -> Result<()> {
        self.hello(true, None).await?;
        while let Some(Ok(_)) = self.channel.next().await {}
        Ok(())
    }

    async fn hello(&mut self, stop: bool, call: Option<serde_json::Value>) -> Result<()> {
        let hello = Hello { protocol: PROTOCOL, release: env!("CARGO_PKG_VERSION").to_owned(), stop, call };
        send(&mut self.channel, &hello).await
    }
}

/// The node's end of the socket.
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Listens on the home's socket. Only the store's owner may: it takes a left-over socket away.
    pub fn bind(app: &App) -> Result<Server> {
        let path = app.home.socket()?;
        let what = || format!("can't listen on {}", path.display());
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).with_context(what),
            _ => {}
        }
        let listener = UnixListener::bind(&path).with_context(what)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).with_context(what)?;
        Ok(Server { listener, path })
    }

    /// Serves commands until `stop`, which a caller may ask for too; then brings those under way to their safe end.
    pub async fn serve(self, app: Arc<App>, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        loop {
            let stream = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match stream.context("can't accept").and_then(|(stream, _)| channel(stream)) {
                Ok(channel) => {
                    tasks.spawn(answer(app.clone(), channel, stop.clone()));
                }
                Err(error) => {
                    tracing::warn!("a caller at the control socket was refused: {}", error.chain());
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        // New callers open the store themselves from here on, and wait until this process lets go of it.
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!("can't remove {}: {error}", self.path.display());
        }
        drop(self.listener);
        tasks.close();
        if tokio::time::timeout(GRACE, tasks.wait()).await.is_err() {
            tracing::warn!("{} commands did not end in time", tasks.len());
        }
    }
}

/// One caller.
async fn answer(app: Arc<App>, mut channel: Channel, stop: CancellationToken) {
    let call = match greet(&mut channel).await {
        Ok(Some(call)) => call,
        Ok(None) => {
            stop.cancel();
            // Held by a task outside the tracker, so that it closes when the process is done, not before.
            tokio::spawn(async move {
                let _held = channel;
                std::future::pending::<()>().await;
            });
            return;
        }
        Err(error) => {
            let _ = send(&mut channel, &Answer::Failed(error.to_json())).await;
            return;
        }
    };
    let broken_off = stop.child_token();
    let (events, mut said) = Events::channel(broken_off.clone());
    let journey = run(&app, &call.context, call.request, &events);
    tokio::pin!(journey);
    let mut caller_is_there = true;
    let end = loop {
        tokio::select! {
            biased;
            Some(event) = said.recv() => {
                if caller_is_there && send(&mut channel, &Answer::Event(event)).await.is_err() {
                    caller_is_there = false;
                    broken_off.cancel();
                }
            }
            more = channel.next(), if !broken_off.is_cancelled() => {
                caller_is_there = more.is_some_and(|more| more.is_ok());
                broken_off.cancel();
            }
            end = &mut journey => break end,
        }
    };
    while let Ok(event) = said.try_recv() {
        let _ = send(&mut channel, &Answer::Event(event)).await;
    }
    let end = match end {
        Ok(Reply { document }) => Answer::Done(document),
        Err(error) => Answer::Failed(error.to_json()),
    };
    let _ = send(&mut channel, &end).await;
}

/// What the caller wants: a call, or the node to stop.
async fn greet(channel: &mut Channel) -> Result<Option<Call>> {
    let frame = tokio::time::timeout(limits::CONTROL_HELLO, channel.next()).await;
    let frame = frame.ok().flatten().ok_or_else(|| Error::failed("a caller that says nothing"))?;
    let frame = frame.context("can't read the request")?;
    let hello: Hello = serde_json::from_slice(&frame).context("can't read the request")?;
    if hello.stop {
        return Ok(None);
    }
    let own = env!("CARGO_PKG_VERSION");
    let differs = || {
        Error::failed(format!("the running node is peapod {own}, this command is peapod {}", hello.release))
            .hint("start the node anew: `peapod down`, then `peapod up --detach`")
    };
    if hello.protocol != PROTOCOL {
        return Err(differs());
    }
    let call = hello.call.ok_or_else(|| Error::failed("a request without a call"))?;
    serde_json::from_value(call).map(Some).map_err(|error| {
        if hello.release == own { Error::failed("can't read the request").because(error) } else { differs() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::maintenance::Gc;
    use crate::app::request::Journey;
    use crate::app::status::Status;
    use crate::error::Kind;

    /// A served home without a network.
    struct Served {
        _directory: tempfile::TempDir,
        app: Arc<App>,
        stop: CancellationToken,
        serving: tokio::task::JoinHandle<()>,
    }

    async fn serve() -> Served {
        let directory = tempfile::tempdir().unwrap();
        let app = Arc::new(App::open(&directory.path().join("h"), Duration::ZERO).await.unwrap());
        let stop = CancellationToken::new();
        let server = Server::bind(&app).unwrap();
        let serving = tokio::spawn(server.serve(app.clone(), stop.clone()));
        Served { _directory: directory, app, stop, serving }
    }

    fn cx() -> Context {
        Context::without_instance().unwrap()
    }

    async fn remote(served: &Served) -> Remote {
        connect(&served.app.home).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_command_is_carried_out_by_the_node() {
        let served = serve().await;
        let reply = remote(&served).await.run(cx(), Status {}.into(), &Events::nowhere()).await.unwrap();
        let status = Status::outcome(&reply).unwrap();
        assert_eq!(status.node, served.app.secret.author().to_string());
        let mode = std::fs::metadata(served.app.home.socket().unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn breaking_off_at_one_end_ends_the_command_at_the_other() {
        let served = serve().await;
        let turn = served.app.turn().await;
        let stop = CancellationToken::new();
        let (events, _said) = Events::channel(stop.clone());
        let waiting = remote(&served).await;
        let waiting = tokio::spawn(async move { waiting.run(cx(), Gc {}.into(), &events).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!waiting.is_finished());
        stop.cancel();
        assert_eq!(waiting.await.unwrap().unwrap_err().message(), "interrupted");

        // And a caller that just hangs up holds nothing: the node stops at once although the turn is still taken.
        let mut gone = remote(&served).await;
        let call = serde_json::to_value(Call { context: cx(), request: Gc {}.into() }).unwrap();
        gone.hello(false, Some(call)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(gone);
        served.stop.cancel();
        tokio::time::timeout(Duration::from_secs(5), served.serving).await.unwrap().unwrap();
        drop(turn);
    }

    #[tokio::test]
    async fn another_release_is_told_so_and_may_still_stop_the_node() {
        let served = serve().await;
        let mut newer = remote(&served).await.channel;
        let hello = serde_json::json!({"protocol": PROTOCOL + 1, "release": "9.9.9", "call": {"unheard": "of"}});
        send(&mut newer, &hello).await.unwrap();
        let frame = newer.next().await.unwrap().unwrap();
        let Answer::Failed(error) = serde_json::from_slice(&frame).unwrap() else { panic!("no error") };
        let error = Error::from_json(&error);
        assert!(error.message().contains("9.9.9") && error.hint_text().unwrap().contains("peapod down"));

        let mut newer = remote(&served).await.channel;
        send(&mut newer, &serde_json::json!({"protocol": PROTOCOL + 1, "release": "9.9.9", "stop": true}))
            .await
            .unwrap();
        tokio::time::timeout(Duration::from_secs(5), served.serving).await.unwrap().unwrap();
        assert!(connect(&served.app.home).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn nonsense_at_the_socket_is_answered_and_harms_nobody() {
        let served = serve().await;
        for nonsense in [&b"{}"[..], b"\xff\xff", b"{\"protocol\": 1, \"release\": \"0\", \"call\": 3}"] {
            let mut channel = remote(&served).await.channel;
            channel.send(Bytes::copy_from_slice(nonsense)).await.unwrap();
            let frame = channel.next().await.unwrap().unwrap();
            let answer: Answer = serde_json::from_slice(&frame).unwrap();
            assert!(matches!(answer, Answer::Failed(_)));
        }
        // A length beyond the bound is refused before anything is allocated for it.
        let mut stream = UnixStream::connect(served.app.home.socket().unwrap()).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &[0xff; 8]).await.unwrap();
        let reply = remote(&served).await.run(cx(), Status {}.into(), &Events::nowhere()).await;
        assert!(reply.is_ok());
    }

    #[tokio::test]
    async fn a_socket_left_behind_by_a_killed_node_is_no_node() {
        let directory = tempfile::tempdir().unwrap();
        let app = App::open(&directory.path().join("h"), Duration::ZERO).await.unwrap();
        drop(UnixListener::bind(app.home.socket().unwrap()).unwrap());
        assert!(connect(&app.home).await.unwrap().is_none());
        assert!(Server::bind(&app).is_ok());
    }

    #[tokio::test]
    async fn a_home_opens_once_at_a_time() {
        let served = serve().await;
        let again = App::open(served.app.home.directory(), Duration::ZERO).await;
        assert_eq!(again.err().unwrap().kind(), Kind::Unavailable);
    }
}
