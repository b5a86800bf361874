//! The policy of an event bus, which each make writes in its own way and one takes only in pieces.

use serde_json::{Map, Value as Json, json};

use super::API;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::{Scope, items, quirks, refused};

/// The policy as a portable value, the same from every make.
pub(super) fn read(cx: &Scope<'_>, text: &str) -> Value {
    let Ok(mut policy) = serde_json::from_str::<Json>(text) else { return cx.document(text) };
    for statement in policy.get_mut("Statement").and_then(Json::as_array_mut).into_iter().flatten() {
        let principal = match &statement["Principal"] {
            Json::String(account) if is_account(account) => Some(json!({"AWS": root(account)})),
            principal if principal["AWS"] == root("*") => Some(json!("*")),
            _ => None,
        };
        if let Some(principal) = principal {
            statement["Principal"] = principal;
        }
        let condition = &statement["Condition"];
        if let (Some(operator), Some(key)) = (condition["Type"].as_str(), condition["Key"].as_str()) {
            statement["Condition"] = json!({operator: {key: condition["Value"]}});
        }
    }
    cx.document(&policy.to_string())
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn root(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

/// Gives a bus this policy, or takes its policy away, if it has one.
pub(super) async fn write(cx: &Scope<'_>, bus: &str, has_one: bool, policy: Option<&Value>) -> Result<()> {
    // moto 5.2.5 adds the statements of a new policy to those of the old one.
    if has_one {
        let request = json!({"EventBusName": bus, "RemoveAllPermissions": true});
        cx.json(&API, "RemovePermission", request).await.map_err(refused)?;
    }
    let Some(policy) = policy else { return Ok(()) };
    let text = cx.document_text(policy);
    if !quirks::bus_policy_in_pieces(cx.emulator) {
        cx.json(&API, "PutPermission", json!({"EventBusName": bus, "Policy": text})).await.map_err(refused)?;
        return Ok(());
    }
    let policy: Json = serde_json::from_str(&text).unwrap_or_default();
    // What can't be said in this way is missed by the next capture, and reported.
    for mut request in items(&policy["Statement"]).iter().filter_map(piece) {
        request.insert("EventBusName".to_owned(), bus.into());
        cx.json(&API, "PutPermission", Json::Object(request)).await.map_err(refused)?;
    }
    Ok(())
}

/// A statement as PutPermission takes one: one action, one account or all, one condition.
fn piece(statement: &Json) -> Option<Map<String, Json>> {
    if statement["Effect"] != "Allow" {
        return None;
    }
    let principal = match &statement["Principal"] {
        Json::String(all) if all == "*" => all.as_str(),
        principal => principal["AWS"].as_str()?.strip_prefix("arn:aws:iam::")?.strip_suffix(":root")?,
    };
    let mut piece = Map::new();
    piece.insert("StatementId".to_owned(), statement["Sid"].as_str()?.into());
    piece.insert("Action".to_owned(), statement["Action"].as_str()?.into());
    piece.insert("Principal".to_owned(), principal.into());
    if let Some(condition) = statement["Condition"].as_object() {
        let (operator, test) = only(condition)?;
        let (key, value) = only(test.as_object()?)?;
        piece.insert("Condition".to_owned(), json!({"Type": operator, "Key": key, "Value": value}));
    }
    Some(piece)
}

fn only(fields: &Map<String, Json>) -> Option<(&String, &Json)> {
    fields.iter().next().filter(|_| fields.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_taken_apart_only_if_nothing_of_it_is_lost() {
        let one = |account: &str| {
            json!({"Sid": "s", "Effect": "Allow", "Principal": {"AWS": root(account)}, "Action": "events:PutEvents",
                "Resource": "r", "Condition": {"StringEquals": {"k": "v"}}})
        };
        let expected = json!({"StatementId": "s", "Action": "events:PutEvents", "Principal": "111122223333",
            "Condition": {"Type": "StringEquals", "Key": "k", "Value": "v"}});
        assert_eq!(piece(&one("111122223333")).map(Json::Object), Some(expected));
        let mut all = one("*");
        all["Principal"] = "*".into();
        assert_eq!(piece(&all).unwrap()["Principal"], "*");
        for (field, value) in [
            ("Effect", json!("Deny")),
            ("Sid", Json::Null),
            ("Action", json!(["a", "b"])),
            ("Principal", json!({"AWS": ["a", "b"]})),
            ("Principal", json!({"Service": "s"})),
            ("Condition", json!({"StringEquals": {"k": "v", "l": "w"}})),
            ("Condition", json!({"StringEquals": {"k": "v"}, "StringLike": {"k": "v"}})),
        ] {
            let mut other = one("111122223333");
            other[field] = value;
            assert_eq!(piece(&other), None, "{other}");
        }
        assert_eq!(piece(&json!("text")), None);
    }
}
