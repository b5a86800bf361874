//! Bodies between an instance and the store, in bounded memory.
//!
//! The store's readers and writers block (they cut, hash and compress), so they run on blocking threads, joined to
//! the network by short channels.

use bytes::Bytes;
use futures::stream;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

use super::streamed::Streamed;
use crate::core::content::{ContentReader, Contents};
use crate::core::record::Body;
use crate::core::withheld;
use crate::error::{Context, Error, Result};
use crate::limits;

/// Pieces on the way between network and store: a few, so that neither waits for the other's every piece.
const IN_FLIGHT: usize = 4;

static TURNS: Semaphore = Semaphore::const_new(limits::INSTANCE_BODIES as usize);

/// Waits until a body of `size` bytes may be read. To be had before it is asked for, since the connection holds what
/// comes in, and kept until it is read.
pub async fn turn(size: u64) -> Result<SemaphorePermit<'static>> {
    let mib = u32::try_from(size >> 20).unwrap_or(u32::MAX).clamp(1, limits::INSTANCE_BODY);
    TURNS.acquire_many(mib).await.context("no turn for a body")
}

/// Reads an answer's body to its end. The caller has a [`turn`].
pub async fn capture(mut answer: Streamed, contents: &dyn Contents) -> Result<Body> {
    let mut head = Vec::new();
    while head.len() <= limits::VALUE_INLINE {
        match answer.next().await? {
            Some(bytes) => head.extend_from_slice(&bytes),
            None => return Ok(Body::Inline(head)),
        }
    }
    let mut writer = contents.write_content();
    let (send, mut receive) = mpsc::channel::<Bytes>(IN_FLIGHT);
    let task = tokio::task::spawn_blocking(move || {
        while let Some(bytes) = receive.blocking_recv() {
            // An empty piece says that all is sent: a channel that closes without it was cut off.
            if bytes.is_empty() {
                return writer.finish().map(Some);
            }
            writer.write(&bytes)?;
        }
        Ok(None)
    });
    let mut piece = Some(Bytes::from(head));
    while let Some(bytes) = piece {
        // A failed send means that the writer has failed; joining it says why.
        if !bytes.is_empty() && send.send(bytes).await.is_err() {
            break;
        }
        piece = answer.next().await?;
    }
    let _ = send.send(Bytes::new()).await;
    match task.await.context("a body's writer died")?? {
        Some(content) => Ok(Body::Content(content)),
        None => Err(Error::failed("a body was cut off")),
    }
}

/// The body that these bytes are.
pub async fn from_bytes(bytes: impl Into<Bytes>, contents: &dyn Contents) -> Result<Body> {
    let bytes: Bytes = bytes.into();
    if bytes.len() <= limits::VALUE_INLINE {
        return Ok(Body::Inline(bytes.to_vec()));
    }
    let mut writer = contents.write_content();
    let task = tokio::task::spawn_blocking(move || {
        writer.write(&bytes)?;
        writer.finish()
    });
    Ok(Body::Content(task.await.context("a body's writer died")??))
}

/// The whole of a body, refused above `max` bytes.
pub async fn read(body: &Body, contents: &dyn Contents, max: usize) -> Result<Vec<u8>> {
    if body.size() > max as u64 {
        return Err(Error::failed(format!("a body of {} bytes where at most {max} are possible", body.size())));
    }
    let content = match body {
        Body::Inline(bytes) => return Ok(bytes.clone()),
        Body::Content(content) => content,
        Body::Withheld => return Err(withheld::error()),
    };
    let reader = contents.read_content(content);
    let task = tokio::task::spawn_blocking(move || {
        let mut whole = Vec::new();
        for piece in reader {
            whole.extend_from_slice(&piece?);
            if whole.len() > max {
                return Err(Error::failed("a body is longer than its size says"));
            }
        }
        Ok(whole)
    });
    task.await.context("a body's reader died")?
}

/// A request body that is read as it is sent.
pub(super) fn stream(reader: ContentReader) -> reqwest::Body {
    let (send, receive) = mpsc::channel::<Result<Bytes>>(IN_FLIGHT);
    tokio::task::spawn_blocking(move || {
        for piece in reader {
            if send.blocking_send(piece).is_err() {
                return;
            }
        }
    });
    reqwest::Body::wrap_stream(stream::unfold(receive, async |mut receive| {
        let piece = receive.recv().await?;
        Some((piece, receive))
    }))
}
