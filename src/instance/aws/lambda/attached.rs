//! What hangs on a function, a version or an alias, each put by calls of its own: its resource policy, its URL, what
//! becomes of asynchronous invocations, provisioned concurrency, and whether it may call itself in a loop.
//!
//! A function's URL has a generated host, so that it is another one in another instance. What an instance refuses of
//! all this costs only itself: the echo shows that it is not kept.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{API, policy, text};
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{ApiError, Emulator, Method, Request, Scope, found, quirks};

const INVOKE: &str = "EventInvokeConfig";
const URL: &str = "FunctionUrlConfig";
const POLICY: &str = "Policy";
const PROVISIONED: &str = "ProvisionedConcurrentExecutions";
const RECURSION: &str = "RecursiveLoop";

/// The attributes that are put here.
pub(super) const NAMES: [&str; 5] = [INVOKE, URL, POLICY, PROVISIONED, RECURSION];

/// What it hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder<'a> {
    Function(&'a str),
    Version(&'a str, &'a str),
    Alias(&'a str, &'a str),
}

impl Holder<'_> {
    fn parts(&self) -> (&str, Option<&str>) {
        match self {
            Holder::Function(name) => (name, None),
            Holder::Version(name, qualifier) | Holder::Alias(name, qualifier) => (name, Some(qualifier)),
        }
    }

    fn request(&self, method: Method, api_version: &str, tail: &[&str]) -> Request {
        let (name, qualifier) = self.parts();
        let path = [api_version, "functions", name].into_iter().chain(tail.iter().copied());
        let request = Request::rest(&API, method, path);
        match qualifier {
            Some(qualifier) => request.query("Qualifier", qualifier),
            None => request,
        }
    }

    /// The request for one of the attributes; none where it can't hang.
    fn of(&self, cx: &Scope<'_>, attribute: &str, method: Method) -> Option<Request> {
        let whole = matches!(self, Holder::Function(_));
        let (api_version, tail, possible) = match attribute {
            POLICY => ("2015-03-31", "policy", true),
            URL => ("2021-10-31", "url", !matches!(self, Holder::Version(..))),
            INVOKE => ("2019-09-25", "event-invoke-config", true),
            PROVISIONED => ("2019-09-30", "provisioned-concurrency", !whole),
            _ => ("2024-08-31", "recursion-config", whole),
        };
        let is_alias = matches!(self, Holder::Alias(..));
        let passed_over = !whole && quirks::passes_over_qualifier(cx.emulator, is_alias).contains(&attribute);
        (possible && !passed_over).then(|| self.request(method, api_version, &[tail]))
    }

    fn arn(&self, cx: &Scope<'_>) -> String {
        let (name, qualifier) = self.parts();
        let qualifier = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
        format!("arn:aws:lambda:{}:{}:function:{name}{qualifier}", cx.region, cx.account)
    }
}

