//! Objects: the current version of each key.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use percent_encoding::percent_decode_str;
use reqwest::header::HeaderMap;
use serde_json::Value as Json;

use super::super::quirks;
use super::super::{ApiError, Method, Scope, bodies, items, tags};
use super::headers::{DEFAULTS, HEADERS, METADATA, METADATA_PREFIX, TAGGING, retag};
use super::written::Written;
use super::{OBJECT, cause, on_bucket, on_object, upload};
use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::{Body, Record};
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::{Sink, Step};

/// An object whose date is younger may still be overwritten within the same tick of the instance's clock.
const SETTLED: Duration = Duration::from_secs(2);

/// What a listing says of an object.
struct Listed {
    etag: String,
    size: u64,
    date: String,
}

impl Listed {
    fn fingerprint(&self) -> String {
        format!("{}|{}|{}", self.etag, self.size, self.date)
    }

    fn is_settled(&self) -> bool {
        let date = self.date.parse::<jiff::Timestamp>().map(SystemTime::from).ok();
        date.and_then(|date| SystemTime::now().duration_since(date).ok()).is_some_and(|age| age > SETTLED)
    }
}

/// Reads every object of a bucket, page by page.
pub(super) async fn capture_all(cx: &Scope<'_>, sink: &dyn Sink, bucket: &Address, written: &Written) -> Result<()> {
    let request = on_bucket(Method::GET, bucket.name()).query("list-type", "2").query("encoding-type", "url");
    let mut pages = cx.pages(request, "continuation-token", "NextContinuationToken");
    while let Some(page) = pages.next().await? {
        let mut found = Vec::new();
        for listed in items(&page["Contents"]) {
            let text = |name: &str| listed[name].as_str().unwrap_or_default().to_owned();
            let Some(key) = listed["Key"].as_str().and_then(|key| key_of(key, &page)) else { continue };
            let address = bucket.item(OBJECT, &key);
            if sink.wants(&address) {
                let (etag, size, date) = (bare(&text("ETag")), text("Size").parse().unwrap_or(0), text("LastModified"));
                found.push((address, Listed { etag, size, date }));
            }
        }
        cx.each(sink, found, |address, listed| capture_or_pass(cx, sink, address, listed, written).boxed()).await?;
    }
    Ok(())
}

/// Reads one object, or passes over one that was deleted since it was listed: that is no failure.
async fn capture_or_pass(
    cx: &Scope<'_>,
    sink: &dyn Sink,
    address: Address,
    listed: Listed,
    written: &Written,
) -> Result<()> {
    let Err(error) = capture(cx, sink, &address, &listed, written).await else { return Ok(()) };
    if cause(&error).is_some_and(|cause| cause.status == 404) && !is_listed(cx, &address).await? {
        Ok(())
    } else {
        Err(error)
    }
}

/// Whether a listing shows the object now.
async fn is_listed(cx: &Scope<'_>, address: &Address) -> Result<bool> {
    let Some((_, key)) = address.collection_and_item() else { return Ok(false) };
    let request = on_bucket(Method::GET, address.name()).query("list-type", "2").query("encoding-type", "url");
    // The key itself sorts first among those that begin with it.
    let page = cx.call(request.query("prefix", key).query("max-keys", "1")).await?;
    let first = items(&page["Contents"]).first().and_then(|listed| key_of(listed["Key"].as_str()?, &page));
    Ok(first.as_deref() == Some(key))
}

/// The key that a listing with `encoding-type=url` writes. AWS and LocalStack write a blank as `+`, others as `%20`; a
/// plus is `%2B` in all of them.
pub(super) fn key_of(written: &str, page: &Json) -> Option<String> {
    if page["EncodingType"].as_str() != Some("url") {
        return Some(written.to_owned());
    }
    percent_decode_str(&written.replace('+', " ")).decode_utf8().ok().map(|key| key.into_owned())
}

fn bare(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}

