//! S3: buckets with their configuration, their notifications, and their current objects.
//!
//! - `bucket/NAME`: the configuration, one attribute for each subresource, see [`bucket`].
//! - `bucket/NAME/object/KEY`: headers, user metadata and tags as attributes, the bytes as body, see [`object`].
//! - `notification/NAME`: the bucket's event notifications, apart because they act by themselves.
//!
//! ETags, dates, version ids and noncurrent versions are not part of records.

mod bucket;
mod empty;
mod headers;
mod notification;
mod object;
mod subresource;
mod upload;
mod written;

use async_trait::async_trait;
use futures::FutureExt;
use serde_json::Value as Json;

use self::written::Written;
use super::regions::regions;
use super::{Api, ApiError, Method, Request, Scope, Service, items, refused};
use crate::core::address::Address;
use crate::core::content::Contents;
use crate::error::{Error, Result};
use crate::instance::{Sink, Stage, Step};

const API: Api = Api::rest("s3");
/// The kinds and the collection in addresses.
const BUCKET: &str = "bucket";
const NOTIFICATION: &str = "notification";
const OBJECT: &str = "object";

/// See the module.
#[derive(Default)]
pub struct S3 {
    written: Written,
}

#[async_trait]
impl Service for S3 {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn is_global(&self) -> bool {
        true
    }

    fn spans_regions(&self) -> bool {
        true
    }

    fn probe(&self) -> Option<Request> {
        Some(Request::raw(&API, Method::GET, "/".into()))
    }

    fn stage(&self, address: &Address) -> Stage {
        match (address.kind(), address.collection_and_item()) {
            (NOTIFICATION, _) => Stage::Acting,
            (_, Some(_)) => Stage::Item,
            _ => Stage::Resource,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        let listing = cx.call(Request::raw(&API, Method::GET, "/".into())).await?;
        let mut buckets = Vec::new();
        for bucket in items(&listing["Buckets"]["Bucket"]) {
            let Some(name) = bucket["Name"].as_str() else { continue };
            match region(cx, name, bucket).await {
                Ok(region) => {
                    let address = Address::resource(cx.label, &region, self.name(), BUCKET, name);
                    if let Some(created) = bucket["CreationDate"].as_str() {
                        sink.mark(&address, created);
                    }
                    buckets.push((address, region));
                }
                Err(error) if error.is_gone() => return Err(error.into()),
                // Without its region the bucket has no address: it may be any of these.
                Err(error) => {
                    for region in regions(cx.client.home_region()) {
                        for kind in [BUCKET, NOTIFICATION] {
                            let address = Address::resource(cx.label, &region, self.name(), kind, name);
                            cx.skip(sink, address.parts(), &error);
                        }
                    }
                }
            }
        }
        cx.each(sink, buckets, |address, region| {
            async move {
                let cx = Scope { region: &region, ..*cx };
                bucket::capture(&cx, sink, &address).await?;
                notification::capture(&cx, sink, address.name()).await?;
                object::capture_all(&cx, sink, &address, &self.written).await
            }
            .boxed()
        })
        .await
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, contents: &dyn Contents) -> Result<()> {
        let done = match (step.address.kind(), step.address.collection_and_item()) {
            (BUCKET, None) => bucket::apply(cx, step).await,
            (NOTIFICATION, None) => notification::apply(cx, step).await,
            (BUCKET, Some((OBJECT, key))) => object::apply(cx, step, key, contents, &self.written).await,
            _ => Err(Error::failed(format!("this peapod does not know what {} is", step.address))
                .hint("a newer peapod made the pod; update, or leave it out with --except")),
        };
        done.map_err(|error| match cause(&error) {
            Some(cause) if !cause.is_gone() => refused(cause.clone()),
            _ => error,
        })
    }
}

/// The failed call behind an error.
fn cause(error: &Error) -> Option<&ApiError> {
    std::error::Error::source(error).and_then(|cause| cause.downcast_ref())
}

/// The bucket's region: newer emulators list it, others (moto) must be asked.
async fn region(cx: &Scope<'_>, name: &str, listed: &Json) -> Result<String, ApiError> {
    if let Some(region) = listed["BucketRegion"].as_str() {
        return Ok(region.to_owned());
    }
    let location = cx.call(on_bucket(Method::GET, name).query("location", "")).await?;
    Ok(match location.as_str() {
        None | Some("") => "us-east-1".to_owned(),
        Some("EU") => "eu-west-1".to_owned(),
        Some(region) => region.to_owned(),
    })
}

/// A request on a bucket, path-style.
fn on_bucket(method: Method, bucket: &str) -> Request {
    Request::rest(&API, method, [bucket])
}

/// A request on an object. The key is one path segment, its slashes encoded: all emulators decode them, a client keeps
/// `..` in it as it is, and LocalStack takes the key `//`, written plainly, for the bucket itself and deletes that.
fn on_object(method: Method, bucket: &str, key: &str) -> Request {
    Request::rest(&API, method, [bucket, key])
}
