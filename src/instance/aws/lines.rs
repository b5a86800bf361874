//! Bodies made of lines: what a service keeps in an order (log events, a stream's records), a JSON text and a line break
//! each, so that a body that grew shares what it had.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::core::content::{ContentReader, ContentWriter, Contents};
use crate::core::record::Body;
use crate::core::withheld;
use crate::error::{Context, Error, Result};
use crate::limits;

/// Makes a body line by line.
pub struct Writer<'a> {
    contents: &'a dyn Contents,
    open: Option<Box<dyn ContentWriter>>,
    lines: Vec<u8>,
}

impl<'a> Writer<'a> {
    /// A body that will lie in `contents` if it is long.
    pub fn new(contents: &'a dyn Contents) -> Writer<'a> {
        Writer { contents, open: None, lines: Vec::new() }
    }

    /// Adds lines.
    pub async fn write<T: Serialize>(&mut self, things: impl IntoIterator<Item = T>) -> Result<()> {
        for thing in things {
            let line = serde_json::to_vec(&thing).context("a line can't be written")?;
            if line.len() >= limits::LINE {
                return Err(Error::failed(format!("a line over {} MiB is not captured", limits::LINE >> 20)));
            }
            self.lines.extend(line);
            self.lines.push(b'\n');
        }
        if self.open.is_some() || self.lines.len() > limits::VALUE_INLINE {
            let mut open = self.open.take().unwrap_or_else(|| self.contents.write_content());
            let lines = std::mem::take(&mut self.lines);
            let write = move || open.write(&lines).map(|()| open);
            self.open = Some(tokio::task::spawn_blocking(write).await.context("a body's writer died")??);
        }
        Ok(())
    }

    /// The body; none if it has no line.
    pub async fn finish(self) -> Result<Option<Body>> {
        match self.open {
            Some(writer) => {
                let finished = tokio::task::spawn_blocking(move || writer.finish()).await;
                Ok(Some(Body::Content(finished.context("a body's writer died")??)))
            }
            None => Ok(Some(self.lines).filter(|lines| !lines.is_empty()).map(Body::Inline)),
        }
    }
}

/// The lines of a body, one after the other. The body is read on a thread of its own, a little ahead.
pub struct Reader<T> {
    pieces: mpsc::Receiver<Result<Vec<T>>>,
    ready: std::vec::IntoIter<T>,
}

impl<T: DeserializeOwned + Send + 'static> Reader<T> {
    /// The lines of `body`; there are none in none.
    pub fn new(body: Option<&Body>, contents: &dyn Contents) -> Reader<T> {
        let (send, pieces) = mpsc::channel(1);
        let reader: ContentReader = match body {
            None => Box::new(std::iter::empty()),
            Some(Body::Inline(bytes)) => Box::new(std::iter::once(Ok(Bytes::from(bytes.clone())))),
            Some(Body::Content(content)) => contents.read_content(content),
            Some(Body::Withheld) => Box::new(std::iter::once(Err(withheld::error()))),
        };
        tokio::task::spawn_blocking(move || {
            if let Err(error) = parse(reader, &send) {
                // Nobody waits for it any more.
                let _ = send.blocking_send(Err(error));
            }
        });
        Reader { pieces, ready: Vec::new().into_iter() }
    }

    /// The next line; none after the last.
    pub async fn next(&mut self) -> Result<Option<T>> {
        loop {
            if let Some(thing) = self.ready.next() {
                return Ok(Some(thing));
            }
            match self.pieces.recv().await {
                Some(things) => self.ready = things?.into_iter(),
                None => return Ok(None),
            }
        }
    }
}

fn parse<T: DeserializeOwned>(reader: ContentReader, send: &mpsc::Sender<Result<Vec<T>>>) -> Result<()> {
    let mut rest: Vec<u8> = Vec::new();
    for piece in reader {
        rest.extend_from_slice(&piece?);
        let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else {
            if rest.len() > limits::LINE {
                return Err(Error::failed("a line of a body does not end"));
            }
            continue;
        };
        let tail = rest.split_off(end + 1);
        let lines = std::mem::replace(&mut rest, tail);
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let read = |line| serde_json::from_slice(line).map_err(|_| Error::failed("a line of a body makes no sense"));
        let things = lines.map(read).collect::<Result<Vec<T>>>()?;
        if send.blocking_send(Ok(things)).is_err() {
            return Ok(());
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(Error::failed("a body's last line was cut off")) }
}
