//! The iroh-blobs protocol over libp2p streams, `/peapod/blobs/1`: ranges of packs, verified as they arrive.
//!
//! Two things differ from iroh's own transport. A libp2p stream carries no error codes, so that a refusal, a pack that
//! is gone and a stream that was lost would look alike; a status byte before the response tells them apart. And each
//! request is looked at before anything is served: one pack, by its hash, to a member, if the backend serves that pack.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bao_tree::io::BaoContentItem;
use futures::StreamExt;
use iroh_blobs::Hash;
use iroh_blobs::get::fsm::{AtConnected, BlobContentNext, ConnectedNext, DecodeError, EndBlobNext, RequestCounters};
use iroh_blobs::protocol::{ChunkRanges, ChunkRangesExt, GetRequest, Request};
use iroh_blobs::provider::events::EventSender;
use iroh_blobs::provider::{StreamPair, handle_get};
use iroh_blobs::util::SendStream;
use libp2p::{PeerId, StreamProtocol};
use libp2p_stream::{Control, IncomingStreams};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::cache::Cache;
use super::stream::{Reader, Writer, halves};
use super::{Backend, Standing, control, identity};
use crate::limits;

/// The protocol's name on the wire.
pub(super) const PROTOCOL: StreamProtocol = StreamProtocol::new("/peapod/blobs/1");

/// The response of iroh-blobs follows.
const SERVING: u8 = 0;
/// The pack is not served here, or no longer.
const NOT_HELD: u8 = 1;
/// Not to this peer, or not this sort of request.
const REFUSED: u8 = 2;

/// How often a request is sent that was lost before it was read.
const ATTEMPTS: u32 = 6;

/// Bytes of a pack that arrived and match its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Where in the pack they begin.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What a transfer brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Got {
    /// The ranges asked for, each rounded outwards to 1 KiB, neighbours joined, in the order of the pack.
    pub runs: Vec<Run>,
    /// Bytes received for it, proofs included.
    pub wire: u64,
    /// Whether that is all that was asked for. What arrived before a failure is good: it was verified.
    pub end: Result<(), GetFailure>,
}

impl Default for Got {
    fn default() -> Self {
        Got { runs: Vec::new(), wire: 0, end: Ok(()) }
    }
}

impl Got {
    /// Nothing but a failure.
    fn failed(failure: GetFailure) -> Got {
        Got { end: Err(failure), ..Got::default() }
    }
}

/// Why a transfer ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GetFailure {
    /// The peer does not serve that pack (any more), or not all of those ranges: locate again.
    NotHeld,
    /// The peer serves nothing to this node.
    Refused,
    /// What arrived does not match the hash: the peer is broken or lies.
    Lied,
    /// The peer fell silent in the middle.
    Stalled,
    /// The connection ended or could not be made.
    Lost,
}

/// Serves packs until the network stops.
pub(super) async fn serve(mut incoming: IncomingStreams, backend: Arc<dyn Backend>, cache: Arc<Cache>) {
    let permits = Arc::new(Semaphore::new(limits::BLOB_REQUESTS));
    while let Some((peer, stream)) = incoming.next().await {
        let Some(author) = identity::author_of(&peer) else { continue };
        let (permits, backend, cache) = (permits.clone(), backend.clone(), cache.clone());
        tokio::spawn(async move {
            let (reader, mut writer) = halves(stream);
            if backend.standing(&author) != Standing::Member {
                let _ = refuse(&mut writer, REFUSED).await;
                return;
            }
            let Ok(_permit) = permits.acquire_owned().await else { return };
            if let Err(error) = provide(reader, &mut writer, backend, &cache).await {
                tracing::debug!(peer = %author, %error, "a request for a pack failed");
            }
        });
    }
}

async fn provide(mut reader: Reader, writer: &mut Writer, backend: Arc<dyn Backend>, cache: &Cache) -> io::Result<()> {
    let (request, _) = timeout(limits::BLOB_SILENCE, Request::read_async(&mut reader)).await??;
    let request = match request {
        Request::Get(request) if request.ranges.is_blob() => request,
        _ => return refuse(writer, REFUSED).await,
    };
    let hash = *request.hash.as_bytes();
    let path = tokio::task::spawn_blocking(move || backend.pack(&hash)).await?;
    let held = match path {
        Some(path) => cache.hold(request.hash, &path).await,
        None => false,
    };
    if !held {
        return refuse(writer, NOT_HELD).await;
    }
    writer.send(&[SERVING]).await?;
    let served =
        handle_get(StreamPair::new(0, Ended, &mut *writer, EventSender::DEFAULT), cache.store(), request).await;
    writer.close().await?;
    served.map_err(io::Error::other)
}

async fn refuse(writer: &mut Writer, status: u8) -> io::Result<()> {
    writer.send(&[status]).await?;
    writer.close().await
}

/// The reading half of a stream whose request has been read: there is nothing more.
struct Ended;

impl iroh_blobs::util::RecvStream for Ended {
    async fn recv_bytes(&mut self, _len: usize) -> io::Result<bytes::Bytes> {
        Ok(bytes::Bytes::new())
    }

