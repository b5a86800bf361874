//! EC2's requests and answers: its query protocol with lists called `item`, and names that begin small in answers and
//! large in requests.

use serde_json::{Value as Json, json};

use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::described::Attributes;
use crate::instance::aws::{Api, ApiError, Request, Scope, items, refused, tags};

pub(super) const API: Api = Api::ec2("ec2", "2016-11-15");

/// A request whose parameters are `parameters`: `{"Tag": [{"Key": "a"}]}` is `Tag.1.Key=a`.
pub(super) fn request(action: &str, parameters: &Json) -> Request {
    let mut fields = Vec::new();
    flatten("", parameters, &mut fields);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Request::form(&API, action, &fields)
}

fn flatten(prefix: &str, json: &Json, fields: &mut Vec<(String, String)>) {
    let under = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    match json {
        Json::Null => {}
        Json::Object(members) => members.iter().for_each(|(name, member)| flatten(&under(name), member, fields)),
        Json::Array(list) => {
            list.iter().enumerate().for_each(|(at, item)| flatten(&under(&(at + 1).to_string()), item, fields));
        }
        Json::String(text) => fields.push((prefix.to_owned(), text.clone())),
        other => fields.push((prefix.to_owned(), other.to_string())),
    }
}

/// An action that puts something back; a refusal costs that record.
pub(super) async fn act(cx: &Scope<'_>, action: &str, parameters: Json) -> Result<Json> {
    cx.call(request(action, &parameters)).await.map_err(refused)
}

/// The same, where "there is none" is as good as done.
pub(super) async fn undo(cx: &Scope<'_>, action: &str, parameters: Json) -> Result<()> {
    match cx.call(request(action, &parameters)).await {
        Err(error) if !error.is_missing() => Err(refused(error)),
        _ => Ok(()),
    }
}

/// All pages of a listing.
pub(super) async fn list(cx: &Scope<'_>, action: &str, parameters: &Json, set: &str) -> Result<Vec<Json>, ApiError> {
    let mut pages = cx.pages(request(action, parameters), "NextToken", "nextToken");
    let mut found = Vec::new();
    while let Some(page) = pages.next().await? {
        found.extend(items(&page[set]).iter().cloned());
    }
    Ok(found)
}

/// A text of an answer; empty where there is none.
pub(super) fn text<'j>(json: &'j Json, name: &str) -> &'j str {
    json[name].as_str().unwrap_or_default()
}

/// The tag `Name`, by which people know what has no name.
pub(super) fn name_tag(json: &Json) -> Option<&str> {
    let tag = items(&json["tagSet"]).iter().find(|tag| tag["key"] == "Name")?;
    tag["value"].as_str().filter(|name| !name.is_empty())
}

/// Adds attributes of an answer under the names that requests have, unless they are empty or the value given, which is
/// what they are when nobody says otherwise.
pub(super) fn keep(cx: &Scope<'_>, into: &mut Attributes, json: &Json, names: &[(&str, &str, &str)]) {
    for (told, name, usual) in names {
        let value = text(json, told);
        if !value.is_empty() && value != *usual {
            into.insert((*name).to_owned(), Value::text(cx.portable_text(value)));
        }
    }
}

/// What an attribute says here; null if it says nothing.
pub(super) fn local(cx: &Scope<'_>, attributes: &Attributes, name: &str) -> Json {
    attributes.get(name).map_or(Json::Null, |value| cx.local(value).to_json())
}

/// The tags of a new resource.
pub(super) fn tagging(resource_type: &str, attributes: &Attributes) -> Json {
    match attributes.get("Tags") {
        None => Json::Null,
        Some(list) => json!([{"ResourceType": resource_type, "Tag": tags::to_list(list)}]),
    }
}

/// Sets and takes away tags.
pub(super) async fn retag(cx: &Scope<'_>, id: &str, live: &Attributes, after: &Attributes) -> Result<()> {
    let (put, removed) = tags::changes(live.get("Tags"), after.get("Tags"));
    if !removed.is_empty() {
        let gone: Vec<Json> = removed.into_iter().map(|key| json!({ "Key": key })).collect();
        act(cx, "DeleteTags", json!({"ResourceId": [id], "Tag": gone})).await?;
    }
    if !put.is_empty() {
        let put: Vec<Json> = put.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        act(cx, "CreateTags", json!({"ResourceId": [id], "Tag": put})).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_flattened_as_ec2_counts_them() {
        let mut fields = Vec::new();
        flatten("", &json!({"Tag": [{"Key": "a", "Value": ""}, {"Key": "b"}], "Size": 9, "Iops": null}), &mut fields);
        fields.sort();
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(fields, ["Size=9", "Tag.1.Key=a", "Tag.1.Value=", "Tag.2.Key=b"]);
    }
}
