//! The resource policy of a function, version or alias, statement by statement as AddPermission takes it.
//!
//! Makes write one statement in several ways (an account as its number or its root, a service as one or as a bare name),
//! so what is kept is what was asked for.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::text;
use crate::core::address::SELF_ACCOUNT;
use crate::core::value::Value;
use crate::instance::aws::{Scope, items};

/// What AddPermission calls a condition, by the name of its key without namespace.
const CONDITIONS: [(&str, &str); 6] = [
    ("sourcearn", "SourceArn"),
    ("sourceaccount", "SourceAccount"),
    ("principalorgid", "PrincipalOrgID"),
    ("eventsourcetoken", "EventSourceToken"),
    ("functionurlauthtype", "FunctionUrlAuthType"),
    ("invokedviafunctionurl", "InvokedViaFunctionUrl"),
];

/// The statements of a policy on exactly this ARN by their ids. Some makes show a function's with those of its versions.
pub(super) fn statements(cx: &Scope<'_>, policy: &str, arn: &str) -> BTreeMap<String, Value> {
    let policy: Json = serde_json::from_str(policy).unwrap_or_default();
    let of_it = |statement: &&Json| {
        text(statement, "Resource").is_none_or(|resource| resource.trim_end_matches(":$LATEST") == arn)
    };
    items(&policy["Statement"]).iter().filter(of_it).filter_map(|json| statement(cx, json)).collect()
}

fn statement(cx: &Scope<'_>, json: &Json) -> Option<(String, Value)> {
    let id = text(json, "Sid")?;
    let mut fields = BTreeMap::new();
    fields.insert("Action".to_owned(), Value::text(text(json, "Action")?));
    fields.insert("Principal".to_owned(), Value::text(principal(cx, &json["Principal"])?));
    for (key, value) in
        json["Condition"].as_object().into_iter().flatten().filter_map(|(_, of)| of.as_object()).flatten()
    {
        let key = key.rsplit(':').next().unwrap_or(key).to_ascii_lowercase();
        let value = items(value).first().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        if let (Some((_, name)), Some(value)) = (CONDITIONS.iter().find(|(of, _)| *of == key), value) {
            let value = if value == cx.account { SELF_ACCOUNT.to_owned() } else { cx.portable_text(&value) };
            fields.insert((*name).to_owned(), value.into());
        }
    }
    // moto keeps it there.
    if let Some(auth) = text(json, "FunctionUrlAuthType") {
        fields.insert("FunctionUrlAuthType".to_owned(), auth.into());
    }
    Some((id.to_owned(), Value::Map(fields)))
}

/// A service's name, `*`, or an ARN: an account's is its root's.
fn principal(cx: &Scope<'_>, json: &Json) -> Option<String> {
    let named = json.as_str().or_else(|| text(json, "Service")).or_else(|| text(json, "AWS"))?;
    let is_account = named.len() == 12 && named.bytes().all(|byte| byte.is_ascii_digit());
    Some(if is_account { cx.portable_text(&format!("arn:aws:iam::{named}:root")) } else { cx.portable_text(named) })
}

/// The request that adds a statement.
pub(super) fn permission(cx: &Scope<'_>, id: &str, statement: &Value) -> Json {
    let mut fields: Map<String, Json> = Map::new();
    for (name, value) in statement.as_map().into_iter().flatten() {
        let value = match (name.as_str(), value.as_text()) {
            ("SourceAccount", Some(SELF_ACCOUNT)) => cx.account.into(),
            ("InvokedViaFunctionUrl", Some(truth)) => (truth == "true").into(),
            _ => cx.local(value).to_json(),
        };
        fields.insert(name.clone(), value);
    }
    fields.insert("StatementId".to_owned(), id.into());
    Json::Object(fields)
}
