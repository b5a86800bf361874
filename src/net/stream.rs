//! A libp2p stream in the shape that iroh-blobs wants: two halves with its own traits.

use std::io;

use bytes::Bytes;
use iroh::endpoint::VarInt;
use iroh_blobs::util::{RecvStream, SendStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::sync::Mutex;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};

/// A libp2p stream with tokio's traits.
pub(super) type Duplex = Compat<libp2p::Stream>;

/// The half that reads.
pub(super) struct Reader(BufReader<ReadHalf<Duplex>>);

/// The half that writes. Never locked: the mutex is there because iroh-blobs shares a reference between threads, which a
/// libp2p stream does not allow.
pub(super) struct Writer(Mutex<WriteHalf<Duplex>>);

/// Splits a stream.
pub(super) fn halves(stream: libp2p::Stream) -> (Reader, Writer) {
    let (read, write) = tokio::io::split(stream.compat());
    (Reader(BufReader::with_capacity(64 * 1024, read)), Writer(Mutex::new(write)))
}

impl Reader {
    /// The next byte; none at the end of the stream.
    pub(super) async fn byte(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        Ok((self.0.read(&mut byte).await? == 1).then_some(byte[0]))
    }
}

impl Writer {
    /// Sends what is buffered and ends this direction. libp2p resets a stream that is dropped unclosed, and the other
    /// side reads a request to its end, so both sides call it after their last byte.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.0.get_mut().shutdown().await
    }
}

impl RecvStream for Reader {
    async fn recv_bytes(&mut self, len: usize) -> io::Result<Bytes> {
        let mut bytes = Vec::with_capacity(len.min(64 * 1024));
        (&mut self.0).take(len as u64).read_to_end(&mut bytes).await?;
        Ok(bytes.into())
    }

    async fn recv_bytes_exact(&mut self, len: usize) -> io::Result<Bytes> {
        let bytes = self.recv_bytes(len).await?;
        if bytes.len() == len { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    async fn recv_exact(&mut self, target: &mut [u8]) -> io::Result<()> {
        self.0.read_exact(target).await.map(drop)
    }

    /// libp2p carries no codes; dropping the stream resets it.
    fn stop(&mut self, _code: VarInt) -> io::Result<()> {
        Ok(())
    }

    fn id(&self) -> u64 {
        0
    }
}

impl SendStream for Writer {
    async fn send_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        self.0.get_mut().write_all(&bytes).await
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes).await
    }

    async fn sync(&mut self) -> io::Result<()> {
        self.0.get_mut().flush().await
    }

    /// libp2p carries no codes; dropping the stream resets it.
    fn reset(&mut self, _code: VarInt) -> io::Result<()> {
        Ok(())
    }

    async fn stopped(&mut self) -> io::Result<Option<VarInt>> {
        std::future::pending().await
    }

    fn id(&self) -> u64 {
        0
    }
}
