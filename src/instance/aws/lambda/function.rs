//! Functions: `$LATEST`, its code, its reserved concurrency, its tags and what else hangs on it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json, json};
use tokio::sync::Mutex;

use super::alias;
use super::attached::{self, Holder};
use super::zip::{self, Sent};
use super::{config, functions, layer, retag, text};
use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::described::Attributes;
use crate::instance::aws::{Api, ApiError, Emulator, Method, Request, Scope, found, items, quirks, refused, tags};
use crate::instance::{Sink, Step};
use crate::limits;

/// The names of all functions.
pub(super) async fn names(cx: &Scope<'_>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut pages = cx.pages(functions(Method::GET, []), "Marker", "NextMarker");
    while let Some(page) = pages.next().await? {
        let listed = items(&page["Functions"]).iter().filter_map(|function| text(function, "FunctionName"));
        names.extend(listed.map(str::to_owned));
    }
    Ok(names)
}

/// The numbers of a function's versions; none if there is no such function.
pub(super) async fn versions(cx: &Scope<'_>, name: &str) -> Result<BTreeSet<i64>> {
    let mut numbers = BTreeSet::new();
    let mut pages = cx.pages(functions(Method::GET, [name, "versions"]), "Marker", "NextMarker");
    while let Some(page) = found(pages.next().await)?.flatten() {
        numbers.extend(items(&page["Versions"]).iter().filter_map(number));
    }
    Ok(numbers)
}

/// The number of a version; none of `$LATEST`.
pub(super) fn number(version: &Json) -> Option<i64> {
    text(version, "Version")?.parse().ok()
}

/// Where the agent serves a function's code.
pub(super) fn agent(cx: &Scope<'_>, name: &str) -> String {
    format!("code?account={}&region={}&function={name}", cx.account, cx.region)
}

/// One function. Configuration and code are read one after the other: a function that changes meanwhile is read again.
pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, address: Address, name: &str) -> Result<()> {
    let Some(mut live) = look(cx, name, None).await? else { return Ok(()) };
    for _ in 0..limits::RECAPTURES {
        let body = match live.is_image {
            true => None,
            false => {
                let agent = agent(cx, name);
                Some(zip::download(cx, sink, &address, &live.sha256, live.location.as_deref(), &agent).await?)
            }
        };
        let attached = attached::read(cx, Holder::Function(name)).await?;
        let Some(again) = look(cx, name, None).await? else { return Ok(()) };
        let settled = again.record == live.record && again.sha256 == live.sha256;
        if settled {
            live.record.attributes.extend(attached);
            return sink.record(address, Record { body, ..live.record });
        }
        live = again;
    }
    Err(Error::failed("the function kept changing while it was read"))
}

/// A function as it stands there.
pub(super) struct Live {
    /// Without its code and what is [`attached`].
    pub(super) record: Record,
    arn: String,
    pub(super) is_image: bool,
    /// Of the code.
    pub(super) sha256: String,
    /// Where the code lies.
    pub(super) location: Option<String>,
    /// It is being made, changed, or has failed to be.
    is_busy: bool,
}

/// A function, or one of its versions.
pub(super) async fn look(cx: &Scope<'_>, name: &str, version: Option<&str>) -> Result<Option<Live>> {
    let request = functions(Method::GET, [name]);
    let request = version.into_iter().fold(request, |request, version| request.query("Qualifier", version));
    let Some(mut answer) = found(cx.call(request).await)? else { return Ok(None) };
    if cx.emulator == Emulator::Fakecloud && version.is_none() {
        // It tells this only when asked for nothing else.
        let request = Request::rest(&super::API, Method::GET, ["2019-09-30", "functions", name, "concurrency"]);
        let concurrency = found(cx.call(request).await)?.unwrap_or_default();
        if let Some(fields) = answer.as_object_mut() {
            fields.insert("Concurrency".to_owned(), concurrency);
        }
    }
    let config = &answer["Configuration"];
    let mut attributes = config::attributes(cx, &answer)?;
    if let Some(layers) = layer::references(cx, items(&config["Layers"])).await? {
        attributes.insert("Layers".to_owned(), layers);
    }
    let (state, update) = (text(config, "State"), text(config, "LastUpdateStatus"));
    Ok(Some(Live {
        record: Record::new(attributes),
        arn: text(config, "FunctionArn").unwrap_or_default().to_owned(),
        is_image: text(config, "PackageType") == Some("Image"),
        sha256: text(config, "CodeSha256").unwrap_or_default().to_owned(),
        location: text(&answer["Code"], "Location").map(str::to_owned),
        // LocalStack leaves the update of a function that can't run there in progress for ever.
        is_busy: state == Some("Pending") || (update == Some("InProgress") && state != Some("Failed")),
    }))
}

