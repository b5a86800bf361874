//! Putting bodies of any size into a bucket, in bounded memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::super::{Method, Request, Scope, escape};
use super::headers::{creating, retag};
use super::on_object;
use crate::core::content::{ContentReader, Contents};
use crate::core::record::Body;
use crate::core::value::Value;
use crate::error::{Error, Result};

/// A larger body goes up in parts.
const SINGLE: u64 = 64 << 20;
/// S3 takes at most this many parts.
const PARTS: u64 = 10_000;

/// Writes an object; gives its ETag.
pub(super) async fn put(
    cx: &Scope<'_>,
    bucket: &str,
    key: &str,
    attributes: &BTreeMap<String, Value>,
    body: &Body,
    contents: &dyn Contents,
) -> Result<Option<String>> {
    match body {
        Body::Content(content) if content.size > SINGLE => {
            let reader = contents.read_content(content);
            in_parts(cx, bucket, key, attributes, reader, content.size).await
        }
        body => {
            let request = creating(on_object(Method::PUT, bucket, key), attributes).body_of(body, contents);
            let answer = cx.client.send(request, cx.region).await?;
            Ok(answer.header("etag").map(str::to_owned))
        }
    }
}

async fn in_parts(
    cx: &Scope<'_>,
    bucket: &str,
    key: &str,
    attributes: &BTreeMap<String, Value>,
    reader: ContentReader,
    size: u64,
) -> Result<Option<String>> {
    let begin = creating(on_object(Method::POST, bucket, key).query("uploads", ""), attributes);
    let begun = cx.call(begin).await?;
    let upload =
        begun["UploadId"].as_str().ok_or_else(|| Error::failed("an upload in parts without an id"))?.to_owned();
    let sent = send_parts(cx, bucket, key, &upload, reader, size).await;
    match sent {
        Ok(etag) => {
            // ministack 1.5.33 forgets the tags that an upload in parts began with.
            if attributes.contains_key("Tagging") {
                retag(cx, bucket, key, attributes).await?;
            }
            Ok(etag)
        }
        Err(error) => {
            let abort = on_object(Method::DELETE, bucket, key).query("uploadId", &upload);
            if let Err(abort) = cx.run(abort).await {
                tracing::debug!(%abort, "an upload in parts was left behind");
            }
            Err(error)
        }
    }
}

async fn send_parts(
    cx: &Scope<'_>,
    bucket: &str,
    key: &str,
    upload: &str,
    reader: ContentReader,
    size: u64,
) -> Result<Option<String>> {
    let part_size = SINGLE.max(size.div_ceil(PARTS));
    let source = Arc::new(Mutex::new(Source { reader, rest: Bytes::new() }));
    let mut parts = String::new();
    for number in 1..=size.div_ceil(part_size) {
        let length = part_size.min(size - (number - 1) * part_size);
        let part: ContentReader = Box::new(Part { source: source.clone(), left: length });
        let request: Request = on_object(Method::PUT, bucket, key)
            .query("partNumber", &number.to_string())
            .query("uploadId", upload)
            .body_stream(part, length);
        let answer = cx.client.send(request, cx.region).await?;
        let etag = answer.header("etag").ok_or_else(|| Error::failed("a part of an upload without an ETag"))?;
        parts.push_str(&format!("<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>", escape(etag)));
    }
    let document = format!(
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{parts}</CompleteMultipartUpload>"
    );
    let end = on_object(Method::POST, bucket, key).query("uploadId", upload).body_document(document);
    let ended = cx.call(end).await?;
    // S3 may answer 200 and then fail.
    match (ended["ETag"].as_str(), ended["Code"].as_str()) {
        (etag, None) => Ok(etag.map(str::to_owned)),
        (_, Some(code)) => Err(Error::failed(format!("the upload in parts failed: {code}"))),
    }
}

/// A body of which one part after the other is read.
struct Source {
    reader: ContentReader,
    rest: Bytes,
}

struct Part {
    source: Arc<Mutex<Source>>,
    left: u64,
}

impl Iterator for Part {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Result<Bytes>> {
        if self.left == 0 {
            return None;
        }
        let Ok(mut source) = self.source.lock() else { return Some(Err(Error::failed("a body's reader died"))) };
        while source.rest.is_empty() {
            match source.reader.next() {
                Some(Ok(piece)) => source.rest = piece,
                Some(Err(error)) => return Some(Err(error)),
                None => return Some(Err(Error::failed("a body is shorter than its size says"))),
            }
        }
        let length = source.rest.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= length as u64;
        Some(Ok(source.rest.split_to(length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_a_body_exactly() {
        let pieces = ["abc", "", "defgh", "i"].map(|piece| Ok(Bytes::from(piece)));
        let source = Arc::new(Mutex::new(Source { reader: Box::new(pieces.into_iter()), rest: Bytes::new() }));
        let read = |left| {
            let part = Part { source: source.clone(), left };
            part.map(|piece| piece.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
                .collect::<Result<String>>()
        };
        assert_eq!(read(4).unwrap(), "abcd");
        assert_eq!(read(4).unwrap(), "efgh");
        assert_eq!(read(1).unwrap(), "i");
        assert!(read(1).is_err());
    }
}
