//! Zips of functions and layers: out of an instance, and into a request, never whole in memory.
//!
//! A zip is kept byte for byte as it was uploaded, so the same upload is the same content everywhere.

use std::collections::HashMap;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::core::address::Address;
use crate::core::content::{ContentReader, Contents};
use crate::core::record::Body;
use crate::core::withheld;
use crate::error::{Context, Error, Result};
use crate::instance::Sink;
use crate::instance::aws::{Emulator, Request, Scope, bodies};
use crate::limits;

/// A zip with nothing in it: what fills a number that a layer skipped.
pub(super) const EMPTY: &[u8; 22] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// Reads a zip of which `sha256` (Lambda's `CodeSha256`) is known, from where the instance says it lies.
///
/// moto's locations lead nowhere; there its agent serves it at `agent`.
pub(super) async fn download(
    cx: &Scope<'_>,
    sink: &dyn Sink,
    address: &Address,
    sha256: &str,
    location: Option<&str>,
    agent: &str,
) -> Result<Body> {
    if sink.withholds_body(address) {
        return Ok(Body::Withheld);
    }
    if !sha256.is_empty()
        && let Some(known) = sink.known_body(address, sha256)
    {
        return Ok(known);
    }
    let body = fetch(cx, sink.contents(), location, agent).await?;
    if !sha256.is_empty() {
        sink.remember_body(address, sha256, &body);
    }
    Ok(body)
}

/// The same of a zip that nobody remembers.
pub(super) async fn fetch(
    cx: &Scope<'_>,
    contents: &dyn Contents,
    location: Option<&str>,
    agent: &str,
) -> Result<Body> {
    let _turn = bodies::turn(u64::MAX).await?;
    let answer = match (cx.emulator, location) {
        (Emulator::Moto, _) => {
            let answer = cx.client.download(&format!("{}/_peapod/lambda/{agent}", cx.client.endpoint())).await;
            answer.map_err(|error| match error.code.as_str() {
                "NoSuchBucket" => Error::failed("moto gives no code without the agent bootstrap/agents/moto_agent.py"),
                _ => error.into(),
            })?
        }
        (_, Some(location)) => cx.client.download(location).await?,
        (_, None) => return Err(Error::failed("the instance does not say where the code is")),
    };
    let body = bodies::capture(answer, contents).await?;
    if body.size() == 0 {
        return Err(Error::failed("the instance has no code of it"));
    }
    Ok(body)
}

/// Zips that this process has put into the instance, by their `CodeSha256`: ministack shows no version's.
#[derive(Default)]
pub(super) struct Sent(Mutex<HashMap<String, Body>>);

impl Sent {
    pub(super) fn add(&self, sha256: &str, body: &Body) {
        if let Ok(mut known) = self.0.lock()
            && known.len() < limits::INSTANCE_WRITTEN
            && !sha256.is_empty()
        {
            known.insert(sha256.to_owned(), body.clone());
        }
    }

    pub(super) fn find(&self, sha256: &str) -> Option<Body> {
        self.0.lock().ok()?.get(sha256).cloned()
    }
}

/// Lambda's `CodeSha256` of a zip.
pub(super) async fn sha256(body: &Body, contents: &dyn Contents) -> Result<String> {
    let reader = pieces(body, contents);
    let task = tokio::task::spawn_blocking(move || {
        let mut hash = Sha256::new();
        for piece in reader {
            hash.update(&piece?);
        }
        Ok::<_, Error>(BASE64.encode(hash.finalize()))
    });
    task.await.context("the code's reader died")?
}

/// The request with `fields` and the zip as its JSON body, the zip as `ZipFile`, under `outer` if that is not empty.
pub(super) fn attach(request: Request, fields: &Json, outer: &str, zip: &Body, contents: &dyn Contents) -> Request {
    let mut head = fields.to_string();
    head.pop();
    if head.len() > 1 {
        head.push(',');
    }
    let (open, close) = if outer.is_empty() { (String::new(), "\"}") } else { (format!("\"{outer}\":{{"), "\"}}") };
    head.push_str(&open);
    head.push_str("\"ZipFile\":\"");
    let size = head.len() as u64 + zip.size().div_ceil(3) * 4 + close.len() as u64;
    let encoded = Encoded { pieces: pieces(zip, contents), rest: Vec::new(), ended: false };
    let head = std::iter::once(Ok(Bytes::from(head)));
    let tail = std::iter::once(Ok(Bytes::from_static(close.as_bytes())));
    request.header("content-type", "application/json").body_stream(Box::new(head.chain(encoded).chain(tail)), size)
}

fn pieces(body: &Body, contents: &dyn Contents) -> ContentReader {
    match body {
        Body::Inline(bytes) => Box::new(std::iter::once(Ok(Bytes::from(bytes.clone())))),
        Body::Content(content) => contents.read_content(content),
        Body::Withheld => Box::new(std::iter::once(Err(withheld::error()))),
    }
}

/// Base64 of the pieces put together.
struct Encoded {
    pieces: ContentReader,
    /// What is left of the last piece: base64 takes three bytes at a time.
    rest: Vec<u8>,
    ended: bool,
}

impl Iterator for Encoded {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Result<Bytes>> {
        while !self.ended {
            match self.pieces.next() {
                Some(Ok(piece)) => {
                    let mut bytes = std::mem::take(&mut self.rest);
                    bytes.extend_from_slice(&piece);
                    self.rest = bytes.split_off(bytes.len() - bytes.len() % 3);
                    if !bytes.is_empty() {
                        return Some(Ok(BASE64.encode(bytes).into()));
                    }
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                None => {
                    self.ended = true;
                    let rest = std::mem::take(&mut self.rest);
                    if !rest.is_empty() {
                        return Some(Ok(BASE64.encode(rest).into()));
                    }
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_encode_as_their_whole(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..9)) {
            let whole = BASE64.encode(pieces.concat());
            let reader: ContentReader = Box::new(pieces.into_iter().map(|piece| Ok(Bytes::from(piece))));
            let encoded = Encoded { pieces: reader, rest: Vec::new(), ended: false };
            let joined: Vec<u8> = encoded.flat_map(|piece| piece.unwrap()).collect();
            prop_assert_eq!(String::from_utf8(joined).unwrap(), whole);
        }
    }
}
