//! Topics.

use std::collections::BTreeMap;

use serde_json::json;

use super::{API, Setting, arn, by_name, call, changed, read, subscription};
use crate::core::address::Address;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::{ApiError, Scope, found, quirks, refused, tags};
use crate::instance::{Sink, Step};

const POLICY: &str = "Policy";
const PROTECTION: &str = "DataProtectionPolicy";

/// What AWS calls the policy, and its statement, of a topic that nobody gave one.
const OWN_POLICY: (&str, &str) = ("__default_policy_ID", "__default_statement_ID");

/// The attributes that a topic of this name has. `Policy` is not among them: the one that a topic has if nobody says
/// another names the topic itself.
fn settings(name: &str) -> Vec<Setting> {
    let mut settings: Vec<Setting> = [
        ("DisplayName", "", false),
        ("DeliveryPolicy", "", true),
        ("KmsMasterKeyId", "", false),
        ("TracingConfig", "PassThrough", false),
        ("SignatureVersion", "1", false),
    ]
    .map(|(name, default, is_document)| (name.to_owned(), default, is_document))
    .into();
    for protocol in ["Application", "Firehose", "HTTP", "Lambda", "SQS"] {
        let feedback =
            [("SuccessFeedbackRoleArn", ""), ("SuccessFeedbackSampleRate", "0"), ("FailureFeedbackRoleArn", "")];
        settings.extend(feedback.map(|(word, default)| (format!("{protocol}{word}"), default, false)));
    }
    if is_fifo(name) {
        settings.push(("ContentBasedDeduplication".to_owned(), "false", false));
        settings.push(("FifoThroughputScope".to_owned(), "Topic", false));
        settings.push(("ArchivePolicy".to_owned(), "{}", true));
    }
    settings
}

fn is_fifo(name: &str) -> bool {
    name.ends_with(".fifo")
}

/// Reads a topic; false if it is gone.
pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, address: &Address, arn: &str) -> Result<bool> {
    let Some(mut attributes) = look(cx, address.name(), arn).await? else { return Ok(false) };
    let answer = cx.query(&API, "ListTagsForResource", &[("ResourceArn", arn)]).await?;
    if let Some(tags) = tags::from_list(&answer["Tags"]) {
        attributes.insert("Tags".to_owned(), tags);
    }
    sink.record(address.clone(), Record::new(attributes))?;
    Ok(true)
}

