//! Layers. A layer is nothing but its versions; each is a record of its own, `layer/NAME/version/N`.
//!
//! A version's number is given out by the instance and never reused. Published in order, with the gaps filled, they
//! come back under the numbers they had; where an instance is past a number already, the version gets the next one,
//! and what refers to it finds it by its content ([`resolve`]).

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::zip;
use super::{API, text};
use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::{Body, Record};
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{ApiError, Method, Request, Scope, found, items, refused};
use crate::instance::{Sink, Step};
use crate::limits;

const SETS: [&str; 2] = ["CompatibleArchitectures", "CompatibleRuntimes"];
const TEXTS: [&str; 2] = ["Description", "LicenseInfo"];

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let mut versions = Vec::new();
    let mut pages = cx.pages(Request::rest(&API, Method::GET, ["2018-10-31", "layers"]), "Marker", "NextMarker");
    while let Some(page) = pages.next().await? {
        for layer in items(&page["Layers"]) {
            let Some(name) = text(layer, "LayerName") else { continue };
            let address = cx.address("layer", name);
            match numbers(cx, name).await {
                // fakecloud lists a layer on when its last version is gone.
                Ok(numbers) if numbers.is_empty() => {}
                Ok(numbers) => {
                    sink.record(address.clone(), Record::default())?;
                    let version = |number| (address.item("version", &item(number)), (name.to_owned(), number));
                    versions.extend(numbers.into_iter().map(version));
                }
                Err(error) if error.is_gone() => return Err(error.into()),
                Err(error) => cx.skip(sink, address.parts(), error),
            }
        }
    }
    versions.retain(|(address, _)| sink.wants(address));
    cx.each(sink, versions, |address, (name, number)| async move {
        match look(cx, &name, number).await? {
            Some(version) => capture_version(cx, sink, address, &name, number, &version).await,
            None => Ok(()),
        }
    })
    .await
}

/// A number as it stands in addresses: padded, so that versions are put back in the order of their numbers.
fn item(number: i64) -> String {
    format!("{number:06}")
}

/// The numbers of a layer's versions; none if there is no such layer.
async fn numbers(cx: &Scope<'_>, name: &str) -> Result<Vec<i64>, ApiError> {
    let mut numbers = Vec::new();
    let mut pages = cx.pages(at(Method::GET, name, None), "Marker", "NextMarker");
    while let Some(page) = found(pages.next().await)?.flatten() {
        numbers.extend(items(&page["LayerVersions"]).iter().filter_map(|version| version["Version"].as_i64()));
    }
    Ok(numbers)
}

/// A request to a layer's versions, or to one of them.
fn at(method: Method, name: &str, number: Option<i64>) -> Request {
    let number = number.map(|number| number.to_string());
    let path = ["2018-10-31", "layers", name, "versions"].into_iter().chain(number.as_deref());
    Request::rest(&API, method, path)
}

async fn look(cx: &Scope<'_>, name: &str, number: i64) -> Result<Option<Json>, ApiError> {
    found(cx.call(at(Method::GET, name, Some(number))).await)
}

async fn capture_version(
    cx: &Scope<'_>,
    sink: &dyn Sink,
    address: Address,
    name: &str,
    number: i64,
    version: &Json,
) -> Result<()> {
    let mut attributes = BTreeMap::new();
    for attribute in TEXTS {
        if let Some(text) = text(version, attribute) {
            attributes.insert(attribute.to_owned(), text.into());
        }
    }
    for attribute in SETS {
        let members = items(&version[attribute]);
        if !members.is_empty() {
            let members = members.iter().filter_map(Json::as_str);
            attributes.insert(attribute.to_owned(), Value::text_set(members));
        }
    }
    let (sha256, location) = (text(&version["Content"], "CodeSha256"), text(&version["Content"], "Location"));
    let agent = format!("layer?account={}&region={}&layer={name}&version={number}", cx.account, cx.region);
    let body = zip::download(cx, sink, &address, sha256.unwrap_or_default(), location, &agent).await?;
    if let Some(created) = text(version, "CreatedDate") {
        sink.mark(&address, created);
    }
    sink.record(address, Record { body: Some(body), ..Record::new(attributes) })
}

/// A layer itself: it comes with its first version and goes with its last.
pub(super) async fn apply(cx: &Scope<'_>, step: &Step) -> Result<()> {
    if step.after.is_none() {
        for number in numbers(cx, step.address.name()).await? {
            delete(cx, step.address.name(), number).await?;
        }
    }
    Ok(())
}