/// Reads one object: headers and tags always, the body only if no earlier capture or inject has it.
async fn capture(cx: &Scope<'_>, sink: &dyn Sink, address: &Address, listed: &Listed, written: &Written) -> Result<()> {
    let Some((_, key)) = address.collection_and_item() else { return Ok(()) };
    let bucket = address.name();
    if sink.withholds_body(address) {
        let head = cx.client.send(on_object(Method::HEAD, bucket, key), cx.region).await?;
        let tags = tags(cx, bucket, key, &head.headers, quirks::HEAD_COUNTS_TAGS).await?;
        return sink.record(address.clone(), record(&head.headers, tags, Body::Withheld));
    }
    let fingerprint = listed.fingerprint();
    let ours = written.find(address, &listed.etag, listed.size);
    if let Some(body) = &ours {
        sink.remember_body(address, &fingerprint, body);
    }
    if let Some(body) = ours.or_else(|| sink.known_body(address, &fingerprint)) {
        let head = cx.client.send(on_object(Method::HEAD, bucket, key), cx.region).await?;
        if bare(head.header("etag").unwrap_or_default()) == listed.etag {
            let tags = tags(cx, bucket, key, &head.headers, quirks::HEAD_COUNTS_TAGS).await?;
            return sink.record(address.clone(), record(&head.headers, tags, body));
        }
    }
    let turn = bodies::turn(listed.size).await?;
    let answer = cx.client.open(on_object(Method::GET, bucket, key), cx.region).await?;
    let headers = answer.headers().clone();
    let body = bodies::capture(answer, sink.contents()).await?;
    drop(turn);
    let unchanged =
        header(&headers, "etag").is_some_and(|etag| bare(etag) == listed.etag) && body.size() == listed.size;
    if unchanged && listed.is_settled() {
        sink.remember_body(address, &fingerprint, &body);
    }
    let tags = tags(cx, bucket, key, &headers, quirks::GET_COUNTS_TAGS).await?;
    sink.record(address.clone(), record(&headers, tags, body))
}

/// The object's tags: asked for only if it has any, where the emulator is known to tell (`counts`).
async fn tags(
    cx: &Scope<'_>,
    bucket: &str,
    key: &str,
    headers: &HeaderMap,
    counts: &[quirks::Emulator],
) -> Result<Option<Value>, ApiError> {
    if !headers.contains_key("x-amz-tagging-count") && counts.contains(&cx.emulator) {
        return Ok(None);
    }
    match cx.call(on_object(Method::GET, bucket, key).query("tagging", "")).await {
        Ok(answer) => Ok(tags::from_list(&answer["TagSet"]["Tag"])),
        Err(error) if error.has_code("NoSuchTagSet") => Ok(None),
        Err(error) => Err(error),
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
}

fn record(headers: &HeaderMap, tags: Option<Value>, body: Body) -> Record {
    let mut attributes = BTreeMap::new();
    for (name, attribute) in HEADERS {
        let Some(value) = header(headers, name) else { continue };
        // How a client sent the body is not part of the object, but some emulators keep it.
        let value = if name == "content-encoding" { without_aws_chunked(value) } else { value.to_owned() };
        if !value.is_empty() && !DEFAULTS.contains(&(attribute, value.as_str())) {
            attributes.insert(attribute.to_owned(), Value::Text(value));
        }
    }
    let metadata: BTreeMap<String, Value> = headers
        .keys()
        .filter_map(|name| Some((name.as_str().strip_prefix(METADATA_PREFIX)?, header(headers, name.as_str())?)))
        .map(|(name, value)| (name.to_owned(), Value::text(value)))
        .collect();
    if !metadata.is_empty() {
        attributes.insert(METADATA.to_owned(), Value::Map(metadata));
    }
    attributes.extend(tags.map(|tags| (TAGGING.to_owned(), tags)));
    Record { body: Some(body), ..Record::new(attributes) }
}

fn without_aws_chunked(encoding: &str) -> String {
    let kept: Vec<&str> = encoding.split(',').map(str::trim).filter(|word| *word != "aws-chunked").collect();
    kept.join(", ")
}

/// Writes, retags or deletes an object.
pub(super) async fn apply(
    cx: &Scope<'_>,
    step: &Step,
    key: &str,
    contents: &dyn Contents,
    written: &Written,
) -> Result<()> {
    let bucket = step.address.name();
    let Some(after) = &step.after else {
        return match cx.run(on_object(Method::DELETE, bucket, key)).await {
            Err(error) if error.is_missing() => Ok(()),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(()),
        };
    };
    if let Some(before) = &step.before
        && only_tags_differ(before, after)
    {
        return Ok(retag(cx, bucket, key, &after.attributes).await?);
    }
    let empty = Body::Inline(Vec::new());
    let body = after.body.as_ref().unwrap_or(&empty);
    let etag = upload::put(cx, bucket, key, &after.attributes, body, contents).await?;
    match etag {
        Some(etag) => written.add(&step.address, &bare(&etag), body),
        None => tracing::debug!(address = %step.address, "no ETag for what was written"),
    }
    Ok(())
}

fn only_tags_differ(before: &Record, after: &Record) -> bool {
    let rest = |record: &Record| {
        let mut attributes = record.attributes.clone();
        attributes.remove(TAGGING);
        attributes
    };
    before.body == after.body && rest(before) == rest(after)
}