/// A topic's attributes without its tags; none if there is no such topic.
async fn look(cx: &Scope<'_>, name: &str, arn: &str) -> Result<Option<BTreeMap<String, Value>>, ApiError> {
    let Some(answer) = found(cx.query(&API, "GetTopicAttributes", &[("TopicArn", arn)]).await)? else {
        return Ok(None);
    };
    let live = by_name(&answer);
    let mut attributes = read(cx, &live, &settings(name));
    if let Some(policy) = live.get(POLICY).filter(|text| !text.is_empty()).map(|text| cx.document(text))
        && !is_own(&policy)
    {
        attributes.insert(POLICY.to_owned(), policy);
    }
    if quirks::has_topic_protection(cx.emulator) {
        match cx.query(&API, "GetDataProtectionPolicy", &[("ResourceArn", arn)]).await {
            Ok(answer) => {
                if let Some(text) = answer[PROTECTION].as_str().filter(|text| !text.trim().is_empty()) {
                    attributes.insert(PROTECTION.to_owned(), cx.document(text));
                }
            }
            Err(error) if error.is_unsupported() || error.is_missing() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(attributes))
}

/// Whether a policy is the one that AWS made. Its one statement lists other actions on each make.
fn is_own(policy: &Value) -> bool {
    let field = |value: &Value, name: &str| value.as_map().and_then(|fields| fields.get(name)).cloned();
    let Some(Value::List(statements)) = field(policy, "Statement") else { return false };
    let own = |value: &Value, name, word: &str| field(value, name).is_some_and(|value| value.as_text() == Some(word));
    own(policy, "Id", OWN_POLICY.0) && matches!(statements.as_slice(), [one] if own(one, "Sid", OWN_POLICY.1))
}

/// The policy that AWS gives a topic.
fn own_policy(cx: &Scope<'_>, arn: &str) -> String {
    let actions = [
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    ]
    .map(|action| format!("SNS:{action}"));
    let statement = json!({
        "Sid": OWN_POLICY.1, "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": actions, "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": cx.account}},
    });
    json!({"Version": "2008-10-17", "Id": OWN_POLICY.0, "Statement": [statement]}).to_string()
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let name = step.address.name();
    let arn = arn(cx, name);
    let Some(after) = &step.after else { return delete(cx, &arn).await };
    let live = match look(cx, name, &arn).await? {
        Some(live) => live,
        None => {
            let mut params = vec![("Name".to_owned(), name.to_owned())];
            if is_fifo(name) {
                params.extend(subscription::entry(1, "FifoTopic", "true"));
            }
            call(cx, "CreateTopic", &params).await.map_err(refused)?;
            look(cx, name, &arn).await?.unwrap_or_default()
        }
    };
    // One by one, as the API has it: one that the instance does not know costs no other, nor the topic.
    let settings = settings(name);
    let mut sets = changed(cx, &live, after, &settings);
    if live.get(POLICY) != after.attributes.get(POLICY) {
        let wanted = after.attributes.get(POLICY);
        sets.push((POLICY, wanted.map_or_else(|| own_policy(cx, &arn), |policy| cx.document_text(policy))));
    }
    for (name, value) in sets {
        let params = [("TopicArn", arn.as_str()), ("AttributeName", name), ("AttributeValue", &value)];
        pass_over(name, cx.query(&API, "SetTopicAttributes", &params).await)?;
    }
    let protection = after.attributes.get(PROTECTION);
    if live.get(PROTECTION) != protection && quirks::has_topic_protection(cx.emulator) {
        let text = protection.map(|policy| cx.document_text(policy)).unwrap_or_default();
        let params = [("ResourceArn", arn.as_str()), (PROTECTION, &text)];
        pass_over(PROTECTION, cx.query(&API, "PutDataProtectionPolicy", &params).await)?;
    }
    retag(cx, &arn, step.before.as_ref().and_then(|b| b.attributes.get("Tags")), after.attributes.get("Tags")).await
}

/// A refused attribute is not kept, which the next capture shows.
fn pass_over<T>(name: &str, done: Result<T, ApiError>) -> Result<()> {
    match done {
        Err(error) if (400..500).contains(&error.status) || error.is_unsupported() => {
            tracing::info!(%error, name, "not set");
            Ok(())
        }
        done => Ok(done.map(drop)?),
    }
}

async fn retag(cx: &Scope<'_>, arn: &str, before: Option<&Value>, after: Option<&Value>) -> Result<()> {
    let (put, removed) = tags::changes(before, after);
    let resource = ("ResourceArn".to_owned(), arn.to_owned());
    if !removed.is_empty() {
        let keys = removed.into_iter().enumerate().map(|(index, key)| (format!("TagKeys.member.{}", index + 1), key));
        let params: Vec<_> = [resource.clone()].into_iter().chain(keys).collect();
        call(cx, "UntagResource", &params).await.map_err(refused)?;
    }
    if !put.is_empty() {
        let tags = put.into_iter().enumerate().flat_map(|(index, (key, value))| {
            let prefix = format!("Tags.member.{}", index + 1);
            [(format!("{prefix}.Key"), key), (format!("{prefix}.Value"), value)]
        });
        let params: Vec<_> = [resource].into_iter().chain(tags).collect();
        call(cx, "TagResource", &params).await.map_err(refused)?;
    }
    Ok(())
}

/// Deletes a topic, and its subscriptions first: in LocalStack they outlive it.
async fn delete(cx: &Scope<'_>, arn: &str) -> Result<()> {
    for live in subscription::list(cx, arn).await? {
        subscription::unsubscribe(cx, &live).await?;
    }
    found(cx.query(&API, "DeleteTopic", &[("TopicArn", arn)]).await).map_err(refused)?;
    Ok(())
}