/// One version.
pub(super) async fn apply_version(cx: &Scope<'_>, step: &Step, version: &str, contents: &dyn Contents) -> Result<()> {
    let name = step.address.name();
    let number: i64 = version.parse().map_err(|_| Error::failed(format!("{} names no version", step.address)))?;
    let Some(after) = &step.after else { return Ok(delete(cx, name, number).await?) };
    let zip = after.body.as_ref().ok_or_else(|| Error::failed("a layer version without its zip"))?;
    if let Some(live) = look(cx, name, number).await? {
        // A version never changes: another one can only take its place under another number.
        if sha256_of(&live) == zip::sha256(zip, contents).await?
            && step.before.as_ref().is_none_or(|before| before == after)
        {
            return Ok(());
        }
        delete(cx, name, number).await?;
    }
    let mut fields = Map::new();
    for (attribute, value) in &after.attributes {
        fields.insert(attribute.clone(), value.to_json());
    }
    let fields = Json::Object(fields);
    let mut next = publish(cx, name, &fields, zip, contents).await?;
    let missing = number.saturating_sub(next);
    if missing > limits::LAYER_GAP {
        return Ok(());
    }
    while next < number {
        // The number that was given out is one the layer skipped: fill up to the one before, then publish again.
        delete(cx, name, next).await?;
        let last = next + 1 == number;
        let filler = Body::Inline(zip::EMPTY.to_vec());
        let (fields, body) = if last { (&fields, zip) } else { (&Json::Object(Map::new()), &filler) };
        next = publish(cx, name, fields, body, contents).await?;
    }
    Ok(())
}

async fn publish(cx: &Scope<'_>, name: &str, fields: &Json, zip: &Body, contents: &dyn Contents) -> Result<i64> {
    let request = zip::attach(at(Method::POST, name, None), fields, "Content", zip, contents);
    let answer = cx.call(request).await.map_err(refused)?;
    answer["Version"].as_i64().ok_or_else(|| Error::failed(format!("the instance numbered no version of layer {name}")))
}

async fn delete(cx: &Scope<'_>, name: &str, number: i64) -> Result<(), ApiError> {
    found(cx.call(at(Method::DELETE, name, Some(number))).await).map(drop)
}

fn sha256_of(version: &Json) -> String {
    text(&version["Content"], "CodeSha256").unwrap_or_default().to_owned()
}

/// How a function names its layers in a record: by ARN and, if it is of the caller's account, by content.
pub(super) async fn references(cx: &Scope<'_>, layers: &[Json]) -> Result<Option<Value>> {
    let mut references = Vec::new();
    for layer in layers {
        let Some(arn) = text(layer, "Arn").or(layer.as_str()) else { continue };
        let mut reference = BTreeMap::from([("Arn".to_owned(), Value::text(cx.portable_text(arn)))]);
        if let Some((name, number)) = own(cx, arn)
            && let Some(version) = look(cx, name, number).await?
        {
            reference.insert("CodeSha256".to_owned(), sha256_of(&version).into());
        }
        references.push(Value::Map(reference));
    }
    Ok((!references.is_empty()).then_some(Value::List(references)))
}

/// The ARNs that [`references`] stand for in this instance. One that is nowhere is left out: a function without a
/// layer can be put back, and mended.
pub(super) async fn resolve(cx: &Scope<'_>, references: Option<&Value>) -> Result<Vec<String>> {
    let Some(Value::List(references)) = references else { return Ok(Vec::new()) };
    let mut arns = Vec::new();
    for reference in references {
        let field = |name: &str| reference.as_map().and_then(|fields| fields.get(name)).and_then(Value::as_text);
        let Some(arn) = field("Arn").map(|arn| cx.local_text(arn)) else { continue };
        match own(cx, &arn) {
            None => arns.push(arn),
            Some((name, number)) => {
                let number = locate(cx, name, number, field("CodeSha256")).await?;
                let layer = arn.rsplit_once(':').map_or(arn.as_str(), |(layer, _)| layer);
                arns.extend(number.map(|number| format!("{layer}:{number}")));
            }
        }
    }
    Ok(arns)
}

/// The version's number here: its own if it has that content, else of the newest that has.
async fn locate(cx: &Scope<'_>, name: &str, number: i64, sha256: Option<&str>) -> Result<Option<i64>> {
    let is_it = |version: &Json| sha256.is_none_or(|sha256| sha256_of(version) == sha256);
    if look(cx, name, number).await?.is_some_and(|version| is_it(&version)) {
        return Ok(Some(number));
    }
    let mut others = numbers(cx, name).await?;
    others.sort_unstable_by(|a, b| b.cmp(a));
    for other in others {
        if sha256.is_some() && look(cx, name, other).await?.is_some_and(|version| is_it(&version)) {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

/// Name and number in the ARN of a layer version of this account and region.
fn own<'a>(cx: &Scope<'_>, arn: &'a str) -> Option<(&'a str, i64)> {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "lambda", region, account, "layer", name, number]
            if *region == cx.region && *account == cx.account =>
        {
            Some((name, number.parse().ok()?))
        }
        _ => None,
    }
}
