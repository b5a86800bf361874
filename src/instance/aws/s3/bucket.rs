//! A bucket's configuration: one attribute for each of S3's subresources, under the name of its document.

use std::collections::BTreeMap;

use super::super::{ApiError, Method, Scope, tags};
use super::subresource::{tagging, to_value, to_xml};
use super::{empty, on_bucket};
use crate::core::address::Address;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::{Sink, Step};

/// A subresource that is an XML document.
struct Document {
    /// Its name in the URL.
    query: &'static str,
    /// Its root element, and the attribute that holds its content.
    name: &'static str,
    /// Elements that may stand several times.
    lists: &'static [&'static str],
}

const DOCUMENTS: [Document; 7] = [
    Document { query: "versioning", name: "VersioningConfiguration", lists: &[] },
    Document {
        query: "cors",
        name: "CORSConfiguration",
        lists: &["CORSRule", "AllowedHeader", "AllowedMethod", "AllowedOrigin", "ExposeHeader"],
    },
    Document {
        query: "lifecycle",
        name: "LifecycleConfiguration",
        lists: &["Rule", "Transition", "NoncurrentVersionTransition", "Tag"],
    },
    Document { query: "website", name: "WebsiteConfiguration", lists: &["RoutingRule"] },
    Document { query: "ownershipControls", name: "OwnershipControls", lists: &["Rule"] },
    Document { query: "encryption", name: "ServerSideEncryptionConfiguration", lists: &["Rule"] },
    Document { query: "publicAccessBlock", name: "PublicAccessBlockConfiguration", lists: &[] },
];
const VERSIONING: &str = "versioning";
const POLICY: &str = "Policy";
const TAGGING: &str = "Tagging";

/// Reads the configuration.
pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, address: &Address) -> Result<()> {
    let bucket = address.name();
    let mut attributes = BTreeMap::new();
    for document in &DOCUMENTS {
        let request = on_bucket(Method::GET, bucket).query(document.query, "");
        if let Some(json) = present(cx.call(request).await)? {
            let value = normal(document, to_value(&json, document.lists));
            attributes.extend(value.map(|value| (document.name.to_owned(), cx.portable(&value))));
        }
    }
    let request = on_bucket(Method::GET, bucket).query("tagging", "");
    if let Some(json) = present(cx.call(request).await)? {
        attributes.extend(tags::from_list(&json["TagSet"]["Tag"]).map(|tags| (TAGGING.to_owned(), tags)));
    }
    let request = on_bucket(Method::GET, bucket).query("policy", "");
    if let Some(answer) = present(cx.client.send(request, cx.region).await)? {
        let text = String::from_utf8_lossy(&answer.body);
        if !text.trim().is_empty() {
            attributes.insert(POLICY.to_owned(), cx.document(&text));
        }
    }
    sink.record(address.clone(), Record::new(attributes))
}

/// An answer, or none where the bucket has no such configuration or the emulator no such call.
fn present<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.has_code("NoSuchBucket") => Err(error),
        Err(error) if error.is_missing() || error.is_unsupported() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The configuration without what says nothing: empty documents, and what AWS gives every new bucket anyway. Some
/// emulators list those defaults (LocalStack all of them, ministack two), the others none.
fn normal(document: &Document, value: Value) -> Option<Value> {
    let Value::Map(mut fields) = value else { return None };
    match document.query {
        VERSIONING => {
            fields.remove("MfaDelete");
        }
        "publicAccessBlock" => {
            for flag in fields.values_mut() {
                *flag = Value::text(flag.as_text().unwrap_or_default().to_ascii_lowercase());
            }
        }
        "encryption" => each_map(fields.get_mut("Rule"), |rule| {
            if rule
                .get("BucketKeyEnabled")
                .and_then(Value::as_text)
                .is_some_and(|flag| flag.eq_ignore_ascii_case("false"))
            {
                rule.remove("BucketKeyEnabled");
            }
        }),
        _ => {}
    }
    let text = |name: &str, value: &str| Value::Map([(name.to_owned(), Value::text(value))].into());
    let default = match document.query {
        "ownershipControls" => Some(text("ObjectOwnership", "BucketOwnerEnforced")),
        "encryption" => {
            let algorithm = text("SSEAlgorithm", "AES256");
            Some(Value::Map([("ApplyServerSideEncryptionByDefault".to_owned(), algorithm)].into()))
        }
        _ => None,
    };
    let is_default = match (document.query, default) {
        ("publicAccessBlock", _) => fields.values().all(|flag| flag.as_text() == Some("true")),
        (_, Some(rule)) => fields.get("Rule") == Some(&Value::List(vec![rule])),
        _ => false,
    };
    (!fields.is_empty() && !is_default).then_some(Value::Map(fields))
}

fn each_map(list: Option<&mut Value>, change: impl Fn(&mut BTreeMap<String, Value>)) {
    if let Some(Value::List(items)) = list {
        for item in items {
            if let Value::Map(fields) = item {
                change(fields);
            }
        }
    }
}

/// Creates, changes or deletes a bucket.
pub(super) async fn apply(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let bucket = step.address.name();
    let Some(after) = &step.after else {
        return empty::delete(cx, bucket).await;
    };
    if step.before.is_none() {
        create(cx, bucket).await?;
    }
    let before = step.before.as_ref().map(|record| &record.attributes);
    let old = |name: &str| before.and_then(|attributes| attributes.get(name));
    for Document { query, name, .. } in &DOCUMENTS {
        match (old(name), after.attributes.get(*name)) {
            (old, new) if old == new => {}
            (_, Some(new)) => {
                let document = to_xml(name, &cx.local(new));
                cx.run(on_bucket(Method::PUT, bucket).query(query, "").body_document(document)).await?;
            }
            // Versioning can't be taken away again, only suspended.
            (Some(_), None) if *query == VERSIONING => {
                let suspended = Value::Map([("Status".to_owned(), Value::text("Suspended"))].into());
                let document = to_xml(name, &suspended);
                cx.run(on_bucket(Method::PUT, bucket).query(query, "").body_document(document)).await?;
            }
            (_, None) => remove(cx, bucket, query).await?,
        }
    }
    match (old(TAGGING), after.attributes.get(TAGGING)) {
        (old, new) if old == new => {}
        (_, Some(new)) => {
            let document = tagging(&tags::pairs(Some(new)));
            cx.run(on_bucket(Method::PUT, bucket).query("tagging", "").body_document(document)).await?;
        }
        (_, None) => remove(cx, bucket, "tagging").await?,
    }
    match (old(POLICY), after.attributes.get(POLICY)) {
        (old, new) if old == new => {}
        (_, Some(new)) => {
            let text = cx.document_text(new);
            cx.run(on_bucket(Method::PUT, bucket).query("policy", "").body_document(text)).await?;
        }
        (_, None) => remove(cx, bucket, "policy").await?,
    }
    Ok(())
}

async fn create(cx: &Scope<'_>, bucket: &str) -> Result<()> {
    let mut request = on_bucket(Method::PUT, bucket);
    if cx.region != "us-east-1" {
        let place = Value::Map([("LocationConstraint".to_owned(), Value::text(cx.region))].into());
        request = request.body_document(to_xml("CreateBucketConfiguration", &place));
    }
    match cx.run(request).await {
        // A step that was cut off may be carried out again.
        Err(error) if error.has_code("BucketAlreadyOwnedByYou") => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(()),
    }
}

async fn remove(cx: &Scope<'_>, bucket: &str, query: &str) -> Result<()> {
    match cx.run(on_bucket(Method::DELETE, bucket).query(query, "")).await {
        Err(error) if error.is_missing() => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(()),
    }
}