pub(super) async fn apply(
    cx: &Scope<'_>,
    step: &Step,
    contents: &dyn Contents,
    standing_in: &Mutex<()>,
    sent: &Sent,
) -> Result<()> {
    let name = step.address.name();
    let Some(after) = &step.after else { return delete(cx, name).await };
    // What stands there now is looked up, not taken from the step: a step that was cut off goes on where it was.
    let Some(live) = look(cx, name, None).await? else {
        create(cx, name, after, contents, standing_in).await?;
        return finish(cx, name, None, after, sent).await;
    };
    let ignored = quirks::ignored_by_function_update(cx.emulator);
    let differs = |attribute: &&str| live.record.attributes.get(*attribute) != after.attributes.get(*attribute);
    let of_another_type = differs(&"PackageType");
    // Its versions and aliases would go with it. Unlike another package, the rest can be lost.
    let has_versions = (of_another_type || ignored.iter().any(differs)) && has_versions(cx, name).await?;
    if of_another_type && has_versions {
        return Err(Error::denied(format!("{name} has versions, and a function can't change its kind of package")));
    }
    let mut before = step.before.as_ref().map(|record| &record.attributes);
    if !has_versions && (of_another_type || ignored.iter().any(differs)) {
        delete(cx, name).await?;
        create(cx, name, after, contents, standing_in).await?;
        before = None;
    } else {
        update(cx, name, &live, after, contents).await?;
    }
    finish(cx, name, before, after, sent).await
}

async fn has_versions(cx: &Scope<'_>, name: &str) -> Result<bool> {
    Ok(!versions(cx, name).await?.is_empty() || !alias::list(cx, name).await?.is_empty())
}

async fn create(
    cx: &Scope<'_>,
    name: &str,
    after: &Record,
    contents: &dyn Contents,
    standing_in: &Mutex<()>,
) -> Result<()> {
    let request = async || -> Result<Request> {
        let mut fields = config::for_create(cx, name, &after.attributes);
        let layers = layer::resolve(cx, after.attributes.get("Layers")).await?;
        if !layers.is_empty() {
            fields.insert("Layers".to_owned(), layers.into());
        }
        code(functions(Method::POST, []), fields, "Code", after, cx, contents)
    };
    match cx.call(request().await?).await {
        Err(error) if wants_role(&error) => {
            let role = after.text("Role").map(|role| cx.local_text(role)).unwrap_or_default();
            let _turn = standing_in.lock().await;
            let Some(role) = StandIn::make(cx, &role).await? else { return Err(refused(error)) };
            let result = cx.call(request().await?).await;
            role.leave(cx).await?;
            result.map_err(refused)?;
        }
        result => drop(result.map_err(refused)?),
    }
    Ok(())
}

/// The request with the function's code in it.
fn code(
    request: Request,
    mut fields: Map<String, Json>,
    outer: &str,
    after: &Record,
    cx: &Scope<'_>,
    contents: &dyn Contents,
) -> Result<Request> {
    if let Some(uri) = after.text("ImageUri") {
        let uri = Json::from(config::local_image(uri, cx.own));
        if outer.is_empty() {
            fields.insert("ImageUri".to_owned(), uri);
        } else {
            fields.insert(outer.to_owned(), json!({ "ImageUri": uri }));
        }
        return Ok(request.body_json(Json::Object(fields)));
    }
    let zip = after.body.as_ref().ok_or_else(|| Error::failed("a function without its code"))?;
    Ok(zip::attach(request, &Json::Object(fields), outer, zip, contents))
}

pub(super) async fn update(
    cx: &Scope<'_>,
    name: &str,
    live: &Live,
    after: &Record,
    contents: &dyn Contents,
) -> Result<()> {
    let mut live = live;
    let settled;
    if live.is_busy {
        settled = ready(cx, name).await?;
        live = settled.as_ref().unwrap_or(live);
    }
    let mut fields = config::for_update(cx, name, &live.record.attributes, &after.attributes);
    if live.record.attributes.get("Layers") != after.attributes.get("Layers") {
        fields.insert("Layers".to_owned(), layer::resolve(cx, after.attributes.get("Layers")).await?.into());
    }
    if !fields.is_empty() {
        let request = functions(Method::PUT, [name, "configuration"]).body_json(Json::Object(fields));
        put(cx, name, request).await?;
    }
    let differs = |attribute: &str| live.record.attributes.get(attribute) != after.attributes.get(attribute);
    let new_code = match &after.body {
        Some(zip) => zip::sha256(zip, contents).await? != live.sha256,
        None => differs("ImageUri"),
    };
    if new_code || differs("Architectures") {
        let architectures = after.attributes.get("Architectures").map(Value::to_json);
        let architectures = architectures.or_else(|| config::default("Architectures", name));
        let fields = architectures.map(|value| ("Architectures".to_owned(), value)).into_iter().collect();
        put(cx, name, code(functions(Method::PUT, [name, "code"]), fields, "", after, cx, contents)?).await?;
    }
    Ok(())
}

