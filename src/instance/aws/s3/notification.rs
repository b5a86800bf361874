//! A bucket's event notifications: a record apart, put back when all else is in place.

use super::super::{Method, Scope};
use super::subresource::{to_value, to_xml};
use super::{NOTIFICATION, on_bucket};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::{Sink, Step};

const NAME: &str = "NotificationConfiguration";
const LISTS: [&str; 5] =
    ["TopicConfiguration", "QueueConfiguration", "CloudFunctionConfiguration", "Event", "FilterRule"];

/// Reads them; no record where there are none.
pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, bucket: &str) -> Result<()> {
    let address = cx.address(NOTIFICATION, bucket);
    let answer = match cx.call(on_bucket(Method::GET, bucket).query("notification", "")).await {
        Ok(answer) => answer,
        Err(error) if error.is_gone() => return Err(error.into()),
        // They cost themselves, not the bucket's objects.
        Err(error) => {
            cx.skip(sink, address.parts(), error);
            return Ok(());
        }
    };
    match lower_rule_names(to_value(&answer, &LISTS)) {
        Value::Map(fields) if !fields.is_empty() => {
            sink.record(address, Record::new([(NAME.to_owned(), cx.portable(&Value::Map(fields)))].into()))
        }
        _ => Ok(()),
    }
}

/// Filter rules are named `prefix` and `suffix`. AWS and LocalStack give the names back as `Prefix` and `Suffix`, which
/// moto does not take.
fn lower_rule_names(value: Value) -> Value {
    match value {
        Value::List(items) => Value::List(items.into_iter().map(lower_rule_names).collect()),
        Value::Map(fields) => {
            let is_rule = fields.len() == 2 && fields.contains_key("Name") && fields.contains_key("Value");
            let field = |(name, field)| match field {
                Value::Text(text) if is_rule && name == "Name" => (name, Value::Text(text.to_ascii_lowercase())),
                field => (name, lower_rule_names(field)),
            };
            Value::Map(fields.into_iter().map(field).collect())
        }
        other => other,
    }
}

/// Sets, changes or removes them. Paused, they stay off.
pub(super) async fn apply(cx: &Scope<'_>, step: &Step) -> Result<()> {
    if step.paused && step.after.is_some() {
        return Ok(());
    }
    let none = Value::Map(Default::default());
    let wanted = step.after.as_ref().and_then(|record| record.attributes.get(NAME)).unwrap_or(&none);
    let request = on_bucket(Method::PUT, step.address.name())
        .query("notification", "")
        // The target is in this plan too, or the user left it out on purpose.
        .header("x-amz-skip-destination-validation", "true")
        .body_document(to_xml(NAME, &cx.local(wanted)));
    match cx.run(request).await {
        Err(error) if step.after.is_none() && error.is_missing() => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(()),
    }
}
