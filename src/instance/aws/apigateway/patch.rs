//! The patches that every update of this service is made of.

use serde_json::{Value as Json, json};

use crate::error::Result;
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{Method, Scope, quirks};

/// Operations that lead from what is there to what the step wants.
pub(super) struct Patch<'a> {
    cx: &'a Scope<'a>,
    operations: Vec<Json>,
}

/// A text as one token of a path.
pub(super) fn token(text: &str) -> String {
    text.replace('~', "~0").replace('/', "~1")
}

/// Values are texts in operations.
fn spelled(value: &Json) -> Json {
    match value {
        Json::String(_) => value.clone(),
        other => Json::String(other.to_string()),
    }
}

impl<'a> Patch<'a> {
    pub(super) fn new(cx: &'a Scope<'a>) -> Patch<'a> {
        Patch { cx, operations: Vec::new() }
    }

    pub(super) fn replace(&mut self, path: &str, value: &Json) {
        self.operations.push(json!({"op": "replace", "path": path, "value": spelled(value)}));
    }

    pub(super) fn add(&mut self, path: &str, value: &Json) {
        self.operations.push(json!({"op": "add", "path": path, "value": spelled(value)}));
    }

    pub(super) fn remove(&mut self, path: &str, value: Option<&Json>) {
        let mut operation = json!({"op": "remove", "path": path});
        if let Some(value) = value {
            operation["value"] = spelled(value);
        }
        self.operations.push(operation);
    }

    /// One attribute that differs.
    pub(super) fn attribute(&mut self, name: &str, live: &Attributes, after: &Attributes) {
        let local = |attributes: &Attributes| attributes.get(name).map(|value| self.cx.local(value).to_json());
        let (from, to) = (local(live), local(after));
        let path = format!("/{name}");
        if quirks::patches_whole_attributes(self.cx.emulator) {
            let value = to.unwrap_or(match from {
                Some(Json::Array(_)) => json!([]),
                Some(Json::Object(_)) => json!({}),
                Some(Json::Bool(_)) => json!(false),
                Some(Json::String(_)) => json!(""),
                _ => Json::Null,
            });
            self.operations.push(json!({"op": "replace", "path": path, "value": value}));
            return;
        }
        match (from, to) {
            (Some(Json::Object(_)), None) => self.remove(&path, None),
            (from @ (None | Some(Json::Object(_))), Some(Json::Object(to))) => {
                let from = from.unwrap_or_default();
                for key in from.as_object().into_iter().flatten().map(|(key, _)| key) {
                    if !to.contains_key(key) {
                        self.remove(&format!("{path}/{}", token(key)), None);
                    }
                }
                for (key, value) in &to {
                    if from[key] != *value {
                        self.replace(&format!("{path}/{}", token(key)), value);
                    }
                }
            }
            (from @ (None | Some(Json::Array(_))), to @ (None | Some(Json::Array(_)))) => {
                let listed = |list: &Option<Json>| list.as_ref().and_then(Json::as_array).cloned().unwrap_or_default();
                let (from, to) = (listed(&from), listed(&to));
                // These are told by value, others by path.
                let by_value = name == "providerARNs";
                let place = |item: &Json| match item.as_str() {
                    Some(text) if !by_value => format!("{path}/{}", token(text)),
                    _ => path.clone(),
                };
                for item in to.iter().filter(|item| !from.contains(item)) {
                    self.add(&place(item), if by_value { item } else { &Json::Null });
                }
                for item in from.iter().filter(|item| !to.contains(item)) {
                    self.remove(&place(item), by_value.then_some(item));
                }
            }
            (_, Some(value)) => self.replace(&path, &value),
            (Some(Json::Bool(_)), None) => self.replace(&path, &json!(false)),
            (Some(Json::String(_)), None) => self.replace(&path, &json!("")),
            (_, None) => self.remove(&path, None),
        }
    }

    /// All attributes that differ, but for these.
    pub(super) fn attributes(
        mut self,
        live: &Attributes,
        before: Option<&Attributes>,
        after: &Attributes,
        but: &[&str],
    ) -> Patch<'a> {
        let names: std::collections::BTreeSet<&String> = live.keys().chain(after.keys()).collect();
        for name in names {
            if !but.contains(&name.as_str()) && described::changes(name, live, before, after) {
                self.attribute(name, live, after);
            }
        }
        self
    }

    /// Sends it, if it says anything.
    pub(super) async fn send(mut self, path: &[&str]) -> Result<()> {
        if self.operations.is_empty() {
            return Ok(());
        }
        for operation in &mut self.operations {
            // An element of a list that is named by the path has no value.
            if operation["op"] == "add" && operation["value"] == "null" {
                operation["value"] = Json::Null;
            }
        }
        super::send(self.cx, Method::PATCH, path, json!({"patchOperations": self.operations})).await?;
        Ok(())
    }
}
