//! The stages of an API.
//!
//! A stage serves a deployment: a snapshot of the API that no call shows. It is put back by deploying what the API is
//! then, after all of its methods; only what the deployment is described as is kept of it.

use serde_json::{Value as Json, json};

use super::patch::{Patch, token};
use super::{attributes, body, delete, deploy, get, list, retag, send, text};
use crate::core::address::Address;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{Method, Scope, quirks};
use crate::instance::{Sink, Step};

/// What the stage's deployment is described as.
const DEPLOYMENT: &str = "deploymentDescription";
const SETTINGS: &str = "methodSettings";
const CANARY: &str = "canarySettings";

/// Told, but no part of it, or of something that can't be put back (a client certificate's key never leaves AWS).
const LEFT_OUT: [&str; 9] = [
    "cacheClusterStatus",
    "clientCertificateId",
    "createdDate",
    "deploymentId",
    "lastUpdatedDate",
    "stageName",
    "webAclArn",
    CANARY,
    SETTINGS,
];

/// Settings of methods: their names, where a patch finds them, and what they are when nobody says (throttles: on
/// different emulators).
const FIELDS: [(&str, &str, &[&str]); 10] = [
    ("metricsEnabled", "metrics/enabled", &["false"]),
    ("loggingLevel", "logging/loglevel", &["OFF"]),
    ("dataTraceEnabled", "logging/dataTrace", &["false"]),
    ("throttlingBurstLimit", "throttling/burstLimit", &["5000", "2000", "-1"]),
    ("throttlingRateLimit", "throttling/rateLimit", &["10000", "1000", "-1"]),
    ("cachingEnabled", "caching/enabled", &["false"]),
    ("cacheTtlInSeconds", "caching/ttlInSeconds", &["300"]),
    ("cacheDataEncrypted", "caching/dataEncrypted", &["false"]),
    ("requireAuthorizationForCacheControl", "caching/requireAuthorizationForCacheControl", &["true"]),
    (
        "unauthorizedCacheControlHeaderStrategy",
        "caching/unauthorizedCacheControlHeaderStrategy",
        &["SUCCEED_WITH_RESPONSE_HEADER"],
    ),
];

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, api: &Address, id: &str) -> Result<()> {
    let stages = list(cx, &["restapis", id, "stages"], &[]).await?;
    let descriptions = if stages.is_empty() { Default::default() } else { deploy::descriptions(cx, id).await? };
    for stage in stages {
        let deployment = descriptions.get(text(&stage, "deploymentId")).map(String::as_str);
        sink.record(api.item("stage", text(&stage, "stageName")), Record::new(read(cx, &stage, deployment)?))?;
    }
    Ok(())
}

fn read(cx: &Scope<'_>, stage: &Json, deployment: Option<&str>) -> Result<Attributes> {
    let off = || json!(false);
    let defaults = [("cacheClusterEnabled", off()), ("tracingEnabled", off())];
    let mut attributes = attributes(cx, stage, &LEFT_OUT, &defaults)?;
    if !attributes.contains_key("cacheClusterEnabled") {
        attributes.remove("cacheClusterSize");
    }
    if let Some(description) = deployment.filter(|description| !description.is_empty()) {
        attributes.insert(DEPLOYMENT.to_owned(), Value::text(description));
    }
    let canary = described::attributes(cx, &stage[CANARY], &["deploymentId"])?;
    if !canary.is_empty() {
        attributes.insert(CANARY.to_owned(), Value::Map(canary));
    }
    let mut settings = Attributes::new();
    for (place, live) in stage[SETTINGS].as_object().into_iter().flatten() {
        let mut said = described::attributes(cx, live, &[])?;
        for (name, _, defaults) in FIELDS {
            let unsaid = said.get(name).is_some_and(|value| defaults.contains(&spelled(value).as_str()));
            if unsaid || (name == "cacheDataEncrypted" && quirks::encrypts_caches(cx.emulator)) {
                said.remove(name);
            }
        }
        settings.insert(place_of(place), Value::Map(said));
    }
    if !settings.is_empty() {
        attributes.insert(SETTINGS.to_owned(), Value::Map(settings));
    }
    Ok(attributes)
}

