//! The settings of a state machine: what an update changes, and a version freezes.

use serde_json::{Map, Value as Json, json};

use super::{API, without_own_key};
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{Scope, refused};

/// Told about a machine or a version of one, but no part of it.
const LEFT_OUT: [&str; 9] = [
    "creationDate",
    "description",
    "label",
    "name",
    "revisionId",
    "stateMachineArn",
    "status",
    "variableReferences",
    "updateDate",
];

/// Their names.
pub(super) const SETTINGS: [&str; 5] =
    ["definition", "roleArn", "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration"];

/// What a setting is when a machine has none.
fn none(setting: &str) -> Json {
    match setting {
        "loggingConfiguration" => json!({"level": "OFF", "includeExecutionData": false, "destinations": []}),
        "tracingConfiguration" => json!({"enabled": false}),
        "encryptionConfiguration" => json!({"type": "AWS_OWNED_KEY"}),
        _ => Json::Null,
    }
}

/// What a description says of a machine or a version, without what says nothing.
pub(super) fn read(cx: &Scope<'_>, described: &Json) -> Result<Attributes> {
    let mut attributes = described::attributes(cx, described, &LEFT_OUT)?;
    without_own_key(&mut attributes);
    if described["tracingConfiguration"]["enabled"] != true {
        attributes.remove("tracingConfiguration");
    }
    if let Some(Value::Map(logging)) = attributes.get_mut("loggingConfiguration") {
        logging.retain(|name, value| {
            let says_nothing = match name.as_str() {
                "level" => value.as_text() == Some("OFF"),
                "includeExecutionData" => *value == Value::Bool(false),
                _ => matches!(value, Value::List(items) if items.is_empty()),
            };
            !says_nothing
        });
        if logging.is_empty() {
            attributes.remove("loggingConfiguration");
        }
    }
    Ok(attributes)
}

/// Brings the settings of a machine from what is there to what the step wants.
pub(super) async fn update(
    cx: &Scope<'_>,
    machine: &str,
    live: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<()> {
    let mut request = Map::new();
    for setting in SETTINGS.into_iter().filter(|setting| described::changes(setting, live, before, after)) {
        let value = after.get(setting).map_or_else(|| none(setting), |value| cx.local(value).to_json());
        request.insert(setting.to_owned(), value);
    }
    if request.is_empty() {
        return Ok(());
    }
    request.insert("stateMachineArn".to_owned(), machine.into());
    cx.json(&API, "UpdateStateMachine", Json::Object(request)).await.map_err(refused)?;
    Ok(())
}
