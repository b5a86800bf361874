//! Control: one question and one answer over a stream of their own, `/peapod/control/1`.
//!
//! Question: its length (4 bytes, big-endian), its bytes. Answer: a status byte, then a length and bytes. A length over
//! the bound is refused before anything is allocated for it. What the bytes mean is the backend's business.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use libp2p::{PeerId, StreamProtocol};
use libp2p_stream::{Control, IncomingStreams, OpenStreamError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio_util::compat::FuturesAsyncReadCompatExt;

use super::{Backend, Standing, identity, stream::Duplex};
use crate::core::identity::Author;
use crate::error::{Error, Result};
use crate::limits;

/// The protocol's name on the wire.
pub(super) const PROTOCOL: StreamProtocol = StreamProtocol::new("/peapod/control/1");

/// An answer follows.
const ANSWER: u8 = 0;
/// A refusal follows, as text for a person.
const REFUSED: u8 = 1;
/// Too much to do: ask again.
const BUSY: u8 = 2;

/// How often a question is asked that was lost before it was read, or met a busy peer.
const ATTEMPTS: u32 = 6;

/// Answers questions until the network stops.
pub(super) async fn serve(mut incoming: IncomingStreams, backend: Arc<dyn Backend>) {
    let members = Arc::new(Semaphore::new(limits::CONTROL_REQUESTS));
    let strangers = Arc::new(Semaphore::new(limits::CONTROL_REQUESTS_STRANGER));
    while let Some((peer, stream)) = incoming.next().await {
        let Some(author) = identity::author_of(&peer) else { continue };
        let standing = backend.standing(&author);
        let (permits, limit) = match standing {
            Standing::Member => (&members, limits::MESSAGE_SYNC),
            Standing::Stranger => (&strangers, limits::MESSAGE_JOIN),
            Standing::Removed => continue,
        };
        let permit = permits.clone().try_acquire_owned();
        let backend = backend.clone();
        // The loop must come back for the next stream at once: libp2p-stream drops what finds no one waiting.
        tokio::spawn(async move {
            let mut stream = stream.compat();
            let work = async {
                match permit {
                    Ok(_permit) => answer(&mut stream, author, limit, backend).await,
                    Err(_) => write(&mut stream, Some(BUSY), b"").await,
                }
            };
            if let Ok(Err(error)) = tokio::time::timeout(limits::CONTROL_TIME * 2, work).await {
                tracing::debug!(peer = %author, %error, "a control question failed");
            }
        });
    }
}

async fn answer(stream: &mut Duplex, from: Author, limit: usize, backend: Arc<dyn Backend>) -> io::Result<()> {
    let question = match tokio::time::timeout(limits::CONTROL_TIME, read(stream, limit)).await {
        Ok(Ok(question)) => question,
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            return write(stream, Some(REFUSED), error.to_string().as_bytes()).await;
        }
        Ok(Err(error)) => return Err(error),
        Err(_) => return Err(io::ErrorKind::TimedOut.into()),
    };
    let answer = tokio::task::spawn_blocking(move || backend.answer(&from, &question)).await?;
    match answer {
        Ok(answer) if answer.len() <= limits::MESSAGE_SYNC => write(stream, Some(ANSWER), &answer).await,
        Ok(_) => write(stream, Some(REFUSED), b"the answer is over the limit of a message").await,
        Err(error) => {
            tracing::info!(peer = %from, error = error.chain(), "refused a question");
            write(stream, Some(REFUSED), error.message().as_bytes()).await
        }
    }
}

/// Asks a peer that is connected, or whose addresses are known.
pub(super) async fn ask(control: &Control, peer: PeerId, question: &[u8]) -> Result<Vec<u8>> {
    if question.len() > limits::MESSAGE_SYNC {
        return Err(Error::failed("the question is over the limit of a message"));
    }
    let mut pause = Duration::from_millis(20);
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match tokio::time::timeout(limits::CONTROL_TIME, attempt(control, peer, question)).await {
            Ok(Ok(Reply::Answer(answer))) => return Ok(answer),
            Ok(Ok(Reply::Refused(why))) => return Err(Error::denied(format!("the peer refused: {why}"))),
            Ok(Ok(Reply::Busy)) => {}
            // Lost before it was read; libp2p-stream does that to streams that arrive together.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => last = Some(error),
            Ok(Err(error)) => return Err(Error::unavailable("the peer can't be asked").because(error)),
            Err(_) => return Err(Error::unavailable("the peer did not answer in time")),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    let error = Error::unavailable("the peer is too busy to answer");
    Err(match last {
        Some(last) => error.because(last),
        None => error,
    })
}

enum Reply {
    Answer(Vec<u8>),
    Refused(String),
    Busy,
}

async fn attempt(control: &Control, peer: PeerId, question: &[u8]) -> io::Result<Reply> {
    let mut stream = control.clone().open_stream(peer, PROTOCOL).await.map_err(open_error)?.compat();
    let lost = |_| io::Error::from(io::ErrorKind::UnexpectedEof);
    // A peer may answer (busy, too long) before it has read everything: then writing fails and reading still works.
    let _ = write(&mut stream, None, question).await;
    let status = stream.read_u8().await.map_err(lost)?;
    let bytes = read(&mut stream, limits::MESSAGE_SYNC).await?;
    match status {
        ANSWER => Ok(Reply::Answer(bytes)),
        BUSY => Ok(Reply::Busy),
        _ => {
            Ok(Reply::Refused(String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control()).take(400).collect()))
        }
    }
}

/// The failure to open a stream as an I/O error.
pub(super) fn open_error(error: OpenStreamError) -> io::Error {
    match error {
        OpenStreamError::Io(error) => io::Error::new(io::ErrorKind::NotConnected, error),
        other => io::Error::new(io::ErrorKind::Unsupported, other.to_string()),
    }
}

async fn write(stream: &mut Duplex, status: Option<u8>, bytes: &[u8]) -> io::Result<()> {
    if let Some(status) = status {
        stream.write_u8(status).await?;
    }
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_u32(length).await?;
    stream.write_all(bytes).await?;
    stream.shutdown().await
}

/// Reads a length and that many bytes. The buffer grows as they arrive: a length alone takes no memory.
async fn read(stream: &mut Duplex, limit: usize) -> io::Result<Vec<u8>> {
    let length = stream.read_u32().await? as usize;
    if length > limit {
        let message = format!("a message of {length} bytes is over the limit of {limit}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut bytes = Vec::with_capacity(length.min(64 * 1024));
    stream.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}