/// `*/*` or `/orders/POST`, however it is spelled.
fn place_of(place: &str) -> String {
    let place = place.replace("~1", "/").replace("~0", "~");
    if place.starts_with('/') || place.starts_with('*') { place } else { format!("/{place}") }
}

fn spelled(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => {
            let text = number.as_str();
            text.strip_suffix(".0").unwrap_or(text).to_owned()
        }
        value => value.to_json().to_string(),
    }
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step, api: &str, name: &str) -> Result<()> {
    let at = ["restapis", api, "stages", name];
    let Some(after) = step.after.as_ref().map(|after| &after.attributes) else { return delete(cx, &at).await };
    let before = step.before.as_ref().map(|before| &before.attributes);
    let description = after.get(DEPLOYMENT).and_then(Value::as_text);
    let live = match get(cx, &at).await? {
        Some(stage) => {
            let descriptions = deploy::descriptions(cx, api).await?;
            read(cx, &stage, descriptions.get(text(&stage, "deploymentId")).map(String::as_str))?
        }
        None => create(cx, api, name, after, description).await?,
    };
    if described::changes(DEPLOYMENT, &live, before, after)
        && let Some(deployment) = deploy::make(cx, api, description).await?
    {
        deploy::lead(cx, api, name, &deployment).await?;
    }
    let mut patch = Patch::new(cx).attributes(&live, before, after, &[DEPLOYMENT, SETTINGS, "tags"]);
    if described::changes(SETTINGS, &live, before, after) {
        set(&mut patch, live.get(SETTINGS), after.get(SETTINGS));
    }
    patch.send(&at).await?;
    retag(cx, &format!("restapis/{api}/stages/{name}"), &live, before, after).await
}

/// Makes a stage, and says what it has then.
async fn create(
    cx: &Scope<'_>,
    api: &str,
    name: &str,
    after: &Attributes,
    description: Option<&str>,
) -> Result<Attributes> {
    let Some(deployment) = deploy::make(cx, api, description).await? else {
        return Err(Error::denied(format!("{name} can't be deployed: the API has no methods that lead anywhere")));
    };
    // These take patches.
    let later = [DEPLOYMENT, SETTINGS, "accessLogSettings"];
    let mut body = body(cx, after, &later);
    body["stageName"] = name.into();
    body["deploymentId"] = deployment.clone().into();
    if body[CANARY].is_object() {
        body[CANARY]["deploymentId"] = deployment.into();
    }
    send(cx, Method::POST, &["restapis", api, "stages"], body).await?;
    let mut live = after.clone();
    live.retain(|name, _| name == DEPLOYMENT || !later.contains(&name.as_str()));
    Ok(live)
}

/// Settings of methods, those for all first: emulators let others begin with them.
fn set(patch: &mut Patch<'_>, live: Option<&Value>, after: Option<&Value>) {
    let none = Attributes::new();
    let (live, after) = (live.and_then(Value::as_map).unwrap_or(&none), after.and_then(Value::as_map).unwrap_or(&none));
    let path = |place: &str| {
        let (path, verb) = place.rsplit_once('/').unwrap_or((place, "*"));
        format!("/{}/{verb}", token(path))
    };
    for place in live.keys().filter(|place| !after.contains_key(*place)) {
        patch.remove(&path(place), None);
    }
    let mut wanted: Vec<(&String, &Value)> =
        after.iter().filter(|(place, value)| live.get(*place) != Some(value)).collect();
    wanted.sort_by_key(|(place, _)| !place.starts_with('*'));
    let of_all = after.get("*/*").and_then(Value::as_map).unwrap_or(&none);
    for (place, value) in wanted {
        let value = value.as_map().unwrap_or(&none);
        let had = live.get(place).and_then(Value::as_map).unwrap_or(&none);
        for (name, field, defaults) in FIELDS {
            let wanted = value.get(name).map(spelled);
            // What is not said is said all the same, unless it would be so by itself.
            let by_itself = !had.contains_key(name) && !of_all.contains_key(name) && name != "metricsEnabled";
            let wanted = wanted.or_else(|| defaults.first().filter(|_| !by_itself).map(|text| (*text).to_owned()));
            if let Some(wanted) = wanted {
                patch.replace(&format!("{}/{field}", path(place)), &wanted.into());
            }
        }
    }
}