/// Sends an update and waits until it is done.
async fn put(cx: &Scope<'_>, name: &str, request: Request) -> Result<()> {
    match cx.call(request).await {
        // LocalStack changes a function that can't run there (no Docker), then says that it could not.
        Err(error) if cx.emulator == Emulator::LocalStack && error.message.contains("an old one is not running") => {}
        result => drop(result.map_err(refused)?),
    }
    ready(cx, name).await?;
    Ok(())
}

/// What is put by calls of its own, in any order.
async fn finish(cx: &Scope<'_>, name: &str, before: Option<&Attributes>, after: &Record, sent: &Sent) -> Result<()> {
    let Some(live) = ready(cx, name).await? else {
        return Err(Error::failed(format!("function {name} is gone as soon as it is made")));
    };
    if let Some(zip) = &after.body {
        sent.add(&live.sha256, zip);
    }
    let (put, removed) = tags::changes(live.record.attributes.get("Tags"), after.attributes.get("Tags"));
    retag(cx, &live.arn, put, removed).await?;
    let wanted = after.attributes.get("ReservedConcurrentExecutions");
    if live.record.attributes.get("ReservedConcurrentExecutions") != wanted {
        let concurrency = |method| Request::rest(&super::API, method, ["2017-10-31", "functions", name, "concurrency"]);
        match wanted {
            Some(executions) => {
                let body = json!({ "ReservedConcurrentExecutions": executions.to_json() });
                cx.call(concurrency(Method::PUT).body_json(body)).await.map_err(refused)?;
            }
            None => drop(found(cx.call(concurrency(Method::DELETE)).await)?),
        }
    }
    attached::put(cx, Holder::Function(name), before, &after.attributes).await
}

/// Waits until an instance is done with making or changing a function, for a bounded time.
pub(super) async fn ready(cx: &Scope<'_>, name: &str) -> Result<Option<Live>> {
    let started = Instant::now();
    loop {
        let live = look(cx, name, None).await?;
        if !live.as_ref().is_some_and(|live| live.is_busy) || started.elapsed() > limits::FUNCTION_READY {
            return Ok(live);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn delete(cx: &Scope<'_>, name: &str) -> Result<()> {
    match found(cx.call(functions(Method::DELETE, [name])).await) {
        // LocalStack never lets go of a function that can't run there (no Docker).
        Err(error) if cx.emulator == Emulator::LocalStack && error.status == 500 => {
            Err(Error::denied(format!("LocalStack can't delete function {name}")).because(error))
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Whether the function was refused for want of its role.
fn wants_role(error: &ApiError) -> bool {
    error.status == 400 && error.message.contains("cannot be assumed by Lambda")
}

/// A role that stands where a function's is missing, while the function is made: AWS and moto look at it then, and
/// never again; most other emulators don't look at all, and their functions name roles that nobody ever made.
struct StandIn {
    name: String,
}

impl StandIn {
    const API: Api = Api::query("iam", "2010-05-08");

    /// None if the role is another account's, or there after all.
    async fn make(cx: &Scope<'_>, arn: &str) -> Result<Option<StandIn>> {
        let Some(path) = arn.strip_prefix(&format!("arn:aws:iam::{}:role", cx.account)) else { return Ok(None) };
        let Some((path, name)) = path.rsplit_once('/') else { return Ok(None) };
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ]});
        let (path, trust) = (format!("{path}/"), trust.to_string());
        let fields = [("RoleName", name), ("Path", &path), ("AssumeRolePolicyDocument", &trust)];
        match cx.query(&Self::API, "CreateRole", &fields).await {
            Ok(_) => Ok(Some(StandIn { name: name.to_owned() })),
            Err(error) if error.is_existing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn leave(self, cx: &Scope<'_>) -> Result<()> {
        found(cx.query(&Self::API, "DeleteRole", &[("RoleName", &self.name)]).await)?;
        Ok(())
    }
}
