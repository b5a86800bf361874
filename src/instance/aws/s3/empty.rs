//! Deleting a bucket: what it holds goes first, old versions and delete markers too.

use serde_json::Value as Json;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::super::{ApiError, Method, Scope, items};
use super::object::key_of;
use super::{on_bucket, on_object};
use crate::error::{Error, Result};
use crate::limits;

/// Deletes the bucket and all in it. That there is none is as good.
pub(super) async fn delete(cx: &Scope<'_>, bucket: &str) -> Result<()> {
    let gone = |error: &ApiError| error.is_missing();
    for _ in 0..limits::INSTANCE_PAGES {
        // Always the first page: the one before is gone.
        let found = match versions(cx, bucket).await {
            Err(error) if gone(&error) => return Ok(()),
            found => found?,
        };
        if found.is_empty() {
            break;
        }
        delete_all(cx, bucket, found).await?;
    }
    match cx.run(on_bucket(Method::DELETE, bucket)).await {
        Err(error) if gone(&error) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(()),
    }
}

/// Keys and version ids of the first page of all there is.
async fn versions(cx: &Scope<'_>, bucket: &str) -> Result<Vec<(String, String)>, ApiError> {
    let request = on_bucket(Method::GET, bucket).query("versions", "").query("encoding-type", "url");
    let page = cx.call(request).await?;
    let entry = |entry: &Json| {
        let key = key_of(entry["Key"].as_str()?, &page)?;
        Some((key, entry["VersionId"].as_str().unwrap_or_default().to_owned()))
    };
    Ok(items(&page["Version"]).iter().chain(items(&page["DeleteMarker"])).filter_map(entry).collect())
}

async fn delete_all(cx: &Scope<'_>, bucket: &str, found: Vec<(String, String)>) -> Result<()> {
    let mut waiting = found.into_iter();
    let mut running = FuturesUnordered::new();
    let mut deleted = 0;
    let mut first = None;
    loop {
        while running.len() < limits::INSTANCE_REQUESTS
            && let Some((key, version)) = waiting.next()
        {
            let mut request = on_object(Method::DELETE, bucket, &key);
            if !version.is_empty() {
                request = request.query("versionId", &version);
            }
            running.push(cx.run(request));
        }
        match running.next().await {
            None => break,
            Some(Ok(())) => deleted += 1,
            Some(Err(error)) if error.is_missing() => deleted += 1,
            Some(Err(error)) if error.is_gone() => return Err(error.into()),
            Some(Err(error)) => first = first.or(Some(error)),
        }
    }
    match first {
        Some(error) if deleted == 0 => Err(Error::failed(format!("bucket {bucket} can't be emptied")).because(error)),
        _ => Ok(()),
    }
}