/// Reads all of it.
pub(super) async fn read(cx: &Scope<'_>, holder: Holder<'_>) -> Result<Attributes> {
    let mut attributes = Attributes::new();
    for name in NAMES {
        let Some(request) = holder.of(cx, name, Method::GET) else { continue };
        let answer = match found(cx.call(request).await) {
            Ok(Some(answer)) => answer,
            Ok(None) => continue,
            Err(error) if error.is_unsupported() => continue,
            Err(error) => return Err(error.into()),
        };
        let value = match name {
            POLICY => {
                let statements = policy::statements(cx, text(&answer, "Policy").unwrap_or_default(), &holder.arn(cx));
                (!statements.is_empty()).then_some(Value::Map(statements))
            }
            URL => url(&answer)?,
            INVOKE => invoke(cx, &answer)?,
            PROVISIONED => answer["RequestedProvisionedConcurrentExecutions"].as_i64().map(Value::from),
            _ => text(&answer, RECURSION).filter(|word| *word != "Terminate").map(Value::from),
        };
        attributes.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(attributes)
}

fn url(answer: &Json) -> Result<Option<Value>> {
    let mut fields = BTreeMap::new();
    if let Some(auth) = text(answer, "AuthType") {
        fields.insert("AuthType".to_owned(), Value::text(auth));
    }
    if let Some(mode) = text(answer, "InvokeMode").filter(|mode| !mode.eq_ignore_ascii_case("BUFFERED")) {
        fields.insert("InvokeMode".to_owned(), mode.into());
    }
    let mut cors = answer["Cors"].clone();
    if let Some(cors) = cors.as_object_mut() {
        let is_default = |name: &str, value: &Json| {
            value.is_null()
                || value.as_array().is_some_and(Vec::is_empty)
                || (name == "AllowCredentials" && *value == json!(false))
                || (name == "MaxAge" && *value == json!(0))
        };
        cors.retain(|name, value| !is_default(name, value));
        if !cors.is_empty() {
            fields.insert("Cors".to_owned(), Value::from_json(&Json::Object(cors.clone()))?);
        }
    }
    Ok((!fields.is_empty()).then_some(Value::Map(fields)))
}

fn invoke(cx: &Scope<'_>, answer: &Json) -> Result<Option<Value>> {
    let mut fields = BTreeMap::new();
    // Some makes spell the defaults out.
    for (name, default) in [("MaximumRetryAttempts", 2), ("MaximumEventAgeInSeconds", 21_600)] {
        if let Some(number) = answer[name].as_i64().filter(|number| *number != default) {
            fields.insert(name.to_owned(), number.into());
        }
    }
    let mut destinations = BTreeMap::new();
    for name in ["OnFailure", "OnSuccess"] {
        if let Some(arn) = text(&answer["DestinationConfig"][name], "Destination") {
            let arn = Value::text(cx.portable_text(arn));
            destinations.insert(name.to_owned(), Value::Map([("Destination".to_owned(), arn)].into()));
        }
    }
    if !destinations.is_empty() {
        fields.insert("DestinationConfig".to_owned(), Value::Map(destinations));
    }
    Ok((!fields.is_empty()).then_some(Value::Map(fields)))
}

/// Brings it from what is live to what shall be. `before` is as the last capture saw it, none of what was just made.
pub(super) async fn put(
    cx: &Scope<'_>,
    holder: Holder<'_>,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<()> {
    let wanted = |name: &&str| before.is_none_or(|before| before.get(*name) != after.get(*name));
    // Nothing of it is there, nor wanted: not even a look.
    if !NAMES.iter().any(|name| wanted(name) && (before.is_some() || after.contains_key(*name))) {
        return Ok(());
    }
    let live = read(cx, holder).await?;
    let possible = |name: &&&str| holder.of(cx, name, Method::GET).is_some();
    for name in NAMES.iter().filter(possible).filter(|name| described::changes(name, &live, before, after)) {
        let (live, after) = (live.get(*name), after.get(*name));
        match *name {
            POLICY => put_policy(cx, holder, live, after).await?,
            name => {
                for request in requests(cx, holder, name, live.is_some(), after) {
                    unless_refused(cx, cx.call(request).await)?;
                }
            }
        }
    }
    Ok(())
}

/// What brings one of the attributes to what it shall be.
fn requests(cx: &Scope<'_>, holder: Holder<'_>, name: &str, there: bool, after: Option<&Value>) -> Vec<Request> {
    let mut fields = match after.map(|value| cx.local(value).to_json()) {
        Some(Json::Object(fields)) => fields,
        Some(value) => Map::from_iter([(name.to_owned(), value)]),
        None => Map::new(),
    };
    let (method, delete_first) = match (name, after.is_some()) {
        (RECURSION, false) => {
            fields.insert(RECURSION.to_owned(), "Terminate".into());
            (Method::PUT, false)
        }
        (_, false) => (Method::DELETE, false),
        (URL, true) if !there => (Method::POST, false),
        (URL, true) => {
            fields.entry("Cors").or_insert(json!({}));
            fields.entry("InvokeMode").or_insert("BUFFERED".into());
            (Method::PUT, false)
        }
        (INVOKE, true) => (Method::PUT, there && quirks::keeps_first_invoke_config(cx.emulator)),
        _ => (Method::PUT, false),
    };
    let request = holder.of(cx, name, method.clone());
    let request = request.map(|request| match method {
        Method::DELETE => request,
        _ => request.body_json(Json::Object(fields)),
    });
    let delete = delete_first.then(|| holder.of(cx, name, Method::DELETE)).flatten();
    delete.into_iter().chain(request).collect()
}

async fn put_policy(cx: &Scope<'_>, holder: Holder<'_>, live: Option<&Value>, after: Option<&Value>) -> Result<()> {
    let statements = |policy: Option<&Value>| policy.and_then(Value::as_map).cloned().unwrap_or_default();
    let (live, after) = (statements(live), statements(after));
    for id in live.iter().filter(|(id, statement)| after.get(*id) != Some(*statement)).map(|(id, _)| id) {
        let request = holder.request(Method::DELETE, "2015-03-31", &["policy", id]);
        unless_refused(cx, found(cx.call(request).await).map(Option::unwrap_or_default))?;
    }
    for (id, statement) in after.iter().filter(|(id, statement)| live.get(*id) != Some(*statement)) {
        let request = holder.request(Method::POST, "2015-03-31", &["policy"]);
        unless_refused(cx, cx.call(request.body_json(policy::permission(cx, id, statement))).await)?;
    }
    Ok(())
}

/// What an instance says no to is not kept there. LocalStack breaks down over the provisioned concurrency of a function
/// that can't run there.
fn unless_refused(cx: &Scope<'_>, answer: Result<Json, ApiError>) -> Result<()> {
    match answer {
        Err(error) if error.is_gone() => Err(error.into()),
        Err(error) if error.status < 500 || error.is_unsupported() || cx.emulator == Emulator::LocalStack => {
            tracing::debug!(%error, "not kept");
            Ok(())
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}
