//! What goes with an object's bytes: its headers, metadata and tags.

use std::collections::BTreeMap;

use super::super::request::encode;
use super::super::{ApiError, Method, Request, Scope, tags};
use super::on_object;
use super::subresource::tagging;
use crate::core::value::Value;

/// Headers that are part of an object, and the attributes they are.
pub(super) const HEADERS: [(&str, &str); 8] = [
    ("content-type", "ContentType"),
    ("content-encoding", "ContentEncoding"),
    ("cache-control", "CacheControl"),
    ("content-disposition", "ContentDisposition"),
    ("content-language", "ContentLanguage"),
    ("expires", "Expires"),
    ("x-amz-website-redirect-location", "WebsiteRedirectLocation"),
    ("x-amz-storage-class", "StorageClass"),
];
pub(super) const METADATA: &str = "Metadata";
pub(super) const METADATA_PREFIX: &str = "x-amz-meta-";
pub(super) const TAGGING: &str = "Tagging";
/// What an object has when nobody said: not recorded.
pub(super) const DEFAULTS: [(&str, &str); 2] = [("ContentType", "binary/octet-stream"), ("StorageClass", "STANDARD")];

/// A request that creates an object, with everything of it but its bytes.
pub(super) fn creating(request: Request, attributes: &BTreeMap<String, Value>) -> Request {
    let mut request = request;
    let text = |name: &str| attributes.get(name).and_then(Value::as_text);
    for (name, attribute) in HEADERS {
        let default = DEFAULTS.iter().find(|(of, _)| *of == attribute).map(|(_, default)| *default);
        if let Some(value) = text(attribute).or(default.filter(|_| name == "content-type")) {
            request = request.header(name, value);
        }
    }
    for (name, value) in tags::pairs(attributes.get(METADATA)) {
        request = request.header(&format!("{METADATA_PREFIX}{name}"), &value);
    }
    // A blank is %20 and not +: fakecloud 0.51 keeps a plus.
    let tags = tags::pairs(attributes.get(TAGGING));
    if !tags.is_empty() {
        let pairs: Vec<String> = tags.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
        request = request.header("x-amz-tagging", &pairs.join("&"));
    }
    request
}

/// Sets the object's tags to what the attributes say.
pub(super) async fn retag(
    cx: &Scope<'_>,
    bucket: &str,
    key: &str,
    attributes: &BTreeMap<String, Value>,
) -> Result<(), ApiError> {
    let tags = tags::pairs(attributes.get(TAGGING));
    let method = if tags.is_empty() { Method::DELETE } else { Method::PUT };
    let request = on_object(method, bucket, key).query("tagging", "");
    cx.run(if tags.is_empty() { request } else { request.body_document(tagging(&tags)) }).await
}