    async fn recv_bytes_exact(&mut self, _len: usize) -> io::Result<bytes::Bytes> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    async fn recv_exact(&mut self, _target: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    fn stop(&mut self, _code: iroh::endpoint::VarInt) -> io::Result<()> {
        Ok(())
    }

    fn id(&self) -> u64 {
        0
    }
}

/// Fetches ranges of one pack from a peer. The ranges are in order and do not overlap.
pub(super) async fn get(control: &Control, peer: PeerId, pack: [u8; 32], ranges: &[Range<u64>]) -> Got {
    let mut pause = Duration::from_millis(20);
    for _ in 0..ATTEMPTS {
        match attempt(control, peer, pack, ranges).await {
            Ok(Some(got)) => return got,
            Ok(None) => {}
            Err(failure) => return Got::failed(failure),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Got::failed(GetFailure::Lost)
}

/// None when the request was lost before it was read.
async fn attempt(
    control: &Control,
    peer: PeerId,
    pack: [u8; 32],
    ranges: &[Range<u64>],
) -> Result<Option<Got>, GetFailure> {
    let mut chunks = ChunkRanges::empty();
    for range in ranges {
        chunks |= ChunkRanges::bytes(range.clone());
    }
    let request = GetRequest::blob_ranges(Hash::from_bytes(pack), chunks);
    let opening = control.clone();
    let opened = timeout(limits::BLOB_SILENCE, async move { opening.clone().open_stream(peer, PROTOCOL).await });
    let stream = match opened.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%peer, error = %control::open_error(error), "can't open a stream");
            return Err(GetFailure::Lost);
        }
        Err(_) => return Err(GetFailure::Stalled),
    };
    let (mut reader, mut writer) = halves(stream);
    let Ok(request_bytes) = encode(&request) else { return Err(GetFailure::Refused) };
    // A write that fails is told by the missing status: the peer may have refused before it read everything.
    let sending = async {
        writer.send(&request_bytes).await?;
        writer.close().await
    };
    let _ = timeout(limits::BLOB_SILENCE, sending).await.map_err(|_| GetFailure::Stalled)?;
    match timeout(limits::BLOB_SILENCE, reader.byte()).await {
        Ok(Ok(Some(SERVING))) => {}
        Ok(Ok(Some(NOT_HELD))) => return Err(GetFailure::NotHeld),
        Ok(Ok(Some(_))) => return Err(GetFailure::Refused),
        Ok(Ok(None) | Err(_)) => return Ok(None),
        Err(_) => return Err(GetFailure::Stalled),
    }
    let mut got = Got::default();
    got.end = receive(reader, request, &mut got.runs).await.map(|wire| got.wire = wire);
    if got.end.is_err() {
        got.wire = got.runs.iter().map(|run| run.bytes.len() as u64).sum();
    }
    Ok(Some(got))
}

fn encode(request: &GetRequest) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_stdvec(&Request::Get(request.clone()))
}

/// Swallows the request that the state machine insists on sending: it went out before, to read the status first.
struct Sent;

impl SendStream for Sent {
    async fn send_bytes(&mut self, _bytes: bytes::Bytes) -> io::Result<()> {
        Ok(())
    }

    async fn send(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    async fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn reset(&mut self, _code: iroh::endpoint::VarInt) -> io::Result<()> {
        Ok(())
    }

    async fn stopped(&mut self) -> io::Result<Option<iroh::endpoint::VarInt>> {
        Ok(None)
    }

    fn id(&self) -> u64 {
        0
    }
}

/// Reads a response into `runs`, each piece verified before it is added; returns how many bytes it took.
async fn receive(reader: Reader, request: GetRequest, runs: &mut Vec<Run>) -> Result<u64, GetFailure> {
    let connected = AtConnected::new(Instant::now(), reader, Sent, request, RequestCounters::default());
    let ConnectedNext::StartRoot(start) = connected.next().await.map_err(|_| GetFailure::Lost)? else { return Ok(0) };
    let header = timeout(limits::BLOB_SILENCE, start.next().next()).await.map_err(|_| GetFailure::Stalled)?;
    let (mut content, size) = header.map_err(|_| GetFailure::NotHeld)?;
    if size > limits::BLOB {
        return Err(GetFailure::Lied);
    }
    loop {
        match timeout(limits::BLOB_SILENCE, content.next()).await.map_err(|_| GetFailure::Stalled)? {
            BlobContentNext::More((next, item)) => {
                if let BaoContentItem::Leaf(leaf) = item.map_err(|error| failure(&error))? {
                    match runs.last_mut() {
                        Some(run) if run.offset + run.bytes.len() as u64 == leaf.offset => {
                            run.bytes.extend_from_slice(&leaf.data);
                        }
                        _ => runs.push(Run { offset: leaf.offset, bytes: leaf.data.to_vec() }),
                    }
                }
                content = next;
            }
            BlobContentNext::Done(end) => {
                let EndBlobNext::Closing(closing) = end.next() else { return Err(GetFailure::Lied) };
                let stats = closing.next().await.map_err(|_| GetFailure::Lost)?;
                return Ok(stats.total_bytes_read());
            }
        }
    }
}

fn failure(error: &DecodeError) -> GetFailure {
    match error {
        DecodeError::ParentHashMismatch { .. } | DecodeError::LeafHashMismatch { .. } => GetFailure::Lied,
        DecodeError::Read { .. } | DecodeError::Write { .. } => GetFailure::Lost,
        _ => GetFailure::NotHeld,
    }
}
